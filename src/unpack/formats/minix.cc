// Minix file systems, versions 1 and 2, in both byte orders, into names and contents.
// Source: Linux include/uapi/linux/minix_fs.h. Blocks of 1024 bytes; zone numbers of 16 or 32 bits.
#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteOrder;
using base::ByteReader;
using base::ByteView;

constexpr std::uint64_t kBlock = 1024;

struct Super {
  ByteOrder order = ByteOrder::little;
  int version = 1;
  std::uint32_t inodes = 0, inode_blocks = 0, zone_blocks = 0, zones = 0, name_length = 14;
};

std::optional<Super> read_super(ByteView from) {
  for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
    ByteReader r(base::clipped(from, kBlock, 64), order);
    Super s;
    s.order = order;
    s.inodes = r.u16();
    s.zones = r.u16();
    s.inode_blocks = r.u16();
    s.zone_blocks = r.u16();
    const std::uint16_t first = r.u16(), log = r.u16();
    r.u32();
    const std::uint16_t magic = r.u16(), state = r.u16();
    const std::uint32_t zones = r.u32();
    if (!r.ok() || log != 0 || state > 7 || first < 4) continue;
    if (magic == 0x137F || magic == 0x138F) s.version = 1;
    else if (magic == 0x2468 || magic == 0x2478) s.version = 2;
    else continue;
    s.name_length = magic == 0x138F || magic == 0x2478 ? 30 : 14;
    if (s.version == 2) s.zones = zones;
    if (s.inodes == 0 || s.zones <= first || s.inode_blocks == 0 || s.zone_blocks == 0 || s.inode_blocks > 64) continue;
    return s;
  }
  return std::nullopt;
}

struct Inode {
  std::uint32_t mode = 0, uid = 0, gid = 0, size = 0, mtime = 0, links = 0;
  std::vector<std::uint32_t> zones;
};

class Volume {
 public:
  Volume(ByteView image, const Super& super, Sink& sink, std::uint64_t at) : image_(image), s_(super), sink_(sink), at_(at) {}

  base::Result<void> extract() {
    const auto root = read_inode(1);
    if (!root || (root->mode & 0170000) != 0040000) return base::fail(base::Error::Kind::damaged, "the root inode is no directory");
    emit("/", 1, *root);
    std::vector<std::pair<std::string, Inode>> todo = {{"/", *root}};
    visited_.insert(1);
    while (!todo.empty() && !sink_.full()) {
      const auto [path, directory] = std::move(todo.back());
      todo.pop_back();
      const base::Bytes entries = read_contents(directory);
      const std::uint64_t length = 2 + s_.name_length;
      for (std::uint64_t at = 0; at + length <= entries.size() && !sink_.full(); at += length) {
        ByteReader r(ByteView(entries).subspan(at, length), s_.order);
        const std::uint32_t number = r.u16();
        const std::string_view name = r.fixed_text(s_.name_length);
        if (number == 0 || name == "." || name == "..") continue;
        const auto child = child_path(path, name, sink_, at_);
        const auto inode = read_inode(number);
        if (!child || !inode) continue;
        const bool is_directory = (inode->mode & 0170000) == 0040000;
        if (is_directory && !visited_.insert(number).second) continue;
        emit(*child, number, *inode);
        if (is_directory) todo.emplace_back(*child, *inode);
      }
    }
    return {};
  }

 private:
  std::optional<Inode> read_inode(std::uint32_t number) const {
    if (number == 0 || number > s_.inodes) return std::nullopt;
    const std::uint64_t width = s_.version == 1 ? 32 : 64;
    ByteReader r(base::clipped(image_, (2 + s_.inode_blocks + s_.zone_blocks) * kBlock + (number - 1) * width, width), s_.order);
    Inode i;
    i.mode = r.u16();
    if (s_.version == 1) {
      i.uid = r.u16();
      i.size = r.u32();
      i.mtime = r.u32();
      i.gid = r.u8();
      i.links = r.u8();
      for (int z = 0; z < 9; ++z) i.zones.push_back(r.u16());
    } else {
      i.links = r.u16();
      i.uid = r.u16();
      i.gid = r.u16();
      i.size = r.u32();
      r.u32();
      i.mtime = r.u32();
      r.u32();
      for (int z = 0; z < 10; ++z) i.zones.push_back(r.u32());
    }
    return r.ok() ? std::optional(i) : std::nullopt;
  }

