// Squashfs superblocks, inodes and directories of versions 1 to 4. See squashfs_layout.h.
#include "unpack/formats/squashfs_layout.h"

#include <bit>

namespace unpack {
namespace {

using base::ByteOrder;
using base::ByteReader;
using base::ByteView;

constexpr std::uint32_t kUncompressed = 1U << 24;
constexpr std::size_t kMostBlocks = 1 << 22;

// Bit fields as the old versions' C structs had them: from the low end on little-endian machines, from the high end on
// big-endian ones. Reads `bytes` of at most eight bytes.
class Bits {
 public:
  Bits(ByteView bytes, ByteOrder order) : order_(order), width_(bytes.size() * 8) {
    for (std::size_t i = 0; i < bytes.size(); ++i)
      value_ = value_ << 8 | bytes[order == ByteOrder::big ? i : bytes.size() - 1 - i];
  }
  std::uint32_t next(unsigned bits) {
    const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
    const std::size_t shift = order_ == ByteOrder::little ? at_ : width_ - at_ - bits;
    at_ += bits;
    return static_cast<std::uint32_t>(value_ >> shift & mask);
  }

 private:
  std::uint64_t value_ = 0;
  ByteOrder order_;
  std::size_t width_, at_ = 0;
};

std::optional<ByteOrder> order_of(ByteView bytes) {
  const std::string_view magic = base::as_text(base::clipped(bytes, 0, 4));
  for (const char* little : {"hsqs", "shsq", "hsqt"})
    if (magic == little) return ByteOrder::little;
  for (const char* big : {"sqsh", "qshs", "tqsh", "sqlz"})
    if (magic == big) return ByteOrder::big;
  return std::nullopt;
}

std::uint16_t major_of(ByteView bytes, ByteOrder order) {
  return base::load<std::uint16_t>(bytes, 28, order).value_or(0);
}

SquashCodec codec_of(std::uint16_t id) {
  switch (id) {
    case 1: return SquashCodec::zlib;
    case 2: return SquashCodec::lzma_alone;
    case 3: return SquashCodec::lzo;
    case 4: return SquashCodec::xz;
    case 5: return SquashCodec::lz4;
    case 6: return SquashCodec::zstd;
    default: return SquashCodec::unknown;
  }
}

SquashSuper read_super_4(ByteReader& r, SquashSuper s) {
  s.inodes = r.u32();
  s.mkfs_time = r.u32();
  s.block_size = r.u32();
  s.fragments = r.u32();
  s.codec = codec_of(r.u16());
  r.u16();  // block_log
  s.flags = r.u16();
  s.ids = r.u16();
  s.major = r.u16();
  s.minor = r.u16();
  s.root_inode = r.u64();
  s.bytes_used = r.u64();
  s.id_table = r.u64();
  s.xattr_table = r.u64();
  s.inode_table = r.u64();
  s.directory_table = r.u64();
  s.fragment_table = r.u64();
  return s;
}

SquashSuper read_super_old(ByteReader& r, SquashSuper s) {
  s.inodes = r.u32();
  s.bytes_used = r.u32();
  s.id_table = r.u32();
  s.guid_table = r.u32();
  s.inode_table = r.u32();
  s.directory_table = r.u32();
  s.major = r.u16();
  s.minor = r.u16();
  s.block_size = r.u16();
  r.u16();  // block_log
  s.flags = r.u8();
  s.ids = r.u8();
  s.guids = r.u8();
  s.mkfs_time = r.u32();
  s.root_inode = r.u64();
  if (s.major == 1) return s;
  s.block_size = r.u32();
  s.fragments = r.u32();
  s.fragment_table = r.u32();
  if (s.major == 2) return s;
  s.bytes_used = r.u64();
  s.id_table = r.u64();
  s.guid_table = r.u64();
  s.inode_table = r.u64();
  s.directory_table = r.u64();
  s.fragment_table = r.u64();
  return s;
}

bool plausible(const SquashSuper& s) {
  const bool tables = s.inode_table < s.bytes_used && s.directory_table <= s.bytes_used && s.inode_table < s.directory_table;
  return s.major >= 1 && s.major <= 4 && s.minor <= 0xFF && s.block_size >= 4096 && s.block_size <= (1U << 20) &&
         std::has_single_bit(s.block_size) && s.bytes_used >= 64 && tables && s.inodes > 0 &&
         (s.major == 4 ? s.codec != SquashCodec::unknown : true);
}

// --- inodes ---------------------------------------------------------------------------------------------------------

std::uint64_t block_count(const SquashSuper& super, const SquashInode& inode) {
  const std::uint64_t whole = inode.size / super.block_size;
  return inode.fragment == UINT32_MAX && inode.size % super.block_size ? whole + 1 : whole;
}

bool read_blocks(const SquashSuper& super, SquashMetadata& from, SquashInode& inode) {
  const std::uint64_t count = block_count(super, inode);
  if (count > kMostBlocks) return false;
  const std::size_t width = super.major == 1 ? 2 : 4;
  inode.blocks.reserve(std::min<std::uint64_t>(count, 4096));
  for (std::uint64_t i = 0; i < count; ++i) {
    const ByteView bytes = from.take(width);
    if (bytes.size() != width) return false;
    if (width == 4) {
      inode.blocks.push_back(*base::load<std::uint32_t>(bytes, 0, super.order));
      continue;
    }
    const std::uint16_t size = *base::load<std::uint16_t>(bytes, 0, super.order);  // top bit: not compressed
    inode.blocks.push_back(size & 0x8000 ? (size & 0x7FFFU ? size & 0x7FFFU : 0x8000U) | kUncompressed : size);
  }
  return true;
}

bool read_target(SquashMetadata& from, SquashInode& inode) {
  if (inode.size > 65536) return false;
  const ByteView bytes = from.take(inode.size);
  inode.target = base::as_text(bytes);
  return bytes.size() == inode.size;
}

std::optional<SquashInode> read_inode_4(const SquashSuper& super, SquashMetadata& from) {
  SquashInode inode;
  ByteReader head(from.take(16), super.order);
  const std::uint16_t type = head.u16();
  inode.mode = head.u16();
  inode.uid_index = head.u16();
  inode.gid_index = head.u16();
  inode.mtime = head.u32();
  inode.number = head.u32();
  if (!head.ok() || type < 1 || type > 14) return std::nullopt;
  const bool extended = type > 7;
  inode.type = static_cast<SquashType>(extended ? type - 7 : type);
  const auto rest = [&](std::size_t length) { return ByteReader(from.take(length), super.order); };
  switch (inode.type) {
    case SquashType::directory: {
      ByteReader r = rest(extended ? 24 : 16);
      if (extended) {
        inode.links = r.u32();
        inode.size = r.u32();
        inode.directory_block = r.u32();
        r.u32();  // parent
        r.u16();  // index count: the index follows, and is not needed
        inode.directory_offset = r.u16();
        inode.xattr = r.u32();
      } else {
        inode.directory_block = r.u32();
        inode.links = r.u32();
        inode.size = r.u16();
        inode.directory_offset = r.u16();
      }
      return r.ok() ? std::optional(inode) : std::nullopt;
    }
    case SquashType::regular: {
      ByteReader r = rest(extended ? 40 : 16);
      if (extended) {
        inode.start = r.u64();
        inode.size = r.u64();
        r.u64();  // sparse
        inode.links = r.u32();
        inode.fragment = r.u32();
        inode.fragment_offset = r.u32();
        inode.xattr = r.u32();
      } else {
        inode.start = r.u32();
        inode.fragment = r.u32();
        inode.fragment_offset = r.u32();
        inode.size = r.u32();
      }
      return r.ok() && read_blocks(super, from, inode) ? std::optional(inode) : std::nullopt;
    }
    case SquashType::symlink: {
      ByteReader r = rest(8);
      inode.links = r.u32();
      inode.size = r.u32();
      if (!r.ok() || !read_target(from, inode)) return std::nullopt;
      if (extended) inode.xattr = rest(4).u32();
      return inode;
    }
    case SquashType::block_device:
    case SquashType::char_device: {
      ByteReader r = rest(extended ? 12 : 8);
      inode.links = r.u32();
      inode.device = r.u32();
      if (extended) inode.xattr = r.u32();
      return r.ok() ? std::optional(inode) : std::nullopt;
    }
    case SquashType::fifo:
    case SquashType::socket: {
      ByteReader r = rest(extended ? 8 : 4);
      inode.links = r.u32();
      if (extended) inode.xattr = r.u32();
      return r.ok() ? std::optional(inode) : std::nullopt;
    }
  }
  return std::nullopt;
}

// Version 1 packs a user table of up to 48 entries into the type field, and hides fifos and sockets behind type 0.
bool read_base_1(const SquashSuper& super, SquashMetadata& from, SquashInode& inode) {
  const ByteView bytes = from.take(3);
  if (bytes.size() != 3) return false;
  Bits bits(bytes, super.order);
  std::uint32_t type = bits.next(4);
  inode.mode = bits.next(12);
  const std::uint32_t uid = bits.next(4), gid = bits.next(4);
  if (type == 0) {  // ipc: `uid` holds which one, `gid` the user table's part
    if (uid < 1 || uid > 2) return false;
    inode.type = uid == 1 ? SquashType::fifo : SquashType::socket;
    inode.gid_index = UINT32_MAX;
    return true;
  }
  inode.uid_index = (type - 1) / 5 * 16 + uid;
  inode.gid_index = gid == 15 ? UINT32_MAX : gid;
  inode.type = static_cast<SquashType>((type - 1) % 5 + 1);
  return true;
}

bool read_base_23(const SquashSuper& super, SquashMetadata& from, SquashInode& inode, bool& large) {
  const ByteView bytes = from.take(4);
  if (bytes.size() != 4) return false;
  Bits bits(bytes, super.order);
  const std::uint32_t type = bits.next(4);
  inode.mode = bits.next(12);
  inode.uid_index = bits.next(8);
  const std::uint32_t gid = bits.next(8);
  inode.gid_index = gid == 255 ? UINT32_MAX : gid;
  if (type < 1 || type > 9) return false;
  large = type > 7;  // 8: large directory, 9: large file
  inode.type = static_cast<SquashType>(large ? type - 7 : type);
  if (super.major < 3) return true;
  ByteReader r(from.take(8), super.order);
  inode.mtime = r.u32();
  inode.number = r.u32();
  return r.ok();
}

std::optional<SquashInode> read_inode_old(const SquashSuper& super, SquashMetadata& from) {
  SquashInode inode;
  bool large = false;
  inode.mtime = super.mkfs_time;
  if (!(super.major == 1 ? read_base_1(super, from, inode) : read_base_23(super, from, inode, large))) return std::nullopt;
  const bool three = super.major == 3;
  const auto rest = [&](std::size_t length) { return ByteReader(from.take(length), super.order); };
  switch (inode.type) {
    case SquashType::directory: {
      if (three) inode.links = rest(4).u32();
      const ByteView packed = from.take(large ? 5 : 4);
      if (packed.size() != (large ? 5U : 4U)) return std::nullopt;
      Bits bits(packed, super.order);
      inode.size = bits.next(large ? 27 : 19);
      inode.directory_offset = bits.next(13);
      if (three) {
        ByteReader r = rest(large ? 10 : 8);
        inode.directory_block = r.u32();
        return r.ok() ? std::optional(inode) : std::nullopt;
      }
      inode.mtime = rest(4).u32();
      const ByteView start = from.take(3);
      if (start.size() != 3) return std::nullopt;
      inode.directory_block = Bits(start, super.order).next(24);
      return inode;
    }
    case SquashType::regular: {
      if (three) {
        ByteReader r = rest(large ? 28 : 20);
        if (large) inode.links = r.u32();
        inode.start = r.u64();
        inode.fragment = r.u32();
        inode.fragment_offset = r.u32();
        inode.size = large ? r.u64() : r.u32();
        return r.ok() && read_blocks(super, from, inode) ? std::optional(inode) : std::nullopt;
      }
      ByteReader r = rest(super.major == 1 ? 12 : 20);
      inode.mtime = r.u32();
      inode.start = r.u32();
      if (super.major == 2) {
        inode.fragment = r.u32();
        inode.fragment_offset = r.u32();
      }
      inode.size = r.u32();
      return r.ok() && read_blocks(super, from, inode) ? std::optional(inode) : std::nullopt;
    }
    case SquashType::symlink: {
      if (three) inode.links = rest(4).u32();
      inode.size = rest(2).u16();
      return read_target(from, inode) ? std::optional(inode) : std::nullopt;
    }
    case SquashType::block_device:
    case SquashType::char_device: {
      if (three) inode.links = rest(4).u32();
      ByteReader r = rest(2);
      inode.device = r.u16();
      return r.ok() ? std::optional(inode) : std::nullopt;
    }
    case SquashType::fifo:
    case SquashType::socket:
      if (three) inode.links = rest(4).u32();
      return inode;
  }
  return std::nullopt;
}

// One directory header: how many entries follow, and the inode block that they share. False at the end.
bool read_directory_header(const SquashSuper& super, SquashMetadata& from, std::uint32_t& count, std::uint64_t& block,
                           std::uint64_t& used) {
  const std::size_t length = super.major == 4 ? 12 : super.major == 3 ? 9 : 4;
  const ByteView bytes = from.take(length);
  if (bytes.size() != length) return false;
  used += length;
  if (super.major == 4) {
    ByteReader r(bytes, super.order);
    count = r.u32() + 1;
    block = r.u32();
    return count <= 256;
  }
  if (super.major == 3) {
    count = bytes[0] + 1U;
    block = *base::load<std::uint32_t>(bytes, 1, super.order);
    return true;
  }
  Bits bits(bytes, super.order);
  count = bits.next(8) + 1;
  block = bits.next(24);
  return true;
}

}  // namespace

std::optional<SquashSuper> read_squash_super(ByteView bytes) {
  const auto order = order_of(bytes);
  if (!order) return std::nullopt;
  SquashSuper super;
  super.order = *order;
  super.major = major_of(bytes, *order);
  ByteReader r(bytes, *order);
  r.skip(4);
  super = super.major == 4 ? read_super_4(r, super) : read_super_old(r, super);
  if (!r.ok() || !plausible(super)) return std::nullopt;
  return super;
}

std::optional<SquashInode> read_squash_inode(const SquashSuper& super, SquashMetadata& from) {
  return super.major == 4 ? read_inode_4(super, from) : read_inode_old(super, from);
}

std::vector<SquashEntry> read_squash_directory(const SquashSuper& super, SquashMetadata& from, std::uint64_t size, bool& whole) {
  std::vector<SquashEntry> out;
  whole = true;
  // From version 3 on the size counts three bytes for `.` and `..` that are not there.
  const std::uint64_t unreal = super.major >= 3 ? 3 : 0;
  if (size <= unreal) return out;
  size -= unreal;
  const std::size_t entry_length = super.major == 4 ? 8 : super.major == 3 ? 5 : 3;
  for (std::uint64_t used = 0; used < size;) {
    std::uint32_t count = 0;
    std::uint64_t block = 0;
    if (!read_directory_header(super, from, count, block, used)) return whole = false, out;
    for (; count > 0; --count) {
      const ByteView bytes = from.take(entry_length);
      if (bytes.size() != entry_length) return whole = false, out;
      std::uint32_t offset = 0, length = 0;
      if (super.major == 4) {
        ByteReader r(bytes, super.order);
        offset = r.u16();
        r.skip(4);  // inode number difference, type: the inode itself says both
        length = r.u16() + 1U;
      } else {
        Bits bits(bytes.first(3), super.order);
        offset = bits.next(13);
        bits.next(3);  // type
        length = bits.next(8) + 1;
      }
      if (length > 256) return whole = false, out;
      const ByteView name = from.take(length);
      if (name.size() != length) return whole = false, out;
      out.push_back({std::string(base::as_text(name)), block << 16 | offset});
      used += entry_length + length;
    }
  }
  return out;
}

}  // namespace unpack
