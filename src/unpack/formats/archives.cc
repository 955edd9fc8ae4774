// Archives of files: how long each is, by its own headers. Their members come through libarchive (archive_reader.h).
#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <memory>

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
  const bool binary = members > 0 && blob[at] != '0';
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

// --- archives that libarchive reads and whose headers say how long they are -----------------------------------------

std::optional<Chunk> whole_rest(ByteView blob, std::uint64_t at) {
  return at == 0 && !blob.empty() ? std::optional(sized(0, blob.size(), "")) : std::nullopt;
}

std::optional<Chunk> measure_7z(ByteView blob, std::uint64_t at) {  // 7zFormat.txt: SignatureHeader
  base::ByteReader r(base::clipped(blob, at, 32));
  r.skip(6);
  const std::uint8_t major = r.u8();
  r.u8();
  const std::uint32_t crc = r.u32();
  const std::uint64_t offset = r.u64(), size = r.u64();
  if (!r.ok() || major != 0 || crc32(0, blob.data() + at + 12, 20) != crc) return std::nullopt;
  const auto end = base::checked_add(offset, size);
  if (!end || *end > (std::uint64_t{1} << 40)) return std::nullopt;
  Chunk chunk = sized(at, 32 + *end, "");
  clip_to_blob(chunk, blob);
  return chunk;
}

std::optional<std::uint64_t> rar_number(base::ByteReader& r) {  // RAR 5.0 archive format: vint
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 63; shift += 7) {
    const std::uint8_t byte = r.u8();
    if (!r.ok()) return std::nullopt;
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (!(byte & 0x80)) return value;
  }
  return std::nullopt;
}

// The end of the last block before the end mark.
std::uint64_t rar5_end(ByteView from) {
  std::uint64_t end = 8;
  for (;;) {
    base::ByteReader r(base::clipped(from, end));
    r.u32();
    const auto size = rar_number(r);
    const std::uint64_t header = end + r.offset() + size.value_or(0);
    const auto type = rar_number(r), flags = rar_number(r);
    if (!size || !type || !flags || *size == 0 || header > from.size()) return end;
    const auto extra = *flags & 1 ? rar_number(r) : 0, data = *flags & 2 ? rar_number(r) : 0;
    if (!extra || !data || *data > from.size() - header) return end;
    end = header + *data;
    if (*type == 5) return end;
  }
}

std::uint64_t rar4_end(ByteView from) {
  std::uint64_t end = 7;
  for (;;) {
    base::ByteReader r(base::clipped(from, end));
    r.u16();
    const std::uint8_t type = r.u8();
    const std::uint16_t flags = r.u16(), size = r.u16();
    const std::uint64_t data = flags & 0x8000 ? r.u32() : 0;
    if (!r.ok() || size < 7 || type < 0x72 || type > 0x7B || end + size + data > from.size()) return end;
    end += size + data;
    if (type == 0x7B) return end;
  }
}

std::optional<Chunk> measure_rar(ByteView blob, std::uint64_t at) {
  const ByteView from = base::clipped(blob, at);
  if (from.size() < 20) return std::nullopt;
  const bool five = from[6] == 1;
  const std::uint64_t end = five ? rar5_end(from) : rar4_end(from);
  if (end < 20) return std::nullopt;
  return sized(at, end, five ? "version 5" : "version 4");
}

std::optional<Chunk> measure_iso(ByteView blob, std::uint64_t at) {  // ECMA-119, 8.4: primary volume descriptor at sector 16
  const std::uint64_t descriptor = at + 32768;
  base::ByteReader r(base::clipped(blob, descriptor, 2048));
  const std::uint8_t type = r.u8();
  r.skip(79);
  const std::uint64_t blocks = r.u32();
  r.skip(44);
  const std::uint16_t block = r.u16();
  if (!r.ok() || type != 1 || blocks < 17 || (block != 2048 && block != 1024 && block != 512)) return std::nullopt;
  Chunk chunk = sized(at, blocks * block, fmt::format("{} blocks", blocks));
  clip_to_blob(chunk, blob);
  return chunk;
}

