// The maps of EROFS inodes, and their clusters through liblz4 and liblzma. See erofs_map.h.
#include "unpack/formats/erofs_map.h"

#include <lz4.h>
#include <lzma.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace unpack {
namespace {

using base::Bytes;
using base::ByteView;
using Take = std::function<bool(ByteView)>;

enum Layout : unsigned { kPlain = 0, kFull = 1, kInline = 2, kCompact = 3, kChunks = 4 };
enum Advise : unsigned { kPairs = 1, kBig = 2, kBigToo = 4, kInlineTail = 8, kInterlaced = 16, kFragment = 32 };
constexpr unsigned kNonHead = 2;
constexpr std::uint32_t kBlockCount = 0x800;      // a non-head cluster that tells its head's length
constexpr std::uint32_t kZeroPadding = 1;         // feature: LZ4 data stands at the end of its cluster
constexpr std::uint32_t kNoBlock = 0xFFFFFFFF;
constexpr std::uint64_t kMostClusters = 1 << 22;
constexpr std::uint64_t kLargestExtent = 64 << 20;
constexpr std::uint32_t kDictionary = 8 << 20;
constexpr Bytes::size_type kZeros = 64 << 10;

std::uint64_t tail_of(const ErofsInode& inode) { return inode.at + inode.header + inode.xattr_bytes; }

bool take_zeros(std::uint64_t count, const Take& take) {
  static const Bytes zeros(kZeros);
  for (; count > 0; count -= std::min<std::uint64_t>(count, kZeros))
    if (!take(ByteView(zeros).first(std::min<std::uint64_t>(count, kZeros)))) return false;
  return true;
}

bool take_range(const Erofs& fs, std::uint64_t at, std::uint64_t size, const Take& take) {
  if (size == 0) return true;  // wherever it is said to be
  return base::in_bounds(at, size, fs.image.size()) && take(fs.image.subspan(at, size));
}

bool append_flat(const Erofs& fs, const ErofsInode& inode, const Take& take) {
  const std::uint64_t block = std::uint64_t{1} << fs.block_bits;
  const std::uint64_t start = std::uint64_t{inode.data} << fs.block_bits;
  if (inode.layout == kPlain) return take_range(fs, start, inode.size, take);
  const std::uint64_t whole = inode.size == 0 ? 0 : (inode.size - 1) / block * block;
  return take_range(fs, start, whole, take) && take_range(fs, tail_of(inode), inode.size - whole, take);
}

bool append_chunks(const Erofs& fs, const ErofsInode& inode, const Take& take) {
  const unsigned bits = fs.block_bits + (inode.data & 31);
  const bool indexes = inode.data & 32;
  const std::uint64_t unit = indexes ? 8 : 4, chunk = std::uint64_t{1} << std::min(bits, 47U);
  std::uint64_t entry = base::align_up(tail_of(inode), unit);
  for (std::uint64_t left = inode.size; left > 0; entry += unit) {
    const auto block = base::load_le32(fs.image, entry + (indexes ? 4 : 0));
    const std::uint64_t size = std::min(left, chunk);
    if (!block) return false;
    if (*block == kNoBlock ? !take_zeros(size, take) : !take_range(fs, std::uint64_t{*block} << fs.block_bits, size, take)) return false;
    left -= size;
  }
  return true;
}

// One entry of the index of logical clusters.
struct Cluster {
  unsigned type = 0;          // 0 plain, 1 and 3 head of a compressed extent, 2 goes on
  std::uint32_t offset = 0;   // heads: where in the logical cluster the extent begins
  std::uint32_t block = 0;    // heads: first physical block
  std::uint32_t blocks = 0;   // non-heads: the extent's physical blocks, when told
  std::uint64_t next = 0;     // where the index goes on behind this entry's pack
};

// How a compressed inode's index is laid out.
struct Index {
  unsigned layout = 0, advise = 0, cluster_bits = 0;
  std::uint8_t algorithms = 0;
  std::uint64_t base = 0, count = 0, inline_size = 0, fragment = 0;
  bool all_fragment = false;
};

std::optional<Index> read_index(const Erofs& fs, const ErofsInode& inode) {
  const std::uint64_t at = base::align_up(tail_of(inode), 8);
  base::ByteReader r(base::clipped(fs.image, at, 8));
  const std::uint32_t first = r.u32();
  Index out;
  out.layout = inode.layout;
  out.advise = r.u16();
  out.algorithms = r.u8();
  const std::uint8_t bits = r.u8();
  if (!r.ok()) return std::nullopt;
  out.all_fragment = bits & 0x80;
  out.cluster_bits = fs.block_bits + (bits & 7);
  if (out.all_fragment) out.fragment = base::load<std::uint64_t>(fs.image, at, base::ByteOrder::little).value_or(0) & ~(std::uint64_t{1} << 63);
  else if (out.advise & kFragment) out.fragment = first;
  else if (out.advise & kInlineTail) out.inline_size = first >> 16;
  out.base = at + 8 + (inode.layout == kFull ? 8 : 0);
  out.count = (inode.size + (std::uint64_t{1} << out.cluster_bits) - 1) >> out.cluster_bits;
  if (out.count > kMostClusters) return std::nullopt;
  return out;
}

std::optional<Cluster> full_entry(const Erofs& fs, const Index& index, std::uint64_t number) {
  base::ByteReader r(base::clipped(fs.image, index.base + number * 8, 8));
  Cluster out;
  out.type = r.u16() & 3U;
  out.offset = r.u16();
  out.block = r.u32();
  out.next = index.base + number * 8 + 8;
  if (!r.ok()) return std::nullopt;
  if (out.type == kNonHead && out.block & kBlockCount) out.blocks = out.block & 0x7FF;
  return out;
}

// Entries of one pack: two of 16 bits, or sixteen of 14, and the block number that they count from.
struct Pack {
  ByteView bytes;
  unsigned width = 0, count = 0, low_bits = 0;

