// Archives of files: how long each is, by its own headers. Their members come through libarchive (archive_reader.h).
#include <archive.h>

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "unpack/format.h"
#include "unpack/formats/archive_reader.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteOrder;
using base::ByteView;

Chunk sized(std::uint64_t at, std::uint64_t size, std::string note) {
  Chunk chunk;
  chunk.offset = at;
  chunk.size = size;
  chunk.note = std::move(note);
  return chunk;
}

template <void (*Enable)(archive*)>
base::Result<void> extract_with(ByteView blob, const Chunk& chunk, Sink& sink) {
  return read_archive(blob.subspan(chunk.offset, chunk.size), chunk.offset, Enable, sink);
}

std::optional<std::uint64_t> number(std::string_view digits, int radix) {
  while (!digits.empty() && (digits.front() == ' ' || digits.front() == '\0')) digits.remove_prefix(1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, radix);
  if (error != std::errc{} && !(digits.empty() || digits.front() == ' ')) return std::nullopt;
  return value;
}

// --- tar: POSIX.1-1988 ustar, GNU and pax; blocks of 512 bytes ------------------------------------------------------

constexpr std::uint64_t kTarBlock = 512;

bool tar_checksum_holds(ByteView block) {
  const auto stored = number(base::as_text(block.subspan(148, 8)), 8);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kTarBlock; ++i) sum += i >= 148 && i < 156 ? 0x20 : block[i];
  return stored && sum == *stored;
}

// A member's size: octal, or from 8 GiB on base 256 with the top bit set.
std::optional<std::uint64_t> tar_size(ByteView block) {
  if (block[124] & 0x80) return base::load<std::uint64_t>(block, 128, ByteOrder::big);
  return number(base::as_text(block.subspan(124, 12)), 8);
}

bool all_zero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

std::optional<Chunk> measure_tar(ByteView blob, std::uint64_t at) {
  std::uint64_t end = at;
  std::size_t members = 0;
  bool cut = false, closed = false;
  while (base::in_bounds(end, kTarBlock, blob.size())) {
    const ByteView block = blob.subspan(end, kTarBlock);
    if (all_zero(block)) {
      closed = true;
      end += kTarBlock;
      if (base::in_bounds(end, kTarBlock, blob.size()) && all_zero(blob.subspan(end, kTarBlock))) end += kTarBlock;
      break;
    }
    if (!tar_checksum_holds(block)) break;
    const auto size = tar_size(block);
    if (!size) break;
    ++members;
    end += kTarBlock;
    // GNU sparse members go on with further maps while a flag says so.
    for (bool more = block[156] == 'S' && block[482]; more && base::in_bounds(end, kTarBlock, blob.size()); end += kTarBlock) more = blob[end + 504] != 0;
    const bool has_data = block[156] < '1' || block[156] > '6' || block[156] == '7';
    const auto next = base::checked_add(end, has_data ? base::align_up(*size, kTarBlock) : 0);
    if (!next || *next > blob.size()) {
      cut = true;
      end = blob.size();
      break;
    }
    end = *next;
  }
  if (members == 0) return std::nullopt;
  Chunk chunk = sized(at, end - at, fmt::format("{} headers", members));
  if (cut || !closed) chunk.doubts.push_back({"truncated", "", at, "the archive has no end mark", 1});
  return chunk;
}

void enable_tar(archive* reader) { archive_read_support_format_tar(reader); }

// --- cpio: newc, crc, odc and the old binary form -------------------------------------------------------------------

struct CpioMember {
  std::uint64_t header = 0, name = 0, size = 0, align = 1;
};

std::optional<CpioMember> read_cpio(ByteView from) {
  const std::string_view text = base::as_text(base::clipped(from, 0, 110));
  if (text.starts_with("070701") || text.starts_with("070702")) {
    if (text.size() < 110) return std::nullopt;
    const auto size = number(text.substr(54, 8), 16), name = number(text.substr(94, 8), 16);
    if (!size || !name) return std::nullopt;
    return CpioMember{110, *name, *size, 4};
  }
  if (text.starts_with("070707")) {
    if (text.size() < 76) return std::nullopt;
    const auto name = number(text.substr(59, 6), 8), size = number(text.substr(65, 11), 8);
    if (!size || !name) return std::nullopt;
    return CpioMember{76, *name, *size, 1};
  }
  for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
    if (base::load<std::uint16_t>(from, 0, order) != 070707) continue;
    base::ByteReader r(from, order);
    r.skip(20);
    const std::uint64_t name = r.u16(), high = r.u16(), low = r.u16();
    if (r.ok()) return CpioMember{26, name, high << 16 | low, 2};
  }
  return std::nullopt;
}