  // Zones in order, through up to `depth` levels of indirection. A zone 0 is a hole.
  void read_zone(std::uint32_t zone, int depth, std::uint64_t size, base::Bytes& out) const {
    const std::uint64_t per_block = s_.version == 1 ? kBlock / 2 : kBlock / 4;
    if (out.size() >= size) return;
    const ByteView block = zone ? base::clipped(image_, zone * kBlock, kBlock) : ByteView{};
    if (depth == 0) {
      const std::uint64_t want = std::min<std::uint64_t>(kBlock, size - out.size());
      const ByteView part = base::clipped(block, 0, want);
      out.insert(out.end(), part.begin(), part.end());
      out.resize(out.size() + want - part.size());
      return;
    }
    for (std::uint64_t i = 0; i < per_block && out.size() < size; ++i) {
      const std::uint32_t next = s_.version == 1 ? base::load<std::uint16_t>(block, i * 2, s_.order).value_or(0)
                                                 : base::load<std::uint32_t>(block, i * 4, s_.order).value_or(0);
      read_zone(next, depth - 1, size, out);
    }
  }

  base::Bytes read_contents(const Inode& inode) const {
    base::Bytes out;
    const std::uint64_t size = std::min<std::uint64_t>(inode.size, std::uint64_t{s_.zones} * kBlock);
    for (std::size_t z = 0; z < inode.zones.size(); ++z) read_zone(inode.zones[z], z < 7 ? 0 : static_cast<int>(z) - 6, size, out);
    return out;
  }

  void emit(const std::string& path, std::uint32_t number, const Inode& inode) {
    Node node;
    node.path = path;
    set_mode(node, inode.mode);
    node.uid = inode.uid;
    node.gid = inode.gid;
    node.mtime = inode.mtime;
    if (node.type == NodeType::symlink) node.link_target = base::as_text(read_contents(inode));
    if (node.type == NodeType::char_device || node.type == NodeType::block_device) {
      node.major = inode.zones[0] >> 8 & 0xFF;
      node.minor = inode.zones[0] & 0xFF;
    }
    if (node.type != NodeType::regular) return sink_.node(std::move(node));
    if (inode.links > 1) node.inode = number;
    sink_.file(std::move(node), read_contents(inode));
  }

  ByteView image_;
  const Super& s_;
  Sink& sink_;
  std::uint64_t at_;
  std::unordered_set<std::uint32_t> visited_;
};

std::optional<Chunk> measure(ByteView blob, std::uint64_t at) {
  const auto super = read_super(base::clipped(blob, at));
  if (!super) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = super->zones * kBlock;
  chunk.note = fmt::format("version {}, {}-endian, names of {}", super->version, super->order == ByteOrder::little ? "little" : "big", super->name_length);
  clip_to_blob(chunk, blob);
  // Two bytes of magic: a file system that does not fit is none.
  if (!chunk.doubts.empty() || super->zones < 8) return std::nullopt;
  return chunk;
}

base::Result<void> extract(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView image = blob.subspan(chunk.offset, chunk.size);
  const auto super = read_super(image);
  if (!super) return base::fail(base::Error::Kind::damaged, "no superblock");
  return Volume(image, *super, sink, chunk.offset).extract();
}

}  // namespace

const Format minix_format = {.name = "minix", .title = "Minix 1 and 2", .reference = "Linux include/uapi/linux/minix_fs.h", .limits = "zones of 1024 bytes; version 3 is not read",
                             .kind = Format::Kind::file_system,
                             .magics = {{{"\x7f\x13", 1040}, {"\x8f\x13", 1040}, {"\x68\x24", 1040}, {"\x78\x24", 1040},
                                         {"\x13\x7f", 1040}, {"\x13\x8f", 1040}, {"\x24\x68", 1040}, {"\x24\x78", 1040}}},
                             .measure = measure, .extract = extract};

}  // namespace unpack
