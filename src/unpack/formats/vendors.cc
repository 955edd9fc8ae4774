// Vendors' headers whose parts lie in clear or under a published key are handed on; known.cc names the others.
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>

#include <fmt/format.h>

#include "base/escape.h"
#include "unpack/format.h"
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

// --- Netgear CHK: "*#$^", header length, 8 reserved, sums, kernel and root lengths, sums, board id; big-endian ---------

std::optional<Chunk> measure_chk(ByteView blob, std::uint64_t at) {
  ByteReader r(base::clipped(blob, at), ByteOrder::big);
  r.u32();
  const std::uint32_t header = r.u32();
  r.skip(8 + 8);
  const std::uint64_t kernel = r.u32(), root = r.u32();
  r.skip(8);
  if (!r.ok() || header < 40 || header > 256 || kernel + root == 0) return std::nullopt;
  const std::string_view board = base::as_text(base::clipped(blob, at + 40, header - 40));
  Chunk chunk = sized(at, header + kernel + root, header, fmt::format("board {}", base::escape_bytes(board.substr(0, board.find('\0')))));
  clip_to_blob(chunk, blob);
  return chunk.size > header ? std::optional(chunk) : std::nullopt;
}

base::Result<void> extract_chk(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  const std::uint64_t kernel = base::load_be32(from, 24).value_or(0), root = base::load_be32(from, 28).value_or(0);
  if (kernel) sink.blob("kernel", base::clipped(from, chunk.header, kernel));
  if (root) sink.blob("rootfs", base::clipped(from, chunk.header + kernel, root));
  return {};
}

// --- Xiaomi HDR1: offset of the signature, CRC, then the offsets of up to eight parts ---------------------------------

std::vector<std::uint32_t> xiaomi_parts(ByteView from) {
  std::vector<std::uint32_t> out;
  for (std::uint64_t at = 16; at < 48; at += 4)
    if (const auto offset = base::load_le32(from, at); offset && *offset >= 48 && base::load_le32(from, *offset) == 0xBABEU) out.push_back(*offset);
  return out;
}

std::optional<Chunk> measure_xiaomi(ByteView blob, std::uint64_t at) {
  const ByteView from = base::clipped(blob, at);
  const auto parts = xiaomi_parts(from);
  const auto signature = base::load_le32(from, 4);
  if (parts.empty() || !signature || *signature < 48) return std::nullopt;
  const std::uint64_t length = base::load_le32(from, *signature).value_or(0);  // of the signature, behind a 16-byte head
  Chunk chunk = sized(at, *signature + 16 + (length <= 4096 ? length : 0), 48, fmt::format("{} parts", parts.size()));
  clip_to_blob(chunk, blob);
  return chunk;
}

base::Result<void> extract_xiaomi(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  for (const std::uint32_t offset : xiaomi_parts(from)) {
    ByteReader r(base::clipped(from, offset, 48));
    r.skip(8);
    const std::uint32_t size = r.u32();
    r.skip(4);
    const std::string_view name = r.fixed_text(32);
    if (r.ok()) sink.blob(base::escape_bytes(name), base::clipped(from, offset + 48ULL, size));
  }
  return {};
}

// --- D-Link SHRS: AES-128-CBC under a key that is the same in all devices -------------------------------------------
// Magic, length of the contents, length with padding, initial vector, sums and signatures; the contents begin at 0x6DC.
// The key was published with the analysis of the DIR-882's own imgdecrypt program.

constexpr std::uint64_t kShrsHeader = 0x6DC;
constexpr std::array<std::uint8_t, 16> kShrsKey = {0xC0, 0x5F, 0xBF, 0x19, 0x36, 0xC9, 0x94, 0x29, 0xCE, 0x2A, 0x07, 0x81, 0xF0, 0x8D, 0x6A, 0xD8};

std::optional<Chunk> measure_shrs(ByteView blob, std::uint64_t at) {
  const auto plain = base::load_be32(blob, at + 4), padded = base::load_be32(blob, at + 8);
  if (!plain || !padded || *plain == 0 || *plain > *padded || *padded % 16) return std::nullopt;
  Chunk chunk = sized(at, kShrsHeader + *padded, 0, "AES-128-CBC, key shared by all devices");
  clip_to_blob(chunk, blob);
  return chunk.size > kShrsHeader ? std::optional(chunk) : std::nullopt;
}

