// Android's super partition: logical partitions as lists of extents. Source: AOSP system/core/fs_mgr/liblp/include/liblp/metadata_format.h.
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

constexpr std::uint64_t kReserved = 4096, kGeometry = 4096, kSector = 512;
constexpr std::uint64_t kMetadata = kReserved + 2 * kGeometry;
constexpr std::uint32_t kMetadataMagic = 0x414C5030, kMostEntries = 4096;

struct Table {
  std::uint64_t offset = 0, count = 0, size = 0;
};

struct Super {
  std::uint64_t header = 0, size = 0;  // `size`: of the whole device
  Table partitions, extents;
};

Table read_table(ByteReader& r) {
  Table out;
  out.offset = r.u32();
  out.count = r.u32();
  out.size = r.u32();
  return out;
}

std::optional<Super> read_super(ByteView from) {
  ByteReader r(base::clipped(from, kMetadata));
  const std::uint32_t magic = r.u32();
  const std::uint16_t major = r.u16();
  r.u16();
  Super out;
  out.header = r.u32();
  r.skip(32 + 4 + 32);
  out.partitions = read_table(r);
  out.extents = read_table(r);
  read_table(r);  // groups
  const Table devices = read_table(r);
  if (!r.ok() || magic != kMetadataMagic || major != 10 || out.partitions.count > kMostEntries || out.extents.count > 65'536 || out.partitions.size < 52 || out.extents.size < 24)
    return std::nullopt;
  if (const auto size = base::load<std::uint64_t>(from, kMetadata + out.header + devices.offset + 16, base::ByteOrder::little); size && devices.count > 0) out.size = *size;
  return out;
}

std::optional<Chunk> measure_super(ByteView blob, std::uint64_t at) {
  const auto super = read_super(base::clipped(blob, at));
  if (!super || super->size <= kMetadata) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = super->size;
  chunk.header = kMetadata;
  chunk.note = fmt::format("{} logical partitions", super->partitions.count);
  clip_to_blob(chunk, blob);
  return chunk.size > kMetadata ? std::optional(chunk) : std::nullopt;
}

void emit_partition(ByteView from, const Super& super, const std::string& name, std::uint64_t first, std::uint64_t count, std::uint64_t offset, Sink& sink) {
  const ByteView tables = base::clipped(from, kMetadata + super.header);
  if (count > 1) sink.begin_blob(name);
  for (std::uint64_t i = first; i < first + count && i < super.extents.count && !sink.full(); ++i) {
    ByteReader r(base::clipped(tables, super.extents.offset + i * super.extents.size));
    const std::uint64_t sectors = r.u64();
    const std::uint32_t type = r.u32();
    const std::uint64_t sector = r.u64();
    if (!r.ok() || sectors > (std::uint64_t{1} << 40)) break;
    const ByteView bytes = sector > (std::uint64_t{1} << 40) ? ByteView{} : base::clipped(from, sector * kSector, sectors * kSector);
    if (type == 0 && bytes.size() < sectors * kSector) sink.doubt("truncated", offset, fmt::format("partition {} leads beyond the image", name));
    if (count == 1 && type == 0) return sink.blob(name, bytes);
    if (count == 1) sink.begin_blob(name);
    if (type == 0) sink.append(bytes);
    else sink.append_zeros(sectors * kSector);
    if (count == 1) sink.end();
  }
  if (count > 1) sink.end();
}

base::Result<void> extract_super(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  const auto super = read_super(from);
  if (!super) return base::fail(Error::Kind::damaged, "the metadata does not read");
  const ByteView tables = base::clipped(from, kMetadata + super->header);
  for (std::uint64_t i = 0; i < super->partitions.count && !sink.full(); ++i) {
    ByteReader r(base::clipped(tables, super->partitions.offset + i * super->partitions.size));
    const std::string name = base::escape_bytes(r.fixed_text(36));
    r.u32();
    const std::uint32_t first = r.u32(), count = r.u32();
    if (!r.ok()) return base::fail(Error::Kind::damaged, "the partition table ends early");
    if (count > 0) emit_partition(from, *super, name, first, count, chunk.offset, sink);
  }
  return {};
}

}  // namespace

const Format super_format = {.name = "android-super", .title = "Android super partition", .reference = "AOSP system/core/fs_mgr/liblp metadata_format.h",
                             .limits = "the first slot's metadata; checksums are not checked; one block device", .kind = Format::Kind::wrapper,
                             .magics = {{{"gDla", kReserved}}}, .measure = measure_super, .extract = extract_super};

}  // namespace unpack
