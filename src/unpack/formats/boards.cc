// Headers of makers around compressed or plain parts: AVM EVA, Broadcom ProgramStore, D-Link CSMAN, Instar BNEG, Grain Media.
#include <zlib.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/escape.h"
#include "unpack/format.h"
#include "unpack/formats/lzma_raw.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteOrder;
using base::ByteReader;
using base::ByteView;
using base::Error;

Chunk sized(std::uint64_t at, std::uint64_t size, std::uint64_t header, std::string note) {
  Chunk chunk;
  chunk.offset = at;
  chunk.size = size;
  chunk.header = header;
  chunk.note = std::move(note);
  return chunk;
}

// --- AVM EVA: what the boot loader of FRITZ!Boxes starts ---------------------------------------------------------------
// Segment: magic, length, load address; the data; checksum, 0, entry. Data: magic 0x075A0201, packed and unpacked length,
// checksum, five bytes of LZMA properties, three bytes, LZMA. A segment of two kernels holds two such segments.

constexpr std::uint32_t kEvaOne = 0xFEED1281, kEvaTwo = 0xFEED9112, kEvaSecond = 0xFEEDB007, kEvaLzma = 0x075A0201;
constexpr std::uint64_t kEvaHead = 12, kEvaTail = 12, kEvaLzmaHead = 24;

std::optional<Chunk> measure_eva(ByteView blob, std::uint64_t at) {
  ByteReader r(base::clipped(blob, at));
  const std::uint32_t magic = r.u32();
  const std::uint64_t length = r.u32();
  const std::uint32_t load = r.u32(), inner = r.u32();
  const bool two = magic == kEvaTwo;
  if (!r.ok() || length < kEvaLzmaHead || inner != (two ? kEvaOne : kEvaLzma)) return std::nullopt;
  Chunk chunk = sized(at, kEvaHead + length + kEvaTail, 0, fmt::format("{}, load 0x{:x}", two ? "two kernels" : "one kernel", load));
  if (base::load_le32(blob, at + chunk.size) == 0xC453DE23U) chunk.size += 8;  // the checksum that AVM appends
  clip_to_blob(chunk, blob);
  return chunk;
}

void emit_eva(ByteView segment, std::string name, std::uint64_t at, Sink& sink) {
  ByteReader r(segment);
  r.skip(kEvaHead);
  const std::uint32_t magic = r.u32();
  const std::uint64_t packed = r.u32(), size = r.u32();
  r.u32();
  const ByteView properties = r.take(5);
  r.skip(3);
  if (!r.ok() || magic != kEvaLzma) return;
  sink.begin_blob(std::move(name));
  const bool whole = append_lzma(properties, base::clipped(segment, r.offset(), packed), size, sink);
  sink.end();
  if (!whole) sink.doubt("damaged-stream", at, "the kernel's LZMA data ends early or is damaged; what came out is kept");
}

base::Result<void> extract_eva(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  if (base::load_le32(from, 0) != kEvaTwo) {
    emit_eva(from, "kernel", chunk.offset, sink);
    return {};
  }
  const std::uint64_t first = kEvaHead + base::load_le32(from, kEvaHead + 4).value_or(0) + kEvaTail;
  emit_eva(base::clipped(from, kEvaHead), "kernel", chunk.offset, sink);
  const std::uint64_t second = base::align_up(kEvaHead + first, 4);
  if (base::load_le32(from, second) == kEvaSecond) emit_eva(base::clipped(from, second), "kernel-2", chunk.offset + second, sink);
  return {};
}

// --- Broadcom ProgramStore: cable modems -------------------------------------------------------------------------------
// Big-endian: signature, control, version, time, length, load address, name[48], two lengths, CRC-16 of the header, 0, CRC-32 of the contents.

constexpr std::uint64_t kStoreHeader = 92, kStoreSummed = 84;

std::uint16_t crc16_ccitt(ByteView bytes) {
  std::uint16_t crc = 0xFFFF;
  for (const std::uint8_t byte : bytes) {
    crc = static_cast<std::uint16_t>(crc ^ byte << 8);
    for (int bit = 0; bit < 8; ++bit) crc = static_cast<std::uint16_t>(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
  }
  return static_cast<std::uint16_t>(~crc);
}

std::uint32_t crc32_high_first(ByteView bytes) {  // as bzip2's
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::uint8_t byte : bytes) {
    crc ^= static_cast<std::uint32_t>(byte) << 24;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 0x80000000U ? crc << 1 ^ 0x04C11DB7U : crc << 1;
  }
  return ~crc;
}