std::optional<Chunk> measure_ar(ByteView blob, std::uint64_t at) {  // ar(5)
  std::uint64_t end = at + 8;
  std::size_t members = 0;
  for (;;) {
    const std::string_view header = base::as_text(base::clipped(blob, end, 60));
    if (header.size() < 60 || header.substr(58) != "`\n") break;
    const auto size = number(header.substr(48, 10), 10);
    if (!size) break;
    ++members;
    const std::uint64_t next = end + 60 + base::align_up(*size, 2);
    end = std::min<std::uint64_t>(next, blob.size());
    if (next >= blob.size()) break;
  }
  if (members == 0) return std::nullopt;
  return sized(at, end - at, fmt::format("{} members", members));
}

std::optional<Chunk> measure_xar(ByteView blob, std::uint64_t at) {
  const auto header = base::load_be16(blob, at + 4), version = base::load_be16(blob, at + 6);
  if (!header || *header < 28 || *header > 64 || version != 1) return std::nullopt;
  return sized(at, blob.size() - at, "");
}

void enable_7z(archive* reader) { archive_read_support_format_7zip(reader); }
void enable_rar(archive* reader) {
  archive_read_support_format_rar(reader);
  archive_read_support_format_rar5(reader);
}
void enable_iso(archive* reader) { archive_read_support_format_iso9660(reader); }
void enable_lha(archive* reader) { archive_read_support_format_lha(reader); }
void enable_ar(archive* reader) { archive_read_support_format_ar(reader); }
void enable_xar(archive* reader) { archive_read_support_format_xar(reader); }

// --- rpm: lead, signature and header in front of a compressed cpio --------------------------------------------------

std::optional<Chunk> measure_rpm(ByteView blob, std::uint64_t at) {  // RPM package format, v3/v4
  std::uint64_t end = at + 96;
  for (const bool signature : {true, false}) {
    base::ByteReader r(base::clipped(blob, end, 16), ByteOrder::big);
    const std::uint32_t magic = r.u32();
    r.u32();
    const std::uint64_t entries = r.u32(), data = r.u32();
    if (!r.ok() || magic != 0x8EADE801U || entries > 65536 || data > (256U << 20)) return std::nullopt;
    end += 16 + entries * 16 + data;
    if (signature) end = at + base::align_up(end - at, 8);
  }
  if (end >= blob.size()) return std::nullopt;
  Chunk chunk = sized(at, blob.size() - at, "");
  chunk.header = end - at;
  return chunk;
}

base::Result<void> extract_rpm(ByteView blob, const Chunk& chunk, Sink& sink) {
  sink.blob("payload", blob.subspan(chunk.offset + chunk.header, chunk.size - chunk.header));
  return {};
}

// --- Dahua: a zip whose first two bytes are "DH" --------------------------------------------------------------------

base::Result<void> extract_dahua(ByteView blob, const Chunk& chunk, Sink& sink) {
  base::Bytes zip(blob.begin() + static_cast<std::ptrdiff_t>(chunk.offset), blob.begin() + static_cast<std::ptrdiff_t>(chunk.offset + chunk.size));
  zip[0] = 'P';
  zip[1] = 'K';
  return read_archive(zip, chunk.offset, enable_zip, sink);
}

// --- compress (.Z) --------------------------------------------------------------------------------------------------

std::optional<Chunk> measure_compress(ByteView blob, std::uint64_t at) {
  if (at != 0 || blob.size() < 8 || (blob[2] & 0x1F) < 9 || (blob[2] & 0x1F) > 16 || (blob[2] & 0x60)) return std::nullopt;
  return sized(0, 3, "");
}

base::Result<Decoded> decode_compress(ByteView from, Sink& sink) {
  const std::unique_ptr<archive, int (*)(archive*)> reader(archive_read_new(), archive_read_free);
  archive_read_support_filter_compress(reader.get());
  archive_read_support_format_raw(reader.get());
  archive_entry* entry = nullptr;
  if (archive_read_open_memory(reader.get(), from.data(), from.size()) != ARCHIVE_OK || archive_read_next_header(reader.get(), &entry) != ARCHIVE_OK)
    return base::fail(base::Error::Kind::damaged, "no such stream");
  Decoded out;
  out.consumed = from.size();
  for (;;) {
    const auto room = sink.room(256 << 10);
    if (room.empty()) break;
    const la_ssize_t made = archive_read_data(reader.get(), room.data(), room.size());
    sink.commit(made > 0 ? static_cast<std::uint64_t>(made) : 0);
    out.complete = made >= 0;
    if (made <= 0) break;
  }
  if (sink.open_size() == 0) return base::fail(base::Error::Kind::damaged, "no such stream");
  return out;
}

}  // namespace

