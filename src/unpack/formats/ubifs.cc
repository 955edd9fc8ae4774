// UBIFS into the names and contents that a mount would show. Source: Linux fs/ubifs/ubifs-media.h; "UBIFS file system",
// A. Hunter. Little-endian. The committed state hangs on the index below the master node; what was written after that
// commit lies in the journal and has larger sequence numbers than the master node: both are read.
#include <lzo/lzo1x.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteReader;
using base::ByteView;
using base::Error;

constexpr std::uint32_t kMagic = 0x06101831;
constexpr std::uint8_t kInode = 0, kData = 1, kDirent = 2, kXattr = 3, kTruncation = 4, kSuper = 6, kMaster = 7, kIndex = 9;
constexpr std::uint64_t kBlock = 4096;
constexpr std::uint32_t kRoot = 1;
constexpr std::size_t kMostNodes = 4'000'000;

struct NodeHeader {
  std::uint64_t sequence = 0;
  std::uint32_t length = 0;
  std::uint8_t type = 0;
};

std::optional<NodeHeader> read_node(ByteView image, std::uint64_t at) {
  ByteReader r(base::clipped(image, at, 24));
  const std::uint32_t magic = r.u32(), crc = r.u32();
  NodeHeader out;
  out.sequence = r.u64();
  out.length = r.u32();
  out.type = r.u8();
  if (!r.ok() || magic != kMagic || out.length < 24 || !base::in_bounds(at, out.length, image.size())) return std::nullopt;
  const std::uint32_t actual = ~static_cast<std::uint32_t>(crc32_z(0, image.data() + at + 8, out.length - 8));
  if (actual != crc) return std::nullopt;
  return out;
}

struct Super {
  std::uint32_t leb_size = 0, leb_count = 0;
};

std::optional<Super> read_super(ByteView image) {
  const auto node = read_node(image, 0);
  if (!node || node->type != kSuper) return std::nullopt;
  ByteReader r(image);
  r.skip(36);
  Super s{r.u32(), r.u32()};
  if (!r.ok() || s.leb_size < 4096 || s.leb_size > (8U << 20) || s.leb_count < 3) return std::nullopt;
  return s;
}

struct Inode {
  std::uint64_t sequence = 0, size = 0;
  std::int64_t mtime = 0;
  std::uint32_t links = 0, uid = 0, gid = 0, mode = 0;
  ByteView data;
};

struct Dirent {
  std::uint64_t sequence = 0, inode = 0;
  std::uint8_t type = 0;
};

struct Data {
  std::uint64_t sequence = 0;
  std::uint32_t size = 0;
  std::uint16_t codec = 0;
  ByteView packed;
};

class Volume {
 public:
  Volume(ByteView image, const Super& super, Sink& sink, std::uint64_t at) : image_(image), super_(super), sink_(sink), at_(at) {}

  base::Result<void> extract() {
    if (!find_master()) {
      sink_.doubt("no-master-node", at_, "no master node can be read; all nodes are taken, deleted names may appear");
      replay(0);
    } else {
      walk_index(root_);
      replay(master_sequence_);
    }
    if (inodes_.empty()) return base::fail(Error::Kind::damaged, "no inode can be read");
    return walk();
  }

 private:
  struct Place {
    std::uint32_t leb = 0, offset = 0;
  };

  bool find_master() {
    bool found = false;
    for (const std::uint64_t leb : {1, 2})
      for (std::uint64_t at = leb * super_.leb_size; at + 24 <= std::min<std::uint64_t>((leb + 1) * super_.leb_size, image_.size()); at += 8) {
        const auto node = read_node(image_, at);
        if (!node || node->type != kMaster || (found && node->sequence < master_sequence_)) continue;
        ByteReader r(image_.subspan(at, node->length));
        r.skip(48);
        root_ = {r.u32(), r.u32()};
        master_sequence_ = node->sequence;
        found = r.ok();
      }
    return found;
  }

  std::uint64_t position(Place place) const { return std::uint64_t{place.leb} * super_.leb_size + place.offset; }

  void walk_index(Place root) {
    std::vector<Place> todo = {root};
    std::unordered_set<std::uint64_t> visited;
    while (!todo.empty() && visited.size() < kMostNodes) {
      const Place place = todo.back();
      todo.pop_back();
      const std::uint64_t at = position(place);
      if (!visited.insert(at).second) continue;
      const auto node = read_node(image_, at);
      if (!node) {
        sink_.doubt("bad-checksum", at_ + at, "a node of the index cannot be read; what hangs on it is missing");
        continue;
      }
      if (node->type != kIndex) {
        take(at, *node);
        continue;
      }
      ByteReader r(image_.subspan(at, node->length));
      r.skip(24);
      const std::uint16_t children = r.u16();
      r.u16();  // level
      for (std::uint16_t i = 0; i < children && r.ok(); ++i) {
        const Place child{r.u32(), r.u32()};
        r.skip(4 + 8);  // length, key
        if (r.ok()) todo.push_back(child);
      }
    }
  }

