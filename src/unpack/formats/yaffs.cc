// YAFFS2 (and YAFFS1) dumps with their out-of-band bytes, in both orders, into names and contents.
// Source: yaffs2 sources, yaffs_guts.h (struct yaffs_obj_hdr), yaffs_packedtags2.h; mkyaffs2image.c. Odd: there is no
// magic; a page is followed by its tags, and both sizes have to be found by trying which reading agrees with itself.
#include <algorithm>
#include <array>
#include <map>
#include <unordered_set>

#include <fmt/format.h>

#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteOrder;
using base::ByteReader;
using base::ByteView;

constexpr std::uint32_t kRoot = 1, kLostAndFound = 2;

struct Layout {
  std::uint32_t page = 0, spare = 0, tags = 0;  // bytes; where the tags begin in the spare bytes
  ByteOrder order = ByteOrder::little;
  std::uint64_t stride() const { return std::uint64_t{page} + spare; }
};

// Object types of yaffs_guts.h.
enum Type : std::uint32_t { kFile = 1, kSymlink, kDirectory, kHardLink, kSpecial };

struct Object {
  std::uint32_t type = 0, parent = 0, mode = 0, uid = 0, gid = 0, mtime = 0, size = 0, equivalent = 0, device = 0;
  std::string name, alias;
};

struct Tags {
  std::uint32_t sequence = 0, object = 0, chunk = 0, bytes = 0;
};

std::optional<Object> read_object(ByteView page, ByteOrder order) {
  ByteReader r(page, order);
  Object o;
  o.type = r.u32();
  o.parent = r.u32();
  const std::uint16_t sum = r.u16();
  o.name = r.fixed_text(256);
  r.skip(2);
  o.mode = r.u32();
  o.uid = r.u32();
  o.gid = r.u32();
  r.u32();
  o.mtime = r.u32();
  r.u32();
  o.size = r.u32();
  o.equivalent = r.u32();
  o.alias = r.fixed_text(160);
  o.device = r.u32();
  if (!r.ok() || o.type < kFile || o.type > kSpecial || sum != 0xFFFF || o.parent == 0 || o.parent > (1U << 24)) return std::nullopt;
  return o;
}

Tags read_tags(ByteView spare, const Layout& layout) {
  ByteReader r(base::clipped(spare, layout.tags), layout.order);
  Tags t;
  t.sequence = r.u32();
  t.object = r.u32();
  t.chunk = r.u32();
  t.bytes = r.u32();
  if (t.chunk & 0x80000000U) {  // a header with extra words: the object's type stands above its number
    t.object &= 0x0FFFFFFF;
    t.chunk = 0;
  }
  return t;
}

bool plausible(const Tags& t, const Layout& layout) {
  return t.object >= 1 && t.object < (1U << 24) && t.chunk < (1U << 24) && t.sequence >= 0x1000 && t.sequence < 0xEFFFFFFF &&
         (t.bytes <= layout.page || t.bytes == 0xFFFF || t.bytes == 0xFFFFFFFF);
}

bool blank(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0xFF; });
}

// How many pages from `at` on read well in this layout; erased pages count as neither.
std::size_t agreeing(ByteView blob, std::uint64_t at, const Layout& layout, std::uint64_t& end) {
  std::size_t good = 0;
  end = at;
  for (; base::in_bounds(at, layout.stride(), blob.size()); at += layout.stride()) {
    const ByteView spare = blob.subspan(at + layout.page, layout.spare);
    if (blank(spare) && blank(blob.subspan(at, 16))) continue;
    const Tags tags = read_tags(spare, layout);
    if (!plausible(tags, layout) || (tags.chunk == 0 && !read_object(blob.subspan(at, layout.page), layout.order))) break;
    ++good;
    end = at + layout.stride();
  }
  return good;
}

std::optional<Layout> find_layout(ByteView blob, std::uint64_t at, std::uint64_t& end) {
  static constexpr std::array<std::pair<std::uint32_t, std::uint32_t>, 9> kSizes = {
      {{2048, 64}, {512, 16}, {1024, 32}, {4096, 128}, {4096, 224}, {8192, 256}, {4096, 256}, {8192, 448}, {16384, 512}}};
  std::optional<Layout> best;
  std::size_t most = 1;
  for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
    if (!read_object(base::clipped(blob, at, 512), order)) continue;
    for (const auto& [page, spare] : kSizes)
      for (const std::uint32_t tags : {0U, 2U, 1U, 8U, 26U, 28U, 30U, 32U}) {
        if (tags + 16 > spare) continue;
        const Layout layout{page, spare, tags, order};
        std::uint64_t reach = 0;
        const std::size_t good = agreeing(blob, at, layout, reach);
        if (good > most) {
          most = good;
          best = layout;
          end = reach;
        }
      }
  }
  return best;
}

std::optional<Chunk> measure(ByteView blob, std::uint64_t at) {
  std::uint64_t end = at;
  const auto layout = find_layout(blob, at, end);
  if (!layout) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = end - at;
  chunk.note = fmt::format("{}, pages of {} + {} bytes, tags at {}", layout->order == ByteOrder::little ? "little-endian" : "big-endian",
                           layout->page, layout->spare, layout->tags);
  return chunk;
}