std::optional<Chunk> measure_program_store(ByteView blob, std::uint64_t at) {
  const ByteView header = base::clipped(blob, at, kStoreHeader);
  const auto length = base::load_be32(header, 12);
  if (header.size() < kStoreHeader || !length || *length == 0 || base::load_be16(header, 86) != 0U || header[20] == 0 ||
      base::load_be16(header, kStoreSummed) != crc16_ccitt(header.first(kStoreSummed)))
    return std::nullopt;
  const std::string_view name = base::as_text(header.subspan(20, 48));
  Chunk chunk = sized(at, kStoreHeader + *length, kStoreHeader, base::escape_bytes(name.substr(0, name.find('\0'))));
  clip_to_blob(chunk, blob);
  if (chunk.size < kStoreHeader + *length) return chunk;
  if (base::load_be32(header, 88) != crc32_high_first(blob.subspan(at + kStoreHeader, *length)))
    chunk.doubts.push_back({"bad-checksum", "", at, "the checksum of the contents does not hold", 1});
  return chunk;
}

void emit_store(ByteView part, unsigned packing, std::string name, std::uint64_t at, Sink& sink) {
  if (packing == 0) return sink.blob(std::move(name), part);
  if (packing != 4 && packing != 5) return sink.doubt("not-opened", at, fmt::format("packing {} of ProgramStore is not read", packing));
  sink.begin_blob(std::move(name));
  const bool whole = append_lzma(base::clipped(part, 0, 5), base::clipped(part, 5), kUnknownSize, sink);
  sink.end();
  if (!whole) sink.doubt("damaged-stream", at, "the LZMA data has no end mark or is damaged; what came out is kept");
}

base::Result<void> extract_program_store(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  const std::uint16_t control = base::load_be16(from, 2).value_or(0);
  const ByteView body = base::clipped(from, kStoreHeader);
  const std::uint64_t first = base::load_be32(from, 76).value_or(0), second = base::load_be32(from, 80).value_or(0);
  const bool two = control & 0x100 && first > 0 && second > 0 && first + second <= body.size();
  if (!two) {
    emit_store(body, control & 7, "program", chunk.offset, sink);
    return {};
  }
  emit_store(body.first(first), control & 7, "program", chunk.offset, sink);
  emit_store(body.last(second), control & 7, "program-2", chunk.offset, sink);
  return {};
}

// --- D-Link CSMAN: settings, packed with zlib --------------------------------------------------------------------------
// "CS" (or "SC", big-endian), 0, packed length, 0, unpacked length; a zlib stream of a magic and (key, length, value).

ByteOrder csman_order(ByteView from) { return from[0] == 'C' ? ByteOrder::little : ByteOrder::big; }

std::optional<Chunk> measure_csman(ByteView blob, std::uint64_t at) {
  const ByteView from = base::clipped(blob, at);
  if (from.size() < 18) return std::nullopt;
  const auto packed = base::load<std::uint32_t>(from, 4, csman_order(from)), zero = base::load<std::uint32_t>(from, 8, csman_order(from));
  if (!packed || *packed < 8 || zero != 0U || base::load_le16(from, 2) != 0U || from[16] != 0x78 || (from[16] * 256 + from[17]) % 31) return std::nullopt;
  Chunk chunk = sized(at, 16 + *packed, 0, "settings");
  clip_to_blob(chunk, blob);
  return chunk;
}

base::Result<void> extract_csman(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size), packed = from.subspan(16);
  z_stream z{};
  if (inflateInit(&z) != Z_OK) return base::fail(Error::Kind::internal, "zlib cannot start");
  z.next_in = const_cast<Bytef*>(packed.data());
  z.avail_in = static_cast<uInt>(packed.size());
  sink.begin_blob("settings");
  int code = Z_OK;
  while (code == Z_OK) {
    const auto room = sink.room(64 << 10);
    if (room.empty()) break;
    z.next_out = room.data();
    z.avail_out = static_cast<uInt>(room.size());
    code = inflate(&z, Z_NO_FLUSH);
    sink.commit(room.size() - z.avail_out);
  }
  inflateEnd(&z);
  const std::uint64_t made = sink.open_size();
  sink.end();
  const std::uint64_t wanted = base::load<std::uint32_t>(from, 12, csman_order(from)).value_or(0);
  if (code != Z_STREAM_END && !sink.full()) sink.doubt("damaged-stream", chunk.offset, "the settings' zlib stream is damaged");
  else if (made != wanted) sink.doubt("size-mismatch", chunk.offset, fmt::format("the header says {} bytes, {} came out", wanted, made));
  return {};
}

// --- Instar BNEG: "BNEG", 1, 2, length of the kernel, length of the root -------------------------------------------------

