// A JFFS2 log in either byte order into the names and contents that a mount of it would show.
// Source: Linux include/uapi/linux/jffs2.h; the JFFS2 paper of D. Woodhouse. Odd: there is no superblock, only nodes with
// versions; the latest name of (parent, name) counts, inode 0 deletes it, and data nodes overwrite older ranges.
#include <zlib.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "unpack/format.h"
#include "unpack/formats/jffs2_codec.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteOrder;
using base::ByteReader;
using base::ByteView;
using base::Error;

constexpr std::uint16_t kMagic = 0x1985;
constexpr std::uint16_t kDirent = 0xE001, kInode = 0xE002, kXattr = 0xE008, kXref = 0xE009;
constexpr std::uint64_t kLongestGap = 1 << 20;  // bytes without a node inside one file system
constexpr std::uint32_t kRoot = 1;
constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 30;

// The kernel's crc32(0, …): without the inversions of zlib's.
std::uint32_t crc(ByteView bytes) {
  if (bytes.empty()) return 0;  // zlib takes an empty view's null pointer for a question about its start value
  return static_cast<std::uint32_t>(crc32_z(0xFFFFFFFFU, bytes.data(), bytes.size())) ^ 0xFFFFFFFFU;
}

struct Header {
  std::uint16_t type = 0;
  std::uint32_t length = 0;
};

// The header of the node at `at`, if its check holds and the node lies inside.
std::optional<Header> read_header(ByteView blob, std::uint64_t at, ByteOrder order) {
  if (base::load<std::uint16_t>(blob, at, order) != kMagic || !base::in_bounds(at, 12, blob.size())) return std::nullopt;
  Header out;
  out.type = *base::load<std::uint16_t>(blob, at + 2, order);
  out.length = *base::load<std::uint32_t>(blob, at + 4, order);
  if (out.length < 12 || crc(blob.subspan(at, 8)) != *base::load<std::uint32_t>(blob, at + 8, order)) return std::nullopt;
  if (!base::in_bounds(at, out.length, blob.size())) return std::nullopt;
  return out;
}

// Calls `visit(offset, header)` for each node from `at` on; returns the end of the last one (`at` when there is none).
template <class Visit>
std::uint64_t for_each_node(ByteView blob, std::uint64_t at, ByteOrder order, Visit visit) {
  std::uint64_t end = at, gap = 0;
  while (at + 12 <= blob.size() && gap <= kLongestGap) {
    const auto header = read_header(blob, at, order);
    if (header) {
      visit(at, *header);
      at = std::min<std::uint64_t>(base::align_up(at + header->length, 4), blob.size());
      end = at;
      gap = 0;
      continue;
    }
    // Erased flash is no gap: it may go on for long.
    if (base::load_le32(blob, at) != 0xFFFFFFFFU) gap += 4;
    at += 4;
  }
  return end;
}

std::optional<ByteOrder> order_at(ByteView blob, std::uint64_t at) {
  if (base::load_le16(blob, at) == kMagic) return ByteOrder::little;
  if (base::load_be16(blob, at) == kMagic) return ByteOrder::big;
  return std::nullopt;
}

struct Dirent {
  std::uint32_t version = 0, inode = 0;
};

struct Data {
  std::uint32_t version = 0, mode = 0, size = 0, mtime = 0, offset = 0, packed = 0, plain = 0;
  std::uint16_t uid = 0, gid = 0;
  std::uint8_t codec = 0;
  std::uint64_t at = 0;  // of the packed bytes
  std::uint64_t order = 0;  // in the log; decides between equal versions
};

struct Xattr {
  std::uint32_t version = 0;
  std::string name, value;
};

class Volume {
 public:
  Volume(ByteView blob, const Chunk& chunk, ByteOrder order, Sink& sink)
      : blob_(blob.first(chunk.offset + chunk.size)), start_(chunk.offset), order_(order), sink_(sink) {}

