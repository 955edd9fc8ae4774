#include "derive/link.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/text.h"
#include "derive/flows.h"

namespace derive {

using effects::Effect;
using effects::EffectId;
using effects::Graph;
using effects::Kind;
using effects::Program;
using effects::ProgramId;
using effects::Trigger;

namespace {

constexpr std::string_view kSearchPath[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/opt/bin", "/system/bin", "/opt"};

class Linker {
 public:
  Linker(const unpack::Tree& tree) : tree_(tree) {}

  Linked run(std::vector<ProgramFacts> facts, const std::vector<shell::Start>& starts) {
    for (auto& one : facts) add(std::move(one));
    find_started_programs();
    set_boot_triggers(starts);
    propagate_triggers();
    find_replaced_programs();
    lift_checks();
    find_login_services();
    follow_paths(out_.graph);
    return std::move(out_);
  }

 private:
  void add(ProgramFacts facts) {
    const auto base_index = static_cast<std::uint32_t>(out_.graph.effects.size());
    const std::string path = facts.program.path;
    for (auto& reason : facts.give_ups) out_.give_ups.push_back(path + ": " + reason);
    const ProgramId id = out_.graph.programs.add(std::move(facts.program));
    by_path_.emplace(path, id);
    for (Effect& effect : facts.effects) {
      effect.program = id;
      out_.graph.effects.add(std::move(effect));
    }
    for (effects::Edge edge : facts.edges) {
      edge.from.index += base_index;
      edge.to.index += base_index;
      out_.graph.edges.push_back(std::move(edge));
    }
  }

  // The program that a command word leads to, as a shell with an ordinary PATH would find it.
  ProgramId program_at(std::string_view name) const {
    if (name.empty() || name.find("${") != std::string_view::npos) return {};
    const auto at = [&](const std::string& path) -> ProgramId {
      const unpack::Node* node = tree_.resolve(path);
      const auto found = by_path_.find(node ? node->path : path);
      return found == by_path_.end() ? ProgramId{} : found->second;
    };
    if (name.find('/') != std::string_view::npos) return at(base::normal_path(name));
    for (const auto directory : kSearchPath)
      if (const ProgramId found = at(std::string(directory) + "/" + std::string(name)); found.valid()) return found;
    return {};
  }

  void find_started_programs() {
    for (std::uint32_t i = 0; i < out_.graph.effects.size(); ++i) {
      const Effect& effect = out_.graph.effects[EffectId{i}];
      if (effect.kind != Kind::execute) continue;
      const ProgramId started = program_at(effect.object.value);
      if (!started.valid() || started == effect.program) continue;
      runs_[i] = started;
      auto& by = out_.graph.programs[started].started_by;
      if (std::ranges::find(by, effect.program) == by.end()) by.push_back(effect.program);
    }
  }

  void set_boot_triggers(const std::vector<shell::Start>& starts) {
    for (const auto& start : starts) {
      const ProgramId id = program_at(start.program_or_script);
      if (!id.valid()) continue;
      Trigger trigger{trigger_kind(start.when), start.source_file + (start.line ? ":" + std::to_string(start.line) : "") + (start.detail.empty() ? "" : " (" + start.detail + ")")};
      auto& triggers = out_.graph.programs[id].triggers;
      if (std::ranges::find(triggers, trigger) == triggers.end()) triggers.push_back(std::move(trigger));
    }
  }

  static Trigger::Kind trigger_kind(shell::Start::When when) {
    using When = shell::Start::When;
    switch (when) {
      case When::boot: case When::respawn: return Trigger::Kind::boot;
      case When::login: return Trigger::Kind::login;
      case When::timer: return Trigger::Kind::timer;
      case When::hotplug: return Trigger::Kind::hotplug;
      case When::network_up: return Trigger::Kind::network_up;
      case When::card_inserted: return Trigger::Kind::media;
      case When::key: return Trigger::Kind::key;
      case When::network_input: return Trigger::Kind::network_input;
      case When::unknown: return Trigger::Kind::unknown;
    }
    return Trigger::Kind::unknown;
  }

  // A program is set going by whatever sets its starters going; at the site's own trigger where it has one.
  void propagate_triggers() {
    std::deque<ProgramId> work;
    for (std::uint32_t i = 0; i < out_.graph.programs.size(); ++i)
      if (!out_.graph.programs[ProgramId{i}].triggers.empty()) work.push_back(ProgramId{i});
    std::map<ProgramId, std::vector<std::uint32_t>> sites;
    for (const auto& [effect, program] : runs_) sites[out_.graph.effects[EffectId{effect}].program].push_back(effect);
    while (!work.empty()) {
      const ProgramId from = work.front();
      work.pop_front();
      for (const auto site : sites[from]) {
        const Effect& effect = out_.graph.effects[EffectId{site}];
        Program& to = out_.graph.programs[runs_[site]];
        const auto& causes = effect.triggers.empty() ? out_.graph.programs[from].triggers : effect.triggers;
        bool changed = false;
        for (const Trigger& cause : causes) {
          if (std::ranges::any_of(to.triggers, [&](const Trigger& t) { return t.kind == cause.kind; })) continue;
          to.triggers.push_back({cause.kind, "run by " + out_.graph.programs[from].path + (effect.site.line ? ":" + std::to_string(effect.site.line) : "")});
          changed = true;
        }
        if (changed) work.push_back(runs_[site]);
      }
    }
  }

  // Which programs of the image a written path covers: the file itself, or what lies in or beneath a directory.
  std::vector<std::string> programs_under(std::string path, const std::string& source, bool recursive) const {
    std::vector<std::string> out;
    if (path.empty() || path.find("${") != std::string::npos || path[0] != '/') return out;
    path = base::normal_path(path);
    if (const unpack::Node* node = tree_.resolve(path)) path = node->path;
    if (by_path_.contains(path)) return {path};
    const unpack::Node* directory = tree_.find(path);
    if (!directory || directory->type != unpack::NodeType::directory) return out;
    const std::string file = source.substr(source.rfind('/') + 1);
    const bool everything = source.empty() || file.empty() || file.find('*') != std::string::npos || source.find("${") != std::string::npos;
    if (!everything && by_path_.contains(path + "/" + file)) return {path + "/" + file};
    for (const auto& [program, id] : by_path_) {
      if (out_.graph.programs[id].kind == Program::Kind::table || !base::is_beneath(program, path)) continue;
      const bool direct = program.find('/', path.size() + 1) == std::string::npos;
      if (everything ? (recursive || direct) : recursive && base::is_beneath(program, path + "/" + file)) out.push_back(program);
    }
    return out;
  }

  void find_replaced_programs() {
    for (auto& effect : out_.graph.effects) {
      const bool from_peer = effect.kind == Kind::fetch || effect.kind == Kind::receive;
      if (effect.kind == Kind::copy) {
        const bool recursive = effect.site.words.find(" -") != std::string::npos || effect.object.value.find('*') != std::string::npos || effect.notes.contains("call");
        effect.replaced = programs_under(effect.target.value, effect.object.value, recursive);
      } else if (effect.kind == Kind::write || from_peer) {
        effect.replaced = programs_under(effect.target.value, "-", false);
      } else if (effect.kind == Kind::unpack) {
        effect.replaced = programs_under(effect.target.value, "", true);
      }
      if (effect.replaced.size() > 200) effect.replaced.resize(200);
    }
  }

  // A run of a program that verifies stands for the verification, as seen from the script that tests its status.
  void lift_checks() {
    for (const auto& [site, program] : runs_)
      for (const auto& effect : out_.graph.effects) {
        if (effect.program != program) continue;
        Effect& run = out_.graph.effects[EffectId{site}];
        if (effect.kind == Kind::verify_signature) run.notes["checks-signature"] = effect.site.file;
        if (effect.kind == Kind::compare_version) run.notes["checks-version"] = effect.site.file;
        if (effect.kind == Kind::check_hash) run.notes["checks-hash"] = effect.site.file;
      }
  }

  // Whether this image offers a way to use an account: a console, telnet or ssh login that something starts.
  void find_login_services() {
    std::string login;
    for (const auto& effect : out_.graph.effects) {
      const auto note = effect.notes.find("protocol");
      const std::string protocol = effect.peer ? effect.peer->protocol : note == effect.notes.end() ? "" : note->second;
      const bool service = effect.kind == Kind::start_service && (protocol == "telnet" || protocol == "ssh" || protocol == "console" || protocol == "ftp" || protocol == "rsh");
      const auto& triggers = effect.triggers.empty() ? out_.graph.programs[effect.program].triggers : effect.triggers;
      if (service && !triggers.empty() && login.empty()) login = protocol + ", " + effect.site.file;
    }
    if (login.empty()) return;
    for (auto& effect : out_.graph.effects)
      if (effect.kind == Kind::account && !effect.notes.contains("way")) {
        effect.notes["login"] = "yes";
        effect.notes["login-by"] = login;
      }
  }

  const unpack::Tree& tree_;
  Linked out_;
  std::map<std::string, ProgramId, std::less<>> by_path_;
  std::map<std::uint32_t, ProgramId> runs_;  // execute effect -> program of the image
};

}  // namespace

Linked link(std::vector<ProgramFacts> facts, const unpack::Tree& tree, const std::vector<shell::Start>& starts) {
  return Linker(tree).run(std::move(facts), starts);
}

}  // namespace derive
