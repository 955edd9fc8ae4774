// Two results in, which components and whole images changed out.
#include "compare/parts.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace comparison {
namespace {

using result::Component;
using result::Result;

// The image that holds what lies at `path`; empty where no file is listed there.
std::string image_of(const Result& result, const std::string& path) {
  const auto found = std::ranges::find(result.files, path, &result::FileEntry::path);
  return found == result.files.end() ? std::string() : found->image;
}

// A kernel lies in no file: with partitions missing it may lie in one of them.
bool may_be_elsewhere(const Component& component, const Result& of, const std::set<std::string>& lacks) {
  return component.path.empty() ? !lacks.empty() : lacks.contains(image_of(of, component.path));
}

using Where = std::tuple<std::string, std::string, std::string>;  // kind, name, path
using Listed = std::map<Where, std::vector<const Component*>>;

Listed listed(const Result& result) {
  Listed out;
  for (const auto& one : result.components) out[{one.kind, one.name, one.path}].push_back(&one);
  return out;
}

// Nothing where they are the same.
std::string change_of(const Component& before, const Component& after) {
  if (before.version != after.version) return "version";
  if (before.sha256.empty() || after.sha256.empty() ? before.evidence != after.evidence
                                                    : before.sha256 != after.sha256)
    return "rebuilt";
  return {};
}

}  // namespace

std::vector<ComponentChange> compare_components(const Result& older, const Result& newer,
                                                const std::set<std::string>& old_only,
                                                const std::set<std::string>& new_only) {
  std::vector<ComponentChange> out;
  auto before = listed(older), after = listed(newer);
  const auto pair = [&](const Component& a, const Component& b) {
    if (const auto change = change_of(a, b); !change.empty())
      out.push_back({b.name, b.kind, b.path, a.version, b.version, change});
  };
  for (auto& [where, list] : before) {
    auto& others = after[where];
    const auto common = std::min(list.size(), others.size());
    for (std::size_t i = 0; i < common; ++i) pair(*list[i], *others[i]);
    list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(common));
    others.erase(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(common));
  }
  // A library's version stands in its file's name: what is left is paired by name where that names one on
  // either side.
  std::map<std::pair<std::string, std::string>,
           std::pair<std::vector<const Component*>, std::vector<const Component*>>>
      left;
  for (const auto& [where, list] : before)
    for (const auto* one : list) left[{one->kind, one->name}].first.push_back(one);
  for (const auto& [where, list] : after)
    for (const auto* one : list) left[{one->kind, one->name}].second.push_back(one);
  for (const auto& [name, sides] : left) {
    const auto& [gone, come] = sides;
    if (gone.size() == 1 && come.size() == 1) {
      const auto change = change_of(*gone[0], *come[0]);
      out.push_back({come[0]->name, come[0]->kind, come[0]->path, gone[0]->version, come[0]->version,
                     change.empty() ? "moved" : change});
      continue;
    }
    for (const auto* one : gone)
      out.push_back({one->name, one->kind, one->path, one->version, "",
                     may_be_elsewhere(*one, older, old_only) ? "not-compared" : "removed"});
    for (const auto* one : come)
      out.push_back({one->name, one->kind, one->path, "", one->version,
                     may_be_elsewhere(*one, newer, new_only) ? "not-compared" : "added"});
  }
  std::ranges::sort(out, {}, [](const ComponentChange& one) {
    return std::tie(one.name, one.path, one.before, one.after);
  });
  return out;
}

std::vector<std::string> changed_images(const Result& older, const Result& newer) {
  std::vector<std::string> out;
  if (older.images.size() < 2 && newer.images.size() < 2) return out;
  for (const auto& image : older.images) {
    const auto other = std::ranges::find(newer.images, image.name, &result::ImageInfo::name);
    if (other == newer.images.end() || other->sha256 == image.sha256) continue;
    const auto lies_in = [&](const result::FileEntry& file) { return file.image == image.name; };
    if (std::ranges::none_of(older.files, lies_in) && std::ranges::none_of(newer.files, lies_in))
      out.push_back(image.name);
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace comparison
