// A squashfs image (versions 1 to 4, both byte orders, vendors' magics and LZMA variants) into names and contents.
// What is odd: metadata lies in compressed blocks of 8 KiB that are addressed by block << 16 | offset; the ends of files
// share fragment blocks; version 4 on big-endian AVM boxes keeps the big-endian order that version 4 abolished.
#include "unpack/format.h"
#include "unpack/formats/squashfs_layout.h"
#include "unpack/formats/names.h"

#include <algorithm>
#include <list>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

namespace unpack {
namespace {

using base::ByteReader;
using base::Bytes;
using base::ByteView;
using base::Error;

constexpr std::size_t kMetadataSize = 8192;
constexpr std::uint32_t kUncompressed = 1U << 24;
constexpr std::size_t kFragmentCache = 64;  // blocks
constexpr std::size_t kMostEntries = 2'000'000;

struct Fragment {
  std::uint64_t start = 0;
  std::uint32_t size = 0;
};

class Volume;

// A place in a metadata table.
class Cursor : public SquashMetadata {
 public:
  Cursor(Volume& volume, std::uint64_t block, std::size_t offset) : volume_(volume), block_(block), offset_(offset) {}
  ByteView take(std::size_t length) override;

 private:
  Volume& volume_;
  std::uint64_t block_;
  std::size_t offset_;
  Bytes joined_;
};

class Volume {
 public:
  Volume(ByteView image, const SquashSuper& super, Sink& sink, std::uint64_t at)
      : image_(image), super_(super), decoder_(super.codec), sink_(sink), at_(at), header_order_(find_header_order()) {}

  base::Result<void> extract() {
    read_ids();
    read_fragments();
    Cursor at_root(*this, super_.inode_table + (super_.root_inode >> 16), super_.root_inode & 0xFFFF);
    const auto root = read_squash_inode(super_, at_root);
    if (!root || root->type != SquashType::directory) return base::fail(Error::Kind::damaged, "the root inode cannot be read");
    emit("/", *root);
    visited_.insert(super_.root_inode);
    std::vector<std::pair<std::string, SquashInode>> todo = {{"/", *root}};
    while (!todo.empty() && !sink_.full()) {
      const auto [path, inode] = std::move(todo.back());
      todo.pop_back();
      walk(path, inode, todo);
    }
    return {};
  }

  // The decoded metadata block at `position` and where the next one starts; nullptr when it is damaged.
  struct Metadata {
    Bytes bytes;
    std::uint64_t next = 0;
  };
  const Metadata* metadata(std::uint64_t position) {
    if (const auto known = metadata_.find(position); known != metadata_.end()) return &known->second;
    const std::uint64_t header = check_data() ? 3 : 2;
    const auto stored = base::load<std::uint16_t>(image_, position, header_order_);
    if (!stored) return nullptr;
    const bool plain = (*stored & 0x8000) != 0;
    std::uint32_t size = *stored & 0x7FFFU;
    if (size == 0) size = 0x8000;
    if (!base::in_bounds(position + header, size, image_.size())) return nullptr;
    const ByteView packed = image_.subspan(position + header, size);
    Metadata block;
    block.next = position + header + size;
    if (plain) {
      block.bytes.assign(packed.begin(), packed.end());
    } else {
      block.bytes.resize(kMetadataSize);
      const auto made = decoder_.decode(packed, block.bytes);
      if (!made) {
        sink_.doubt("damaged-block", at_ + position, "a metadata block does not decompress");
        return nullptr;
      }
      block.bytes.resize(*made);
    }
    return &metadata_.emplace(position, std::move(block)).first->second;
  }

  std::string_view codec_name() const { return name_of(decoder_.codec()); }

 private:
  // AVM's big-endian version 4 keeps the lengths of metadata blocks little-endian: no block may exceed 8 KiB.
  base::ByteOrder find_header_order() const {
    const auto length = base::load<std::uint16_t>(image_, super_.inode_table, super_.order);
    const bool fits = length && (*length & 0x7FFFU) <= kMetadataSize;
    return fits || super_.order == base::ByteOrder::little ? super_.order : base::ByteOrder::little;
  }
  bool check_data() const { return super_.major < 3 && (super_.flags & 4); }

