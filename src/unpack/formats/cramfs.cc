// Cramfs images in both byte orders into names and contents.
// Source: Linux include/uapi/linux/cramfs_fs.h and fs/cramfs/README. Odd: an inode is 12 bytes of bit fields whose order
// follows the machine that made the image; a device's number lies in its size; no times, no link counts.
#include <zlib.h>

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteOrder;
using base::Bytes;
using base::ByteView;
using base::Error;

constexpr std::uint64_t kSuper = 76;          // superblock with the root inode in its last 12 bytes
constexpr std::uint32_t kVersion2 = 1, kShiftedRoot = 0x400, kExtendedPointers = 0x800;
constexpr std::uint32_t kKnownFlags = 0xFFF;
constexpr std::uint64_t kBlock = 4096;
constexpr std::uint32_t kPlain = 1U << 31, kDirect = 1U << 30;

struct Super {
  ByteOrder order = ByteOrder::little;
  std::uint32_t size = 0, flags = 0, crc = 0, files = 0;
};

struct Inode {
  std::uint32_t mode = 0, uid = 0, size = 0, gid = 0, name_length = 0, offset = 0;  // name_length and offset in bytes
};

std::optional<Super> read_super(ByteView from) {
  Super s;
  if (base::load_le32(from, 0) == 0x28CD3D45U) s.order = ByteOrder::little;
  else if (base::load_be32(from, 0) == 0x28CD3D45U) s.order = ByteOrder::big;
  else return std::nullopt;
  base::ByteReader r(from, s.order);
  r.u32();
  s.size = r.u32();
  s.flags = r.u32();
  r.u32();
  if (r.fixed_text(16) != "Compressed ROMFS") return std::nullopt;
  s.crc = r.u32();
  r.u32();  // edition
  r.u32();  // blocks
  s.files = r.u32();
  r.skip(16 + 12);
  if (!r.ok() || (s.flags & ~kKnownFlags) || s.size < kSuper) return std::nullopt;
  return s;
}

std::optional<Inode> read_inode(ByteView image, std::uint64_t at, ByteOrder order) {
  const auto a = base::load<std::uint32_t>(image, at, order), b = base::load<std::uint32_t>(image, at + 4, order),
             c = base::load<std::uint32_t>(image, at + 8, order);
  if (!a || !b || !c) return std::nullopt;
  if (order == ByteOrder::little) return Inode{*a & 0xFFFF, *a >> 16, *b & 0xFFFFFF, *b >> 24, (*c & 63) * 4, (*c >> 6) * 4};
  return Inode{*a >> 16, *a & 0xFFFF, *b >> 8, *b & 0xFF, (*c >> 26) * 4, (*c & 0x3FFFFFF) * 4};
}

class Volume {
 public:
  Volume(ByteView image, const Super& super, Sink& sink, std::uint64_t at) : image_(image), super_(super), sink_(sink), at_(at) {}

  base::Result<void> extract() {
    const auto root = read_inode(image_, kSuper - 12, super_.order);
    if (!root || (root->mode & 0170000) != 0040000) return base::fail(Error::Kind::damaged, "the root inode is no directory");
    emit("/", *root);
    std::vector<std::pair<std::string, Inode>> todo = {{"/", *root}};
    while (!todo.empty() && !sink_.full()) {
      const auto [path, inode] = std::move(todo.back());
      todo.pop_back();
      if (inode.size > 0 && !visited_.insert(inode.offset).second) {
        sink_.doubt("directory-loop", at_ + inode.offset, fmt::format("{} is a directory that is already part of the tree", path));
        continue;
      }
      walk(path, inode, todo);
    }
    return {};
  }

 private:
  void walk(const std::string& path, const Inode& directory, std::vector<std::pair<std::string, Inode>>& todo) {
    std::uint64_t at = directory.offset;
    const std::uint64_t end = at + directory.size;
    while (at < end && !sink_.full()) {
      const auto inode = read_inode(image_, at, super_.order);
      if (!inode || inode->name_length == 0 || !base::in_bounds(at + 12, inode->name_length, image_.size()))
        return sink_.doubt("damaged-directory", at_ + at, fmt::format("{}: the list of names ends early", path));
      const std::string_view padded = base::as_text(image_.subspan(at + 12, inode->name_length));
      const auto child = child_path(path, padded.substr(0, padded.find('\0')), sink_, at_ + at);
      at += 12 + inode->name_length;
      if (!child) continue;
      emit(*child, *inode);
      if ((inode->mode & 0170000) == 0040000) todo.emplace_back(*child, *inode);
    }
  }

