#include "derive/script_checks.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>

namespace derive {

using effects::Effect;
using effects::Kind;

namespace {

bool is_test(std::string_view name) { return name == "[" || name == "[[" || name == "test" || name == "expr"; }
bool is_order(std::string_view word) { return word == "-gt" || word == "-lt" || word == "-ge" || word == "-le" || word == ">" || word == "<" || word == "\\>" || word == "\\<"; }
bool is_equality(std::string_view word) { return word == "=" || word == "==" || word == "!=" || word == "-eq" || word == "-ne"; }
bool shows(std::string_view name) { return name == "echo" || name == "printf" || name == "cat" || name == "dialog" || name == "whiptail"; }

class Reader {
 public:
  explicit Reader(const shell::Script& script) : script_(script) {}

  std::vector<std::pair<std::uint32_t, Effect>> find() {
    std::set<std::uint32_t> deciding;
    bool asks = false;
    for (const auto& command : script_.commands) {
      for (const auto& guard : command.guards) deciding.insert(guard.commands.begin(), guard.commands.end());
      const auto name = shell::effective_command(command).name;
      asks = asks || name == "read" || name == "dialog" || name == "whiptail";
    }
    for (std::uint32_t i = 0; i < script_.commands.size(); ++i) {
      const auto effective = shell::effective_command(script_.commands[i]);
      if (is_test(effective.name) && deciding.contains(i)) read_test(i, effective);
      const bool aside = script_.commands[i].captured_by.has_value() || script_.commands[i].pipe_id >= 0;
      if (asks && shows(effective.name) && !aside) read_shown(i, effective);
    }
    return std::move(out_);
  }

 private:
  // The file whose content a word is, or holds: `$(cat FILE)`, or what the image has there.
  std::optional<std::string> file_of(const shell::Word& word) const {
    if (word.text.find("$(") != std::string::npos)
      for (const auto& command : script_.commands) {
        if (!command.captured_by || command.raw.empty() || command.words.size() < 2) continue;
        std::string said;
        for (const auto& part : command.words) said += (said.empty() ? "" : " ") + part.text;
        const std::string most = said.substr(0, said.rfind(' '));  // the name of the file may have been left out
        const bool inside = word.text.find("$(" + command.raw) != std::string::npos || word.text.find("$(" + said) != std::string::npos || word.text.find("$(" + most + ")") != std::string::npos;
        if (inside && command.words.back().text.find('/') != std::string::npos) return command.words.back().text;
      }
    for (const auto& origin : word.origins) {
      using Origin = shell::Origin::Kind;
      if (origin.kind == Origin::file_content || origin.kind == Origin::sourced_file || origin.kind == Origin::setting || origin.kind == Origin::config_get) return origin.file.empty() ? "settings" : origin.file;
    }
    return std::nullopt;
  }

  // What the variable that a word names was last set to, as it is written: `$(reader "$1")`.
  std::string set_to(const shell::Word& word, std::uint32_t before) const {
    std::string name = word.raw;
    std::erase_if(name, [](char c) { return c == '"' || c == '{' || c == '}'; });
    if (name.size() < 2 || name[0] != '$') return {};
    name.erase(0, 1);
    for (std::uint32_t i = before; i-- > 0;)
      for (const auto& [variable, value] : script_.commands[i].assignments)
        if (variable == name && value.raw.starts_with("$(")) return value.raw;
    return {};
  }

  void read_test(std::uint32_t i, const shell::Effective& effective) {
    const auto& words = effective.arguments;
    for (std::size_t k = 1; k + 1 < words.size(); ++k) {
      const bool order = is_order(words[k].text), equality = is_equality(words[k].text);
      if (!order && !equality) continue;
      // A mark that is read from the file at hand, and the device's own, read by a function without it.
      const std::string first = equality ? set_to(words[k - 1], i) : "", second = equality ? set_to(words[k + 1], i) : "";
      const auto of_argument = [](const std::string& raw) { return raw.find("$1") != std::string::npos || raw.find("${1}") != std::string::npos; };
      if (!first.empty() && !second.empty() && first != second && of_argument(first) != of_argument(second)) {
        Effect effect;
        effect.kind = Kind::compare_device;
        effect.notes["offered"] = "${1}";
        effect.notes["installed"] = of_argument(first) ? second : first;
        out_.emplace_back(i, std::move(effect));
        return;
      }
      const auto left = file_of(words[k - 1]), right = file_of(words[k + 1]);
      const bool computed = words[k - 1].text.find("$(") != std::string::npos || words[k + 1].text.find("$(") != std::string::npos;
      if (equality && computed && left.has_value() != right.has_value()) {
        const shell::Word& other = left ? words[k + 1] : words[k - 1];
        if (!other.resolved || other.text.size() < 3) continue;
        Effect effect;
        effect.kind = Kind::compare_constant;
        effect.object.value = other.text;
        effect.notes["offered"] = left ? *left : *right;
        out_.emplace_back(i, std::move(effect));
        return;
      }
      if (!left || !right || *left == *right) continue;
      if (left->starts_with("/proc/") || left->starts_with("/sys/") || right->starts_with("/proc/") || right->starts_with("/sys/")) continue;
      // The one that is not the image's own is what is offered.
      const bool left_offered = words[k - 1].text.find("$(") != std::string::npos;
      Effect effect;
      effect.kind = order ? Kind::compare_version : Kind::compare_device;
      effect.notes["offered"] = left_offered ? *left : *right;
      effect.notes["installed"] = left_offered ? *right : *left;
      out_.emplace_back(i, std::move(effect));
      return;
    }
  }

  void read_shown(std::uint32_t i, const shell::Effective& effective) {
    for (const auto& word : effective.arguments) {
      auto file = effective.name == "cat" && word.text.starts_with('/') ? std::optional(word.text) : file_of(word);
      if (!file) continue;
      Effect effect;
      effect.kind = Kind::print;
      effect.notes["offered"] = *file;
      out_.emplace_back(i, std::move(effect));
      return;
    }
  }

  const shell::Script& script_;
  std::vector<std::pair<std::uint32_t, Effect>> out_;
};

}  // namespace

std::vector<std::pair<std::uint32_t, Effect>> checks_of(const shell::Script& script) { return Reader(script).find(); }

}  // namespace derive
