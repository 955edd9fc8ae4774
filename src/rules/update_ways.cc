#include "rules/update_ways.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>

#include "base/text.h"

namespace rules {

using effects::Edge;
using effects::EdgeKind;
using effects::Effect;
using effects::EffectId;
using effects::Graph;
using effects::Kind;
using effects::Program;
using effects::ProgramId;

namespace {

constexpr std::size_t kMostWays = 64;  // of one source

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// "/mnt/*" -> "/mnt", "/mnt/" -> "/mnt"
std::string plain(std::string path) {
  if (const auto glob = path.find_first_of("*?["); glob != std::string::npos) path = path.substr(0, path.rfind('/', glob));
  while (path.size() > 1 && (path.ends_with('/') || path.ends_with("/."))) path.pop_back();
  return path;
}

bool is_vague(std::string_view path) { return path.empty() || path == "/" || path == "." || path == "-"; }

bool replaces_programs(const Graph& graph, const Effect& effect) {
  return std::ranges::any_of(effect.replaced, [&](const std::string& path) {
    for (const Program& program : graph.programs)
      if (program.path == path) return program.kind != Program::Kind::table;
    return true;  // a directory of programs
  });
}

// Beside the console of /dev/tty*, the serial lines of the board.
bool is_serial(std::string_view path) {
  if (!path.starts_with("/dev/tty")) return false;
  path.remove_prefix(8);
  return std::ranges::any_of(std::array{"S", "USB", "AMA", "ACM", "O", "GS", "SAC", "mxc", "LP", "HS", "AT", "PS"}, [&](const char* name) { return path.starts_with(name); });
}

bool brings_in(const Effect& effect) {
  switch (effect.kind) {
    case Kind::mount_remote: case Kind::mount_media: case Kind::fetch: case Kind::receive: case Kind::request: return true;
    case Kind::read: return is_serial(effect.object.value);
    default: return false;
  }
}

// Where content becomes code.
bool installs(const Graph& graph, const Effect& source, const Effect& effect) {
  if (effect.notes.contains("link")) return false;
  switch (effect.kind) {
    case Kind::write_flash: case Kind::load_module: return true;
    case Kind::copy: case Kind::write: case Kind::unpack: case Kind::fetch: case Kind::receive: return replaces_programs(graph, effect);
    // A command that a peer or a request gives to a shell is another matter than a program that it sends.
    case Kind::execute:
      if (effect.object.value.starts_with("${")) return false;  // what is run could not be followed
      return source.kind != Kind::request && !(source.kind == Kind::receive && effect.notes.contains("interpreter"));
    default: return false;
  }
}

std::string transport_of(const Effect& source) {
  switch (source.kind) {
    case Kind::mount_media: return "removable-media";
    case Kind::request: return "upload";
    default: break;
  }
  if (source.peer && !source.peer->protocol.empty()) return source.peer->protocol;
  if (source.object.value.starts_with("/dev/tty")) return "serial";
  return source.kind == Kind::mount_remote ? "network-mount" : "network";
}

std::string source_words(const Effect& source, const std::string& transport) {
  if (source.kind == Kind::mount_media) return "media " + (source.object.empty() ? source.target.value : source.object.value);
  if (source.kind == Kind::request) return "upload";
  if (source.peer && source.peer->protocol == "cwmp") return "cwmp: what the management server (TR-069) names";
  std::string out = transport;
  if (source.peer && source.peer->name().find("${") != std::string::npos) out += source.peer->origin.starts_with("read:") ? " from the server named in " + source.peer->origin.substr(5) : " from a server that could not be followed";
  else if (source.peer && !source.peer->name().empty()) out += " " + source.peer->name() + (source.kind == Kind::mount_remote && !source.object.empty() ? ":" + source.object.value : "");
  else if (!source.object.empty()) out += " " + source.object.value;
  return out;
}

bool is_known(const std::optional<effects::Endpoint>& peer) { return peer && !peer->name().empty() && peer->name() != "${unknown}"; }

}  // namespace

std::string path_read(const Effect& effect) {
  switch (effect.kind) {
    case Kind::copy: case Kind::unpack: case Kind::execute: case Kind::load_module: case Kind::write_flash: case Kind::verify_signature: case Kind::check_hash: case Kind::read:
      return plain(effect.object.value);
    default: return {};
  }
}

Links::Links(const Graph& graph) : graph_(graph), feeds_out_(graph.effects.size()), feeds_in_(graph.effects.size()), guards_(graph.effects.size()) {
  for (const Edge& edge : graph.edges) {
    if (edge.kind == EdgeKind::feeds) feeds_out_[edge.from.index].push_back(edge.to), feeds_in_[edge.to.index].push_back(edge.from);
    if (edge.kind == EdgeKind::guards) guards_[edge.to.index].push_back(edge.from);
    if (edge.kind == EdgeKind::precedes) before_.emplace(edge.from.index, edge.to.index);
  }
  // What every run of a program is guarded by guards all that it does.
  std::multimap<std::string_view, std::uint32_t> running;  // by the word that is run
  std::vector<std::vector<std::uint32_t>> effects_of(graph.programs.size());
  for (std::uint32_t i = 0; i < graph.effects.size(); ++i) {
    const Effect& effect = graph.effects[EffectId{i}];
    effects_of[effect.program.index].push_back(i);
    if (effect.kind == Kind::execute && !effect.object.value.empty()) running.emplace(effect.object.value, i);
  }
  for (std::uint32_t p = 0; p < graph.programs.size(); ++p) {
    const Program& program = graph.programs[ProgramId{p}];
    if (program.started_by.empty()) continue;
    std::optional<std::set<EffectId>> common;
    for (const std::string_view word : {std::string_view(program.path), base_name(program.path)})
      for (auto [at, end] = running.equal_range(word); at != end; ++at) {
        const std::uint32_t i = at->second;
        if (graph.effects[EffectId{i}].program == ProgramId{p}) continue;
        std::set<EffectId> here(guards_[i].begin(), guards_[i].end());
        if (!common) common = std::move(here);
        else std::erase_if(*common, [&](EffectId id) { return !here.contains(id); });
      }
    const bool only_run = std::ranges::all_of(program.triggers, [](const auto& trigger) { return trigger.detail.starts_with("run by "); });
    if (!common || common->empty() || !only_run) continue;
    for (const auto i : effects_of[p]) guards_[i].insert(guards_[i].end(), common->begin(), common->end());
  }
}

bool Links::precedes(EffectId first, EffectId then) const {
  if (before_.contains({first.index, then.index})) return true;
  const Effect &a = graph_.effects[first], &b = graph_.effects[then];
  return a.program == b.program && !a.site.address && a.site.line && b.site.line && first.index < then.index;
}

namespace {

bool is_command(std::string_view path) { return path.find("bin/") != std::string_view::npos; }

// Scripts that write to flash what is piped to them or named by whoever runs them, by the command that a person or a program runs.
std::vector<Arrival> handed_over(const Graph& graph, const std::vector<Arrival>& followed) {
  std::set<EffectId> known;
  for (const auto& arrival : followed) known.insert(arrival.content.begin(), arrival.content.end());
  std::map<std::string_view, std::set<ProgramId>> holds;  // function -> scripts that have it
  std::set<ProgramId> writers;
  const auto is_script = [&](const Effect& effect) { return graph.programs[effect.program].kind == Program::Kind::script && !effect.site.address; };
  const auto writes = [&](EffectId id) {
    const Effect& effect = graph.effects[id];
    // In a function that its own script does not call, another one may.
    if (effect.kind != Kind::write_flash || (effect.assumed && effect.site.function.empty()) || !is_script(effect) || known.contains(id) || effect.notes.contains("upgrader")) return false;
    const std::string& what = effect.object.value;
    return what.empty() || what == "-" || what.starts_with("${");
  };
  for (std::uint32_t i = 0; i < graph.effects.size(); ++i) {
    const Effect& effect = graph.effects[EffectId{i}];
    if (is_script(effect) && !effect.site.function.empty()) holds[effect.site.function].insert(effect.program);
    if (writes(EffectId{i})) writers.insert(effect.program);
  }
  if (writers.empty()) return {};
  std::map<ProgramId, std::set<ProgramId>> runs;  // script -> scripts whose functions it runs
  for (std::uint32_t i = 0; i < graph.effects.size(); ++i) {
    const Effect& effect = graph.effects[EffectId{i}];
    if (effect.kind != Kind::execute || !is_script(effect)) continue;
    if (const auto at = holds.find(effect.object.value); at != holds.end())
      for (const auto other : at->second)
        if (other != effect.program) runs[effect.program].insert(other);
  }
  std::vector<Arrival> out;
  for (std::uint32_t p = 0; p < graph.programs.size(); ++p) {
    const ProgramId root{p};
    if (graph.programs[root].kind != Program::Kind::script || !is_command(graph.programs[root].path)) continue;
    Arrival arrival;
    std::deque<ProgramId> work{root};
    arrival.family = {root};
    while (!work.empty()) {
      const ProgramId at = work.front();
      work.pop_front();
      for (const auto next : runs[at])
        if (arrival.family.insert(next).second) work.push_back(next);
    }
    std::set<std::pair<std::string, std::uint32_t>> places;
    for (std::uint32_t i = 0; i < graph.effects.size() && arrival.ways.size() < kMostWays; ++i) {
      const Effect& effect = graph.effects[EffectId{i}];
      if (!arrival.family.contains(effect.program) || !writes(EffectId{i}) || !places.emplace(effect.site.file, effect.site.line).second) continue;
      arrival.ways.push_back({EffectId{i}});
      arrival.sources.push_back(EffectId{i});
    }
    if (arrival.ways.empty()) continue;
    arrival.program = root;
    arrival.transport = "local-file";
    arrival.source = "a file that whoever runs " + std::string(base_name(graph.programs[root].path)) + " names";
    out.push_back(std::move(arrival));
  }
  return out;
}

}  // namespace

std::vector<Arrival> arrivals(const Graph& graph, const Links& links) {
  std::map<std::tuple<std::string, std::string, std::string>, Arrival> found;
  std::map<std::tuple<std::string, std::uint32_t, std::uint64_t>, std::optional<effects::Endpoint>> peers;  // one call, several readings
  const auto place = [](const Effect& effect) { return std::tuple(effect.site.file, effect.site.line, effect.site.address.value_or(0)); };
  for (const Effect& effect : graph.effects)
    if (brings_in(effect) && is_known(effect.peer)) peers.try_emplace(place(effect), effect.peer);

  for (std::uint32_t i = 0; i < graph.effects.size(); ++i) {
    const EffectId source{i};
    const Effect& effect = graph.effects[source];
    if (!brings_in(effect)) continue;
    std::map<EffectId, EffectId> came_from;
    std::deque<EffectId> work{source};
    std::set<EffectId> seen{source};
    std::vector<Way> ways;
    while (!work.empty() && ways.size() < kMostWays) {
      const EffectId at = work.front();
      work.pop_front();
      const Effect& here = graph.effects[at];
      if (installs(graph, effect, here) && (at != source || effect.kind == Kind::fetch)) {
        Way way;
        for (EffectId step = at;; step = came_from.at(step)) {
          way.insert(way.begin(), step);
          if (step == source) break;
        }
        ways.push_back(std::move(way));
        continue;
      }
      for (const EffectId next : links.feeds_out(at))
        if (seen.insert(next).second) came_from.emplace(next, at), work.push_back(next);
    }
    if (ways.empty()) continue;
    Effect told = effect;
    if (!is_known(told.peer))
      if (const auto known = peers.find(place(effect)); known != peers.end()) {
        told.peer = known->second;
      }
    const std::string transport = transport_of(told), words = source_words(told, transport);
    Arrival& arrival = found[{graph.programs[effect.program].path, transport, told.peer ? told.peer->name() : words}];
    if (arrival.sources.empty()) arrival.program = effect.program, arrival.source = words, arrival.transport = transport, arrival.peer = told.peer;
    arrival.sources.push_back(source);
    arrival.content.insert(seen.begin(), seen.end());
    for (Way& way : ways)
      // The same end by another reading of the same call says nothing new.
      if (std::ranges::none_of(arrival.ways, [&](const Way& other) { return other.back() == way.back() && place(graph.effects[other.front()]) == place(effect); })) arrival.ways.push_back(std::move(way));
  }
  // What else the same program takes from the same source belongs to it: a signature beside its package.
  std::vector<Arrival> out;
  for (auto& [key, arrival] : found) {
    // What was followed in code makes what words alone say needless.
    const auto only_words = [&](const Way& way) { return std::ranges::any_of(way, [&](EffectId id) { return graph.effects[id].assumed; }); };
    if (!std::ranges::all_of(arrival.ways, only_words)) std::erase_if(arrival.ways, only_words);
    for (std::uint32_t i = 0; i < graph.effects.size(); ++i) {
      const EffectId id{i};
      const Effect& effect = graph.effects[id];
      if (!brings_in(effect) || effect.program != arrival.program || arrival.content.contains(id)) continue;
      const bool same = arrival.peer ? effect.peer && effect.peer->name() == arrival.peer->name() : effect.kind == graph.effects[arrival.sources.front()].kind;
      if (!same) continue;
      std::deque<EffectId> work{id};
      arrival.content.insert(id);
      while (!work.empty()) {
        const EffectId at = work.front();
        work.pop_front();
        for (const EffectId next : links.feeds_out(at))
          if (arrival.content.insert(next).second) work.push_back(next);
      }
    }
    out.push_back(std::move(arrival));
  }
  for (auto& arrival : handed_over(graph, out)) out.push_back(std::move(arrival));
  return out;
}

std::set<EffectId> reached_from(const Links& links, EffectId source) {
  std::set<EffectId> out{source};
  std::deque<EffectId> work{source};
  while (!work.empty()) {
    const EffectId at = work.front();
    work.pop_front();
    for (const EffectId next : links.feeds_out(at))
      if (out.insert(next).second) work.push_back(next);
  }
  return out;
}

bool guards(const Links& links, const Way& way, EffectId check) {
  for (std::size_t i = way.size() > 1 ? 1 : 0; i < way.size(); ++i) {
    const auto& list = links.guards_of(way[i]);
    if (way[i] != check && std::ranges::find(list, check) != list.end()) return true;
  }
  return false;
}

namespace {

// True when what a check reads at `read` is all of what is used at `used`. A check of files whose names come from a list
// ("/stage/${read:...}", "/stage/") reads whatever lies there.
bool reads_all_of(const std::string& read, const std::string& used) {
  if (is_vague(read) || is_vague(used)) return false;
  if (plain(read) == plain(used)) return true;
  const auto unknown = read.rfind("/${");
  const bool open = unknown != std::string::npos || read.ends_with('/');
  if (!open) return base::is_beneath(plain(used), plain(read));  // it reads the directory that holds it
  const std::string directory = plain(unknown == std::string::npos ? read : read.substr(0, unknown));
  return !is_vague(directory) && base::is_beneath(plain(used), directory);
}

}  // namespace

Coverage coverage_of(const Graph& graph, const Links& links, const Arrival& arrival, const Way& way, EffectId check) {
  const Effect& effect = graph.effects[check];
  std::vector<std::string> paths;
  const auto add = [&](const std::string& path) {
    if (!path.empty() && std::ranges::find(paths, path) == paths.end()) paths.push_back(path);
  };
  if (effect.kind == Kind::verify_signature || effect.kind == Kind::check_hash) add(effect.object.value);
  if (const auto hashed = effect.notes.find("offered"); effect.kind == Kind::check_hash && hashed != effect.notes.end() && hashed->second.starts_with('/')) add(hashed->second);
  if (effect.kind == Kind::execute) {
    const auto arguments = effect.notes.find("arguments");
    if (arguments != effect.notes.end())
      for (const auto word : base::split_words(arguments->second))
        if (word.starts_with('/')) add(std::string(word));
  }
  for (const EffectId from : links.feeds_in(check)) {
    const Effect& reader = graph.effects[from];
    if (reader.kind == Kind::read && arrival.content.contains(from)) add(reader.object.value);
  }
  Coverage out;
  for (const auto& path : paths) out.reads += (out.reads.empty() ? "" : ", ") + path;
  if (paths.empty() || std::ranges::all_of(paths, [](const auto& path) { return path == "-" || path.starts_with("${"); })) {
    out.kind = Coverage::Kind::unknown;
    return out;
  }
  const Effect& source = graph.effects[way.front()];
  const std::string mount = source.kind == Kind::mount_remote || source.kind == Kind::mount_media ? plain(source.target.value) : "";
  for (std::size_t i = way.size() > 1 ? 1 : 0; i < way.size(); ++i) {
    const Effect& step = graph.effects[way[i]];
    // Lists of hashes name the files beside them.
    const std::string used = step.kind == Kind::fetch ? plain(step.target.value) : path_read(step);
    for (std::string read : paths) {
      if (effect.kind == Kind::check_hash && !effect.site.address && read.find('/') != std::string::npos) read = read.substr(0, read.rfind('/') + 1);
      if (!reads_all_of(read, used)) continue;
      const bool live = source.kind == Kind::mount_remote && !is_vague(mount) && base::is_beneath(plain(used), mount);
      if (!live) {
        out.kind = Coverage::Kind::whole;
        return out;
      }
      out.kind = Coverage::Kind::live;
    }
  }
  return out;
}

}  // namespace rules