  void emit(const std::string& path, const Inode& inode) {
    Node node;
    node.path = path;
    set_mode(node, inode.mode);
    node.uid = inode.uid;
    node.gid = inode.gid;
    if (node.type == NodeType::char_device || node.type == NodeType::block_device) {
      node.major = inode.size >> 8 & 0xFFF;
      node.minor = (inode.size & 0xFF) | (inode.size >> 12 & 0xFFF00);
    }
    if (node.type == NodeType::symlink) {
      Bytes target;
      read_blocks(path, inode, [&](ByteView part) { target.insert(target.end(), part.begin(), part.end()); });
      const std::string_view text = base::as_text(target);
      node.link_target = text.substr(0, text.find('\0'));
    }
    if (node.type != NodeType::regular) return sink_.node(std::move(node));
    sink_.begin_file(std::move(node));
    read_blocks(path, inode, [&](ByteView part) { sink_.append(part); });
    sink_.end();
  }

  void bad_block(const std::string& path, std::uint64_t at) {
    sink_.doubt("damaged-block", at_ + at, fmt::format("{}: a block does not decompress; zeros stand for it", path));
  }

  // The block whose pointer is number `index`: stored bytes and whether they are plain.
  struct Stored {
    ByteView bytes;
    bool plain = false, ok = false;
  };
  Stored stored_block(const Inode& inode, std::uint64_t index, std::uint64_t count, std::uint64_t& position, std::uint64_t want) {
    const auto pointer = base::load<std::uint32_t>(image_, inode.offset + index * 4, super_.order);
    if (!pointer) return {};
    Stored out;
    std::uint64_t end = 0;
    if (super_.flags & kExtendedPointers) {
      out.plain = (*pointer & kPlain) != 0;
      end = *pointer & ~(kPlain | kDirect);
      if (*pointer & kDirect) {
        position = end << 2;
        if (out.plain) {
          end = position + want;
        } else {
          const auto length = base::load<std::uint16_t>(image_, position, super_.order);
          if (!length) return {};
          position += 2;
          end = position + *length;
        }
      }
    } else {
      end = *pointer;
    }
    if (index == 0 && !(super_.flags & kExtendedPointers && *pointer & kDirect)) position = inode.offset + count * 4;
    if (end < position || end > image_.size()) return {};
    out.bytes = image_.subspan(position, end - position);
    out.ok = true;
    position = end;
    return out;
  }

  template <class Function>
  void read_blocks(const std::string& path, const Inode& inode, Function append) {
    const std::uint64_t count = (inode.size + kBlock - 1) / kBlock;
    std::uint64_t position = 0;
    Bytes plain(kBlock);
    for (std::uint64_t i = 0; i < count && !sink_.full(); ++i) {
      const std::uint64_t want = std::min<std::uint64_t>(kBlock, inode.size - i * kBlock);
      const Stored stored = stored_block(inode, i, count, position, want);
      std::fill(plain.begin(), plain.end(), std::uint8_t{0});
      if (!stored.ok) {
        bad_block(path, inode.offset);
      } else if (stored.plain) {
        std::copy_n(stored.bytes.begin(), std::min<std::uint64_t>(want, stored.bytes.size()), plain.begin());
      } else if (!stored.bytes.empty()) {  // an empty one is a hole
        uLongf made = want;
        if (uncompress(plain.data(), &made, stored.bytes.data(), stored.bytes.size()) != Z_OK || made != want) bad_block(path, inode.offset);
      }
      append(ByteView(plain).first(want));
    }
  }

  ByteView image_;
  const Super& super_;
  Sink& sink_;
  std::uint64_t at_;
  std::unordered_set<std::uint64_t> visited_;
};

bool crc_holds(ByteView image, const Super& super) {
  uLong crc = crc32(0, nullptr, 0);
  static constexpr std::uint8_t kZeros[4] = {};
  crc = crc32_z(crc, image.data(), 32);
  crc = crc32_z(crc, kZeros, 4);
  crc = crc32_z(crc, image.data() + 36, image.size() - 36);
  return crc == super.crc;
}

std::optional<Chunk> measure(ByteView blob, std::uint64_t at) {
  const auto super = read_super(base::clipped(blob, at));
  if (!super) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = super->size;
  chunk.note = fmt::format("{}, {} files", super->order == ByteOrder::little ? "little-endian" : "big-endian", super->files);
  clip_to_blob(chunk, blob);
  if ((super->flags & kVersion2) && chunk.size == super->size && !crc_holds(blob.subspan(at, chunk.size), *super))
    chunk.doubts.push_back({"bad-checksum", "", at, "the checksum does not hold", 1});
  return chunk;
}

base::Result<void> extract(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView image = blob.subspan(chunk.offset, chunk.size);
  const auto super = read_super(image);
  if (!super) return base::fail(Error::Kind::damaged, "no superblock");
  return Volume(image, *super, sink, chunk.offset).extract();
}

}  // namespace

const Format cramfs_format = {.name = "cramfs", .title = "Cramfs", .reference = "Linux include/uapi/linux/cramfs_fs.h, fs/cramfs/README",
                              .limits = "blocks of 4096 bytes; LZMA and XIP variants of vendors are not read", .kind = Format::Kind::file_system,
                              .magics = {{{"\x45\x3d\xcd\x28"}, {"\x28\xcd\x3d\x45"}}}, .measure = measure, .extract = extract};

}  // namespace unpack
