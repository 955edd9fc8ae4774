// Compressed streams, each into one blob: gzip, zlib, bzip2, xz, lzma, zstd, lz4, lzop. The libraries find the ends.
#include <bzlib.h>
#include <lz4.h>
#include <lz4frame.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
#include <zlib.h>
#include <zstd.h>

#include <bit>

#include <fmt/format.h>

#include "unpack/format.h"

namespace unpack {
namespace {

using base::Bytes;
using base::ByteView;
using base::Error;

constexpr std::uint64_t kStep = 256 << 10;
constexpr std::uint64_t kLzmaMemory = std::uint64_t{512} << 20;

Chunk header_chunk(std::uint64_t at, std::uint64_t size) {
  Chunk chunk;
  chunk.offset = at;
  chunk.size = size;
  return chunk;
}

// What one turn of a library told.
enum class Turn { more, end, damaged };

// Gives `turn` room until it ends. `turn(room, filled)` fills some of the room.
template <class Function>
Turn pump(Sink& sink, Function turn) {
  for (;;) {
    const auto room = sink.room(kStep);
    if (room.empty()) return Turn::damaged;  // over budget
    std::size_t filled = 0;
    const Turn result = turn(room, filled);
    sink.commit(filled);
    if (result != Turn::more) return result;
  }
}

std::unexpected<Error> not_this() { return base::fail(Error::Kind::damaged, "no such stream"); }

// --- gzip, zlib -----------------------------------------------------------------------------------------------------

std::optional<Chunk> measure_gzip(ByteView blob, std::uint64_t at) {  // RFC 1952
  const ByteView head = base::clipped(blob, at, 10);
  if (head.size() < 10 || (head[3] & 0xE0) || (head[8] != 0 && head[8] != 2 && head[8] != 4)) return std::nullopt;
  return header_chunk(at, 10);
}

std::string gzip_name(ByteView from) {
  if (from.size() < 10 || !(from[3] & 8)) return "";
  std::uint64_t at = 10;
  if (from[3] & 4) at += 2 + base::load_le16(from, 10).value_or(0);
  const std::string_view text = base::as_text(base::clipped(from, at, 256));
  return std::string(text.substr(0, text.find('\0')));
}

Turn inflate_turn(z_stream& z, ByteView from, std::span<std::uint8_t> room, std::size_t& filled) {
  if (z.avail_in == 0 && z.total_in < from.size()) {  // avail_in holds 32 bits only
    z.next_in = const_cast<Bytef*>(from.data() + z.total_in);
    z.avail_in = static_cast<uInt>(std::min<std::uint64_t>(from.size() - z.total_in, 1U << 30));
  }
  z.next_out = room.data();
  z.avail_out = static_cast<uInt>(room.size());
  const int code = inflate(&z, Z_NO_FLUSH);
  filled = room.size() - z.avail_out;
  if (code == Z_STREAM_END) return Turn::end;
  if (code != Z_OK || (filled == 0 && z.avail_in == 0)) return Turn::damaged;
  return Turn::more;
}

base::Result<Decoded> inflate_all(ByteView from, Sink& sink, int window_bits) {
  z_stream z{};
  if (inflateInit2(&z, window_bits) != Z_OK) return base::fail(Error::Kind::internal, "zlib cannot start");
  const Turn end = pump(sink, [&](auto room, std::size_t& filled) { return inflate_turn(z, from, room, filled); });
  Decoded out;
  out.consumed = z.total_in;
  out.complete = end == Turn::end;
  inflateEnd(&z);
  if (!out.complete && sink.open_size() == 0) return not_this();
  return out;
}

base::Result<Decoded> decode_gzip(ByteView from, Sink& sink) {
  auto out = inflate_all(from, sink, 16 + MAX_WBITS);
  if (!out) return out;
  if (!out->complete && sink.open_size() < 64) return not_this();
  out->name = gzip_name(from);
  // Members that follow directly belong to the same stream (RFC 1952, 2.2).
  while (out->complete && base::as_text(base::clipped(from, out->consumed, 3)) == "\x1f\x8b\x08") {
    const auto next = inflate_all(from.subspan(out->consumed), sink, 16 + MAX_WBITS);
    if (!next) break;
    out->consumed += next->consumed;
    out->complete = next->complete;
  }
  return out;
}

std::optional<Chunk> measure_zlib(ByteView blob, std::uint64_t at) {  // RFC 1950
  const auto head = base::load_be16(blob, at);
  if (!head || *head % 31 != 0) return std::nullopt;
  return header_chunk(at, 2);
}

base::Result<Decoded> decode_zlib(ByteView from, Sink& sink) {
  auto out = inflate_all(from, sink, MAX_WBITS);
  // Two bytes of magic prove nothing: only a whole stream of some length whose check holds counts.
  if (out && (!out->complete || sink.open_size() < 64 || out->consumed < 24)) return not_this();
  return out;
}

// --- bzip2 ----------------------------------------------------------------------------------------------------------

std::optional<Chunk> measure_bzip2(ByteView blob, std::uint64_t at) {
  const ByteView head = base::clipped(blob, at, 10);
  if (head.size() < 10 || head[3] < '1' || head[3] > '9' || base::as_text(head.subspan(4)) != "1AY&SY") return std::nullopt;
  return header_chunk(at, 4);
}

base::Result<Decoded> decode_bzip2(ByteView from, Sink& sink) {
  bz_stream bz{};
  if (BZ2_bzDecompressInit(&bz, 0, 0) != BZ_OK) return base::fail(Error::Kind::internal, "libbz2 cannot start");
  std::uint64_t taken = 0;
  const Turn end = pump(sink, [&](auto room, std::size_t& filled) {
    bz.next_in = reinterpret_cast<char*>(const_cast<std::uint8_t*>(from.data() + taken));
    bz.avail_in = static_cast<unsigned>(std::min<std::uint64_t>(from.size() - taken, 1U << 30));
    const unsigned before = bz.avail_in;
    bz.next_out = reinterpret_cast<char*>(room.data());
    bz.avail_out = static_cast<unsigned>(room.size());
    const int code = BZ2_bzDecompress(&bz);
    taken += before - bz.avail_in;
    filled = room.size() - bz.avail_out;
    if (code == BZ_STREAM_END) return Turn::end;
    return code == BZ_OK && (filled > 0 || before != bz.avail_in) ? Turn::more : Turn::damaged;
  });
  BZ2_bzDecompressEnd(&bz);
  if (end != Turn::end && sink.open_size() == 0) return not_this();
  Decoded out;
  out.consumed = taken;
  out.complete = end == Turn::end;
  return out;
}

// --- xz, lzma, lzip -------------------------------------------------------------------------------------------------

base::Result<Decoded> run_lzma(lzma_stream& stream, ByteView from, Sink& sink) {
  stream.next_in = from.data();
  stream.avail_in = from.size();
  const Turn end = pump(sink, [&](auto room, std::size_t& filled) {
    stream.next_out = room.data();
    stream.avail_out = room.size();
    const lzma_ret code = lzma_code(&stream, LZMA_FINISH);
    filled = room.size() - stream.avail_out;
    if (code == LZMA_STREAM_END) return Turn::end;
    return code == LZMA_OK ? Turn::more : Turn::damaged;
  });
  Decoded out;
  out.consumed = stream.total_in;
  out.complete = end == Turn::end;
  lzma_end(&stream);
  if (!out.complete && sink.open_size() == 0) return not_this();
  return out;
}

std::optional<Chunk> measure_xz(ByteView blob, std::uint64_t at) {  // The .xz File Format 1.1, 2.1.1: magic, flags, CRC32
  const ByteView head = base::clipped(blob, at, 12);
  if (head.size() < 12 || head[6] != 0 || head[7] > 15) return std::nullopt;
  if (crc32(0, head.data() + 6, 2) != base::load_le32(head, 8)) return std::nullopt;
  return header_chunk(at, 12);
}

base::Result<Decoded> decode_xz(ByteView from, Sink& sink) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kLzmaMemory, 0) != LZMA_OK) return base::fail(Error::Kind::internal, "liblzma cannot start");
  return run_lzma(stream, from, sink);
}

