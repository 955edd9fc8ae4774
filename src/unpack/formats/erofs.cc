// EROFS into nodes: Android's and lately routers' read-only file system. Source: Linux fs/erofs/erofs_fs.h, fs/erofs/zmap.c and
// Documentation/filesystems/erofs.rst. What a file's blocks hold once decompressed is erofs_map.cc's.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/escape.h"
#include "unpack/format.h"
#include "unpack/formats/erofs_map.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteReader;
using base::ByteView;
using base::Error;

constexpr std::uint32_t kMagic = 0xE0F5E1E2;
constexpr std::uint64_t kSuper = 1024;
constexpr unsigned kDeepest = 256;
constexpr std::uint64_t kLargestDirectory = 64 << 20;

std::optional<Erofs> read_super(ByteView image) {
  ByteReader r(base::clipped(image, kSuper));
  if (r.u32() != kMagic) return std::nullopt;
  r.skip(8);
  Erofs fs;
  fs.image = image;
  fs.block_bits = r.u8();
  r.u8();
  fs.root = r.u16();
  fs.inodes = r.u64();
  fs.time = static_cast<std::int64_t>(r.u64());
  r.u32();
  fs.blocks = r.u32();
  fs.meta = r.u32();
  fs.shared_xattrs = r.u32();
  r.skip(32);
  fs.features = r.u32();
  r.skip(12);
  fs.packed = r.u64();
  if (!r.ok() || fs.block_bits < 9 || fs.block_bits > 16 || fs.blocks == 0) return std::nullopt;
  return fs;
}

std::optional<Chunk> measure_erofs(ByteView blob, std::uint64_t at) {
  const auto fs = read_super(base::clipped(blob, at));
  if (!fs) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = std::uint64_t{fs->blocks} << fs->block_bits;
  if (chunk.size < kSuper + 128) return std::nullopt;
  chunk.note = fmt::format("{} inodes, blocks of {}", fs->inodes, 1U << fs->block_bits);
  clip_to_blob(chunk, blob);
  return chunk;
}

std::string_view xattr_prefix(std::uint8_t index) {
  switch (index) {
    case 1: return "user.";
    case 2: return "system.posix_acl_access";
    case 3: return "system.posix_acl_default";
    case 4: return "trusted.";
    case 6: return "security.";
    default: return "";
  }
}

// One entry; returns its length with padding, 0 when it does not fit.
std::uint64_t read_xattr(ByteView from, Node& node) {
  ByteReader r(from);
  const std::uint8_t length = r.u8(), index = r.u8();
  const std::uint16_t size = r.u16();
  const std::string_view name = base::as_text(r.take(length)), value = base::as_text(r.take(size));
  if (!r.ok()) return 0;
  if (const auto prefix = xattr_prefix(index); !prefix.empty()) node.xattrs[std::string(prefix) + std::string(name)] = value;
  return base::align_up(r.offset(), 4);
}

void read_xattrs(const Erofs& fs, const ErofsInode& inode, Node& node) {
  const ByteView area = base::clipped(fs.image, inode.at + inode.header, inode.xattr_bytes);
  if (area.size() < 12) return;
  const std::uint8_t shared = area[4];
  std::uint64_t at = 12;
  for (std::uint8_t i = 0; i < shared; ++i, at += 4)
    if (const auto id = base::load_le32(area, at))
      read_xattr(base::clipped(fs.image, (std::uint64_t{fs.shared_xattrs} << fs.block_bits) + std::uint64_t{*id} * 4), node);
  while (at + 4 <= area.size()) {
    const std::uint64_t step = read_xattr(area.subspan(at), node);
    if (step == 0) return;
    at += step;
  }
}

class Walk {
 public:
  Walk(const Erofs& fs, std::uint64_t offset, Sink& sink) : fs_(fs), offset_(offset), sink_(sink) {}

  void run() {
    const auto root = read_erofs_inode(fs_, fs_.root);
    if (!root) return sink_.doubt("damaged", offset_, "the root inode does not read");
    emit("/", fs_.root, *root, 0);
  }

