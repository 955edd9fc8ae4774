// LZMA with properties from elsewhere, through liblzma. See lzma_raw.h.
#include "unpack/formats/lzma_raw.h"

#include <lzma.h>

#include <array>
#include <memory>

namespace unpack {
namespace {

constexpr std::uint64_t kMemory = std::uint64_t{512} << 20;
constexpr std::uint64_t kStep = 256 << 10;

}  // namespace

bool append_lzma(base::ByteView properties, base::ByteView packed, std::uint64_t size, Sink& sink) {
  if (properties.size() < 5) return false;
  std::array<std::uint8_t, 13> header{};
  for (std::size_t i = 0; i < 5; ++i) header[i] = properties[i];
  for (std::size_t i = 0; i < 8; ++i) header[5 + i] = static_cast<std::uint8_t>(size >> (8 * i));
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_alone_decoder(&stream, kMemory) != LZMA_OK) return false;
  const std::unique_ptr<lzma_stream, void (*)(lzma_stream*)> end(&stream, lzma_end);
  stream.next_in = header.data();
  stream.avail_in = header.size();
  bool body = false;
  for (;;) {
    if (stream.avail_in == 0 && !body) {
      body = true;
      stream.next_in = packed.data();
      stream.avail_in = packed.size();
    }
    const auto room = sink.room(kStep);
    if (room.empty()) return false;
    stream.next_out = room.data();
    stream.avail_out = room.size();
    const lzma_ret code = lzma_code(&stream, LZMA_RUN);
    const std::size_t made = room.size() - stream.avail_out;
    sink.commit(made);
    if (code == LZMA_STREAM_END) return true;
    if (code != LZMA_OK || (made == 0 && stream.avail_in == 0 && body)) return false;
  }
}

bool append_lzma_alone(base::ByteView stream, Sink& sink) {
  const auto size = base::load<std::uint64_t>(stream, 5, base::ByteOrder::little);
  return size && append_lzma(stream.first(5), stream.subspan(13), *size, sink);
}

}  // namespace unpack