  std::pair<unsigned, std::uint32_t> entry(unsigned i) const {  // type, low bits
    const unsigned bit = i * width;
    std::uint32_t value = 0;
    for (unsigned k = 0; k < 4 && bit / 8 + k < bytes.size(); ++k) value |= static_cast<std::uint32_t>(bytes[bit / 8 + k]) << (8 * k);
    value >>= bit & 7;
    return {value >> low_bits & 3, value & ((1U << low_bits) - 1)};
  }
  // Physical blocks of the heads before entry `i` in this pack.
  std::uint32_t blocks_before(int i, bool big) const {
    std::uint32_t blocks = big ? 0 : 1;
    while (i > 0) {
      --i;
      const auto [type, low] = entry(static_cast<unsigned>(i));
      if (!big) {
        if (type == kNonHead) i -= static_cast<int>(low);
        blocks += i >= 0;
      } else if (type != kNonHead) {
        ++blocks;
      } else if (low & kBlockCount) {
        --i;
        blocks += low & ~kBlockCount;
      } else {
        i -= std::max(static_cast<int>(low) - 2, 0);
      }
    }
    return blocks;
  }
};

std::optional<Cluster> compact_entry(const Erofs& fs, const Index& index, std::uint64_t number) {
  std::uint64_t lead = (32 - index.base % 32) / 4;
  if (lead == 8) lead = 0;
  lead = std::min(lead, index.count);
  const std::uint64_t pairs = index.advise & kPairs ? (index.count - lead) / 16 * 16 : 0;
  std::uint64_t at = index.base;
  bool small = false;  // two bytes an entry
  if (number < lead) at += number * 4;
  else if (number - lead < pairs) {
    at += lead * 4 + (number - lead) * 2;
    small = true;
  } else {
    at += lead * 4 + pairs * 2 + (number - lead - pairs) * 4;
  }
  const std::uint64_t size = small ? 32 : 8;
  const std::uint64_t start = at / size * size;
  Pack pack{base::clipped(fs.image, start, size), small ? 14U : 16U, small ? 16U : 2U, std::max(index.cluster_bits, 12U)};
  if (pack.bytes.size() < size || index.cluster_bits > (small ? 12 : 14)) return std::nullopt;
  const auto i = static_cast<unsigned>((at - start) / (small ? 2 : 4));
  const auto [type, low] = pack.entry(i);
  Cluster out;
  out.type = type;
  out.next = start + size;
  if (type == kNonHead) {
    if (low & kBlockCount) out.blocks = low & ~kBlockCount;
    return out;
  }
  out.offset = low;
  out.block = base::load_le32(pack.bytes, size - 4).value_or(0) + pack.blocks_before(static_cast<int>(i), index.advise & kBig);
  return out;
}

bool decode_lz4(ByteView packed, bool padded, Bytes& out) {
  if (padded) packed = packed.subspan(static_cast<std::size_t>(std::find_if(packed.begin(), packed.end(), [](std::uint8_t b) { return b != 0; }) - packed.begin()));
  const int size = static_cast<int>(out.size());
  const Bytes source(packed.begin(), packed.end());
  Bytes target(out.size());
  // liblz4 takes characters; a reinterpreted view of our own bytes.
  const int made = LZ4_decompress_safe_partial(base::as_text(source).data(), reinterpret_cast<char*>(target.data()), static_cast<int>(source.size()), size, size);
  if (made != size) return false;
  out.swap(target);
  return true;
}

bool decode_lzma(ByteView packed, Bytes& out) {
  packed = packed.subspan(static_cast<std::size_t>(std::find_if(packed.begin(), packed.end(), [](std::uint8_t b) { return b != 0; }) - packed.begin()));
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_microlzma_decoder(&stream, packed.size(), out.size(), false, kDictionary) != LZMA_OK) return false;
  const std::unique_ptr<lzma_stream, void (*)(lzma_stream*)> end(&stream, lzma_end);
  stream.next_in = packed.data();
  stream.avail_in = packed.size();
  stream.next_out = out.data();
  stream.avail_out = out.size();
  while (stream.avail_out > 0) {
    const auto before = stream.avail_out;
    const lzma_ret code = lzma_code(&stream, LZMA_RUN);
    if (code == LZMA_STREAM_END) break;
    if (code != LZMA_OK || (before == stream.avail_out && stream.avail_in == 0)) return false;
  }
  return stream.avail_out == 0;
}