bool plausible_dictionary(std::uint32_t size) {
  if (size < 4096 || size > (256U << 20)) return false;
  return std::has_single_bit(size) || std::has_single_bit(size / 3 * 2);
}

// The header of LZMA_Alone: properties, dictionary, size or all ones. The range coder's first byte is always 0.
std::optional<Chunk> measure_lzma(ByteView blob, std::uint64_t at) {
  const ByteView head = base::clipped(blob, at, 18);
  if (head.size() < 18 || head[0] >= 225 || head[13] != 0) return std::nullopt;
  const unsigned lc = head[0] % 9, lp = head[0] / 9 % 5;
  const std::uint64_t size = *base::load<std::uint64_t>(head, 5, base::ByteOrder::little);
  if (lc + lp > 4 || !plausible_dictionary(*base::load_le32(head, 1))) return std::nullopt;
  if (size != ~std::uint64_t{0} && (size < 32 || size > (std::uint64_t{1} << 32))) return std::nullopt;
  return header_chunk(at, 13);
}

base::Result<Decoded> decode_lzma(ByteView from, Sink& sink) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_alone_decoder(&stream, kLzmaMemory) != LZMA_OK) return base::fail(Error::Kind::internal, "liblzma cannot start");
  auto out = run_lzma(stream, from, sink);
  if (!out) return out;
  out->note = fmt::format("properties 0x{:02x}, dictionary {}", from[0], base::load_le32(from, 1).value_or(0));
  // No check and no magic: a stream cut off at the end of the blob is believed only when much came out of it.
  if (!out->complete && (out->consumed < from.size() || sink.open_size() < (64U << 10))) return not_this();
  return out;
}

