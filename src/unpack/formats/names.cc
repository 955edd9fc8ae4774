// Names and ends out of untrusted structures. See names.h.
#include "unpack/formats/names.h"

#include <fmt/format.h>

#include "base/escape.h"
#include "base/text.h"

namespace unpack {

std::optional<std::string> child_path(std::string_view parent, std::string_view name, Sink& sink, std::uint64_t offset) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos ||
      name.find('\0') != std::string_view::npos || parent.size() + name.size() > 65536) {
    sink.doubt("bad-name", offset, fmt::format("\"{}\" in {} is no name for a file; skipped", base::escape_bytes(name.substr(0, 80)),
                                               base::escape_bytes(parent.substr(0, 80))));
    return std::nullopt;
  }
  std::string out(parent);
  if (!out.ends_with('/')) out += '/';
  out += name;
  return out;
}

std::string member_path(std::string_view name, Sink& sink, std::uint64_t offset) {
  name = name.substr(0, name.find('\0'));
  int depth = 0;
  for (const auto part : base::split(name, '/')) {
    if (part.empty() || part == ".") continue;
    depth += part == ".." ? -1 : 1;
    if (depth < 0) {
      sink.doubt("path-traversal", offset, fmt::format("\"{}\" climbs out of the archive; kept inside", base::escape_bytes(name.substr(0, 200))));
      break;
    }
  }
  return base::normal_path(name, "/");
}

void clip_to_blob(Chunk& chunk, base::ByteView blob) {
  const std::uint64_t left = blob.size() - std::min<std::uint64_t>(chunk.offset, blob.size());
  if (chunk.size <= left) return;
  chunk.doubts.push_back({"truncated", "", chunk.offset,
                          fmt::format("{} of {} bytes are there", left, chunk.size), 1});
  chunk.size = left;
}

void set_mode(Node& node, std::uint32_t mode) {
  node.mode = mode & 07777;
  switch (mode & 0170000) {
    case 0040000: node.type = NodeType::directory; break;
    case 0120000: node.type = NodeType::symlink; break;
    case 0020000: node.type = NodeType::char_device; break;
    case 0060000: node.type = NodeType::block_device; break;
    case 0010000: node.type = NodeType::fifo; break;
    case 0140000: node.type = NodeType::socket; break;
    default: node.type = NodeType::regular;
  }
}

}  // namespace unpack
