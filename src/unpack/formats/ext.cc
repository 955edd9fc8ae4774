// ext2, ext3 and ext4 through libext2fs, which reads the image from memory by an I/O manager of ours.
#include <ext2fs/ext2fs.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include <fmt/format.h>

#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteReader;
using base::ByteView;
using base::Error;

constexpr std::uint64_t kSuper = 1024;
constexpr std::uint64_t kWorthARun = 1 << 20;

// --- the image as an I/O channel ------------------------------------------------------------------------------------

thread_local ByteView g_image;  // libext2fs opens by name; the name stands for this

errcode_t open_image(const char*, int, io_channel* channel);
errcode_t close_image(io_channel channel) {
  ext2fs_free_mem(&channel->name);
  return ext2fs_free_mem(&channel);
}
errcode_t set_block_size(io_channel channel, int size) {
  channel->block_size = size;
  return 0;
}
errcode_t read_blocks(io_channel channel, unsigned long long block, int count, void* out) {
  const std::uint64_t size = count < 0 ? static_cast<std::uint64_t>(-std::int64_t{count})
                                       : static_cast<std::uint64_t>(count) * static_cast<std::uint64_t>(channel->block_size);
  const auto at = base::checked_mul<std::uint64_t>(block, static_cast<std::uint64_t>(channel->block_size));
  std::memset(out, 0, size);
  if (!at || *at >= g_image.size()) return EXT2_ET_SHORT_READ;
  const ByteView part = base::clipped(g_image, *at, size);
  std::copy(part.begin(), part.end(), static_cast<std::uint8_t*>(out));
  return part.size() == size ? 0 : EXT2_ET_SHORT_READ;
}
errcode_t read_blocks_32(io_channel channel, unsigned long block, int count, void* out) { return read_blocks(channel, block, count, out); }
errcode_t write_nothing(io_channel, unsigned long, int, const void*) { return EXT2_ET_RO_FILSYS; }
errcode_t write_nothing_64(io_channel, unsigned long long, int, const void*) { return EXT2_ET_RO_FILSYS; }
errcode_t flush_nothing(io_channel) { return 0; }

io_manager memory_manager() {
  static struct_io_manager manager = [] {
    struct_io_manager m{};
    m.magic = EXT2_ET_MAGIC_IO_MANAGER;
    m.name = "image in memory";
    m.open = open_image;
    m.close = close_image;
    m.set_blksize = set_block_size;
    m.read_blk = read_blocks_32;
    m.write_blk = write_nothing;
    m.flush = flush_nothing;
    m.read_blk64 = read_blocks;
    m.write_blk64 = write_nothing_64;
    return m;
  }();
  return &manager;
}

errcode_t open_image(const char* name, int, io_channel* channel) {
  io_channel made = nullptr;
  if (const errcode_t error = ext2fs_get_memzero(sizeof(struct_io_channel), &made)) return error;
  made->magic = EXT2_ET_MAGIC_IO_CHANNEL;
  made->manager = memory_manager();
  if (const errcode_t error = ext2fs_get_mem(std::strlen(name) + 1, &made->name)) return error;
  std::strcpy(made->name, name);
  made->block_size = 1024;
  made->refcount = 1;
  *channel = made;
  return 0;
}

// --- the tree -------------------------------------------------------------------------------------------------------

class Volume {
 public:
  Volume(ext2_filsys fs, Sink& sink, std::uint64_t at) : fs_(fs), sink_(sink), at_(at) {}

  void extract() {
    emit("/", EXT2_ROOT_INO);
    todo_ = {{"/", EXT2_ROOT_INO}};
    visited_ = {EXT2_ROOT_INO};
    while (!todo_.empty() && !sink_.full()) {
      const auto [path, inode] = std::move(todo_.back());
      todo_.pop_back();
      here_ = path;
      found_.clear();
      if (ext2fs_dir_iterate2(fs_, inode, 0, nullptr, &Volume::on_entry, this) != 0)
        sink_.doubt("damaged-directory", at_, fmt::format("{}: the list of names ends early", path));
      for (const auto& [name, number] : found_) take(name, number);
    }
  }