  void read_ids() {
    const auto plain_table = [&](std::uint64_t at, std::uint32_t count, std::vector<std::uint32_t>& out) {
      for (std::uint32_t i = 0; i < count; ++i)
        out.push_back(base::load<std::uint32_t>(image_, at + i * 4U, super_.order).value_or(0));
    };
    if (super_.major < 4) {
      plain_table(super_.id_table, super_.ids, ids_);
      plain_table(super_.guid_table, super_.guids, guids_);
      return;
    }
    for (std::uint32_t done = 0; done < super_.ids; done += 2048) {
      const auto block = base::load<std::uint64_t>(image_, super_.id_table + done / 2048 * 8U, super_.order);
      if (!block) return;
      Cursor cursor(*this, *block, 0);
      for (std::uint32_t i = done; i < std::min<std::uint32_t>(super_.ids, done + 2048); ++i) {
        const ByteView bytes = cursor.take(4);
        if (bytes.size() != 4) return;
        ids_.push_back(*base::load<std::uint32_t>(bytes, 0, super_.order));
      }
    }
  }

  void read_fragments() {
    const std::size_t width = super_.major >= 3 ? 16 : 8;
    const std::uint32_t per_block = static_cast<std::uint32_t>(kMetadataSize / width);
    const std::size_t index_width = super_.major >= 3 ? 8 : 4;
    for (std::uint32_t done = 0; done < super_.fragments; done += per_block) {
      const std::uint64_t at = super_.fragment_table + std::uint64_t{done / per_block} * index_width;
      const std::optional<std::uint64_t> block =
          index_width == 8 ? base::load<std::uint64_t>(image_, at, super_.order)
                           : std::optional<std::uint64_t>(base::load<std::uint32_t>(image_, at, super_.order));
      if (!block) return;
      Cursor cursor(*this, *block, 0);
      for (std::uint32_t i = done; i < std::min(super_.fragments, done + per_block); ++i) {
        const ByteView bytes = cursor.take(width);
        if (bytes.size() != width) return;
        ByteReader r(bytes, super_.order);
        Fragment fragment;
        fragment.start = width == 16 ? r.u64() : r.u32();
        fragment.size = r.u32();
        fragments_.push_back(fragment);
      }
    }
  }

  void walk(const std::string& path, const SquashInode& directory, std::vector<std::pair<std::string, SquashInode>>& todo) {
    bool whole = true;
    Cursor cursor(*this, super_.directory_table + directory.directory_block, directory.directory_offset);
    const auto entries = read_squash_directory(super_, cursor, directory.size, whole);
    if (!whole) sink_.doubt("damaged-directory", at_, fmt::format("{}: the list of names ends early", path));
    for (const auto& entry : entries) {
      if (sink_.full() || ++entries_ > kMostEntries) return;
      const auto child = child_path(path, entry.name, sink_, at_);
      if (!child) continue;
      Cursor at_inode(*this, super_.inode_table + (entry.inode >> 16), entry.inode & 0xFFFF);
      auto inode = read_squash_inode(super_, at_inode);
      if (!inode) {
        sink_.doubt("damaged-inode", at_, fmt::format("{}: the inode cannot be read", *child));
        continue;
      }
      if (inode->type == SquashType::directory && !visited_.insert(entry.inode).second) {
        sink_.doubt("directory-loop", at_, fmt::format("{} is a directory that is already part of the tree", *child));
        continue;
      }
      emit(*child, *inode, entry.inode);
      if (inode->type == SquashType::directory) todo.emplace_back(*child, std::move(*inode));
    }
  }

  std::uint32_t owner(std::uint32_t index) const { return index < ids_.size() ? ids_[index] : 0; }
  std::uint32_t group(const SquashInode& inode) const {
    if (super_.major == 4) return owner(inode.gid_index);
    if (inode.gid_index == UINT32_MAX) return owner(inode.uid_index);  // the same number as the user
    return inode.gid_index < guids_.size() ? guids_[inode.gid_index] : 0;
  }

  Node node_of(const std::string& path, const SquashInode& inode) {
    Node node;
    node.path = path;
    node.mode = inode.mode & 07777;
    node.uid = owner(inode.uid_index);
    node.gid = group(inode);
    node.mtime = inode.mtime;
    node.link_target = inode.target;
    static constexpr NodeType kTypes[] = {NodeType::directory, NodeType::directory, NodeType::regular, NodeType::symlink,
                                          NodeType::block_device, NodeType::char_device, NodeType::fifo, NodeType::socket};
    node.type = kTypes[static_cast<std::size_t>(inode.type)];
    if (node.type == NodeType::block_device || node.type == NodeType::char_device) {
      // Version 4 has the kernel's new encoding; the old versions 8 + 8 bits, which reads the same.
      node.major = inode.device >> 8 & 0xFFF;
      node.minor = (inode.device & 0xFF) | (inode.device >> 12 & 0xFFF00);
    }
    read_xattrs(inode.xattr, node);
    return node;
  }