const Format tar_format = {.name = "tar", .title = "tar (ustar, GNU, pax)", .reference = "POSIX.1-2017 pax; GNU tar manual, Standard",
                           .limits = "tar files older than ustar are found at the start of a blob only, by their checksum", .kind = Format::Kind::archive,
                           .magics = {{{"ustar", 257}}}, .measure = measure_tar, .extract = extract_with<enable_tar>, .probe = true};
const Format cpio_format = {.name = "cpio", .title = "cpio (newc, crc, odc, binary)", .reference = "Linux Documentation/driver-api/early-userspace/buffer-format.rst; cpio(5)",
                            .limits = "", .kind = Format::Kind::archive,
                            .magics = {{{"070701"}, {"070702"}, {"070707"}, {"\xc7\x71"}, {"\x71\xc7"}}}, .measure = measure_cpio, .extract = extract_with<enable_cpio>};
const Format zip_format = {.name = "zip", .title = "zip", .reference = "PKWARE APPNOTE 6.3.10", .limits = "no decryption; one volume",
                           .kind = Format::Kind::archive, .magics = {{{"PK\x03\x04"}}}, .measure = measure_zip, .extract = extract_with<enable_zip>};

const Format sevenzip_format = {.name = "7z", .title = "7-Zip", .reference = "7-Zip DOC/7zFormat.txt", .limits = "no decryption; one volume",
                                .kind = Format::Kind::archive, .magics = {{{{"7z\xbc\xaf\x27\x1c", 6}}}}, .measure = measure_7z, .extract = extract_with<enable_7z>};
const Format rar_format = {.name = "rar", .title = "RAR 4 and 5", .reference = "RAR 5.0 archive format (rarlab); libarchive", .limits = "no decryption; one volume",
                           .kind = Format::Kind::archive, .magics = {{{{"Rar!\x1a\x07", 6}}}}, .measure = measure_rar, .extract = extract_with<enable_rar>};
const Format iso_format = {.name = "iso9660", .title = "ISO 9660", .reference = "ECMA-119", .limits = "Rock Ridge and Joliet as libarchive reads them",
                           .kind = Format::Kind::file_system, .magics = {{{"CD001", 32769}}}, .measure = measure_iso, .extract = extract_with<enable_iso>};
const Format lha_format = {.name = "lha", .title = "LHA", .reference = "libarchive", .limits = "at the start of a blob only", .kind = Format::Kind::archive,
                           .magics = {{{"-lh", 2}}}, .measure = whole_rest, .extract = extract_with<enable_lha>};
const Format ar_format = {.name = "ar", .title = "ar (deb, ipk, static libraries)", .reference = "ar(5)", .limits = "", .kind = Format::Kind::archive,
                          .magics = {{{"!<arch>\n"}}}, .measure = measure_ar, .extract = extract_with<enable_ar>};
const Format xar_format = {.name = "xar", .title = "xar", .reference = "libarchive", .limits = "claims all that follows its header", .kind = Format::Kind::archive,
                           .magics = {{{"xar!"}}}, .measure = measure_xar, .extract = extract_with<enable_xar>};
const Format rpm_format = {.name = "rpm", .title = "RPM package", .reference = "RPM package format, versions 3 and 4", .limits = "the payload's cpio is opened; the header's fields are not read",
                           .kind = Format::Kind::wrapper, .magics = {{{"\xed\xab\xee\xdb"}}}, .measure = measure_rpm, .extract = extract_rpm};
const Format dahua_format = {.name = "dahua-zip", .title = "Dahua firmware (zip in disguise)", .reference = "PKWARE APPNOTE 6.3.10; the first two bytes are DH", .limits = "",
                             .kind = Format::Kind::archive, .magics = {{{"DH\x03\x04"}}}, .measure = measure_zip, .extract = extract_dahua};
const Format compress_format = {.name = "compress", .title = "compress (.Z)", .reference = "compress(1)", .limits = "at the start of a blob only; its end cannot be known",
                                .kind = Format::Kind::stream, .magics = {{{"\x1f\x9d"}}}, .measure = measure_compress, .decode = decode_compress, .strong = false};

}  // namespace unpack
