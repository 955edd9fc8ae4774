// Headers that vendors and boot loaders put around parts: uImage, TRX, SEAMA, TP-Link, D-Link DLOB. Each explains its
// own header and hands its parts on as views of the same bytes.
#include <zlib.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/escape.h"
#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteReader;
using base::ByteOrder;
using base::ByteView;
using base::Error;

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

// --- uImage ---------------------------------------------------------------------------------------------------------
// U-Boot include/image.h: 64 bytes, big-endian. magic, header CRC, time, size, load, entry, data CRC, os, arch, type,
// compression, name[32].

constexpr std::uint64_t kUImageHeader = 64;
constexpr std::uint8_t kTypeMulti = 4;

struct UImage {
  std::uint32_t header_crc = 0, time = 0, size = 0, load = 0, entry = 0, data_crc = 0;
  std::uint8_t os = 0, arch = 0, type = 0, compression = 0;
  std::string_view name;
  bool header_crc_ok = false;
};

std::optional<UImage> read_uimage(ByteView from) {
  ByteReader r(from, ByteOrder::big);
  UImage u;
  r.u32();
  u.header_crc = r.u32();
  u.time = r.u32();
  u.size = r.u32();
  u.load = r.u32();
  u.entry = r.u32();
  u.data_crc = r.u32();
  u.os = r.u8();
  u.arch = r.u8();
  u.type = r.u8();
  u.compression = r.u8();
  u.name = r.fixed_text(32);
  if (!r.ok()) return std::nullopt;
  base::Bytes copy(from.begin(), from.begin() + kUImageHeader);
  std::fill(copy.begin() + 4, copy.begin() + 8, std::uint8_t{0});  // the sum counts itself as zero
  u.header_crc_ok = crc32(0, copy.data(), kUImageHeader) == u.header_crc;
  return u;
}

std::string_view compression_name(std::uint8_t id) {
  static constexpr std::string_view kNames[] = {"none", "gzip", "bzip2", "lzma", "lzo", "lz4", "zstd"};
  return id < std::size(kNames) ? kNames[id] : "unknown compression";
}

std::optional<Chunk> measure_uimage(ByteView blob, std::uint64_t at) {
  const ByteView from = base::clipped(blob, at);
  const auto u = read_uimage(from);
  if (!u || u->size == 0) return std::nullopt;
  // A header whose sum is wrong still counts when every field makes sense: vendors leave sums unset.
  const bool sane = u->os <= 32 && u->arch <= 32 && u->type <= 48 && u->compression <= 8 && printable(u->name);
  if (!u->header_crc_ok && (!sane || !base::in_bounds(kUImageHeader, u->size, from.size()))) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = kUImageHeader + u->size;
  chunk.header = kUImageHeader;
  chunk.note = fmt::format("\"{}\", type {}, {}, load 0x{:x}, entry 0x{:x}", base::escape_bytes(u->name), u->type, compression_name(u->compression), u->load, u->entry);
  clip_to_blob(chunk, blob);
  if (!u->header_crc_ok) chunk.doubts.push_back({"bad-checksum", "", at, "the header's checksum does not hold", 1});
  else if (chunk.size == kUImageHeader + u->size && crc32_z(0, from.data() + kUImageHeader, u->size) != u->data_crc)
    chunk.doubts.push_back({"bad-checksum", "", at, "the data's checksum does not hold", 1});
  if (chunk.size <= kUImageHeader) return std::nullopt;
  return chunk;
}

base::Result<void> extract_uimage(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  const auto u = read_uimage(from);
  if (!u) return base::fail(Error::Kind::damaged, "the header is cut off");
  const ByteView data = from.subspan(kUImageHeader);
  if (u->type != kTypeMulti) return sink.blob(u->name.empty() ? "data" : base::escape_bytes(u->name), data), base::Result<void>{};
  // Multi: sizes until a zero, then the parts, each padded to four bytes.
  std::vector<std::uint32_t> sizes;
  std::uint64_t at = 0;
  for (;;) {
    const auto size = base::load_be32(data, at);
    at += 4;
    if (!size || sizes.size() > 64) return sink.blob("data", data), base::Result<void>{};
    if (*size == 0) break;
    sizes.push_back(*size);
  }
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (at >= data.size()) return base::fail(Error::Kind::damaged, fmt::format("part {} lies beyond the end", i));
    sink.blob(fmt::format("part-{}", i), base::clipped(data, at, sizes[i]));
    at = base::align_up(at + sizes[i], 4);
  }
  return {};
}

