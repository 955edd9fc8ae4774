#include "derive/link.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/text.h"
#include "derive/flows.h"
#include "derive/settings.h"

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
  Linker(const unpack::Tree& tree, const ReadFile& read) : tree_(tree), read_(read) {}

  Linked run(std::vector<ProgramFacts> facts, const std::vector<shell::Start>& starts) {
    for (auto& one : facts) add(std::move(one));
    find_started_programs();
    set_boot_triggers(starts);
    propagate_triggers();
    start_loaded_libraries();
    resolve_settings();
    find_secret_files();
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

  // A library that a program opens by its name is run by it: its exported functions start when that program does.
  void start_loaded_libraries() {
    std::set<ProgramId> loaded;
    for (const auto& [site, program] : runs_)
      if (out_.graph.effects[EffectId{site}].notes.contains("library")) loaded.insert(program);
    for (Effect& effect : out_.graph.effects) {
      const bool exported = effect.triggers.size() == 1 && effect.triggers[0].kind == Trigger::Kind::unknown && effect.triggers[0].detail.starts_with("an exported function");
      if (!exported || !loaded.contains(effect.program) || out_.graph.programs[effect.program].triggers.empty()) continue;
      effect.triggers.clear();
      effect.assumed = true;
      effect.assumption = "the program that loads this library calls this function";
    }
  }

  // A program that takes its peer from a file of the image which names exactly one: the image ships a default. Where the engine
  // lost which file it was, the settings files that the program reads are asked.
  void resolve_settings() {
    if (!read_) return;
    std::map<ProgramId, std::set<std::string>> files;
    for (const Effect& effect : out_.graph.effects) {
      const bool settings = effect.kind == Kind::read && effect.object.resolved && effect.object.value.starts_with("/") && (effect.object.value.starts_with("/etc/") || effect.object.value.ends_with(".conf") || effect.object.value.ends_with(".cfg") || effect.object.value.ends_with(".ini"));
      if (settings && out_.graph.programs[effect.program].kind == Program::Kind::binary) files[effect.program].insert(effect.object.value);
    }
    for (Effect& effect : out_.graph.effects) {
      if (!effect.peer || effect.kind == Kind::listen) continue;
      const bool named = effect.peer->provenance == effects::Provenance::setting && effect.peer->origin.starts_with("read:");
      const bool lost = effect.peer->name() == "${unknown}" && (effect.kind == Kind::mount_remote || effect.kind == Kind::fetch || effect.kind == Kind::connect || effect.kind == Kind::upload);
      if (!named && !lost) continue;
      std::vector<std::pair<std::string, effects::Endpoint>> peers;
      const std::set<std::string> read = named ? std::set<std::string>{effect.peer->origin.substr(5)} : files[effect.program];
      for (const auto& path : read)
        if (const unpack::Node* node = tree_.resolve(path); node && node->type == unpack::NodeType::regular)
          for (auto& peer : peers_of_settings(read_settings(read_(*node)))) peers.emplace_back(node->path + ": " + peer.first, std::move(peer.second));
      if (peers.size() != 1) continue;
      const auto before = *effect.peer;
      effect.peer = peers.front().second;
      if (before.port) effect.peer->port = before.port;
      if (!before.protocol.empty()) effect.peer->protocol = before.protocol;
      effect.peer->origin = peers.front().first;
      effect.assumed = true;
      effect.assumption = "the peer is the one in " + peers.front().first;
    }
  }

  // A file of the image whose content is the secret of a door: the secret stands there, for everyone to read.
  void find_secret_files() {
    std::map<std::string, std::pair<std::string, std::string>> found;  // file -> the secret, who uses it
    for (const Effect& effect : out_.graph.effects) {
      const auto origin = effect.notes.find("secret-origin");
      if (origin != effect.notes.end() && tree_.resolve(origin->second)) found.emplace(origin->second, std::pair(effect.notes.at("secret"), effect.site.file));
    }
    for (const auto& [path, secret] : found) {
      const unpack::Node* node = tree_.resolve(path);
      if (!node || by_path_.contains(node->path) || !read_) continue;
      const std::string content(base::trim(read_(*node)));
      if (content.empty() || content.size() > 200 || content.find('\n') != std::string::npos) continue;
      Program table;
      table.path = node->path;
      table.kind = Program::Kind::table;
      table.depth = Program::Depth::modelled;
      const ProgramId id = out_.graph.programs.add(std::move(table));
      by_path_.emplace(node->path, id);
      Effect effect;
      effect.kind = Kind::credential;
      effect.program = id;
      effect.site.file = node->path;
      effect.site.line = 1;
      effect.site.words = content;
      effect.object.value = "the password that " + secret.second + " uses";
      effect.notes = {{"secret", content}, {"password", "constant"}, {"setting", node->path}, {"says", "a credential in a file of its own"}};
      out_.graph.effects.add(std::move(effect));
    }
  }

  // Directories whose programs are run by name or at start.
  static bool is_program_directory(std::string_view path) {
    for (const auto directory : kSearchPath)
      if (path == directory) return true;
    return path == "/lib" || path == "/usr/lib" || path == "/system/app" || path == "/system/priv-app" || path == "/data/app" || path == "/etc/init.d" || path == "/usr/lib/cgi-bin" || path == "/www/cgi-bin";
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
      // Programs that the image does not hold yet are put in place as well.
      if (effect.replaced.empty() && (effect.kind == Kind::copy || effect.kind == Kind::unpack) && !effect.notes.contains("link"))
        for (const auto& path : paths_written(effect))
          if (is_program_directory(path)) effect.replaced = {path};
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
      const bool asks = protocol != "console" || !effect.notes.contains("shell");
      if (service && asks && !triggers.empty() && login.empty()) login = protocol + ", " + effect.site.file;
    }
    if (login.empty()) return;
    for (auto& effect : out_.graph.effects)
      if (effect.kind == Kind::account && !effect.notes.contains("way")) {
        effect.notes["login"] = "yes";
        effect.notes["login-by"] = login;
      }
  }

  const unpack::Tree& tree_;
  const ReadFile& read_;
  Linked out_;
  std::map<std::string, ProgramId, std::less<>> by_path_;
  std::map<std::uint32_t, ProgramId> runs_;  // execute effect -> program of the image
};

}  // namespace

Linked link(std::vector<ProgramFacts> facts, const unpack::Tree& tree, const std::vector<shell::Start>& starts, const ReadFile& read) {
  return Linker(tree, read).run(std::move(facts), starts);
}

}  // namespace derive