  void emit(const std::string& path, const SquashInode& inode, std::uint64_t reference = 0) {
    Node node = node_of(path, inode);
    if (inode.type != SquashType::regular) return sink_.node(std::move(node));
    if (inode.links > 1 && reference != 0) {
      node.inode = reference + 1;  // never 0
      if (!linked_.insert(reference).second) {
        node.size = inode.size;
        return sink_.node(std::move(node));
      }
    }
    sink_.begin_file(std::move(node));
    read_contents(path, inode);
    sink_.end();
  }

  void read_contents(const std::string& path, const SquashInode& inode) {
    std::uint64_t left = inode.size, position = inode.start;
    for (const std::uint32_t stored : inode.blocks) {
      if (sink_.full() || left == 0) return;
      const std::uint64_t want = std::min<std::uint64_t>(left, super_.block_size);
      read_block(path, position, stored, want);
      position += stored & ~kUncompressed;
      left -= want;
    }
    if (left == 0 || inode.fragment == UINT32_MAX) return;
    const Bytes* fragment = read_fragment(inode.fragment);
    const ByteView tail = fragment ? base::clipped(*fragment, inode.fragment_offset, left) : ByteView{};
    sink_.append(tail);
    if (tail.size() == left) return;
    sink_.append_zeros(left - tail.size());
    sink_.doubt("damaged-block", at_, fmt::format("{}: its last part cannot be read; zeros stand for it", path));
  }

  void read_block(const std::string& path, std::uint64_t position, std::uint32_t stored, std::uint64_t want) {
    const std::uint32_t size = stored & ~kUncompressed;
    if (size == 0) return sink_.append_zeros(want);
    if (base::in_bounds(position, size, image_.size())) {
      const ByteView packed = image_.subspan(position, size);
      if (stored & kUncompressed) {
        if (size >= want) return sink_.append(packed.first(want));
      } else {
        const auto room = sink_.room(want);
        if (room.empty()) return;
        const auto made = decoder_.decode(packed, room);
        if (made && *made == want) return sink_.commit(want);
        sink_.commit(0);
      }
    }
    sink_.append_zeros(want);
    sink_.doubt("damaged-block", at_ + position, fmt::format("{}: a block does not decompress; zeros stand for it", path));
  }

  const Bytes* read_fragment(std::uint32_t index) {
    for (auto known = cache_.begin(); known != cache_.end(); ++known)
      if (known->first == index) {
        cache_.splice(cache_.begin(), cache_, known);
        return &cache_.front().second;
      }
    if (index >= fragments_.size()) return nullptr;
    const Fragment& fragment = fragments_[index];
    const std::uint32_t size = fragment.size & ~kUncompressed;
    if (!base::in_bounds(fragment.start, size, image_.size())) return nullptr;
    const ByteView packed = image_.subspan(fragment.start, size);
    Bytes plain;
    if (fragment.size & kUncompressed) {
      plain.assign(packed.begin(), packed.end());
    } else {
      plain.resize(super_.block_size);
      const auto made = decoder_.decode(packed, plain);
      if (!made) return nullptr;
      plain.resize(*made);
    }
    if (cache_.size() >= kFragmentCache) cache_.pop_back();
    cache_.emplace_front(index, std::move(plain));
    return &cache_.front().second;
  }

  // Version 4: index -> (where, how many) -> names and values, some of them stored elsewhere.
  void read_xattrs(std::uint32_t index, Node& node) {
    if (index == UINT32_MAX || super_.xattr_table == ~std::uint64_t{0} || super_.major < 4) return;
    ByteReader head(base::clipped(image_, super_.xattr_table, 16), super_.order);
    const std::uint64_t table = head.u64();
    const std::uint32_t ids = head.u32();
    if (!head.ok() || index >= ids) return;
    const auto block = base::load<std::uint64_t>(image_, super_.xattr_table + 16 + std::uint64_t{index} / 512 * 8, super_.order);
    if (!block) return;
    Cursor at_id(*this, *block, index % 512 * 16);
    ByteReader id(at_id.take(16), super_.order);
    const std::uint64_t reference = id.u64();
    const std::uint32_t count = id.u32();
    Cursor cursor(*this, table + (reference >> 16), reference & 0xFFFF);
    for (std::uint32_t i = 0; i < count && i < 1024; ++i)
      if (!read_xattr(cursor, table, node)) return sink_.doubt("damaged-xattr", at_, fmt::format("{}: an attribute cannot be read", node.path));
  }