struct Page {
  std::uint64_t offset = 0;
  std::uint32_t bytes = 0;
};

class Volume {
 public:
  Volume(ByteView image, const Layout& layout, Sink& sink, std::uint64_t at) : image_(image), layout_(layout), sink_(sink), at_(at) {}

  base::Result<void> extract() {
    for (std::uint64_t at = 0; base::in_bounds(at, layout_.stride(), image_.size()); at += layout_.stride()) take(at);
    for (const auto& [number, object] : objects_)
      if (number != kRoot) children_[object.parent].push_back(number);
    std::vector<std::pair<std::string, std::uint32_t>> todo = {{"/", kRoot}};
    std::unordered_set<std::uint32_t> visited = {kRoot};
    if (const auto root = objects_.find(kRoot); root != objects_.end()) emit("/", kRoot, root->second);
    while (!todo.empty() && !sink_.full()) {
      const auto [path, directory] = std::move(todo.back());
      todo.pop_back();
      for (const std::uint32_t number : children_[directory]) {
        const Object& object = objects_[number];
        if (number == kLostAndFound || sink_.full()) continue;
        const auto child = child_path(path, object.name, sink_, at_);
        if (!child || !visited.insert(number).second) continue;
        emit(*child, number, object);
        if (object.type == kDirectory) todo.emplace_back(*child, number);
      }
    }
    return {};
  }

 private:
  // Later pages stand for later writes: mkyaffs2image writes each once, and a device appends.
  void take(std::uint64_t at) {
    const ByteView page = image_.subspan(at, layout_.page), spare = image_.subspan(at + layout_.page, layout_.spare);
    if (blank(spare)) return;
    const Tags tags = read_tags(spare, layout_);
    if (!plausible(tags, layout_)) return;
    if (tags.sequence < newest_[{tags.object, tags.chunk}]) return;
    newest_[{tags.object, tags.chunk}] = tags.sequence;
    if (tags.chunk != 0) {
      pages_[tags.object][tags.chunk] = {at, std::min(tags.bytes, layout_.page)};
      return;
    }
    if (auto object = read_object(page, layout_.order)) objects_[tags.object] = std::move(*object);
  }

  void emit(const std::string& path, std::uint32_t number, const Object& object) {
    Node node;
    node.path = path;
    set_mode(node, object.mode);
    if (object.type == kDirectory) node.type = NodeType::directory;
    if (object.type == kSymlink) node.type = NodeType::symlink;
    node.uid = object.uid;
    node.gid = object.gid;
    node.mtime = object.mtime;
    node.link_target = object.alias;
    if (node.type == NodeType::char_device || node.type == NodeType::block_device) {
      node.major = object.device >> 8 & 0xFFF;
      node.minor = (object.device & 0xFF) | (object.device >> 12 & 0xFFF00);
    }
    if (object.type == kHardLink) {
      node.type = NodeType::regular;
      node.inode = object.equivalent;
      return sink_.node(std::move(node));
    }
    if (node.type != NodeType::regular) return sink_.node(std::move(node));
    node.inode = number;
    sink_.begin_file(std::move(node));
    std::uint64_t made = 0;
    for (const auto& [chunk, page] : pages_[number]) {
      const std::uint64_t start = std::uint64_t{chunk - 1} * layout_.page;
      if (start >= object.size || sink_.full()) break;
      if (start > made) sink_.append_zeros(start - made);
      const std::uint64_t want = std::min<std::uint64_t>(page.bytes, object.size - start);
      sink_.append(image_.subspan(page.offset, want));
      made = start + want;
    }
    if (made < object.size && object.size != UINT32_MAX) sink_.append_zeros(object.size - made);
    sink_.end();
  }

  ByteView image_;
  Layout layout_;
  Sink& sink_;
  std::uint64_t at_;
  std::map<std::uint32_t, Object> objects_;
  std::map<std::uint32_t, std::vector<std::uint32_t>> children_;
  std::map<std::uint32_t, std::map<std::uint32_t, Page>> pages_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> newest_;
};

base::Result<void> extract(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView image = blob.subspan(chunk.offset, chunk.size);
  std::uint64_t end = 0;
  const auto layout = find_layout(image, 0, end);
  if (!layout) return base::fail(base::Error::Kind::damaged, "no layout of pages agrees with itself");
  return Volume(image, *layout, sink, chunk.offset).extract();
}

}  // namespace

const Format yaffs_format = {.name = "yaffs2", .title = "YAFFS2", .reference = "yaffs2 sources: yaffs_guts.h, yaffs_packedtags2.h",
                             .limits = "needs the out-of-band bytes in the dump; the layout is found among common ones; deleted objects may appear",
                             .kind = Format::Kind::file_system,
                             .magics = {{{{"\x01\0\0\0\x01\0\0\0\xff\xff", 10}}, {{"\x03\0\0\0\x01\0\0\0\xff\xff", 10}}, {{"\x02\0\0\0\x01\0\0\0\xff\xff", 10}},
                                         {{"\0\0\0\x01\0\0\0\x01\xff\xff", 10}}, {{"\0\0\0\x03\0\0\0\x01\xff\xff", 10}}, {{"\0\0\0\x02\0\0\0\x01\xff\xff", 10}}}},
                             .measure = measure, .extract = extract};

}  // namespace unpack
