#include "derive/boot_loader.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "base/hash.h"
#include "base/text.h"
#include "derive/embedded.h"
#include "elf/elf.h"

namespace derive {

using effects::Effect;
using effects::Kind;
using effects::Trigger;

namespace {

const Models& boot_loader_models() {
  static const Models models = [] {
    Models out;
    if (auto loaded = load_models(embedded::boot_loader_yaml, "calls: []")) out = std::move(*loaded);
    return out;
  }();
  return models;
}

// Words of the loader that tell which checks it makes.
const std::vector<std::pair<std::string, Kind>>& check_words() {
  static const std::vector<std::pair<std::string, Kind>> list = [] {
    std::vector<std::pair<std::string, Kind>> out;
    const YAML::Node root = YAML::Load(std::string(embedded::boot_loader_yaml));
    for (const auto& word : root["checks"]) out.emplace_back(word.as<std::string>(), Kind::check_hash);
    for (const auto& word : root["signatures"]) out.emplace_back(word.as<std::string>(), Kind::verify_signature);
    return out;
  }();
  return list;
}

struct Variable {
  std::string name, value;
  std::size_t offset;  // in the blob
};

bool is_name(std::string_view name) {
  return !name.empty() && name.size() < 64 && std::ranges::all_of(name, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-'; });
}

std::optional<Variable> variable_at(std::string_view text, std::size_t at) {
  const auto end = text.find('\0', at);
  if (end == std::string_view::npos || end == at || end - at > 4096) return std::nullopt;
  const auto line = text.substr(at, end - at);
  const auto equals = line.find('=');
  if (equals == std::string_view::npos || !is_name(line.substr(0, equals))) return std::nullopt;
  return Variable{std::string(line.substr(0, equals)), std::string(line.substr(equals + 1)), at};
}

// The environment around the `bootcmd=` at `at`: neighbours on both sides, each ended by one NUL.
std::vector<Variable> environment_around(std::string_view text, std::size_t at) {
  std::vector<Variable> before, out;
  for (std::size_t start = at; start > 1 && before.size() < 512;) {
    const auto previous = text.rfind('\0', start - 2);
    const std::size_t from = previous == std::string_view::npos ? 0 : previous + 1;
    auto variable = variable_at(text, from);
    if (!variable || from >= start) break;
    before.push_back(std::move(*variable));
    start = from;
  }
  out.assign(before.rbegin(), before.rend());
  while (auto variable = variable_at(text, at)) {
    at += variable->name.size() + variable->value.size() + 2;
    out.push_back(std::move(*variable));
    if (out.size() > 1024) break;
  }
  return out;
}

// `$name`, `${name}` and the older `$(name)`, one level deep.
std::string expanded(std::string_view value, const std::map<std::string, std::string>& environment) {
  std::string out;
  for (std::size_t i = 0; i < value.size() && out.size() < 8192; ++i) {
    if (value[i] != '$' || i + 1 >= value.size()) {
      out += value[i];
      continue;
    }
    const char open = value[i + 1];
    const auto close = open == '{' ? value.find('}', i) : open == '(' ? value.find(')', i) : std::string_view::npos;
    if (close == std::string_view::npos) {
      out += value[i];
      continue;
    }
    const std::string name(value.substr(i + 2, close - i - 2));
    const auto known = environment.find(name);
    out += known == environment.end() ? "${" + name + "}" : known->second;
    i = close;
  }
  return out;
}

class Reader {
 public:
  Reader(ProgramFacts& facts, std::string_view text) : facts_(facts), text_(text) {}

  void read_environment(const std::vector<Variable>& variables) {
    std::map<std::string, std::string> values;
    for (const auto& variable : variables) values.emplace(variable.name, variable.value);
    std::set<std::string> at_boot;
    for (const auto name : {"preboot", "bootcmd", "altbootcmd"}) reach(name, values, at_boot);
    for (const auto& variable : variables) {
      if (variable.name == "bootdelay") read_delay(variable);
      if (at_boot.contains(variable.name)) run(expanded(variable.value, values), variable.offset, variable.name + "=" + variable.value, {Trigger::Kind::boot, "the boot loader's " + variable.name});
      else if (looks_like_commands(variable.value)) run(expanded(variable.value, values), variable.offset, variable.name + "=" + variable.value, {Trigger::Kind::user, "typed at the boot loader's prompt: run " + variable.name});
    }
  }

  // Command strings of the loader's own code.
  void read_strings(const std::set<std::size_t>& told) {
    for (std::size_t at = 0; at < text_.size();) {
      std::size_t end = at;
      while (end < text_.size() && text_[end] >= 0x20 && text_[end] < 0x7F) ++end;
      const auto line = text_.substr(at, end - at);
      if (line.size() > 8 && line.size() < 200) read_check(line, at);
      if (end < text_.size() && text_[end] == '\0') read_update_flag(line, at);
      const bool ended = end < text_.size() && text_[end] == '\0';
      if (ended && line.size() > 8 && line.size() < 400 && !told.contains(at) && looks_like_commands(line) && line.find("0x") != std::string_view::npos && line.find("- ") == std::string_view::npos) {
        const auto before = facts_.effects.size();
        run(std::string(line), at, std::string(line), {Trigger::Kind::unknown, "the boot loader's code was not read"});
        for (auto i = before; i < facts_.effects.size(); ++i) {
          facts_.effects[i].assumed = true;
          facts_.effects[i].assumption = "a command string of the boot loader; what runs it was not followed";
        }
      }
      at = std::max(end, at) + 1;
    }
  }

 private:
  void read_check(std::string_view line, std::size_t at) {
    for (const auto& [word, kind] : check_words()) {
      if (line.find(word) == std::string_view::npos) continue;
      Effect effect;
      effect.kind = kind;
      effect.site = site(at, std::string(line));
      effect.object.value = "what the boot loader loads";
      effect.assumed = true;
      effect.assumption = "the boot loader's own words; its code was not read";
      effect.triggers = {{Trigger::Kind::unknown, "the boot loader's code was not read"}};
      facts_.effects.push_back(std::move(effect));
      return;
    }
  }

  // "UPGRADE=", "FW_UPDATE=": a word in flash that the loader looks for before it writes.
  void read_update_flag(std::string_view line, std::size_t at) {
    static const std::regex flag("^[A-Z_]*(UPGRADE|UPDATE|GRADEUP|FWUP)(_?(FLAG|MODE|STATE|STATUS|FROM|PART))?=([A-Za-z0-9_+-]*)");
    std::cmatch found;
    if (line.size() > 80 || !std::regex_search(line.data(), line.data() + line.size(), found, flag)) return;
    Effect effect;
    effect.kind = Kind::setting;
    effect.site = site(at, std::string(line));
    effect.object.value = "update flag";
    effect.notes = {{"topic", "update-flag"}, {"says", "a word in flash that the boot loader looks for; whoever writes it starts an update from what lies in flash"}, {"value", found[4].str()}};
    effect.assumed = true;
    effect.assumption = "a text of the boot loader; its code was not read";
    effect.triggers = {{Trigger::Kind::boot, "the boot loader"}};
    facts_.effects.push_back(std::move(effect));
  }

  static void reach(const std::string& name, const std::map<std::string, std::string>& values, std::set<std::string>& out) {
    const auto value = values.find(name);
    if (value == values.end() || !out.insert(name).second) return;
    const auto words = base::split_words(value->second);
    for (std::size_t i = 0; i + 1 < words.size(); ++i)
      if (words[i] == "run" || words[i].ends_with(";run"))
        for (auto k = i + 1; k < words.size(); ++k) {
          const auto end = words[k].find_first_of(";&|");
          reach(std::string(words[k].substr(0, end)), values, out);
          if (end != std::string_view::npos) break;
        }
  }

  static bool looks_like_commands(std::string_view value) {
    for (const auto part : base::split(value, ';')) {
      const auto words = base::split_words(base::trim(part));
      if (!words.empty() && words.size() > 1 && boot_loader_models().commands.contains(words[0])) return true;
    }
    return false;
  }

  void read_delay(const Variable& variable) {
    if (variable.value.empty() || variable.value[0] == '-' || variable.value == "0") return;
    Effect effect;
    effect.kind = Kind::setting;
    effect.site = site(variable.offset, variable.name + "=" + variable.value);
    effect.object.value = "boot loader prompt";
    effect.notes = {{"topic", "boot-prompt"}, {"says", "a key on the serial console stops the boot and gives the boot loader's prompt"}, {"value", variable.value}};
    effect.triggers = {{Trigger::Kind::boot, ""}};
    facts_.effects.push_back(std::move(effect));
  }

  effects::Site site(std::size_t offset, std::string words) const {
    effects::Site out;
    out.file = facts_.program.path;
    out.address = offset;
    out.words = std::move(words);
    return out;
  }

  void run(const std::string& line, std::size_t offset, std::string words, const Trigger& trigger) {
    const auto before = facts_.effects.size();
    effects::Site place = site(offset, std::move(words));
    add_command_line(facts_, line, place, {trigger}, boot_loader_models());
    // Only what the models name: a boot loader runs no programs of the image.
    std::set<std::size_t> dropped;
    for (auto i = before; i < facts_.effects.size(); ++i) {
      Effect& effect = facts_.effects[i];
      if (effect.kind == Kind::execute && !effect.notes.contains("boot")) dropped.insert(i);
      effect.site = place;
      if (effect.notes.contains("by-name")) {
        effect.assumed = true;
        effect.assumption = "a command of this boot loader whose name says so; its code was not read";
      }
    }
    if (dropped.empty()) return;
    std::vector<std::uint32_t> moved(facts_.effects.size());
    std::vector<Effect> kept;
    for (std::size_t i = 0; i < facts_.effects.size(); ++i) {
      moved[i] = static_cast<std::uint32_t>(kept.size());
      if (!dropped.contains(i)) kept.push_back(std::move(facts_.effects[i]));
    }
    std::erase_if(facts_.edges, [&](const auto& edge) { return dropped.contains(edge.from.index) || dropped.contains(edge.to.index); });
    for (auto& edge : facts_.edges) {
      edge.from.index = moved[edge.from.index];
      edge.to.index = moved[edge.to.index];
    }
    facts_.effects = std::move(kept);
  }

  ProgramFacts& facts_;
  std::string_view text_;
};

constexpr std::size_t kLargest = 256 << 20;

}  // namespace

std::vector<ProgramFacts> facts_of_boot_loaders(const unpack::Firmware& firmware) {
  std::vector<ProgramFacts> out;
  std::set<std::uint32_t> files;
  for (const auto& node : firmware.root.nodes())
    if (node.blob.valid()) files.insert(node.blob.index);
  for (std::uint32_t i = 0; i < firmware.blobs.size(); ++i) {
    const unpack::Blob& blob = firmware.blobs[unpack::BlobId{i}];
    if (blob.is_view || files.contains(i) || blob.bytes.size() > kLargest || elf::is_elf(blob.bytes)) continue;
    const auto text = base::as_text(blob.bytes);
    ProgramFacts facts;
    facts.program.path = blob.name.starts_with('/') ? blob.name : "/" + blob.name;
    facts.program.kind = effects::Program::Kind::table;
    facts.program.depth = effects::Program::Depth::recognised;
    facts.program.depth_reason = "a boot loader; its environment and command strings are read, its code is not";
    Reader reader(facts, text);
    std::set<std::size_t> told;
    bool found = false;
    for (auto at = text.find("bootcmd="); at != std::string_view::npos && told.size() < 4096; at = text.find("bootcmd=", at + 1)) {
      if (told.contains(at) || !variable_at(text, at)) continue;
      const auto variables = environment_around(text, at);
      if (variables.size() < 3) continue;
      found = true;
      for (const auto& variable : variables) told.insert(variable.offset);
      reader.read_environment(variables);
    }
    if (!found) continue;
    reader.read_strings(told);
    if (facts.effects.empty()) continue;
    facts.program.sha256 = base::sha256_hex(blob.bytes);
    facts.program.triggers = {{Trigger::Kind::boot, "the boot loader"}};
    out.push_back(std::move(facts));
  }
  return out;
}

}  // namespace derive
