// A script in, what its commands do out: effects in program order, with the conditions that guard them.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "derive/data_classes.h"
#include "derive/facts.h"
#include "derive/script_checks.h"
#include "derive/settings.h"

namespace derive {

using effects::Effect;
using effects::Kind;
using effects::Provenance;
using effects::Text;

namespace {

// The owner's say decides: a word with one typed part is input, with one part from a setting is a setting.
// `value` is one of the word's alternatives: one without an unknown part owes nothing to the environment.
Provenance provenance_of(const shell::Word& word, std::string_view value) {
  using Origin = shell::Origin::Kind;
  const auto has = [&](Origin kind) { return std::ranges::any_of(word.origins, [&](const auto& o) { return o.kind == kind; }); };
  if (has(Origin::argument) || has(Origin::input)) return Provenance::input;
  if (has(Origin::setting)) return Provenance::setting;
  const bool known = value.find("${") == std::string_view::npos && value.find("$(") == std::string_view::npos;
  if (!known && (has(Origin::environment) || has(Origin::command))) return Provenance::unknown;
  if (has(Origin::sourced_file) || has(Origin::config_get) || has(Origin::file_content)) return Provenance::shipped_default;
  return known ? Provenance::literal : Provenance::unknown;
}

std::string origin_of(const shell::Word& word) {
  for (const auto& origin : word.origins) {
    if (origin.kind == shell::Origin::Kind::literal || origin.kind == shell::Origin::Kind::assignment) continue;
    std::string text = origin.file;
    if (!origin.key.empty()) text += (text.empty() ? "" : ": ") + origin.key;
    return text;
  }
  return {};
}

Text text_of(const shell::Word& word, std::string_view value) {
  return {std::string(value), word.resolved, provenance_of(word, value), origin_of(word)};
}

bool is_path_list_end(std::string_view op) { return op == ">" || op == ">>" || op == ">|" || op == "&>" || op == "&>>"; }

// The command line as written and, for words with several possible values, once more for each.
std::vector<std::vector<Text>> variants(const std::vector<shell::Word>& words) {
  std::vector<Text> first;
  for (const auto& word : words) first.push_back(text_of(word, word.text));
  std::vector<std::vector<Text>> out{first};
  for (std::size_t i = 0; i < words.size(); ++i)
    for (std::size_t k = 1; k < words[i].alternatives.size(); ++k) {
      auto other = first;
      other[i] = text_of(words[i], words[i].alternatives[k]);
      other[i].resolved = words[i].alternatives[k].find("${") == std::string::npos;
      out.push_back(std::move(other));
    }
  if (out.size() > 8) out.resize(8);
  return out;
}

// Tells where relative paths lead: the last `cd` in the same file that could be resolved.
struct WorkingDirectory {
  std::string path;  // empty: not known
  std::string absolute(const std::string& name) const {
    if (name.empty() || name[0] == '/' || name[0] == '$' || name == "-" || path.empty()) return name;
    return base::normal_path(name, path);
  }
};

// Which effect texts are local paths and thus relative to the working directory.
void make_paths_absolute(Effect& effect, const WorkingDirectory& directory) {
  switch (effect.kind) {
    case Kind::mount_remote: case Kind::mount_media: case Kind::fetch: case Kind::receive: case Kind::unmount: case Kind::remove:
      effect.target.value = directory.absolute(effect.target.value);
      return;
    case Kind::make_executable:
      effect.target.value = directory.absolute(effect.target.value);
      return;
    case Kind::copy: case Kind::unpack: case Kind::write: case Kind::write_flash: case Kind::read: case Kind::load_module: case Kind::upload: case Kind::verify_signature: case Kind::check_hash:
      if (effect.object.value.find('/') != std::string::npos || effect.kind != Kind::load_module) effect.object.value = directory.absolute(effect.object.value);
      if (effect.kind != Kind::verify_signature) effect.target.value = directory.absolute(effect.target.value);
      return;
    case Kind::execute:
      if (effect.object.value.find('/') != std::string::npos) effect.object.value = directory.absolute(effect.object.value);
      return;
    default: return;
  }
}

// `dd if=A of=B`: its operands are not options.
void read_dd(Effect& effect, const Invocation& invocation) {
  if (!effect.notes.contains("dd")) return;
  effect.notes.erase("dd");
  for (const Text& word : invocation.words) {
    if (word.value.starts_with("if=")) effect.object = {word.value.substr(3), word.resolved, word.provenance, word.origin};
    if (word.value.starts_with("of=")) effect.target = {word.value.substr(3), word.resolved, word.provenance, word.origin};
  }
}

class ScriptReader {
 public:
  ScriptReader(ProgramFacts& facts, const Models& models, const effects::Site& site, const std::vector<effects::Trigger>& triggers)
      : facts_(facts), models_(models), site_(site), triggers_(triggers) {}

