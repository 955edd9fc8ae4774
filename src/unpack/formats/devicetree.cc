// Flattened device trees (DTB), and FIT images, which are device trees whose nodes below /images carry data.
// Source: Devicetree Specification 0.4, chapter 5; U-Boot doc/usage/fit.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/escape.h"
#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteOrder;
using base::ByteReader;
using base::ByteView;

constexpr std::uint32_t kBegin = 1, kEnd = 2, kProperty = 3, kNop = 4, kLast = 9;
constexpr std::size_t kMostTokens = 1'000'000;

struct Header {
  std::uint32_t size = 0, structure = 0, strings = 0;
};

std::optional<Header> read_header(ByteView from) {
  ByteReader r(from, ByteOrder::big);
  Header h;
  r.u32();
  h.size = r.u32();
  h.structure = r.u32();
  h.strings = r.u32();
  r.u32();
  const std::uint32_t version = r.u32(), compatible = r.u32();
  if (!r.ok() || version < 16 || version > 32 || compatible > version || h.size < 48 || h.structure >= h.size || h.strings > h.size) return std::nullopt;
  return h;
}

struct Image {
  std::map<std::string, ByteView, std::less<>> properties;
};

// The properties of each node directly below /images.
std::map<std::string, Image> read_images(ByteView tree, const Header& h) {
  std::map<std::string, Image> out;
  std::vector<std::string> path;
  ByteReader r(tree, ByteOrder::big);
  r.seek(h.structure);
  for (std::size_t token = 0; token < kMostTokens && r.ok(); ++token) {
    const std::uint32_t what = r.u32();
    if (what == kBegin) {
      const std::string_view rest = base::as_text(tree.subspan(r.offset()));
      const std::string_view name = rest.substr(0, std::min<std::size_t>(rest.find('\0'), 256));
      path.emplace_back(name);
      r.skip(base::align_up(name.size() + 1, 4));
    } else if (what == kEnd) {
      if (path.empty()) break;
      path.pop_back();
    } else if (what == kProperty) {
      const std::uint32_t length = r.u32(), name_at = r.u32();
      const ByteView value = r.take(length);
      r.seek(std::min<std::uint64_t>(base::align_up(r.offset(), 4), tree.size()));
      const std::string_view names = base::as_text(base::clipped(tree, std::uint64_t{h.strings} + name_at, 256));
      if (path.size() == 3 && path[1] == "images") out[path[2]].properties[std::string(names.substr(0, names.find('\0')))] = value;
    } else if (what == kLast || what != kNop) {
      break;
    }
  }
  return out;
}

// A FIT may keep data behind the tree: `data-offset` counts from its end, `data-position` from its start.
std::optional<ByteView> data_of(const Image& image, ByteView from, std::uint64_t tree_size) {
  const auto number = [&](std::string_view key) -> std::optional<std::uint64_t> {
    const auto at = image.properties.find(key);
    if (at == image.properties.end()) return std::nullopt;
    return base::load_be32(at->second, 0);
  };
  if (const auto data = image.properties.find(std::string_view("data")); data != image.properties.end()) return data->second;
  const auto size = number("data-size"), offset = number("data-offset"), position = number("data-position");
  if (!size || (!offset && !position)) return std::nullopt;
  return base::clipped(from, position ? *position : base::align_up(tree_size, 4) + *offset, *size);
}

std::optional<Chunk> measure(ByteView blob, std::uint64_t at) {
  const ByteView from = base::clipped(blob, at);
  const auto h = read_header(from);
  if (!h) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = h->size;
  if (h->size <= from.size()) {
    const auto images = read_images(from.first(h->size), *h);
    for (const auto& [name, image] : images)
      if (const auto data = data_of(image, from, h->size); data && !data->empty())
        chunk.size = std::max<std::uint64_t>(chunk.size, static_cast<std::uint64_t>(data->data() + data->size() - from.data()));
    if (!images.empty()) chunk.note = fmt::format("FIT with {} images", images.size());
  }
  clip_to_blob(chunk, blob);
  return chunk;
}

base::Result<void> extract(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  const auto h = read_header(from);
  if (!h) return base::fail(base::Error::Kind::damaged, "the header cannot be read");
  for (const auto& [name, image] : read_images(base::clipped(from, 0, h->size), *h))
    if (const auto data = data_of(image, from, h->size); data && !data->empty()) sink.blob(base::escape_bytes(name), *data);
  return {};
}

}  // namespace

const Format devicetree_format = {.name = "dtb", .title = "Device tree and FIT image", .reference = "Devicetree Specification 0.4; U-Boot doc/usage/fit",
                                  .limits = "hashes and signatures are not checked", .kind = Format::Kind::wrapper,
                                  .magics = {{{"\xd0\x0d\xfe\xed"}}}, .measure = measure, .extract = extract};

}  // namespace unpack