std::optional<Chunk> measure_lzip(ByteView blob, std::uint64_t at) {
  const ByteView head = base::clipped(blob, at, 6);
  if (head.size() < 6 || head[4] > 1 || (head[5] & 31) < 12 || (head[5] & 31) > 29) return std::nullopt;
  return header_chunk(at, 6);
}

base::Result<Decoded> decode_lzip(ByteView from, Sink& sink) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_lzip_decoder(&stream, kLzmaMemory, 0) != LZMA_OK) return base::fail(Error::Kind::internal, "liblzma cannot start");
  return run_lzma(stream, from, sink);
}

// --- zstd -----------------------------------------------------------------------------------------------------------

std::optional<Chunk> measure_zstd(ByteView blob, std::uint64_t at) {  // RFC 8878, 3.1.1: reserved bit of the descriptor
  const ByteView head = base::clipped(blob, at, 9);
  if (head.size() < 6 || (head[4] & 8)) return std::nullopt;
  return header_chunk(at, 5);
}

base::Result<Decoded> decode_zstd(ByteView from, Sink& sink) {
  ZSTD_DStream* stream = ZSTD_createDStream();
  if (!stream) return base::fail(Error::Kind::internal, "libzstd cannot start");
  ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 27);
  ZSTD_inBuffer in{from.data(), from.size(), 0};
  const Turn end = pump(sink, [&](auto room, std::size_t& filled) {
    const std::size_t before = in.pos;
    ZSTD_outBuffer out{room.data(), room.size(), 0};
    const std::size_t code = ZSTD_decompressStream(stream, &out, &in);
    filled = out.pos;
    if (ZSTD_isError(code)) return Turn::damaged;
    if (code == 0) return Turn::end;
    return filled == 0 && in.pos == before ? Turn::damaged : Turn::more;
  });
  ZSTD_freeDStream(stream);
  if (end != Turn::end && sink.open_size() == 0) return not_this();
  Decoded out;
  out.consumed = in.pos;
  out.complete = end == Turn::end;
  return out;
}

// --- lz4 ------------------------------------------------------------------------------------------------------------

std::optional<Chunk> measure_lz4(ByteView blob, std::uint64_t at) {  // LZ4 frame format 1.6.1: version 01, reserved bits 0
  const ByteView head = base::clipped(blob, at, 7);
  if (head.size() < 7 || (head[4] & 0xC2) != 0x40 || (head[5] & 0x8F)) return std::nullopt;
  return header_chunk(at, 7);
}

base::Result<Decoded> decode_lz4(ByteView from, Sink& sink) {
  LZ4F_dctx* context = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION))) return base::fail(Error::Kind::internal, "liblz4 cannot start");
  std::uint64_t taken = 0;
  const Turn end = pump(sink, [&](auto room, std::size_t& filled) {
    std::size_t made = room.size(), used = from.size() - taken;
    const std::size_t code = LZ4F_decompress(context, room.data(), &made, from.data() + taken, &used, nullptr);
    taken += used;
    filled = made;
    if (LZ4F_isError(code)) return Turn::damaged;
    if (code == 0) return Turn::end;
    return made == 0 && used == 0 ? Turn::damaged : Turn::more;
  });
  LZ4F_freeDecompressionContext(context);
  if (end != Turn::end && sink.open_size() == 0) return not_this();
  Decoded out;
  out.consumed = taken;
  out.complete = end == Turn::end;
  return out;
}

