// What unpacking yields: blobs with every byte accounted for, file systems with full metadata, one composed tree.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/result.h"

namespace unpack {

using BlobId = base::Id<struct Blob>;
using FileSystemId = base::Id<struct FileSystem>;

enum class NodeType : std::uint8_t { regular, directory, symlink, char_device, block_device, fifo, socket };

// One name in a file system.
struct Node {
  std::string path;  // absolute, normal, starts with '/'; any bytes but NUL
  NodeType type = NodeType::regular;
  std::uint32_t mode = 0;  // permission bits, set-id and sticky: 07777
  std::uint32_t uid = 0, gid = 0;
  std::int64_t mtime = 0;             // seconds since 1970, UTC
  std::uint32_t major = 0, minor = 0; // device nodes
  std::string link_target;            // symbolic links, as stored
  BlobId blob;                        // regular files: their contents
  std::uint64_t size = 0;             // bytes; regular files
  std::uint64_t inode = 0;            // names of one hard-linked file share it; 0: no other name
  std::map<std::string, std::string> xattrs;
};

// A range of a blob.
struct Extent {
  enum class Kind : std::uint8_t { claimed, padding, unknown };
  std::uint64_t offset = 0, size = 0;
  Kind kind = Kind::unknown;
  std::string format;  // registry name of the format that claims it; empty otherwise
  std::string note;    // e.g. "gzip, 1042 inodes"; for padding the byte: "0xff"; for unknown what entropy says
};

// Bytes with one meaning: an input, a decompressed stream, a file of a file system.
struct Blob {
  std::string name;            // for people: the input's name, or the parent's with what leads here
  base::ByteView bytes;        // lives as long as the Firmware
  BlobId parent;               // invalid for an input
  std::uint64_t parent_offset = 0;  // where in the parent it was found (for a view: where it starts)
  bool is_view = false;        // its bytes are a part of the parent's
  std::string decoded_by;      // the format that produced it; empty for an input
  std::string format;          // the format that claims its first byte; empty when unknown
  std::vector<Extent> extents; // sorted, without gaps, their sizes sum to bytes.size()
};

// The names of one or several composed file systems, sorted by path. `/` is always there.
class Tree {
 public:
  Tree();
  // Sorts, adds missing parent directories (0755, root), keeps the last of equal paths. The number of those dropped is
  // in `duplicates` when given.
  explicit Tree(std::vector<Node> nodes, std::size_t* duplicates = nullptr);

  const std::vector<Node>& nodes() const { return nodes_; }
  bool empty() const { return nodes_.size() <= 1; }

  // The node with exactly this path, no link followed; nullptr when there is none.
  const Node* find(std::string_view path) const;

  // The node that `path` leads to: symbolic links are followed, inside the tree, as a process with this root would
  // follow them (at most 40, as Linux). nullptr when it leads nowhere. `path` may be relative to `directory`.
  const Node* resolve(std::string_view path, std::string_view directory = "/") const;

  // The nodes directly in `directory` (normal path).
  std::vector<const Node*> list(std::string_view directory) const;

 private:
  std::vector<Node> nodes_;
};

// One file system or archive, found in `blob` at `offset`.
struct FileSystem {
  BlobId blob;
  std::uint64_t offset = 0, size = 0;
  std::string format;
  Tree tree;
  std::string inside;  // path of the regular file (in the composed root) that holds it; empty for a partition
};

// How one file system enters the composed root.
struct Mount {
  FileSystemId file_system;
  std::string at;      // normal path
  std::string source;  // the words that say so, e.g. "/etc/init.d/rcS: mount -t jffs2 /dev/mtdblock3 /opt"; or the rule
  bool assumed = false;  // nothing in the image says it
};

struct Firmware {
  base::Store<Blob, BlobId> blobs;  // inputs first, in the order given
  std::size_t inputs = 0;           // how many of them are inputs
  base::Store<FileSystem, FileSystemId> file_systems;
  Tree root;  // what the device sees: file systems composed by the mount plan. The analyser reads this
  std::vector<Mount> mounts;
  std::vector<std::string> kernel_notes;  // "Linux version …", the command line, mtdparts; as found, sorted, unique
  base::Doubts doubts;

  base::ByteView bytes(const Node& node) const { return node.blob.valid() ? blobs[node.blob].bytes : base::ByteView{}; }

  // Owners of what the views point into. Addresses stay when the Firmware is moved.
  std::deque<base::Bytes> buffers;
  std::vector<std::shared_ptr<const void>> mappings;  // mapped input files; shared only to erase the type
};

// Sum of the extents of the inputs: the three add up to the inputs' sizes.
struct Coverage {
  std::uint64_t claimed = 0, padding = 0, unknown = 0;
};
Coverage coverage(const Firmware& firmware);

}  // namespace unpack