  void read(const shell::Script& script) {
    effects_of_.resize(script.commands.size());
    auto checks = checks_of(script);  // by command
    for (std::uint32_t i = 0, next = 0; i < script.commands.size(); ++i) {
      read_command(script, i);
      for (; next < checks.size() && checks[next].first == i; ++next) add(i, script.commands[i], std::move(checks[next].second));
    }
    connect_pipes(script);
    connect_guards(script);
  }

 private:
  // Where a command stands: its own line in a script, or the call site of a command string in a binary.
  effects::Site site_of(const shell::Command& command) const {
    effects::Site site = site_;
    if (site.address || site.function.size()) {
      if (site.words.empty()) site.words = command.raw;
      return site;
    }
    site.file = command.file.empty() ? site_.file : command.file;
    site.line = command.line;
    site.function = command.function;
    site.words = command.raw;
    return site;
  }

  void add(std::uint32_t command_index, const shell::Command& command, Effect effect) {
    effect.site = site_of(command);
    effect.triggers = triggers_;
    make_paths_absolute(effect, directory_);
    if (!command.reached) {
      effect.assumed = true;
      effect.assumption = command.function.empty() ? "nothing shows that this line is reached" : "nothing in this script calls this function";
    }
    set_data(command, effect);
    if (command.pipe_id >= 0) effect.notes["pipe"] = std::to_string(command.pipe_position);
    effects_of_[command_index].push_back(static_cast<std::uint32_t>(facts_.effects.size()));
    facts_.effects.push_back(std::move(effect));
  }

  // Classes of data that leave the device or are written down: by the names in the command, and by its marks and prompts.
  static void set_data(const shell::Command& command, Effect& effect) {
    const bool asks = effect.kind == Kind::fetch && (effect.object.value.find('?') != std::string::npos || command.raw.find("?") != std::string::npos || command.raw.find("--post-data") != std::string::npos);
    if (effect.kind != Kind::send && effect.kind != Kind::upload && effect.kind != Kind::log && effect.kind != Kind::print && !asks) return;
    std::set<std::string> classes;
    for (auto& one : data_classes_of_text(command.raw)) classes.insert(std::move(one));
    std::string name;
    for (const char c : command.raw + " ") {
      const bool part = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
      if (part) name += c;
      else if (!name.empty()) {
        for (auto& one : data_classes_of_name(name)) classes.insert(std::move(one));
        name.clear();
      }
    }
    if (classes.empty()) return;
    effect.data.assign(classes.begin(), classes.end());
    std::string words;
    for (const auto& one : classes) words += (words.empty() ? "" : ", ") + std::string(data_class_words(one));
    effect.notes["data"] = words;
  }