  bool read_xattr(Cursor& cursor, std::uint64_t table, Node& node) {
    static constexpr std::string_view kPrefixes[] = {"user.", "trusted.", "security."};
    ByteReader head(cursor.take(4), super_.order);
    const std::uint16_t type = head.u16(), length = head.u16();
    const ByteView name_bytes = cursor.take(length);
    if (!head.ok() || name_bytes.size() != length || (type & 0xFF) > 2) return false;
    const std::string name = std::string(kPrefixes[type & 0xFF]) + std::string(base::as_text(name_bytes));
    const std::uint32_t size = ByteReader(cursor.take(4), super_.order).u32();
    if (size > 65536) return false;
    const ByteView value = cursor.take(size);
    if (value.size() != size) return false;
    if (!(type & 0x100)) return node.xattrs[name] = base::as_text(value), true;
    const std::uint64_t reference = ByteReader(value, super_.order).u64();
    Cursor elsewhere(*this, table + (reference >> 16), reference & 0xFFFF);
    const std::uint32_t real = ByteReader(elsewhere.take(4), super_.order).u32();
    if (real > 65536) return false;
    node.xattrs[name] = base::as_text(elsewhere.take(real));
    return true;
  }

  ByteView image_;
  const SquashSuper& super_;
  SquashDecoder decoder_;
  Sink& sink_;
  std::uint64_t at_;
  base::ByteOrder header_order_;
  std::vector<std::uint32_t> ids_, guids_;
  std::vector<Fragment> fragments_;
  std::unordered_map<std::uint64_t, Metadata> metadata_;
  std::list<std::pair<std::uint32_t, Bytes>> cache_;  // most recently used first
  std::unordered_set<std::uint64_t> visited_, linked_;
  std::size_t entries_ = 0;
};

ByteView Cursor::take(std::size_t length) {
  joined_.clear();
  for (;;) {
    const Volume::Metadata* block = volume_.metadata(block_);
    if (!block || block->bytes.empty()) return {};
    if (offset_ > block->bytes.size()) return {};
    const std::size_t here = block->bytes.size() - offset_;
    if (joined_.empty() && length <= here) {
      const ByteView out = ByteView(block->bytes).subspan(offset_, length);
      offset_ += length;
      return out;
    }
    const std::size_t part = std::min(here, length - joined_.size());
    joined_.insert(joined_.end(), block->bytes.begin() + static_cast<std::ptrdiff_t>(offset_),
                   block->bytes.begin() + static_cast<std::ptrdiff_t>(offset_ + part));
    offset_ += part;
    if (joined_.size() == length) return joined_;
    block_ = block->next;
    offset_ = 0;
  }
}

std::optional<Chunk> measure(ByteView blob, std::uint64_t at) {
  const auto super = read_squash_super(base::clipped(blob, at));
  if (!super) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = super->bytes_used;
  chunk.note = fmt::format("version {}.{}, {}, {} inodes, {}", super->major, super->minor,
                           super->order == base::ByteOrder::little ? "little-endian" : "big-endian", super->inodes,
                           super->codec == SquashCodec::unknown ? std::string_view("compression not declared") : name_of(super->codec));
  clip_to_blob(chunk, blob);
  return chunk;
}

base::Result<void> extract(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView image = blob.subspan(chunk.offset, chunk.size);
  const auto super = read_squash_super(image);
  if (!super) return base::fail(Error::Kind::damaged, "no superblock");
  return Volume(image, *super, sink, chunk.offset).extract();
}

}  // namespace

const Format squashfs_format = {
    .name = "squashfs",
    .title = "Squashfs 1 to 4",
    .reference = "Linux Documentation/filesystems/squashfs.rst; squashfs_fs.h of squashfs-tools 1.3, 2.2, 3.4",
    .limits = "LZMA blocks without a header are decoded with properties found by trial; vendor encryption is not undone",
    .kind = Format::Kind::file_system,
    .magics = {{{"hsqs"}, {"sqsh"}, {"shsq"}, {"qshs"}, {"hsqt"}, {"tqsh"}, {"sqlz"}}},
    .measure = measure,
    .extract = extract,
};

}  // namespace unpack
