#include "derive/flows.h"

#include <algorithm>
#include <set>

#include "base/text.h"

namespace derive {

using effects::Effect;
using effects::EffectId;
using effects::Graph;
using effects::Kind;

namespace {

// "/mnt/*" -> "/mnt"; "/mnt/*.bin" -> "/mnt"; "./x" -> "x"
std::string without_glob(std::string path) {
  if (const auto glob = path.find_first_of("*?["); glob != std::string::npos) path = path.substr(0, path.rfind('/', glob));
  while (path.size() > 1 && path.ends_with("/.")) path.resize(path.size() - 2);
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  if (path.starts_with("./")) path.erase(0, 2);
  return path;
}

bool brings_in(Kind kind) { return kind == Kind::mount_remote || kind == Kind::mount_media || kind == Kind::fetch || kind == Kind::receive || kind == Kind::request; }

struct Carried {
  std::string path;
  EffectId by;         // the effect that put it there
  bool directory;      // everything beneath is from there too
};

// A path that says nothing about what is meant: too short, or only an unknown.
bool is_vague(std::string_view path) {
  constexpr std::string_view unknown = "${unknown}";  // two of them are not the same place; "${ret:X}" and a script's variable may be
  if (path.starts_with(unknown)) return path.substr(unknown.size()).find_first_not_of('/') == std::string_view::npos;
  return path.empty() || path == "/" || path == "." || path == "-" || path == "/tmp" || path == "/dev/null" || path == "/var" || path == "/var/tmp";
}

bool leads_to(const Carried& carried, std::string_view path) {
  if (path == carried.path) return true;
  if (carried.directory && path.starts_with(carried.path) && path.size() > carried.path.size() && path[carried.path.size()] == '/') return true;
  return !is_vague(path) && base::is_beneath(carried.path, path);  // a directory that holds it
}

}  // namespace

std::string path_read(const Effect& effect) {
  switch (effect.kind) {
    case Kind::copy: case Kind::unpack: case Kind::execute: case Kind::load_module: case Kind::write_flash: case Kind::verify_signature: case Kind::check_hash: case Kind::read:
      return without_glob(effect.object.value);
    case Kind::make_executable: return without_glob(effect.target.value);
    default: return {};
  }
}

std::vector<std::string> paths_written(const Effect& effect) {
  const std::string target = without_glob(effect.target.value);
  switch (effect.kind) {
    case Kind::mount_remote: case Kind::mount_media: case Kind::fetch: case Kind::receive: case Kind::unpack: case Kind::write: return {target};
    case Kind::copy: {
      const std::string source = effect.object.value;
      const std::string file = source.substr(source.rfind('/') + 1);
      if (file.empty() || file.find_first_of("*?[") != std::string::npos) return {target};
      return {target, target + "/" + file};
    }
    default: return {};
  }
}

void follow_paths(Graph& graph) {
  std::set<std::pair<std::uint32_t, std::uint32_t>> known;
  for (const auto& edge : graph.edges)
    if (edge.kind == effects::EdgeKind::feeds) known.emplace(edge.from.index, edge.to.index);
  std::set<std::uint32_t> carrying;  // effects whose output is from outside
  for (std::uint32_t i = 0; i < graph.effects.size(); ++i)
    if (brings_in(graph.effects[EffectId{i}].kind)) carrying.insert(i);

  std::set<std::pair<std::uint32_t, std::string>> fed_inside;  // reader and path
  std::vector<Carried> everywhere;
  const auto note_written = [&](EffectId id, std::vector<Carried>& list) {
    const Effect& effect = graph.effects[id];
    for (const auto& path : paths_written(effect)) {
      if (is_vague(path)) continue;
      const bool directory = effect.kind == Kind::mount_remote || effect.kind == Kind::mount_media || effect.kind == Kind::unpack || effect.kind == Kind::copy;
      list.push_back({path, id, directory});
    }
  };
  const auto join = [&](const std::vector<Carried>& list, EffectId id, bool across) {
    const Effect& reader = graph.effects[id];
    const std::string path = path_read(reader);
    if (path.empty() || path == "/") return false;
    bool fed = false;
    for (const Carried& carried : list) {
      if (carried.by == id || !leads_to(carried, path)) continue;
      const Effect& writer = graph.effects[carried.by];
      const bool same_program = writer.program == reader.program;
      if (across == same_program) continue;
      // What a program itself puts at a place is what it reads there, not what another one puts there at another time.
      if (across && fed_inside.contains({id.index, carried.path})) continue;
      if (!across) fed_inside.emplace(id.index, carried.path);
      fed = true;
      if (!known.emplace(carried.by.index, id.index).second) continue;
      effects::Edge edge{carried.by, id, effects::EdgeKind::feeds, writer.assumed || reader.assumed, ""};
      edge.why = same_program ? "through " + carried.path : writer.site.file + " puts it at " + carried.path;
      graph.edges.push_back(std::move(edge));
    }
    return fed;
  };

  // Within each program. A script's effects stand in its order; the order of a binary's is not known, so every order counts.
  std::vector<std::vector<std::uint32_t>> fed_by(graph.effects.size());
  for (const auto& edge : graph.edges)
    if (edge.kind == effects::EdgeKind::feeds) fed_by[edge.to.index].push_back(edge.from.index);
  std::vector<Carried> here;
  for (std::uint32_t begin = 0, end = 0; begin < graph.effects.size(); begin = end) {
    const auto program = graph.effects[EffectId{begin}].program;
    while (end < graph.effects.size() && graph.effects[EffectId{end}].program == program) ++end;
    const auto kind = graph.programs[program].kind;
    const int rounds = kind == effects::Program::Kind::binary || kind == effects::Program::Kind::library ? 6 : 1;
    here.clear();
    std::set<std::uint32_t> noted;
    for (int round = 0; round < rounds; ++round) {
      const auto before = noted.size();
      for (std::uint32_t i = begin; i < end; ++i) {
        const EffectId id{i};
        const bool fed = std::ranges::any_of(fed_by[i], [&](auto from) { return carrying.contains(from); });
        if (join(here, id, false) || fed) carrying.insert(i);
        if (carrying.contains(i) && noted.insert(i).second) note_written(id, here);
      }
      if (noted.size() == before) break;
    }
  }

  // From one program to another, until nothing new comes: who runs later is not known, so every order counts.
  for (const auto i : carrying) note_written(EffectId{i}, everywhere);
  for (int round = 0; round < 4; ++round) {
    bool grew = false;
    const std::vector<Carried> list = everywhere;
    for (std::uint32_t i = 0; i < graph.effects.size(); ++i)
      if (join(list, EffectId{i}, true) && carrying.insert(i).second) {
        note_written(EffectId{i}, everywhere);
        grew = true;
      }
    if (!grew) break;
  }
}

}  // namespace derive
