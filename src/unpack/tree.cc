// Nodes into a sorted tree that is looked up as a process inside the device would.
#include <algorithm>
#include <unordered_set>

#include "base/text.h"
#include "unpack/firmware.h"

namespace unpack {
namespace {

constexpr int kMostLinks = 40;  // path_resolution(7)

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? std::string_view("/") : path.substr(0, slash);
}

Node synthetic_directory(std::string_view path) {
  Node node;
  node.path = path;
  node.type = NodeType::directory;
  node.mode = 0755;
  return node;
}

void add_missing_parents(std::vector<Node>& nodes) {
  std::unordered_set<std::string> known;
  for (const auto& node : nodes) known.insert(node.path);
  std::vector<Node> missing;
  const auto require = [&](std::string_view path) {
    while (known.insert(std::string(path)).second) {
      missing.push_back(synthetic_directory(path));
      path = parent_of(path);
    }
  };
  require("/");
  for (const auto& node : nodes) require(parent_of(node.path));
  nodes.insert(nodes.end(), std::make_move_iterator(missing.begin()), std::make_move_iterator(missing.end()));
}

}  // namespace

Tree::Tree() : nodes_{synthetic_directory("/")} {}

Tree::Tree(std::vector<Node> nodes, std::size_t* duplicates) : nodes_(std::move(nodes)) {
  add_missing_parents(nodes_);
  std::stable_sort(nodes_.begin(), nodes_.end(), [](const Node& a, const Node& b) { return a.path < b.path; });
  const std::size_t before = nodes_.size();
  std::vector<Node> kept;
  kept.reserve(before);
  for (auto& node : nodes_) {
    if (!kept.empty() && kept.back().path == node.path) kept.back() = std::move(node);
    else kept.push_back(std::move(node));
  }
  nodes_ = std::move(kept);
  if (duplicates) *duplicates = before - nodes_.size();
}

const Node* Tree::find(std::string_view path) const {
  const auto at = std::lower_bound(nodes_.begin(), nodes_.end(), path,
                                   [](const Node& node, std::string_view wanted) { return node.path < wanted; });
  return at != nodes_.end() && at->path == path ? &*at : nullptr;
}

const Node* Tree::resolve(std::string_view path, std::string_view directory) const {
  std::vector<std::string> todo;  // components still to walk, next one last
  std::vector<std::string> here;  // the directory reached
  const auto push = [&](std::string_view text) {
    const auto parts = base::split(text, '/');
    for (auto part = parts.rbegin(); part != parts.rend(); ++part)
      if (!part->empty() && *part != ".") todo.emplace_back(*part);
  };
  push(path);
  if (!path.starts_with('/')) push(directory);
  int links = 0;
  const auto joined = [&](const std::string* last) {
    std::string out;
    for (const auto& part : here) out += '/' + part;
    if (last) out += '/' + *last;
    return out.empty() ? std::string("/") : out;
  };
  const Node* node = find("/");
  while (!todo.empty()) {
    const std::string part = std::move(todo.back());
    todo.pop_back();
    if (part == "..") {
      if (!here.empty()) here.pop_back();
      node = find(joined(nullptr));
      continue;
    }
    node = find(joined(&part));
    if (!node) return nullptr;
    if (node->type == NodeType::symlink) {
      if (++links > kMostLinks || todo.size() > 4096) return nullptr;
      if (node->link_target.starts_with('/')) here.clear();
      push(node->link_target);
      node = find(joined(nullptr));
      continue;
    }
    if (!todo.empty() && node->type != NodeType::directory) return nullptr;
    here.push_back(part);
  }
  return node;
}

std::vector<const Node*> Tree::list(std::string_view directory) const {
  const std::string prefix = directory == "/" ? "/" : std::string(directory) + "/";
  std::vector<const Node*> out;
  for (auto at = std::lower_bound(nodes_.begin(), nodes_.end(), prefix,
                                  [](const Node& node, const std::string& wanted) { return node.path < wanted; });
       at != nodes_.end() && at->path.starts_with(prefix); ++at)
    if (at->path.size() > prefix.size() && at->path.find('/', prefix.size()) == std::string::npos) out.push_back(&*at);
  return out;
}

Coverage coverage(const Firmware& firmware) {
  Coverage out;
  for (std::size_t i = 0; i < firmware.inputs; ++i)
    for (const auto& extent : firmware.blobs[firmware.blobs.id_at(i)].extents) switch (extent.kind) {
        case Extent::Kind::claimed: out.claimed += extent.size; break;
        case Extent::Kind::padding: out.padding += extent.size; break;
        case Extent::Kind::unknown: out.unknown += extent.size; break;
      }
  return out;
}

}  // namespace unpack
