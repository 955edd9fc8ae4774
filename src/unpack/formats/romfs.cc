// Linux romfs into names and contents. Source: Linux Documentation/filesystems/romfs.rst. Big-endian; every header is
// aligned to 16 bytes, names are padded to 16, and a file's kind lies in the low bits of the link to the next one.
#include <unordered_set>

#include <fmt/format.h>

#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteView;

struct Entry {
  std::uint32_t next = 0, kind = 0, info = 0, size = 0;
  bool executable = false;
  std::string_view name;
  std::uint64_t data = 0;
};

std::uint64_t padded_name(ByteView image, std::uint64_t at, std::string_view& name) {
  const std::string_view text = base::as_text(base::clipped(image, at, 4096));
  name = text.substr(0, text.find('\0'));
  return base::align_up(at + name.size() + 1, 16);
}

std::optional<Entry> read_entry(ByteView image, std::uint64_t at) {
  base::ByteReader r(base::clipped(image, at), base::ByteOrder::big);
  Entry e;
  const std::uint32_t link = r.u32();
  e.next = link & ~15U;
  e.kind = link & 7;
  e.executable = link & 8;
  e.info = r.u32();
  e.size = r.u32();
  r.u32();
  if (!r.ok()) return std::nullopt;
  e.data = padded_name(image, at + 16, e.name);
  return e;
}

std::optional<Chunk> measure(ByteView blob, std::uint64_t at) {
  const auto size = base::load_be32(blob, at + 8);
  if (!size || *size < 32) return std::nullopt;
  const ByteView image = base::clipped(blob, at, *size);
  std::uint32_t sum = 0;  // over the first 512 bytes, including the checksum: zero
  for (std::uint64_t i = 0; i + 4 <= image.size() && i < 512; i += 4) sum += *base::load_be32(image, i);
  Chunk chunk;
  chunk.offset = at;
  chunk.size = *size;
  std::string_view name;
  padded_name(image, 16, name);
  chunk.note = fmt::format("volume \"{}\"", name.substr(0, 40));
  clip_to_blob(chunk, blob);
  if (sum != 0) chunk.doubts.push_back({"bad-checksum", "", at, "the checksum does not hold", 1});
  return chunk;
}

void emit(ByteView image, const Entry& e, std::string path, std::uint64_t at, Sink& sink) {
  static constexpr NodeType kTypes[] = {NodeType::regular, NodeType::directory, NodeType::regular, NodeType::symlink,
                                        NodeType::block_device, NodeType::char_device, NodeType::socket, NodeType::fifo};
  Node node;
  node.path = std::move(path);
  node.type = kTypes[e.kind];
  node.mode = e.executable || node.type == NodeType::directory ? 0755 : 0644;
  const ByteView data = base::clipped(image, e.data, e.size);
  if (node.type == NodeType::symlink) {
    node.mode = 0777;
    node.link_target = base::as_text(data);
  }
  if (node.type == NodeType::block_device || node.type == NodeType::char_device) {
    node.major = e.info >> 16;
    node.minor = e.info & 0xFFFF;
    node.mode = 0600;
  }
  if (node.type != NodeType::regular) return sink.node(std::move(node));
  if (data.size() < e.size) sink.doubt("truncated", at, fmt::format("{} is cut off", node.path));
  sink.file(std::move(node), data);
}

base::Result<void> extract(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView image = blob.subspan(chunk.offset, chunk.size);
  std::string_view volume;
  const std::uint64_t first = padded_name(image, 16, volume);
  std::vector<std::pair<std::string, std::uint64_t>> todo = {{"/", first}};
  std::unordered_set<std::uint64_t> visited;
  while (!todo.empty() && !sink.full()) {
    auto [directory, at] = std::move(todo.back());
    todo.pop_back();
    while (at != 0 && !sink.full() && visited.insert(at).second) {
      const auto e = read_entry(image, at);
      if (!e) {
        sink.doubt("damaged-directory", chunk.offset + at, fmt::format("{}: a header lies beyond the end", directory));
        break;
      }
      const std::uint64_t here = at;
      at = e->next;
      if (e->name == "." || e->name == "..") continue;
      const auto child = child_path(directory, e->name, sink, chunk.offset + here);
      if (!child) continue;
      if (e->kind == 0) {  // a hard link: `info` points at the header of the file
        const auto target = read_entry(image, e->info & ~15U);
        if (!target || target->kind != 2) continue;
        emit(image, *target, *child, chunk.offset + here, sink);
        continue;
      }
      emit(image, *e, *child, chunk.offset + here, sink);
      if (e->kind == 1 && e->info != 0) todo.emplace_back(*child, e->info & ~15U);
    }
  }
  return {};
}

}  // namespace

const Format romfs_format = {.name = "romfs", .title = "Linux romfs", .reference = "Linux Documentation/filesystems/romfs.rst",
                             .limits = "the format has no owners, times or permissions beyond executable", .kind = Format::Kind::file_system,
                             .magics = {{{"-rom1fs-"}}}, .measure = measure, .extract = extract};

}  // namespace unpack
