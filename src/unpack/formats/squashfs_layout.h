// How the four versions of squashfs lay out their superblock and inodes, in both byte orders, as one set of structs.
// Source: Documentation/filesystems/squashfs.rst (version 4); squashfs_fs.h of squashfs-tools 1.3 to 3.4 (the others).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "unpack/formats/squashfs_codec.h"

namespace unpack {

struct SquashSuper {
  base::ByteOrder order = base::ByteOrder::little;
  std::uint32_t inodes = 0, block_size = 0, fragments = 0;
  std::uint16_t major = 0, minor = 0, flags = 0, ids = 0, guids = 0;
  std::int64_t mkfs_time = 0;
  SquashCodec codec = SquashCodec::unknown;
  std::uint64_t root_inode = 0, bytes_used = 0;  // an inode reference is block << 16 | offset
  std::uint64_t id_table = 0, guid_table = 0, xattr_table = ~std::uint64_t{0};
  std::uint64_t inode_table = 0, directory_table = 0, fragment_table = 0;
};

// The superblock at the start of `bytes`, when its fields agree with each other.
std::optional<SquashSuper> read_squash_super(base::ByteView bytes);

enum class SquashType : std::uint8_t { directory = 1, regular, symlink, block_device, char_device, fifo, socket };

struct SquashInode {
  SquashType type = SquashType::directory;
  std::uint32_t mode = 0, uid_index = 0, gid_index = 0, number = 0, links = 1, device = 0;
  std::uint32_t xattr = UINT32_MAX;
  std::int64_t mtime = 0;
  std::uint64_t size = 0, start = 0;
  std::uint32_t fragment = UINT32_MAX, fragment_offset = 0;
  std::vector<std::uint32_t> blocks;  // stored sizes; bit 24 set: not compressed; 0: all zeros
  std::string target;
  std::uint32_t directory_block = 0, directory_offset = 0;
};

// One step of reading metadata: `length` more bytes, empty when the table ends or is damaged.
class SquashMetadata {
 public:
  virtual ~SquashMetadata() = default;
  virtual base::ByteView take(std::size_t length) = 0;
};

std::optional<SquashInode> read_squash_inode(const SquashSuper& super, SquashMetadata& from);

struct SquashEntry {
  std::string name;
  std::uint64_t inode = 0;  // reference
};

// All entries of the directory whose table starts at `from`, `size` bytes long. Stops at the first contradiction, and
// `whole` says whether it got to the end.
std::vector<SquashEntry> read_squash_directory(const SquashSuper& super, SquashMetadata& from, std::uint64_t size, bool& whole);

}  // namespace unpack