// --- TRX ------------------------------------------------------------------------------------------------------------
// OpenWrt package/system/mtd/src/trx.c: "HDR0", length, CRC32 (inverted), flags | version << 16, offsets of 3 parts (version 2: 4).

std::optional<Chunk> measure_trx(ByteView blob, std::uint64_t at) {
  ByteReader r(base::clipped(blob, at));
  r.u32();
  const std::uint32_t length = r.u32(), crc = r.u32(), version = r.u32() >> 16;
  if (!r.ok() || (version != 1 && version != 2) || length < 28) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = length;
  chunk.header = version == 1 ? 28 : 32;
  chunk.note = fmt::format("version {}", version);
  clip_to_blob(chunk, blob);
  if (chunk.size <= chunk.header) return std::nullopt;
  if (chunk.size == length && (crc32_z(0, blob.data() + at + 12, length - 12) ^ 0xFFFFFFFFU) != crc)
    chunk.doubts.push_back({"bad-checksum", "", at, "the checksum does not hold", 1});
  return chunk;
}

base::Result<void> extract_trx(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  std::vector<std::uint32_t> offsets;
  for (std::uint64_t at = 16; at + 4 <= chunk.header; at += 4)
    if (const auto offset = base::load_le32(from, at); offset && *offset >= chunk.header && *offset < from.size()) offsets.push_back(*offset);
  std::sort(offsets.begin(), offsets.end());
  offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const std::uint64_t end = i + 1 < offsets.size() ? offsets[i + 1] : from.size();
    sink.blob(fmt::format("part-{}", i), from.subspan(offsets[i], end - offsets[i]));
  }
  return {};
}

// --- SEAMA ----------------------------------------------------------------------------------------------------------
// D-Link GPL source, tools/seama/seama.h: big-endian. 0x5EA3A417, reserved u16, metadata length u16, image length u32;
// when there is an image: MD5 (16), metadata, image. An outer header has length 0 and metadata only.

std::optional<Chunk> measure_seama(ByteView blob, std::uint64_t at) {
  ByteReader r(base::clipped(blob, at), ByteOrder::big);
  r.u32();
  const std::uint16_t reserved = r.u16(), meta = r.u16();
  const std::uint32_t image = r.u32();
  if (!r.ok() || reserved != 0 || meta > 4096) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.header = 12 + (image > 0 ? 16U : 0U) + meta;
  chunk.size = chunk.header + image;
  std::string text(base::as_text(base::clipped(blob, at + chunk.header - meta, meta)));
  std::replace(text.begin(), text.end(), '\0', ' ');
  if (!printable(text)) return std::nullopt;
  chunk.note = text.substr(0, text.find_last_not_of(' ') + 1);
  clip_to_blob(chunk, blob);
  if (chunk.size < chunk.header) return std::nullopt;
  return chunk;
}

base::Result<void> extract_seama(ByteView blob, const Chunk& chunk, Sink& sink) {
  if (chunk.size > chunk.header) sink.blob("image", blob.subspan(chunk.offset + chunk.header, chunk.size - chunk.header));
  return {};
}

// --- D-Link PackImg -------------------------------------------------------------------------------------------------
// A 32-byte tag "--PaCkImGs" between kernel and root file system; the length of what follows stands at 16.

std::optional<Chunk> measure_packimg(ByteView blob, std::uint64_t at) {
  if (!base::in_bounds(at, 32, blob.size())) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = 32;
  chunk.note = fmt::format("{} bytes follow", base::load_be32(blob, at + 16).value_or(0));
  return chunk;
}

// --- TP-Link --------------------------------------------------------------------------------------------------------
// OpenWrt firmware-utils: mktplinkfw.c (version 1) and mktplinkfw2.c (versions 2 and 3); 512 bytes, big-endian. Where the
// parts lie depends on the maker of the image (with or without the header counted), so that all that follows the header
// is handed on as one part, to be searched.

constexpr std::uint64_t kTpLinkHeader = 512;

struct TpLink {
  unsigned version = 0;
  std::uint64_t total = 0, kernel = 0, kernel_size = 0;
  std::string vendor, words;
};

