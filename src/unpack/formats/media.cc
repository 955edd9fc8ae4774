// Pictures of web interfaces, measured so that the streams inside them are not taken for firmware.
// Source: PNG 1.2 (RFC 2083); GIF89a specification; ITU-T T.81 (JPEG), annex B.
#include <zlib.h>

#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteReader;
using base::ByteView;

Chunk sized(std::uint64_t at, std::uint64_t size) {
  Chunk chunk;
  chunk.offset = at;
  chunk.size = size;
  return chunk;
}

std::optional<Chunk> measure_png(ByteView blob, std::uint64_t at) {
  std::uint64_t end = at + 8;
  for (;;) {
    const auto length = base::load_be32(blob, end);
    if (!length || !base::in_bounds(end, 12ULL + *length, blob.size())) return std::nullopt;
    const ByteView chunk = blob.subspan(end + 4, 4ULL + *length);
    if (crc32_z(0, chunk.data(), chunk.size()) != *base::load_be32(blob, end + 8 + *length)) return std::nullopt;
    end += 12ULL + *length;
    if (base::as_text(chunk.first(4)) == "IEND") return sized(at, end - at);
  }
}

std::optional<Chunk> measure_gif(ByteView blob, std::uint64_t at) {
  ByteReader r(base::clipped(blob, at));
  r.skip(10);
  const std::uint8_t flags = r.u8();
  r.skip(2);
  const auto colours = [](std::uint8_t f) { return f & 0x80 ? 3ULL << ((f & 7) + 1) : 0; };
  r.skip(colours(flags));
  const auto blocks = [&] {
    for (std::uint8_t length = r.u8(); length != 0 && r.ok(); length = r.u8()) r.skip(length);
  };
  while (r.ok()) {
    const std::uint8_t what = r.u8();
    if (!r.ok()) return std::nullopt;
    if (what == 0x3B) return sized(at, r.offset());
    if (what == 0x21) {
      r.skip(1);
      blocks();
    } else if (what == 0x2C) {
      r.skip(8);
      r.skip(colours(r.u8()));
      r.skip(1);
      blocks();
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<Chunk> measure_jpeg(ByteView blob, std::uint64_t at) {
  ByteReader r(base::clipped(blob, at), base::ByteOrder::big);
  r.skip(2);
  bool scanned = false;
  while (r.ok()) {
    if (r.u8() != 0xFF) return std::nullopt;
    std::uint8_t marker = r.u8();
    while (marker == 0xFF) marker = r.u8();
    if (marker == 0xD9) return r.ok() && scanned ? std::optional(sized(at, r.offset())) : std::nullopt;
    if (marker < 0xC0) return std::nullopt;
    const std::uint16_t length = r.u16();
    if (length < 2) return std::nullopt;
    r.skip(length - 2U);
    if (marker != 0xDA) continue;
    scanned = true;  // entropy-coded bytes: to the next marker that is neither stuffing nor a restart
    const ByteView rest = base::clipped(blob, at + r.offset());
    std::uint64_t i = 0;
    while (i + 1 < rest.size() && !(rest[i] == 0xFF && rest[i + 1] != 0 && (rest[i + 1] < 0xD0 || rest[i + 1] > 0xD7))) ++i;
    r.skip(i);
  }
  return std::nullopt;
}

}  // namespace

const Format png_format = {.name = "png", .title = "PNG", .reference = "RFC 2083", .limits = "measured only", .kind = Format::Kind::data,
                           .magics = {{{"\x89PNG\r\n\x1a\n"}}}, .measure = measure_png};
const Format gif_format = {.name = "gif", .title = "GIF", .reference = "GIF89a specification", .limits = "measured only", .kind = Format::Kind::data,
                           .magics = {{{"GIF87a"}, {"GIF89a"}}}, .measure = measure_gif};
const Format jpeg_format = {.name = "jpeg", .title = "JPEG", .reference = "ITU-T T.81, annex B", .limits = "measured only", .kind = Format::Kind::data,
                            .magics = {{{"\xff\xd8\xff"}}}, .measure = measure_jpeg};

}  // namespace unpack
