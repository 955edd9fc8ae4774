// Partition tables and Android's images: MBR, GPT, sparse, boot. Each hands its parts on.
// Source: UEFI 2.10, chapter 5; AOSP system/core/libsparse/sparse_format.h; AOSP bootimg.h.
#include <algorithm>

#include <fmt/format.h>

#include "base/escape.h"
#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteReader;
using base::ByteView;
using base::Error;

constexpr std::uint64_t kSector = 512;

struct Partition {
  std::string name;
  std::uint64_t offset = 0, size = 0;
};

// --- MBR ------------------------------------------------------------------------------------------------------------

std::vector<Partition> read_mbr(ByteView disk) {
  std::vector<Partition> out;
  for (std::uint64_t i = 0; i < 4; ++i) {
    ByteReader r(base::clipped(disk, 446 + i * 16, 16));
    const std::uint8_t boot = r.u8();
    r.skip(3);
    const std::uint8_t type = r.u8();
    r.skip(3);
    const std::uint64_t first = r.u32(), count = r.u32();
    if (!r.ok() || (boot != 0 && boot != 0x80)) return {};
    if (type == 0 && first == 0 && count == 0) continue;
    if (type == 0 || first == 0 || count == 0 || first * kSector >= disk.size()) return {};
    out.push_back({fmt::format("partition-{}-type-{:02x}", i + 1, type), first * kSector, count * kSector});
  }
  for (std::size_t i = 1; i < out.size(); ++i)
    if (out[i].offset < out[i - 1].offset + out[i - 1].size) return {};
  return out;
}

std::optional<Chunk> parts_chunk(ByteView blob, std::uint64_t at, const std::vector<Partition>& parts, std::string note) {
  if (parts.empty()) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.header = kSector;
  chunk.note = std::move(note);
  for (const auto& part : parts) chunk.size = std::max(chunk.size, part.offset + part.size);
  clip_to_blob(chunk, blob);
  if (chunk.size <= kSector) return std::nullopt;
  return chunk;
}

std::optional<Chunk> measure_mbr(ByteView blob, std::uint64_t at) {
  if (at != 0) return std::nullopt;  // two bytes prove nothing elsewhere
  const auto parts = read_mbr(blob);
  if (parts.size() == 1 && parts[0].name.ends_with("ee")) return std::nullopt;  // GPT says more
  return parts_chunk(blob, at, parts, fmt::format("{} partitions", parts.size()));
}

void emit_parts(ByteView disk, const std::vector<Partition>& parts, Sink& sink) {
  for (const auto& part : parts) sink.blob(part.name, base::clipped(disk, part.offset, part.size));
}

base::Result<void> extract_mbr(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView disk = blob.subspan(chunk.offset, chunk.size);
  emit_parts(disk, read_mbr(disk), sink);
  return {};
}

// --- GPT ------------------------------------------------------------------------------------------------------------

std::vector<Partition> read_gpt(ByteView disk) {
  ByteReader r(base::clipped(disk, kSector, 92));
  r.skip(72);
  const std::uint64_t table = r.u64();
  const std::uint32_t count = r.u32(), size = r.u32();
  std::vector<Partition> out;
  if (!r.ok() || size < 128 || size > 4096 || count > 1024 || table > (1U << 30)) return out;
  for (std::uint64_t i = 0; i < count; ++i) {
    const ByteView entry = base::clipped(disk, table * kSector + i * size, size);
    if (entry.size() < 128) break;
    const std::uint64_t first = *base::load<std::uint64_t>(entry, 32, base::ByteOrder::little), last = *base::load<std::uint64_t>(entry, 40, base::ByteOrder::little);
    if (first == 0 || last < first || last > (std::uint64_t{1} << 40)) continue;
    std::string name;
    for (std::size_t c = 56; c < 128; c += 2) {
      const std::uint16_t unit = *base::load_le16(entry, c);
      if (unit == 0) break;
      name += unit < 0x80 ? static_cast<char>(unit) : '?';
    }
    out.push_back({name.empty() ? fmt::format("partition-{}", i + 1) : name, first * kSector, (last - first + 1) * kSector});
  }
  std::sort(out.begin(), out.end(), [](const Partition& a, const Partition& b) { return a.offset < b.offset; });
  return out;
}

std::optional<Chunk> measure_gpt(ByteView blob, std::uint64_t at) {
  const ByteView disk = base::clipped(blob, at);
  auto chunk = parts_chunk(blob, at, read_gpt(disk), "GPT");
  if (chunk) chunk->header = std::min<std::uint64_t>(34 * kSector, chunk->size - 1);
  return chunk;
}

base::Result<void> extract_gpt(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView disk = blob.subspan(chunk.offset, chunk.size);
  emit_parts(disk, read_gpt(disk), sink);
  return {};
}

// --- Android sparse -------------------------------------------------------------------------------------------------

struct Sparse {
  std::uint32_t file_header = 0, chunk_header = 0, block = 0, blocks = 0, chunks = 0;
};

std::optional<Sparse> read_sparse(ByteView from) {
  ByteReader r(from);
  r.u32();
  const std::uint16_t major = r.u16();
  r.u16();
  Sparse s;
  s.file_header = r.u16();
  s.chunk_header = r.u16();
  s.block = r.u32();
  s.blocks = r.u32();
  s.chunks = r.u32();
  if (!r.ok() || major != 1 || s.file_header < 28 || s.chunk_header < 12 || s.block == 0 || s.block % 4 || s.block > (1U << 24)) return std::nullopt;
  return s;
}