base::Result<void> extract_shrs(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  ByteView packed = from.subspan(kShrsHeader);
  packed = packed.first(std::min<std::size_t>(packed.size() & ~std::size_t{15}, std::size_t{1} << 30));
  const std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  if (!context || EVP_DecryptInit_ex(context.get(), EVP_aes_128_cbc(), nullptr, kShrsKey.data(), from.data() + 12) != 1)
    return base::fail(Error::Kind::internal, "libcrypto cannot start");
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  sink.begin_blob("decrypted");
  const auto room = sink.room(packed.size() + 16);
  int made = 0;
  if (!room.empty() && EVP_DecryptUpdate(context.get(), room.data(), &made, packed.data(), static_cast<int>(packed.size())) == 1)
    sink.commit(std::min<std::uint64_t>(static_cast<std::uint64_t>(made), base::load_be32(from, 4).value_or(0)));
  else if (!room.empty()) sink.commit(0);
  sink.end();
  return {};
}

// --- DrayTek "2RDH": header of 256 bytes, big-endian length ----------------------------------------------------------

std::optional<Chunk> measure_draytek(ByteView blob, std::uint64_t at) {
  const auto header = base::load_be32(blob, at + 4), size = base::load_be32(blob, at + 8);
  if (!header || !size || *header < 16 || *header > 4096 || *size < *header) return std::nullopt;
  Chunk chunk = sized(at, *size, *header, "");
  clip_to_blob(chunk, blob);
  return chunk.size > *header ? std::optional(chunk) : std::nullopt;
}

base::Result<void> extract_rest(ByteView blob, const Chunk& chunk, Sink& sink) {
  sink.blob("payload", blob.subspan(chunk.offset + chunk.header, chunk.size - chunk.header));
  return {};
}

// --- PE: as long as its sections; what is appended is looked at for itself -------------------------------------------

std::optional<Chunk> measure_pe(ByteView blob, std::uint64_t at) {  // Microsoft PE and COFF specification
  const ByteView from = base::clipped(blob, at);
  const auto header = base::load_le32(from, 60);
  if (!header || *header < 64 || *header > 4096 || base::load_le32(from, *header) != 0x4550U) return std::nullopt;
  ByteReader r(from);
  r.seek(std::min<std::uint64_t>(*header + 4, from.size()));
  const std::uint16_t machine = r.u16(), sections = r.u16();
  r.skip(12);
  const std::uint16_t optional = r.u16();
  r.skip(2 + optional);
  std::uint64_t end = r.offset() + sections * 40ULL;
  for (std::uint16_t i = 0; i < sections && r.ok(); ++i) {
    r.skip(16);
    const std::uint64_t size = r.u32(), offset = r.u32();
    r.skip(16);
    if (r.ok()) end = std::max(end, offset + size);
  }
  if (!r.ok() || sections == 0) return std::nullopt;
  Chunk chunk = sized(at, end, 0, fmt::format("machine 0x{:x}", machine));
  clip_to_blob(chunk, blob);
  return chunk;
}

}  // namespace

const Format chk_format = {.name = "netgear-chk", .title = "Netgear CHK", .reference = "OpenWrt firmware-utils, src/mkchkimg.c", .limits = "checksums are not checked",
                           .kind = Format::Kind::wrapper, .magics = {{{"*#$^"}}}, .measure = measure_chk, .extract = extract_chk};
const Format xiaomi_format = {.name = "xiaomi-hdr1", .title = "Xiaomi HDR1", .reference = "OpenWrt firmware-utils, src/xiaomifw.c", .limits = "the signature is not checked",
                              .kind = Format::Kind::wrapper, .magics = {{{"HDR1"}}}, .measure = measure_xiaomi, .extract = extract_xiaomi};
const Format shrs_format = {.name = "dlink-shrs", .title = "D-Link SHRS (encrypted)", .reference = "D-Link DIR-882 GPL sources, imgdecrypt", .limits = "signatures are not checked",
                            .kind = Format::Kind::archive, .magics = {{{"SHRS"}}}, .measure = measure_shrs, .extract = extract_shrs};
const Format draytek_format = {.name = "draytek-2rdh", .title = "DrayTek Vigor (2RDH)", .reference = "observed: length fields at 4 and 8", .limits = "the parts are found by searching",
                               .kind = Format::Kind::wrapper, .magics = {{{"2RDH"}}}, .measure = measure_draytek, .extract = extract_rest};
const Format pe_format = {.name = "pe", .title = "PE (Windows, UEFI)", .reference = "Microsoft PE Format", .limits = "measured only; bytes after the end are looked at for themselves",
                          .kind = Format::Kind::data, .magics = {{{"MZ"}}}, .measure = measure_pe};

}  // namespace unpack
