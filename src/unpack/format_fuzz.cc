// Every format's measure at offset 0, and its extract or decode when it says yes, whatever the magic. What must hold: a
// chunk lies inside its bytes, and what comes out survives the way through the pipe.
#include <cstdint>
#include <cstdlib>

#include "unpack/format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView blob(data, size);
  unpack::Allowance allowance;
  allowance.bytes = 16 << 20;
  allowance.files = 5000;
  for (const unpack::Format* format : unpack::formats()) {
    const auto chunk = format->measure(blob, 0);
    if (!chunk) continue;
    unpack::Sink sink(blob, size, allowance);
    if (format->decode) {
      sink.begin_blob("stream");
      const auto decoded = format->decode(blob, sink);
      if (decoded && decoded->consumed > size) std::abort();
      if (decoded) sink.end();
      else sink.drop();
    } else {
      if (chunk->offset != 0 || chunk->size == 0 || chunk->size > size || chunk->header > chunk->size) std::abort();
      if (format->extract) (void)format->extract(blob, *chunk, sink);
    }
    if (!unpack::read_yield(unpack::write_yield(sink.take()), size)) std::abort();
  }
  return 0;
}