constexpr std::uint64_t kLegacyBlock = 8 << 20;

std::optional<Chunk> measure_lz4_legacy(ByteView blob, std::uint64_t at) {
  const auto size = base::load_le32(blob, at + 4);
  if (!size || *size == 0 || *size > LZ4_COMPRESSBOUND(kLegacyBlock) || !base::in_bounds(at + 8, *size, blob.size())) return std::nullopt;
  return header_chunk(at, 4);
}

base::Result<Decoded> decode_lz4_legacy(ByteView from, Sink& sink) {
  Decoded out;
  out.consumed = 4;
  for (;;) {
    const auto size = base::load_le32(from, out.consumed);
    if (!size || *size == 0 || *size > LZ4_COMPRESSBOUND(kLegacyBlock) || !base::in_bounds(out.consumed + 4, *size, from.size())) break;
    const auto room = sink.room(kLegacyBlock);
    if (room.empty()) break;
    const int made = LZ4_decompress_safe(reinterpret_cast<const char*>(from.data() + out.consumed + 4),
                                         reinterpret_cast<char*>(room.data()), static_cast<int>(*size), static_cast<int>(room.size()));
    sink.commit(made > 0 ? static_cast<std::uint64_t>(made) : 0);
    if (made <= 0) break;
    out.consumed += 4 + *size;
    if (static_cast<std::uint64_t>(made) < kLegacyBlock) break;  // only the last one is shorter
  }
  if (sink.open_size() == 0) return not_this();
  return out;
}

// --- lzop -----------------------------------------------------------------------------------------------------------

struct LzopHeader {
  std::uint64_t size = 0;
  std::uint32_t flags = 0;
  std::string name;
};

std::optional<LzopHeader> read_lzop_header(ByteView from) {  // lzop 1.04, src/lzop.c: read_header()
  base::ByteReader r(from, base::ByteOrder::big);
  r.skip(9);
  const std::uint16_t version = r.u16();
  r.u16();  // library
  if (version >= 0x0940) r.u16();  // version needed
  const std::uint8_t method = r.u8();
  if (version >= 0x0940) r.u8();  // level
  LzopHeader out;
  out.flags = r.u32();
  if (out.flags & 0x800) r.u32();  // filter
  r.skip(8);                       // mode, mtime
  if (version >= 0x0940) r.u32();  // mtime, high half
  const std::uint8_t length = r.u8();
  out.name = base::as_text(r.take(length));
  r.u32();  // check of the header
  if (out.flags & 0x40) {
    r.skip(r.u32());  // extra field
    r.u32();
  }
  out.size = r.offset();
  if (!r.ok() || method < 1 || method > 3) return std::nullopt;
  return out;
}

std::optional<Chunk> measure_lzop(ByteView blob, std::uint64_t at) {
  const auto header = read_lzop_header(base::clipped(blob, at));
  if (!header) return std::nullopt;
  return header_chunk(at, header->size);
}

base::Result<Decoded> decode_lzop(ByteView from, Sink& sink) {
  const auto header = read_lzop_header(from);
  if (!header) return not_this();
  base::ByteReader r(from, base::ByteOrder::big);
  r.skip(header->size);
  Decoded out;
  out.name = header->name;
  out.complete = false;
  for (;;) {
    const std::uint32_t plain = r.u32();
    if (!r.ok()) break;
    if (plain == 0) {
      out.complete = true;
      break;
    }
    const std::uint32_t packed = r.u32();
    if (plain > (64U << 20) || packed > plain) break;
    std::uint32_t adler = 0;
    const bool has_adler = header->flags & 1, has_crc = header->flags & 0x100;
    if (has_adler) adler = r.u32();
    if (has_crc) r.u32();
    if (packed < plain) r.skip((header->flags & 2 ? 4 : 0) + (header->flags & 0x200 ? 4 : 0));
    const ByteView block = r.take(packed);
    if (!r.ok()) break;
    const auto room = sink.room(plain);
    if (room.empty()) break;
    lzo_uint made = plain;
    if (packed == plain) std::copy(block.begin(), block.end(), room.begin());
    else if (lzo1x_decompress_safe(block.data(), block.size(), room.data(), &made, nullptr) != LZO_E_OK) made = 0;
    const bool good = made == plain && (!has_adler || adler32(1, room.data(), plain) == adler);
    sink.commit(good ? plain : 0);
    if (!good) break;
  }
  out.consumed = r.offset();
  if (!out.complete && sink.open_size() == 0) return not_this();
  return out;
}

}  // namespace