std::optional<TpLink> read_tplink(ByteView from) {
  ByteReader r(from, ByteOrder::big);
  TpLink t;
  const std::uint32_t first = r.u32();
  t.version = first > 3 ? first >> 24 : first;
  t.vendor = t.version == 1 ? r.fixed_text(24) : std::string_view("version");
  t.words = r.fixed_text(t.version == 1 ? 36 : 48);
  r.skip(4 * 3 + 16 + 4 + 16 + 4);  // ids, region, sums and salts
  r.u32();                          // load address
  r.u32();                          // entry
  t.total = r.u32();
  t.kernel = r.u32();
  t.kernel_size = r.u32();
  if (!r.ok() || from.size() <= kTpLinkHeader || t.version < 1 || t.version > 3) return std::nullopt;
  if (!printable(t.vendor) || !printable(t.words) || t.vendor.size() < 3 || t.words.empty()) return std::nullopt;
  return t;
}

std::optional<Chunk> measure_tplink(ByteView blob, std::uint64_t at) {
  const ByteView from = base::clipped(blob, at);
  const auto t = read_tplink(from);
  if (!t) return std::nullopt;
  // Versions 2 and 3 begin with nothing telling: their sizes have to agree with the blob.
  const bool whole = t->total > kTpLinkHeader && t->total <= from.size();
  if (t->version > 1 && !(whole && t->kernel >= kTpLinkHeader && t->kernel + t->kernel_size <= t->total && t->words.find("ver") != std::string::npos))
    return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.header = kTpLinkHeader;
  chunk.size = from.size();  // images are longer than what they declare; the rest is searched as well
  chunk.note = fmt::format("version {}, {} {}", t->version, t->vendor, t->words);
  if (!whole) chunk.doubts.push_back({"odd-size", "", at, fmt::format("the header declares {} bytes", t->total), 1});
  return chunk;
}

base::Result<void> extract_tplink(ByteView blob, const Chunk& chunk, Sink& sink) {
  sink.blob("parts", blob.subspan(chunk.offset + kTpLinkHeader, chunk.size - kTpLinkHeader));
  return {};
}

}  // namespace

const Format uimage_format = {.name = "uimage", .title = "U-Boot legacy image", .reference = "U-Boot include/image.h",
                              .limits = "", .kind = Format::Kind::wrapper, .magics = {{{"\x27\x05\x19\x56"}}},
                              .measure = measure_uimage, .extract = extract_uimage};
const Format trx_format = {.name = "trx", .title = "TRX", .reference = "OpenWrt package/system/mtd/src/trx.c", .limits = "",
                           .kind = Format::Kind::wrapper, .magics = {{{"HDR0"}}}, .measure = measure_trx, .extract = extract_trx};
const Format seama_format = {.name = "seama", .title = "D-Link SEAMA", .reference = "D-Link GPL sources, tools/seama/seama.h",
                             .limits = "the MD5 is not checked", .kind = Format::Kind::wrapper,
                             .magics = {{{"\x5e\xa3\xa4\x17"}}}, .measure = measure_seama, .extract = extract_seama};
const Format packimg_format = {.name = "packimg", .title = "D-Link PackImg tag", .reference = "OpenWrt tools/firmware-utils/src/pc1crypt.c and images",
                               .limits = "a marker between parts; nothing is inside", .kind = Format::Kind::data,
                               .magics = {{{"--PaCkImGs"}}}, .measure = measure_packimg};
const Format tplink_format = {.name = "tp-link", .title = "TP-Link firmware, header versions 1 to 3",
                              .reference = "OpenWrt firmware-utils, src/mktplinkfw.c and mktplinkfw2.c", .limits = "MD5 sums are not checked; signed (RSA) images are not decrypted",
                              .kind = Format::Kind::wrapper,
                              .magics = {{{{"\x01\0\0\0TP-LINK", 11}}, {{"\0\0\0\x01TP-LINK", 11}}, {{"\x01\0\0\0OpenWrt", 11}}, {{"\x01\0\0\0LEDE", 8}},
                                          {{"\x02\0\0\0", 4}}, {{"\x03\0\0\0", 4}}}},
                              .measure = measure_tplink, .extract = extract_tplink};

}  // namespace unpack