struct Extent {
  std::uint64_t from = 0, to = 0;  // of the contents
  unsigned type = 0;
  std::uint64_t at = 0, size = 0;  // of the image
  bool in_packed = false;
};

bool append_extent(const Erofs& fs, const Index& index, const Extent& extent, const Take& take) {
  const std::uint64_t length = extent.to - extent.from;
  if (length > kLargestExtent || !base::in_bounds(extent.at, extent.size, fs.image.size())) return false;
  const ByteView packed = fs.image.subspan(extent.at, extent.size);
  if (extent.type == 0) {
    if (packed.size() < length) return false;
    if (!(index.advise & kInterlaced)) return take(packed.first(length));
    const std::uint64_t turn = extent.from & ((std::uint64_t{1} << fs.block_bits) - 1);
    const std::uint64_t right = std::min(length, packed.size() - std::min<std::uint64_t>(turn, packed.size()));
    return take(packed.subspan(turn, right)) && (length == right || take(packed.first(length - right)));
  }
  Bytes out(length);
  const unsigned algorithm = extent.type == 3 ? index.algorithms >> 4 : index.algorithms & 15;
  if (algorithm == 0 ? !decode_lz4(packed, fs.features & kZeroPadding, out) : algorithm == 1 ? !decode_lzma(packed, out) : true) return false;
  return take(out);
}