  // Takes every node younger than `after`, oldest first.
  void replay(std::uint64_t after) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> young;  // sequence, place
    for (std::uint64_t at = 0; at + 24 <= image_.size() && young.size() < kMostNodes;) {
      if (base::load_le32(image_, at) != kMagic) {
        at += 8;
        continue;
      }
      const auto node = read_node(image_, at);
      if (!node) {
        at += 8;
        continue;
      }
      if (node->sequence > after && node->type <= kTruncation) young.emplace_back(node->sequence, at);
      at += base::align_up(node->length, 8);
    }
    std::sort(young.begin(), young.end());
    for (const auto& [sequence, at] : young) take(at, *read_node(image_, at));
  }

  void take(std::uint64_t at, const NodeHeader& header) {
    const ByteView node = image_.subspan(at, header.length);
    ByteReader r(node);
    r.skip(24);
    switch (header.type) {
      case kInode: return take_inode(r, header);
      case kDirent:
      case kXattr: return take_dirent(r, header);
      case kData: {
        const std::uint32_t inode = r.u32(), block = r.u32() & 0x1FFFFFFF;
        r.skip(8);
        Data d;
        d.sequence = header.sequence;
        d.size = r.u32();
        d.codec = r.u16();
        r.u16();
        d.packed = r.take(r.left());
        if (r.ok() && d.sequence >= data_[inode][block].sequence) data_[inode][block] = d;
        return;
      }
      case kTruncation: {
        const std::uint32_t inode = r.u32();
        r.skip(12);
        r.u64();
        const std::uint64_t size = r.u64();
        if (!r.ok()) return;
        auto& blocks = data_[inode];
        blocks.erase(blocks.lower_bound(static_cast<std::uint32_t>(std::min<std::uint64_t>((size + kBlock - 1) / kBlock, UINT32_MAX))), blocks.end());
        return;
      }
      default: return;
    }
  }

  void take_inode(ByteReader& r, const NodeHeader& header) {
    const std::uint32_t number = r.u32();
    r.skip(12 + 8);
    Inode i;
    i.sequence = header.sequence;
    i.size = r.u64();
    r.skip(16);
    i.mtime = static_cast<std::int64_t>(r.u64());
    r.skip(12);
    i.links = r.u32();
    i.uid = r.u32();
    i.gid = r.u32();
    i.mode = r.u32();
    r.u32();  // flags
    const std::uint32_t length = r.u32();
    r.skip(4 + 4 + 4 + 4 + 2 + 26);
    i.data = r.take(length);
    if (r.ok() && i.sequence >= inodes_[number].sequence) inodes_[number] = i;
  }

  void take_dirent(ByteReader& r, const NodeHeader& header) {
    const std::uint32_t parent = r.u32();
    r.skip(12);
    Dirent d;
    d.sequence = header.sequence;
    d.inode = r.u64();
    r.u8();
    d.type = r.u8();
    const std::uint16_t length = r.u16();
    r.u32();
    const std::string name(base::as_text(r.take(length)));
    if (!r.ok()) return;
    auto& names = header.type == kDirent ? names_[parent] : xattrs_[parent];
    if (Dirent& known = names[name]; d.sequence >= known.sequence) known = d;
  }

  base::Result<void> walk() {
    emit("/", kRoot);
    std::vector<std::pair<std::string, std::uint32_t>> todo = {{"/", kRoot}};
    std::unordered_set<std::uint32_t> visited = {kRoot};
    while (!todo.empty() && !sink_.full()) {
      const auto [path, directory] = std::move(todo.back());
      todo.pop_back();
      for (const auto& [name, dirent] : names_[directory]) {
        if (dirent.inode == 0 || sink_.full()) continue;  // deleted
        const auto number = static_cast<std::uint32_t>(dirent.inode);
        const auto child = child_path(path, name, sink_, at_);
        if (!child) continue;
        const auto inode = inodes_.find(number);
        if (inode == inodes_.end() || inode->second.links == 0) {
          sink_.doubt("missing-inode", at_, fmt::format("{} has a name but no inode", *child));
          continue;
        }
        const bool is_directory = (inode->second.mode & 0170000) == 0040000;
        if (is_directory && !visited.insert(number).second) {
          sink_.doubt("directory-loop", at_, fmt::format("{} is a directory that is already part of the tree", *child));
          continue;
        }
        emit(*child, number);
        if (is_directory) todo.emplace_back(*child, number);
      }
    }
    return {};
  }

  void emit(const std::string& path, std::uint32_t number) {
    const Inode& inode = inodes_[number];
    Node node;
    node.path = path;
    set_mode(node, inode.mode);
    node.uid = inode.uid;
    node.gid = inode.gid;
    node.mtime = inode.mtime;
    for (const auto& [name, x] : xattrs_[number])
      if (const auto value = inodes_.find(static_cast<std::uint32_t>(x.inode)); x.inode != 0 && value != inodes_.end())
        node.xattrs[name] = base::as_text(value->second.data);
    if (node.type == NodeType::symlink) node.link_target = base::as_text(inode.data);
    if (node.type == NodeType::char_device || node.type == NodeType::block_device) {
      const std::uint32_t device = base::load_le32(inode.data, 0).value_or(0);
      node.major = device >> 8 & 0xFFF;
      node.minor = (device & 0xFF) | (device >> 12 & 0xFFF00);
    }
    if (node.type != NodeType::regular) return sink_.node(std::move(node));
    if (inode.links > 1) {
      node.inode = number;
      if (!linked_.insert(number).second) return sink_.node(std::move(node));
    }
    sink_.begin_file(std::move(node));
    read_contents(path, number, inode.size);
    sink_.end();
  }

  void read_contents(const std::string& path, std::uint32_t number, std::uint64_t size) {
    std::uint64_t made = 0;
    for (const auto& [block, data] : data_[number]) {
      const std::uint64_t start = block * kBlock;
      if (start >= size || sink_.full()) break;
      if (start > made) sink_.append_zeros(start - made);
      const std::uint64_t want = std::min<std::uint64_t>(kBlock, size - start);
      base::Bytes plain(kBlock);
      if (data.size > kBlock || !decompress(data, std::span(plain).first(std::min<std::uint64_t>(data.size, kBlock))))
        sink_.doubt("damaged-block", at_, fmt::format("{}: a block does not decompress; zeros stand for it", path));
      sink_.append(ByteView(plain).first(want));
      made = start + want;
    }
    if (made < size && !sink_.full()) sink_.append_zeros(size - made);
  }

  static bool decompress(const Data& data, std::span<std::uint8_t> out) {
    switch (data.codec) {
      case 0:
        if (data.packed.size() < out.size()) return false;
        std::copy_n(data.packed.begin(), out.size(), out.begin());
        return true;
      case 1: {
        lzo_uint made = out.size();
        return lzo1x_decompress_safe(data.packed.data(), data.packed.size(), out.data(), &made, nullptr) == LZO_E_OK && made == out.size();
      }
      case 2: {  // raw deflate
        z_stream z{};
        if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return false;
        z.next_in = const_cast<Bytef*>(data.packed.data());
        z.avail_in = static_cast<uInt>(data.packed.size());
        z.next_out = out.data();
        z.avail_out = static_cast<uInt>(out.size());
        inflate(&z, Z_FINISH);
        const bool whole = z.avail_out == 0;
        inflateEnd(&z);
        return whole;
      }
      case 3: return ZSTD_decompress(out.data(), out.size(), data.packed.data(), data.packed.size()) == out.size();
      default: return false;
    }
  }

  ByteView image_;
  const Super& super_;
  Sink& sink_;
  std::uint64_t at_;
  Place root_;
  std::uint64_t master_sequence_ = 0;
  std::unordered_map<std::uint32_t, Inode> inodes_;
  std::unordered_map<std::uint32_t, std::map<std::string, Dirent>> names_, xattrs_;  // by directory; by host
  std::unordered_map<std::uint32_t, std::map<std::uint32_t, Data>> data_;
  std::unordered_set<std::uint32_t> linked_;
};

std::optional<Chunk> measure(ByteView blob, std::uint64_t at) {
  const auto super = read_super(base::clipped(blob, at));
  if (!super) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  // A volume may be larger on the device than what the image holds: the blocks that are there count.
  chunk.size = std::min<std::uint64_t>(std::uint64_t{super->leb_size} * super->leb_count, blob.size() - at);
  chunk.note = fmt::format("{} blocks of {} bytes", super->leb_count, super->leb_size);
  return chunk;
}

base::Result<void> extract(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView image = blob.subspan(chunk.offset, chunk.size);
  const auto super = read_super(image);
  if (!super) return base::fail(Error::Kind::damaged, "no superblock");
  return Volume(image, *super, sink, chunk.offset).extract();
}

}  // namespace

const Format ubifs_format = {.name = "ubifs", .title = "UBIFS", .reference = "Linux fs/ubifs/ubifs-media.h",
                             .limits = "no encryption, no authentication (hashes in the index)", .kind = Format::Kind::file_system,
                             .magics = {{{"\x31\x18\x10\x06"}}}, .measure = measure, .extract = extract};

}  // namespace unpack