  base::Result<void> extract() {
    for_each_node(blob_, start_, order_, [&](std::uint64_t at, const Header& header) { take(at, header); });
    for (auto& [inode, data] : data_)
      std::stable_sort(data.begin(), data.end(), [](const Data& a, const Data& b) { return a.version < b.version; });
    count_names();
    emit("/", kRoot, true);
    std::vector<std::pair<std::string, std::uint32_t>> todo = {{"/", kRoot}};
    std::unordered_set<std::uint32_t> visited = {kRoot};
    while (!todo.empty() && !sink_.full()) {
      const auto [path, inode] = std::move(todo.back());
      todo.pop_back();
      const auto names = names_.find(inode);
      if (names == names_.end()) continue;
      for (const auto& [name, dirent] : names->second) {
        if (dirent.inode == 0 || sink_.full()) continue;
        const auto child = child_path(path, name, sink_, start_);
        if (!child) continue;
        const bool directory = is_directory(dirent.inode);
        if (directory && !visited.insert(dirent.inode).second) {
          sink_.doubt("directory-loop", start_, fmt::format("{} is a directory that is already part of the tree", *child));
          continue;
        }
        emit(*child, dirent.inode, directory);
        if (directory) todo.emplace_back(*child, dirent.inode);
      }
    }
    return {};
  }

 private:
  void bad_node(std::uint64_t at, std::string_view what) {
    sink_.doubt("bad-checksum", at, fmt::format("the {} of a node does not hold; the node is left out", what));
  }

  void take(std::uint64_t at, const Header& header) {
    const ByteView node = blob_.subspan(at, header.length);
    if (header.type == kDirent) take_dirent(at, node);
    else if (header.type == kInode) take_inode(at, node);
    else if (header.type == kXattr) take_xattr(at, node);
    else if (header.type == kXref) take_xref(node);
  }

  void take_dirent(std::uint64_t at, ByteView node) {
    ByteReader r(node, order_);
    r.skip(12);
    const std::uint32_t parent = r.u32(), version = r.u32(), inode = r.u32();
    r.u32();  // time
    const std::uint8_t length = r.u8(), type = r.u8();
    r.u16();
    const std::uint32_t node_crc = r.u32(), name_crc = r.u32();
    const ByteView name = r.take(length);
    if (!r.ok()) return;
    if (crc(node.first(32)) != node_crc) return bad_node(at, "checksum");
    if (crc(name) != name_crc) return bad_node(at, "name's checksum");
    Dirent& known = names_[parent][std::string(base::as_text(name))];
    if (version < known.version) return;
    known = {version, inode};
    if (inode != 0) types_[inode] = type;
  }

  void take_inode(std::uint64_t at, ByteView node) {
    ByteReader r(node, order_);
    r.skip(12);
    const std::uint32_t inode = r.u32();
    Data d;
    d.version = r.u32();
    d.mode = r.u32();
    d.uid = r.u16();
    d.gid = r.u16();
    d.size = r.u32();
    r.u32();  // atime
    d.mtime = r.u32();
    r.u32();  // ctime
    d.offset = r.u32();
    d.packed = r.u32();
    d.plain = r.u32();
    d.codec = r.u8();
    r.u8();
    r.u16();
    const std::uint32_t data_crc = r.u32(), node_crc = r.u32();
    if (!r.ok() || crc(node.first(60)) != node_crc) return bad_node(at, "checksum");
    const ByteView packed = base::clipped(node, 68, d.packed);
    // A directory's node carries no data, and what mkfs.jffs2 writes as the checksum of that nothing is arbitrary.
    const bool directory = (d.mode & 0170000) == 0040000;
    if (packed.size() != d.packed || (!directory && crc(packed) != data_crc)) {
      if (!directory) damaged_[inode] = d;  // what it says of the inode is covered by the other checksum
      return bad_node(at, "data's checksum");
    }
    d.at = at + 68;
    data_[inode].push_back(d);
  }