std::optional<Chunk> measure_cpio(ByteView blob, std::uint64_t at) {
  std::uint64_t end = at;
  std::size_t members = 0;
  bool closed = false;
  while (!closed) {
    const auto member = read_cpio(base::clipped(blob, end));
    if (!member || member->name == 0 || member->name > 65536) break;
    const ByteView name = base::clipped(blob, end + member->header, member->name);
    if (name.size() != member->name || name.back() != 0) break;
    closed = base::as_text(name).starts_with("TRAILER!!!");
    const std::uint64_t data = base::align_up(end - at + member->header + member->name, member->align);
    const auto next = base::checked_add(at + data, base::align_up(member->size, member->align));
    if (!next) break;
    if (*next > blob.size()) {
      ++members;
      end = blob.size();
      break;
    }
    end = *next;
    ++members;
  }
  // Two bytes of magic (the binary form) prove nothing without the trailer.
  const bool binary = base::clipped(blob, at, 1)[0] != '0';
  if (members == 0 || (members == 1 && closed) || (!closed && (binary || members < 2))) return std::nullopt;
  Chunk chunk = sized(at, end - at, fmt::format("{} members", members - (closed ? 1 : 0)));
  if (!closed) chunk.doubts.push_back({"truncated", "", at, "the archive has no trailer", 1});
  return chunk;
}

void enable_cpio(archive* reader) { archive_read_support_format_cpio(reader); }

// --- zip: PKWARE APPNOTE 6.3 ----------------------------------------------------------------------------------------

// From a first local header to the end record whose directory agrees with where the archive starts.
std::optional<Chunk> measure_zip(ByteView blob, std::uint64_t at) {
  const std::string_view text = base::as_text(blob);
  const auto name = base::load_le16(blob, at + 26);
  if (!name || *name == 0 || *name > 4096 || base::load_le16(blob, at + 8).value_or(999) > 100) return std::nullopt;
  for (auto record = text.find("PK\x05\x06", at); record != std::string_view::npos; record = text.find("PK\x05\x06", record + 4)) {
    base::ByteReader r(base::clipped(blob, record));
    r.skip(10);
    const std::uint16_t entries = r.u16();
    const std::uint32_t size = r.u32(), offset = r.u32();
    const std::uint16_t comment = r.u16();
    if (!r.ok()) break;
    const bool wide = offset == 0xFFFFFFFFU;
    if (!wide && at + offset + size != record) continue;
    Chunk chunk = sized(at, record + 22 + comment - at, fmt::format("{} entries", entries));
    clip_to_blob(chunk, blob);
    return chunk;
  }
  // No directory: as far as the local headers lead.
  std::uint64_t end = at;
  while (base::load_le32(blob, end) == 0x04034B50U) {
    base::ByteReader r(base::clipped(blob, end));
    r.skip(6);
    const std::uint16_t flags = r.u16();
    r.skip(10);
    const std::uint32_t packed = r.u32();
    r.u32();
    const std::uint16_t name_length = r.u16(), extra = r.u16();
    if (!r.ok()) break;
    const std::uint64_t next = end + 30 + name_length + extra + packed;
    if ((flags & 8 && packed == 0) || next > blob.size()) {
      end = blob.size();
      break;
    }
    end = next;
  }
  if (end <= at + 30) return std::nullopt;
  Chunk chunk = sized(at, end - at, "no directory");
  chunk.doubts.push_back({"truncated", "", at, "the archive has no directory of its members", 1});
  return chunk;
}

void enable_zip(archive* reader) { archive_read_support_format_zip(reader); }

}  // namespace

const Format tar_format = {.name = "tar", .title = "tar (ustar, GNU, pax)", .reference = "POSIX.1-2017 pax; GNU tar manual, Standard",
                           .limits = "tar files older than ustar are found at the start of a blob only", .kind = Format::Kind::archive,
                           .magics = {{{"ustar", 257}}}, .measure = measure_tar, .extract = extract_with<enable_tar>};
const Format cpio_format = {.name = "cpio", .title = "cpio (newc, crc, odc, binary)", .reference = "Linux Documentation/driver-api/early-userspace/buffer-format.rst; cpio(5)",
                            .limits = "", .kind = Format::Kind::archive,
                            .magics = {{{"070701"}, {"070702"}, {"070707"}, {"\xc7\x71"}, {"\x71\xc7"}}}, .measure = measure_cpio, .extract = extract_with<enable_cpio>};
const Format zip_format = {.name = "zip", .title = "zip", .reference = "PKWARE APPNOTE 6.3.10", .limits = "no decryption; one volume",
                           .kind = Format::Kind::archive, .magics = {{{"PK\x03\x04"}}}, .measure = measure_zip, .extract = extract_with<enable_zip>};

}  // namespace unpack
