// Where the bytes of an EROFS inode lie, plain, inline, in chunks or compressed. Source: Linux fs/erofs/zmap.c, data.c.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/bytes.h"

namespace unpack {

struct Erofs {
  base::ByteView image;
  unsigned block_bits = 12;
  std::uint64_t root = 0, inodes = 0, packed = 0;  // packed: the inode that holds other files' ends
  std::int64_t time = 0;
  std::uint32_t blocks = 0, meta = 0, shared_xattrs = 0, features = 0;
};

struct ErofsInode {
  std::uint64_t at = 0, header = 0, xattr_bytes = 0;  // where it stands, and how long its parts are
  unsigned layout = 0;
  std::uint32_t mode = 0, uid = 0, gid = 0, links = 0;
  std::uint64_t size = 0;
  std::uint32_t data = 0;  // first block, device number or form of the chunks
  std::optional<std::int64_t> time;
};

std::optional<ErofsInode> read_erofs_inode(const Erofs& fs, std::uint64_t nid);

// Hands the contents on piece by piece until `take` says no. False when they do not read to their end.
bool append_erofs_data(const Erofs& fs, const ErofsInode& inode, const std::function<bool(base::ByteView)>& take);

}  // namespace unpack