  void take_xattr(std::uint64_t at, ByteView node) {
    static constexpr std::string_view kPrefixes[] = {"", "user.", "security.", "system.posix_acl_access", "system.posix_acl_default", "trusted."};
    ByteReader r(node, order_);
    r.skip(12);
    const std::uint32_t id = r.u32();
    Xattr x;
    x.version = r.u32();
    const std::uint8_t prefix = r.u8(), name_length = r.u8();
    const std::uint16_t value_length = r.u16();
    r.u32();  // data checksum
    r.u32();  // node checksum
    const std::string_view name = base::as_text(r.take(name_length));
    r.u8();  // the NUL after the name
    x.value = base::as_text(r.take(value_length));
    if (!r.ok()) return bad_node(at, "length");
    x.name = std::string(prefix < std::size(kPrefixes) ? kPrefixes[prefix] : "") + std::string(name);
    if (x.version >= xattrs_[id].version) xattrs_[id] = std::move(x);
  }

  void take_xref(ByteView node) {
    ByteReader r(node, order_);
    r.skip(12);
    const std::uint32_t inode = r.u32(), id = r.u32();
    if (r.ok()) xrefs_[inode].insert(id);
  }

  void count_names() {
    for (const auto& [parent, names] : names_)
      for (const auto& [name, dirent] : names) ++links_[dirent.inode];
  }

  const Data* latest(std::uint32_t inode) const {
    const auto known = data_.find(inode);
    return known == data_.end() ? nullptr : &known->second.back();
  }

  bool is_directory(std::uint32_t inode) const {
    if (const Data* last = latest(inode); last && last->mode & 0170000) return (last->mode & 0170000) == 0040000;
    const auto type = types_.find(inode);
    return type != types_.end() && type->second == 4;  // DT_DIR
  }

  void emit(const std::string& path, std::uint32_t inode, bool directory) {
    Node node;
    node.path = path;
    const Data* last = latest(inode);
    if (const auto spoilt = damaged_.find(inode); !last && spoilt != damaged_.end()) {
      last = &spoilt->second;
      sink_.doubt("missing-inode", start_, fmt::format("{}: none of its data can be read; shown empty", path));
    }
    if (last) {
      set_mode(node, last->mode);
      node.uid = last->uid;
      node.gid = last->gid;
      node.mtime = last->mtime;
    } else if (directory) {
      node.type = NodeType::directory;
      node.mode = 0755;
      if (path != "/") sink_.doubt("missing-inode", start_, fmt::format("{}: a directory without an inode; its mode is assumed", path));
    } else {
      return sink_.doubt("missing-inode", start_, fmt::format("{} has a name but no inode", path));
    }
    if (const auto refs = xrefs_.find(inode); refs != xrefs_.end())
      for (const std::uint32_t id : refs->second)
        if (const auto x = xattrs_.find(id); x != xattrs_.end()) node.xattrs[x->second.name] = x->second.value;
    if (node.type == NodeType::directory) return sink_.node(std::move(node));
    if (node.type == NodeType::regular) return emit_file(std::move(node), inode);
    const base::Bytes contents = read_contents(path, inode);
    if (node.type == NodeType::symlink) node.link_target = base::as_text(contents);
    else if (node.type == NodeType::char_device || node.type == NodeType::block_device) set_device(node, contents);
    sink_.node(std::move(node));
  }

  void emit_file(Node node, std::uint32_t inode) {
    if (links_[inode] > 1) {
      node.inode = inode;
      if (!linked_.insert(inode).second) return sink_.node(std::move(node));
    }
    const std::string path = node.path;
    sink_.file(std::move(node), read_contents(path, inode));
  }

  // Old encoding in two bytes, new one in four.
  void set_device(Node& node, ByteView contents) const {
    if (contents.size() == 2) {
      const std::uint16_t device = *base::load<std::uint16_t>(contents, 0, order_);
      node.major = device >> 8;
      node.minor = device & 0xFF;
    } else if (contents.size() == 4) {
      const std::uint32_t device = *base::load<std::uint32_t>(contents, 0, order_);
      node.major = device >> 8 & 0xFFF;
      node.minor = (device & 0xFF) | (device >> 12 & 0xFFF00);
    }
  }