// Calls `visit(type, blocks, data)` for each chunk; returns the end, and whether all were there.
template <class Visit>
std::pair<std::uint64_t, bool> for_each_sparse(ByteView from, const Sparse& s, Visit visit) {
  std::uint64_t at = s.file_header;
  for (std::uint32_t i = 0; i < s.chunks; ++i) {
    ByteReader r(base::clipped(from, at, s.chunk_header));
    const std::uint16_t type = r.u16();
    r.u16();
    const std::uint32_t blocks = r.u32(), total = r.u32();
    if (!r.ok() || type < 0xCAC1 || type > 0xCAC4 || total < s.chunk_header || !base::in_bounds(at, total, from.size())) return {at, false};
    if (!visit(type, blocks, from.subspan(at + s.chunk_header, total - s.chunk_header))) return {at, false};
    at += total;
  }
  return {at, true};
}

std::optional<Chunk> measure_sparse(ByteView blob, std::uint64_t at) {
  const ByteView from = base::clipped(blob, at);
  const auto s = read_sparse(from);
  if (!s) return std::nullopt;
  const auto [end, whole] = for_each_sparse(from, *s, [](auto, auto, auto) { return true; });
  Chunk chunk;
  chunk.offset = at;
  chunk.size = end;
  chunk.note = fmt::format("{} blocks of {} bytes", s->blocks, s->block);
  if (end > from.size()) return std::nullopt;
  if (!whole) chunk.doubts.push_back({"truncated", "", at, "not all chunks are there", 1});
  return chunk;
}

base::Result<void> extract_sparse(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  const auto s = read_sparse(from);
  if (!s) return base::fail(Error::Kind::damaged, "the header cannot be read");
  sink.begin_blob("image");
  for_each_sparse(from, *s, [&](std::uint16_t type, std::uint32_t blocks, ByteView data) {
    const std::uint64_t size = std::uint64_t{blocks} * s->block;
    if (type == 0xCAC1) {
      sink.append(base::clipped(data, 0, size));
    } else if (type == 0xCAC2 && base::load_le32(data, 0).value_or(0) != 0) {
      for (std::uint64_t done = 0; done < size && !sink.full(); done += 4) sink.append(base::clipped(data, 0, 4));
    } else if (type == 0xCAC2 || type == 0xCAC3) {
      sink.append_zeros(size);
    }
    return !sink.full();
  });
  sink.end();
  return {};
}

// --- Android boot ---------------------------------------------------------------------------------------------------

std::vector<Partition> read_boot(ByteView from, std::string& command) {
  ByteReader r(from);
  r.skip(8);
  const std::uint32_t kernel = r.u32();
  r.u32();
  const std::uint32_t ramdisk = r.u32();
  r.u32();
  const std::uint32_t second = r.u32();
  r.skip(8);
  std::uint64_t page = r.u32();
  const std::uint32_t version = r.u32();
  std::uint64_t first = kernel, then = ramdisk, last = second;
  if (version >= 3 && version <= 4) {  // versions 3 and 4 dropped the addresses; pages are 4096 bytes
    page = 4096;
    then = base::load_le32(from, 12).value_or(0);
    last = 0;
  } else {
    r.skip(4 + 16);
    command = r.fixed_text(512);
  }
  if (!r.ok() || page < 512 || page > 65536 || (page & (page - 1)) || first == 0 || first > (256U << 20) || then > (1U << 30) || last > (256U << 20)) return {};
  std::vector<Partition> out = {{"kernel", page, first}};
  std::uint64_t at = page + base::align_up(first, page);
  if (then) out.push_back({"ramdisk", at, then});
  at += base::align_up(then, page);
  if (last) out.push_back({"second", at, last});
  return out;
}

std::optional<Chunk> measure_boot(ByteView blob, std::uint64_t at) {
  std::string command;
  const auto parts = read_boot(base::clipped(blob, at), command);
  if (parts.empty() || at + parts[0].offset + parts[0].size > blob.size()) return std::nullopt;
  auto chunk = parts_chunk(blob, at, parts, base::escape_bytes(command));
  if (chunk) chunk->header = parts[0].offset;
  return chunk;
}

base::Result<void> extract_boot(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  std::string command;
  emit_parts(from, read_boot(from, command), sink);
  return {};
}

}  // namespace

const Format mbr_format = {.name = "mbr", .title = "MBR partition table", .reference = "UEFI 2.10, 5.2", .limits = "at the start of a blob only; no extended partitions",
                           .kind = Format::Kind::wrapper, .magics = {{{"\x55\xaa", 510}}}, .measure = measure_mbr, .extract = extract_mbr};
const Format gpt_format = {.name = "gpt", .title = "GPT partition table", .reference = "UEFI 2.10, 5.3", .limits = "sectors of 512 bytes; checksums are not checked",
                           .kind = Format::Kind::wrapper, .magics = {{{"EFI PART", 512}}}, .measure = measure_gpt, .extract = extract_gpt};
const Format sparse_format = {.name = "android-sparse", .title = "Android sparse image", .reference = "AOSP system/core/libsparse/sparse_format.h", .limits = "checksums are not checked",
                              .kind = Format::Kind::wrapper, .magics = {{{"\x3a\xff\x26\xed"}}}, .measure = measure_sparse, .extract = extract_sparse};
const Format bootimg_format = {.name = "android-boot", .title = "Android boot image", .reference = "AOSP system/tools/mkbootimg/include/bootimg/bootimg.h", .limits = "versions 0 to 4; vendor boot images are not read",
                               .kind = Format::Kind::wrapper, .magics = {{{"ANDROID!"}}}, .measure = measure_boot, .extract = extract_boot};

}  // namespace unpack