std::optional<Chunk> measure_bneg(ByteView blob, std::uint64_t at) {
  ByteReader r(base::clipped(blob, at));
  r.skip(4);
  const std::uint32_t major = r.u32(), minor = r.u32();
  const std::uint64_t kernel = r.u32(), root = r.u32();
  if (!r.ok() || major != 1 || minor > 16 || kernel + root == 0) return std::nullopt;
  Chunk chunk = sized(at, 20 + kernel + root, 20, "");
  clip_to_blob(chunk, blob);
  return chunk.size > 20 ? std::optional(chunk) : std::nullopt;
}

base::Result<void> extract_bneg(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  const std::uint64_t kernel = base::load_le32(from, 12).value_or(0);
  sink.blob("kernel", base::clipped(from, 20, kernel));
  sink.blob("rootfs", base::clipped(from, 20 + kernel));
  return {};
}

// --- Grain Media GM8126: magic, 0, big-endian length, 0, name; 256 bytes -------------------------------------------------

std::optional<Chunk> measure_grain(ByteView blob, std::uint64_t at) {
  const auto length = base::load_be32(blob, at + 8);
  if (!length || *length == 0 || base::load_be32(blob, at + 4) != 0U) return std::nullopt;
  const std::string_view name = base::as_text(base::clipped(blob, at + 16, 32));
  Chunk chunk = sized(at, 256 + std::uint64_t{*length}, 256, base::escape_bytes(name.substr(0, name.find('\0'))));
  clip_to_blob(chunk, blob);
  return chunk.size > 256 ? std::optional(chunk) : std::nullopt;
}

base::Result<void> extract_rest(ByteView blob, const Chunk& chunk, Sink& sink) {
  sink.blob("payload", blob.subspan(chunk.offset + chunk.header, chunk.size - chunk.header));
  return {};
}

// --- TP-Link IMG0: big-endian length, MD5, "IMG0", length of the body; VxWorks routers -----------------------------------

std::optional<Chunk> measure_img0(ByteView blob, std::uint64_t at) {
  const auto length = base::load_be32(blob, at), body = base::load_be32(blob, at + 24);
  if (!length || !body || *body > *length || *length - *body > 1U << 20 || *length < 128) return std::nullopt;
  Chunk chunk = sized(at, 20 + std::uint64_t{*length}, 28, "");
  clip_to_blob(chunk, blob);
  return chunk.size > 28 ? std::optional(chunk) : std::nullopt;
}

}  // namespace

const Format eva_format = {.name = "avm-eva", .title = "AVM EVA kernels", .reference = "freetz-ng tools/find-squashfs and lzma2eva sources", .limits = "checksums are not checked",
                           .kind = Format::Kind::archive, .magics = {{{"\x81\x12\xed\xfe"}, {"\x12\x91\xed\xfe"}, {{"\x07\xb0\xed\xfe", 4}}}},
                           .measure = measure_eva, .extract = extract_eva};
const Format program_store_format = {.name = "program-store", .title = "Broadcom ProgramStore", .reference = "aeolus, ProgramStore/ProgStore.h",
                                     .limits = "at the start of a blob only; contents plain or LZMA, not LZRW1, LZO or NRV2D99", .kind = Format::Kind::archive,
                                     .measure = measure_program_store, .extract = extract_program_store, .probe = true};
const Format csman_format = {.name = "csman", .title = "D-Link CSMAN settings", .reference = "observed: lengths at 4 and 12, a zlib stream at 16",
                             .limits = "the settings are handed on as they are packed: key, length, value", .kind = Format::Kind::archive,
                             .magics = {{{{"CS\0\0", 4}}, {{"SC\0\0", 4}}}}, .measure = measure_csman, .extract = extract_csman};
const Format bneg_format = {.name = "instar-bneg", .title = "Instar BNEG", .reference = "observed: two lengths at 12 and 16", .limits = "", .kind = Format::Kind::wrapper,
                            .magics = {{{"BNEG"}}}, .measure = measure_bneg, .extract = extract_bneg};
const Format grain_format = {.name = "grain-media", .title = "Grain Media GM8126", .reference = "observed: length at 8, name at 16", .limits = "", .kind = Format::Kind::wrapper,
                             .magics = {{{"\x80ZGM"}}}, .measure = measure_grain, .extract = extract_rest};
const Format img0_format = {.name = "tp-link-img0", .title = "TP-Link IMG0 (VxWorks)", .reference = "observed: length at 0, MD5 at 4, length of the body at 24",
                            .limits = "the parts are found by searching", .kind = Format::Kind::wrapper, .magics = {{{"IMG0", 20}}}, .measure = measure_img0, .extract = extract_rest};

}  // namespace unpack