  void read_redirects(std::uint32_t index, const shell::Command& command, Invocation& invocation) {
    for (const auto& redirect : command.redirects) {
      const Text target = text_of(redirect.target, redirect.target.text);
      if (redirect.op == "<") invocation.standard_input = target;
      if (!is_path_list_end(redirect.op)) continue;
      invocation.standard_output = target;
      const std::string_view path = target.value;
      if (path.starts_with("/dev/") || path.starts_with("/proc/") || path.starts_with("/sys/") || path.empty() || path[0] == '&') continue;
      Effect effect;
      effect.kind = Kind::write;
      effect.target = target;
      add(index, command, std::move(effect));
    }
  }

  // Settings that a script makes: `uci set a.b=c`, the here-documents of `uci batch` and `cat > FILE`, the search path.
  void read_settings_of(std::uint32_t index, const shell::Command& command, const shell::Effective& effective) {
    std::vector<Effect> found;
    const auto take = [&](std::string_view text, std::uint32_t line) {
      for (Effect& effect : effects_of_settings(read_settings(text), site_.file, line)) found.push_back(std::move(effect));
    };
    const bool configures = effective.name == "uci" || effective.name == "nvram" || effective.name == "cat" || effective.name == "tee";
    if (configures && !site_.address)
      for (const auto& redirect : command.redirects)
        if (redirect.op.starts_with("<<") && !redirect.here_document.empty()) take(redirect.here_document, command.line);
    if ((effective.name == "uci" || effective.name == "nvram") && effective.arguments.size() >= 2 && !site_.address) {
      const auto& last = effective.arguments.back();
      if (last.text.find('=') != std::string::npos) take(last.text, command.line - 1);
    }
    for (const auto& [name, value] : command.assignments)
      if (name == "PATH") read_search_path(value.text, found);
    if (effective.name == "export")
      for (const auto& word : effective.arguments)
        if (word.text.starts_with("PATH=")) read_search_path(std::string_view(word.text).substr(5), found);
    for (Effect& effect : found) {
      const auto site = effect.site;
      if (effect.peer) effect.peer->provenance = Provenance::literal;
      effect.object.provenance = Provenance::literal;
      add(index, command, std::move(effect));
      if (site.line) facts_.effects.back().site.line = site.line;
      if (!site.words.empty()) facts_.effects.back().site.words = site.words;
    }
  }

  // A directory before the system's own decides which program a name means.
  static void read_search_path(std::string_view path, std::vector<Effect>& found) {
    const auto first = path.substr(0, path.find(':'));
    for (const auto own : {"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"})
      if (first == own) return;
    if (!first.starts_with('/') || path.find(':') == std::string_view::npos) return;
    Effect effect;
    effect.kind = Kind::setting;
    effect.object.value = std::string(first);
    effect.notes = {{"topic", "search-path"}, {"says", "programs of this directory are run in place of the system's own"}, {"value", std::string(path)}};
    found.push_back(std::move(effect));
  }

  void read_command(const shell::Script& script, std::uint32_t index) {
    const shell::Command& command = script.commands[index];
    const shell::Effective effective = shell::effective_command(command);
    read_settings_of(index, command, effective);
    if (effective.name == "cd") {
      const auto& words = effective.arguments;
      directory_.path = !words.empty() && words[0].resolved ? (words[0].text.starts_with('/') || !directory_.path.empty() ? base::normal_path(words[0].text, directory_.path) : "") : "";
      return;
    }
    Invocation io;
    read_redirects(index, command, io);
    if (effective.name.empty() || command.calls_function || !effective.peer.empty()) return;  // a function's body follows; another host is not this device
    const auto model = models_.commands.find(effective.name);
    if (model == models_.commands.end()) {
      if (!models_.known_commands.contains(effective.name)) run_program(index, command, effective);
      return;
    }
    // A program at a path that the firmware does not bring, such as /mnt/cp, is run as well as modelled; see link.cc.
    if (effective.path.find('/') != std::string::npos) run_program(index, command, effective, true);
    for (auto& words : variants(effective.arguments)) {
      Invocation invocation = io;
      invocation.name = effective.name;
      invocation.words = std::move(words);
      split_options(invocation, model->second.takes, model->second.old_style);
      Applied applied = apply_model(model->second, invocation);
      for (Effect& effect : applied.effects) {
        read_dd(effect, invocation);
        add(index, command, std::move(effect));
      }
    }
  }