 private:
  static int on_entry(ext2_ino_t, int, ext2_dir_entry* entry, int, int, char*, void* self) {
    auto& volume = *static_cast<Volume*>(self);
    const auto length = static_cast<std::size_t>(ext2fs_dirent_name_len(entry));
    const std::string_view name(entry->name, std::min<std::size_t>(length, EXT2_NAME_LEN));
    if (entry->inode != 0 && name != "." && name != "..") volume.found_.emplace_back(name, entry->inode);
    return volume.found_.size() > 1'000'000 ? DIRENT_ABORT : 0;
  }

  void take(const std::string& name, ext2_ino_t number) {
    if (sink_.full()) return;
    const auto child = child_path(here_, name, sink_, at_);
    if (!child) return;
    ext2_inode inode{};
    if (ext2fs_read_inode(fs_, number, &inode) != 0) return sink_.doubt("damaged-inode", at_, fmt::format("{}: the inode cannot be read", *child));
    const bool directory = LINUX_S_ISDIR(inode.i_mode);
    if (directory && !visited_.insert(number).second)
      return sink_.doubt("directory-loop", at_, fmt::format("{} is a directory that is already part of the tree", *child));
    emit(*child, number);
    if (directory) todo_.emplace_back(*child, number);
  }

  void emit(const std::string& path, ext2_ino_t number) {
    ext2_inode inode{};
    if (ext2fs_read_inode(fs_, number, &inode) != 0) return;
    Node node;
    node.path = path;
    set_mode(node, inode.i_mode);
    node.uid = inode_uid(inode);
    node.gid = inode_gid(inode);
    node.mtime = inode.i_mtime;
    if (node.type == NodeType::char_device || node.type == NodeType::block_device) {
      const std::uint32_t device = inode.i_block[0] ? inode.i_block[0] : inode.i_block[1];
      node.major = device >> 8 & 0xFFF;
      node.minor = (device & 0xFF) | (device >> 12 & 0xFFF00);
    }
    read_xattrs(number, node);
    if (node.type == NodeType::symlink) node.link_target = target_of(number, inode);
    if (node.type != NodeType::regular) return sink_.node(std::move(node));
    if (inode.i_links_count > 1) {
      node.inode = number;
      if (!linked_.insert(number).second) return sink_.node(std::move(node));
    }
    sink_.begin_file(std::move(node));
    if (const ByteView run = one_run(number, inode); !run.empty()) sink_.append(run);
    else read_file(number, path, [&](ByteView part) { sink_.append(part); });
    sink_.end();
  }

  std::string target_of(ext2_ino_t number, const ext2_inode& inode) {
    if (ext2fs_is_fast_symlink(const_cast<ext2_inode*>(&inode))) {
      const char* text = reinterpret_cast<const char*>(inode.i_block);
      return {text, std::min<std::size_t>(inode.i_size, sizeof inode.i_block)};
    }
    std::string out;
    read_file(number, "link", [&](ByteView part) { if (out.size() < 65536) out += base::as_text(part); });
    return out;
  }

  // A large file whose blocks follow each other, as a range of the image; else nothing.
  ByteView one_run(ext2_ino_t number, const ext2_inode& inode) {
    const std::uint64_t size = EXT2_I_SIZE(&inode), block = fs_->blocksize;
    if (size < kWorthARun || inode.i_flags & EXT4_INLINE_DATA_FL) return {};
    blk64_t first = 0;
    for (blk64_t i = 0; i * block < size; ++i) {
      blk64_t at = 0;
      int flags = 0;
      if (ext2fs_bmap2(fs_, number, const_cast<ext2_inode*>(&inode), nullptr, 0, i, &flags, &at) != 0 || at == 0 || flags & BMAP_RET_UNINIT) return {};
      if (i == 0) first = at;
      if (at != first + i) return {};
    }
    const ByteView run = base::clipped(g_image, first * block, size);
    return run.size() == size ? run : ByteView{};
  }