const Format gzip_format = {.name = "gzip", .title = "gzip", .reference = "RFC 1952", .limits = "", .kind = Format::Kind::stream,
                            .magics = {{{"\x1f\x8b\x08"}}}, .measure = measure_gzip, .decode = decode_gzip};
const Format zlib_format = {.name = "zlib", .title = "zlib stream", .reference = "RFC 1950",
                            .limits = "found inside blobs only from 64 bytes of contents on", .kind = Format::Kind::stream,
                            .magics = {{{"\x78\x01"}, {"\x78\x5e"}, {"\x78\x9c"}, {"\x78\xda"}}},
                            .measure = measure_zlib, .decode = decode_zlib, .strong = false};
const Format bzip2_format = {.name = "bzip2", .title = "bzip2", .reference = "bzip2 1.0.8", .limits = "", .kind = Format::Kind::stream,
                             .magics = {{{"BZh"}}}, .measure = measure_bzip2, .decode = decode_bzip2};
const Format xz_format = {.name = "xz", .title = "xz", .reference = "The .xz File Format 1.1.0", .limits = "", .kind = Format::Kind::stream,
                          .magics = {{{{"\xfd" "7zXZ\0", 6}}}}, .measure = measure_xz, .decode = decode_xz};
const Format lzma_format = {.name = "lzma", .title = "LZMA_Alone", .reference = "LZMA SDK, lzma-specification.txt",
                            .limits = "carved with common properties only; a cut stream counts from 64 KiB of contents on",
                            .kind = Format::Kind::stream,
                            .magics = {{{{"\x5d\0\0", 3}}, {{"\x6d\0\0", 3}}, {{"\x6c\0\0", 3}}, {{"\x6e\0\0", 3}}, {{"\x5e\0\0", 3}},
                                        {{"\x64\0\0", 3}}, {{"\x66\0\0", 3}}}},
                            .measure = measure_lzma, .decode = decode_lzma};
const Format lzip_format = {.name = "lzip", .title = "lzip", .reference = "lzip manual, File format", .limits = "", .kind = Format::Kind::stream,
                            .magics = {{{"LZIP"}}}, .measure = measure_lzip, .decode = decode_lzip};
const Format zstd_format = {.name = "zstd", .title = "Zstandard", .reference = "RFC 8878", .limits = "windows to 128 MiB; no dictionaries",
                            .kind = Format::Kind::stream, .magics = {{{"\x28\xb5\x2f\xfd"}}}, .measure = measure_zstd, .decode = decode_zstd};
const Format lz4_format = {.name = "lz4", .title = "LZ4 frame", .reference = "LZ4 Frame Format 1.6.1", .limits = "no dictionaries",
                           .kind = Format::Kind::stream, .magics = {{{"\x04\x22\x4d\x18"}}}, .measure = measure_lz4, .decode = decode_lz4};
const Format lz4_legacy_format = {.name = "lz4-legacy", .title = "LZ4 legacy frame (Linux kernels)", .reference = "LZ4 Frame Format 1.6.1, legacy frame",
                                  .limits = "", .kind = Format::Kind::stream, .magics = {{{"\x02\x21\x4c\x18"}}},
                                  .measure = measure_lz4_legacy, .decode = decode_lz4_legacy};
const Format lzop_format = {.name = "lzop", .title = "lzop", .reference = "lzop 1.04, src/lzop.c", .limits = "one member; no filters",
                            .kind = Format::Kind::stream, .magics = {{{{"\x89LZO\0\r\n\x1a\n", 9}}}}, .measure = measure_lzop, .decode = decode_lzop};

}  // namespace unpack