  void run_program(std::uint32_t index, const shell::Command& command, const shell::Effective& effective, bool modelled = false) {
    Effect effect;
    effect.kind = Kind::execute;
    effect.object.value = effective.path;
    effect.object.resolved = effective.path.find("${") == std::string::npos;
    for (const auto& word : command.words)
      if (word.text == effective.path) effect.object = text_of(word, effective.path);
    if (modelled) effect.notes["modelled"] = "yes";
    if (!effective.arguments.empty()) {
      std::string line;
      for (const auto& word : effective.arguments) line += (line.empty() ? "" : " ") + word.text;
      effect.notes["arguments"] = line.substr(0, 400);
    }
    if (effective.background || command.background) effect.notes["background"] = "yes";
    add(index, command, std::move(effect));
  }

  // What one member of a pipeline writes, the next one reads: `wget -O - URL | sh`.
  void connect_pipes(const shell::Script& script) {
    for (std::uint32_t to = 0; to < script.commands.size(); ++to) {
      const auto& reader = script.commands[to];
      for (std::uint32_t from = to; from-- > 0 && to - from < 64;) {
        const auto& writer = script.commands[from];
        if (reader.pipe_id < 0 || writer.pipe_id != reader.pipe_id || writer.pipe_position >= reader.pipe_position) continue;
        for (const auto a : effects_of_[from])
          for (const auto b : effects_of_[to]) {
            const Effect& source = facts_.effects[a];
            const Effect& sink = facts_.effects[b];
            const bool writes_out = (source.kind == Kind::fetch || source.kind == Kind::receive || source.kind == Kind::unpack || source.kind == Kind::read) && (source.target.empty() || source.target.value == "-" || source.target.value == "/dev/stdout");
            const bool reads_in = sink.object.value == "-" || sink.object.empty();
            if (writes_out && reads_in) facts_.edges.push_back({effects::EffectId{a}, effects::EffectId{b}, effects::EdgeKind::feeds, false, "through the pipe"});
          }
      }
      // eval "$(wget ...)", sh -c "$(curl ...)": the output of the inner command is what the outer one runs.
      if (reader.captured_by && *reader.captured_by < script.commands.size()) {
        for (const auto a : effects_of_[to]) {
          const Effect source = facts_.effects[a];
          if (source.kind != Kind::fetch && source.kind != Kind::receive) continue;
          const auto& outer = script.commands[*reader.captured_by];
          const auto name = shell::effective_command(outer).name;
          if (name != "eval" && !shell::shell_text_of(outer)) continue;
          Effect run;
          run.kind = Kind::execute;
          run.object.value = "-";
          run.notes["interpreter"] = "sh";
          add(*reader.captured_by, outer, std::move(run));
          facts_.edges.push_back({effects::EffectId{a}, effects::EffectId{static_cast<std::uint32_t>(facts_.effects.size() - 1)}, effects::EdgeKind::feeds, false, "through $(...)"});
        }
      }
    }
  }

  // A command under `if verify; then`, `verify &&`, or after `verify || exit` is guarded by what the condition's commands do.
  void connect_guards(const shell::Script& script) {
    for (std::uint32_t to = 0; to < script.commands.size(); ++to)
      for (const auto& guard : script.commands[to].guards) {
        // `if ! verify; then exit; fi`: what follows runs when `! verify` fails.
        const bool turned = guard.text.starts_with("! ") && guard.text.find("&&") == std::string::npos && guard.text.find("||") == std::string::npos;
        for (const auto from : guard.commands) {
          if (from >= script.commands.size()) continue;
          if (guard.negated != turned) {
            connect_comparisons(from, to, guard.text);
            continue;
          }
          connect_consent(script, from, to);
          for (const auto a : effects_of_[from])
            for (const auto b : effects_of_[to])
              if (a != b) facts_.edges.push_back({effects::EffectId{a}, effects::EffectId{b}, effects::EdgeKind::guards, false, guard.text});
        }
      }
  }