 private:
  void emit(const std::string& path, std::uint64_t nid, const ErofsInode& inode, unsigned depth) {
    Node node;
    node.path = path;
    set_mode(node, inode.mode);
    node.uid = inode.uid;
    node.gid = inode.gid;
    node.mtime = inode.time.value_or(fs_.time);
    read_xattrs(fs_, inode, node);
    if (node.type == NodeType::char_device || node.type == NodeType::block_device) {
      node.major = (inode.data & 0xFFF00) >> 8;
      node.minor = (inode.data & 0xFF) | ((inode.data >> 12) & 0xFFF00);
    }
    if (node.type == NodeType::directory) {
      sink_.node(std::move(node));
      return directory(path, nid, inode, depth);
    }
    if (node.type == NodeType::symlink) {
      base::Bytes target;
      if (!whole(inode, 65536, target)) return damaged(path);
      node.link_target = base::as_text(target);
      return sink_.node(std::move(node));
    }
    if (node.type != NodeType::regular) return sink_.node(std::move(node));
    if (inode.links > 1) {
      node.inode = nid + 1;
      if (!seen_.insert(nid).second) return sink_.node(std::move(node));  // another name of what came before
    }
    sink_.begin_file(std::move(node));
    const bool read = append_erofs_data(fs_, inode, [&](ByteView bytes) {
      sink_.append(bytes);
      return !sink_.full();
    });
    sink_.end();
    if (!read && !sink_.full()) damaged(path);
  }

  void damaged(const std::string& path) { sink_.doubt("damaged-member", offset_, fmt::format("{}: its blocks do not read", base::escape_bytes(path))); }

  bool whole(const ErofsInode& inode, std::uint64_t most, base::Bytes& out) const {
    if (inode.size > most) return false;
    return append_erofs_data(fs_, inode, [&](ByteView bytes) {
      out.insert(out.end(), bytes.begin(), bytes.end());
      return out.size() <= most;
    });
  }

  void directory(const std::string& path, std::uint64_t nid, const ErofsInode& inode, unsigned depth) {
    if (depth > kDeepest || !entered_.insert(nid).second) return sink_.doubt("damaged", offset_, "a directory lies within itself");
    base::Bytes bytes;
    if (!whole(inode, kLargestDirectory, bytes)) damaged(path);
    const std::uint64_t block = std::uint64_t{1} << fs_.block_bits;
    for (std::uint64_t at = 0; at < bytes.size() && !sink_.full(); at += block) entries(path, base::clipped(bytes, at, block), depth);
  }

  void entries(const std::string& path, ByteView block, unsigned depth) {
    const std::uint64_t count = base::load_le16(block, 8).value_or(0) / 12U;
    for (std::uint64_t i = 0; i < count && !sink_.full(); ++i) {
      ByteReader r(base::clipped(block, i * 12));
      const std::uint64_t nid = r.u64(), from = r.u16();
      const std::uint64_t to = i + 1 < count ? base::load_le16(block, i * 12 + 20).value_or(0) : block.size();
      if (!r.ok() || to <= from || to > block.size()) return sink_.doubt("damaged", offset_, "a directory's names lie outside it");
      std::string_view name = base::as_text(block.subspan(from, to - from));
      name = name.substr(0, name.find('\0'));
      if (name == "." || name == "..") continue;
      const auto child = child_path(path, name, sink_, offset_);
      const auto inode = read_erofs_inode(fs_, nid);
      if (!child) continue;
      if (!inode) damaged(*child);
      else emit(*child, nid, *inode, depth + 1);
    }
  }

  const Erofs& fs_;
  std::uint64_t offset_;
  Sink& sink_;
  std::set<std::uint64_t> seen_, entered_;
};

base::Result<void> extract_erofs(ByteView blob, const Chunk& chunk, Sink& sink) {
  const auto fs = read_super(blob.subspan(chunk.offset, chunk.size));
  if (!fs) return base::fail(Error::Kind::damaged, "the superblock does not read");
  Walk(*fs, chunk.offset, sink).run();
  return {};
}

}  // namespace

const Format erofs_format = {.name = "erofs", .title = "EROFS", .reference = "Linux fs/erofs/erofs_fs.h and zmap.c", .limits = "LZ4 and LZMA clusters, not deflate or zstd; one device; long xattr prefixes are left out",
                             .kind = Format::Kind::file_system, .magics = {{{"\xe2\xe1\xf5\xe0", kSuper}}}, .measure = measure_erofs, .extract = extract_erofs};

}  // namespace unpack