  template <class Function>
  void read_file(ext2_ino_t number, const std::string& path, Function append) {
    ext2_file_t file = nullptr;
    if (ext2fs_file_open(fs_, number, 0, &file) != 0) return sink_.doubt("damaged-inode", at_, fmt::format("{} cannot be opened", path));
    base::Bytes buffer(64 << 10);
    for (;;) {
      unsigned got = 0;
      const errcode_t error = ext2fs_file_read(file, buffer.data(), static_cast<unsigned>(buffer.size()), &got);
      if (got > 0) append(ByteView(buffer).first(got));
      if (error) sink_.doubt("damaged-block", at_, fmt::format("{}: a block cannot be read; the file ends there", path));
      if (error || got == 0 || sink_.full()) break;
    }
    ext2fs_file_close(file);
  }

  static int on_xattr(char* name, char* value, std::size_t size, ext2_ino_t, void* node) {
    static_cast<Node*>(node)->xattrs[name] = std::string(value, size);
    return 0;
  }

  void read_xattrs(ext2_ino_t number, Node& node) {
    ext2_xattr_handle* handle = nullptr;
    if (ext2fs_xattrs_open(fs_, number, &handle) != 0) return;
    if (ext2fs_xattrs_read(handle) == 0)
      ext2fs_xattrs_iterate(handle, [](char* name, char* value, std::size_t size, void* data) { return on_xattr(name, value, size, 0, data); }, &node);
    ext2fs_xattrs_close(&handle);
  }

  ext2_filsys fs_;
  Sink& sink_;
  std::uint64_t at_;
  std::string here_;
  std::vector<std::pair<std::string, ext2_ino_t>> found_, todo_;
  std::unordered_set<ext2_ino_t> visited_, linked_;
};

std::optional<Chunk> measure(ByteView blob, std::uint64_t at) {
  ByteReader r(base::clipped(blob, at + kSuper, 1024));
  const std::uint64_t inodes = r.u32(), blocks = r.u32();
  r.skip(12);
  const std::uint32_t first = r.u32(), log = r.u32();
  r.skip(4);
  const std::uint32_t per_group = r.u32();
  r.skip(4);
  const std::uint32_t inodes_per_group = r.u32();
  r.skip(12);
  r.u16();  // magic
  const std::uint16_t state = r.u16();
  r.skip(16);
  const std::uint32_t revision = r.u32();
  r.skip(10);
  const std::uint16_t group = r.u16();  // copies of the superblock in later groups say so
  if (!r.ok() || (revision > 0 && group != 0) || log > 6 || blocks < 8 || inodes < 8 || first > 1 || state > 7 || revision > 1 || per_group == 0 || inodes_per_group == 0) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = blocks * (std::uint64_t{1024} << log);
  chunk.note = fmt::format("{} inodes, blocks of {} bytes", inodes, 1024U << log);
  clip_to_blob(chunk, blob);
  return chunk;
}

base::Result<void> extract(ByteView blob, const Chunk& chunk, Sink& sink) {
  g_image = blob.subspan(chunk.offset, chunk.size);
  ext2_filsys fs = nullptr;
  const int flags = EXT2_FLAG_64BITS | EXT2_FLAG_IGNORE_CSUM_ERRORS | EXT2_FLAG_SOFTSUPP_FEATURES;
  if (const errcode_t error = ext2fs_open2("image", nullptr, flags, 0, 0, memory_manager(), &fs))
    return base::fail(Error::Kind::damaged, fmt::format("libext2fs: error {}", error));
  Volume(fs, sink, chunk.offset).extract();
  ext2fs_free(fs);
  return {};
}

}  // namespace

const Format ext_format = {.name = "ext", .title = "ext2, ext3, ext4", .reference = "Linux Documentation/filesystems/ext4; libext2fs",
                           .limits = "the journal is not replayed; no encryption", .kind = Format::Kind::file_system,
                           .magics = {{{"\x53\xef", 1080}}}, .measure = measure, .extract = extract};

}  // namespace unpack