  // A comparison decides either way: `[ new -gt old ] || exit`, `if [ new -le old ]; then exit; fi`.
  void connect_comparisons(std::uint32_t from, std::uint32_t to, const std::string& text) {
    for (const auto a : effects_of_[from]) {
      const Kind kind = facts_.effects[a].kind;
      if (kind != Kind::compare_version && kind != Kind::compare_device && kind != Kind::compare_constant) continue;
      for (const auto b : effects_of_[to])
        if (a != b) facts_.edges.push_back({effects::EffectId{a}, effects::EffectId{b}, effects::EdgeKind::guards, false, text});
    }
  }

  // A condition over what a person typed: `read answer; [ "$answer" = yes ] || exit`. What it guards, the person starts.
  void connect_consent(const shell::Script& script, std::uint32_t condition, std::uint32_t to) {
    const auto typed = [](const shell::Word& word) { return std::ranges::any_of(word.origins, [](const auto& o) { return o.kind == shell::Origin::Kind::input; }); };
    if (std::ranges::none_of(script.commands[condition].words, typed)) return;
    for (std::uint32_t from = condition; from-- > 0;) {
      const shell::Command& asks = script.commands[from];
      // `while read line` and `... | read x` take their lines from elsewhere.
      if (asks.pipe_id >= 0 || asks.in_loop || std::ranges::any_of(asks.redirects, [](const auto& r) { return r.op.starts_with('<'); })) continue;
      for (const auto a : effects_of_[from]) {
        if (facts_.effects[a].kind != Kind::ask_user) continue;
        const std::string where = facts_.effects[a].site.file + ":" + std::to_string(facts_.effects[a].site.line);
        for (const auto b : effects_of_[to]) {
          if (a == b) continue;
          facts_.edges.push_back({effects::EffectId{a}, effects::EffectId{b}, effects::EdgeKind::guards, false, "a person's answer is tested"});
          if (std::ranges::none_of(facts_.effects[b].triggers, [](const auto& t) { return effects::started_by_user(t.kind); })) facts_.effects[b].triggers = {{effects::Trigger::Kind::menu, "a person answers at " + where}};
        }
        return;
      }
    }
  }

  ProgramFacts& facts_;
  const Models& models_;
  effects::Site site_;
  std::vector<effects::Trigger> triggers_;
  WorkingDirectory directory_;
  std::vector<std::vector<std::uint32_t>> effects_of_;  // per command
};

}  // namespace

ProgramFacts facts_of_script(std::string_view text, std::string_view path, const shell::Environment& environment, const Models& models) {
  ProgramFacts facts;
  facts.program.path = std::string(path);
  facts.program.kind = effects::Program::Kind::script;
  facts.program.depth = effects::Program::Depth::modelled;
  const shell::Script script = shell::parse(text, path, environment);
  facts.doubts = script.doubts;
  for (const auto& doubt : script.doubts)
    if (doubt.name == "shell-budget") facts.give_ups.push_back(doubt.detail);
  effects::Site site;
  site.file = std::string(path);
  ScriptReader(facts, models, site, {}).read(script);
  facts.stats["commands"] = std::to_string(script.commands.size());
  return facts;
}

std::vector<std::uint32_t> add_command_line(ProgramFacts& facts, std::string_view line, const effects::Site& site,
                                            const std::vector<effects::Trigger>& triggers, const Models& models) {
  const shell::Script script = shell::parse(line, site.file);
  const auto before = static_cast<std::uint32_t>(facts.effects.size());
  ScriptReader(facts, models, site, triggers).read(script);
  std::vector<std::uint32_t> added;
  for (auto i = before; i < facts.effects.size(); ++i) added.push_back(i);
  return added;
}

}  // namespace derive