  // All nodes of an inode, oldest first: later ones overwrite, and each one's size cuts what was longer.
  base::Bytes read_contents(const std::string& path, std::uint32_t inode) {
    base::Bytes out;
    const auto known = data_.find(inode);
    if (known == data_.end()) return out;
    for (const Data& d : known->second) {
      const auto end = std::uint64_t{d.offset} + d.plain;
      if (end > kLargestFile || d.size > kLargestFile || (end > (64U << 20) && end > blob_.size() * 2000)) {
        sink_.doubt("over-budget", d.at, fmt::format("{}: a node reaches to byte {}; left out", path, end));
        continue;
      }
      const bool device_or_link = (d.mode & 0170000) != 0100000;
      if (!device_or_link && d.size < out.size()) out.resize(d.size);
      if (d.plain == 0) {
        if (!device_or_link) out.resize(d.size);
        continue;
      }
      if (out.size() < end) out.resize(end);
      const std::span<std::uint8_t> target = std::span(out).subspan(d.offset, d.plain);
      if (!jffs2_decompress(static_cast<Jffs2Codec>(d.codec), blob_.subspan(d.at, d.packed), target)) {
        std::fill(target.begin(), target.end(), std::uint8_t{0});
        sink_.doubt("damaged-block", d.at, fmt::format("{}: a node of compression {} does not decompress; zeros stand for it", path, d.codec));
      }
    }
    const Data& last = known->second.back();
    if ((last.mode & 0170000) == 0100000) out.resize(last.size);
    return out;
  }

  ByteView blob_;
  std::uint64_t start_;
  ByteOrder order_;
  Sink& sink_;
  std::map<std::uint32_t, std::map<std::string, Dirent>> names_;  // by parent
  std::unordered_map<std::uint32_t, std::vector<Data>> data_;
  std::unordered_map<std::uint32_t, Data> damaged_;  // inodes' nodes whose data cannot be believed
  std::unordered_map<std::uint32_t, std::uint8_t> types_;
  std::unordered_map<std::uint32_t, unsigned> links_;
  std::unordered_set<std::uint32_t> linked_;
  std::map<std::uint32_t, Xattr> xattrs_;
  std::map<std::uint32_t, std::unordered_set<std::uint32_t>> xrefs_;
};

std::optional<Chunk> measure(ByteView blob, std::uint64_t at) {
  const auto order = order_at(blob, at);
  if (!order || !read_header(blob, at, *order)) return std::nullopt;
  std::size_t nodes = 0, names = 0;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = for_each_node(blob, at, *order, [&](std::uint64_t, const Header& header) {
    ++nodes;
    names += header.type == kDirent;
  }) - at;
  chunk.note = fmt::format("{}, {} nodes, {} names", *order == ByteOrder::little ? "little-endian" : "big-endian", nodes, names);
  return chunk;
}

base::Result<void> extract(ByteView blob, const Chunk& chunk, Sink& sink) {
  const auto order = order_at(blob, chunk.offset);
  if (!order) return base::fail(Error::Kind::damaged, "no node at the start");
  return Volume(blob, chunk, *order, sink).extract();
}

}  // namespace

const Format jffs2_format = {.name = "jffs2", .title = "JFFS2", .reference = "Linux include/uapi/linux/jffs2.h",
                             .limits = "nodes whose checksums fail are left out, as the kernel does", .kind = Format::Kind::file_system,
                             .magics = {{{"\x85\x19\x01\xe0"}, {"\x85\x19\x02\xe0"}, {{"\x85\x19\x03\x20", 4}}, {"\x85\x19\x04\x20"}, {"\x85\x19\x06\x20"},
                                         {"\x19\x85\xe0\x01"}, {"\x19\x85\xe0\x02"}, {"\x19\x85\x20\x03"}, {"\x19\x85\x20\x04"}, {"\x19\x85\x20\x06"}}},
                             .measure = measure, .extract = extract};

}  // namespace unpack