// A range of the packed inode.
bool append_fragment(const Erofs& fs, std::uint64_t at, std::uint64_t size, const Take& take) {
  const auto packed = read_erofs_inode(fs, fs.packed);
  if (!packed || !base::in_bounds(at, size, packed->size)) return false;
  std::uint64_t seen = 0, given = 0;
  append_erofs_data(fs, *packed, [&](ByteView piece) {
    const std::uint64_t from = seen;
    seen += piece.size();
    if (seen <= at) return true;
    const std::uint64_t skip = from < at ? at - from : 0;
    const ByteView part = base::clipped(piece, skip, size - given);
    given += part.size();
    return (part.empty() || take(part)) && given < size;
  });
  return given == size;
}

bool append_clusters(const Erofs& fs, const ErofsInode& inode, const Take& take) {
  const auto index = read_index(fs, inode);
  if (!index) return false;
  if (inode.size == 0) return true;
  if (index->all_fragment) return append_fragment(fs, index->fragment, inode.size, take);
  const std::uint64_t cluster = std::uint64_t{1} << index->cluster_bits;
  std::vector<Extent> extents;
  std::uint64_t end = 0;
  for (std::uint64_t number = 0; number < index->count; ++number) {
    const auto entry = inode.layout == kFull ? full_entry(fs, *index, number) : compact_entry(fs, *index, number);
    if (!entry) return false;
    end = entry->next;
    if (entry->type == kNonHead) {
      if (entry->blocks > 0 && !extents.empty()) extents.back().size = std::uint64_t{entry->blocks} << fs.block_bits;
      continue;
    }
    const std::uint64_t from = number * cluster + entry->offset;
    if (entry->offset >= cluster || from >= inode.size) continue;  // an end beyond the contents
    if (!extents.empty()) extents.back().to = from;
    extents.push_back({from, inode.size, entry->type, std::uint64_t{entry->block} << fs.block_bits, index->advise & kBig ? std::uint64_t{1} << fs.block_bits : cluster});
  }
  if (extents.empty()) return false;
  if (index->advise & kFragment) extents.back().in_packed = true;
  if (index->inline_size > 0) {
    extents.back().at = end;
    extents.back().size = index->inline_size;
  }
  if (extents.front().from != 0) return false;
  return std::all_of(extents.begin(), extents.end(), [&](const Extent& extent) {
    if (extent.to <= extent.from) return false;
    return extent.in_packed ? append_fragment(fs, index->fragment, extent.to - extent.from, take) : append_extent(fs, *index, extent, take);
  });
}

}  // namespace

std::optional<ErofsInode> read_erofs_inode(const Erofs& fs, std::uint64_t nid) {
  if (nid > fs.image.size() / 32) return std::nullopt;
  ErofsInode out;
  out.at = (std::uint64_t{fs.meta} << fs.block_bits) + nid * 32;
  base::ByteReader r(base::clipped(fs.image, out.at));
  const std::uint16_t form = r.u16(), xattrs = r.u16();
  const bool extended = form & 1;
  out.layout = form >> 1 & 7U;
  out.header = extended ? 64 : 32;
  out.xattr_bytes = xattrs == 0 ? 0 : 12 + (xattrs - 1) * 4ULL;
  out.mode = r.u16();
  out.links = r.u16();
  out.size = extended ? r.u64() : r.u32();
  if (!extended) r.u32();
  out.data = r.u32();
  r.u32();
  out.uid = extended ? r.u32() : r.u16();
  out.gid = extended ? r.u32() : r.u16();
  if (extended) {
    out.time = static_cast<std::int64_t>(r.u64());
    r.u32();
    out.links = r.u32();
  }
  if (!r.ok() || out.layout > kChunks) return std::nullopt;
  return out;
}

bool append_erofs_data(const Erofs& fs, const ErofsInode& inode, const Take& take) {
  switch (inode.layout) {
    case kPlain:
    case kInline: return append_flat(fs, inode, take);
    case kChunks: return append_chunks(fs, inode, take);
    default: return append_clusters(fs, inode, take);
  }
}

}  // namespace unpack
