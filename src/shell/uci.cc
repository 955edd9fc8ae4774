// Lines of a uci file into sections; what is no uci line is passed over.
#include "shell/uci.h"

#include <charconv>

#include "base/text.h"

namespace shell {

namespace {

// Words of one line, quotes taken off.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == 0 && (c == ' ' || c == '\t' || c == '\r')) {
      in_word = false;
      continue;
    }
    if (quote == 0 && c == '#' && !in_word) break;
    if (!in_word) words.emplace_back();
    in_word = true;
    if (quote == 0 && (c == '\'' || c == '"')) quote = c;
    else if (c == quote) quote = 0;
    else if (c == '\\' && quote != '\'' && i + 1 < line.size()) words.back() += line[++i];
    else words.back() += c;
  }
  return words;
}

}  // namespace

const UciSection* UciPackage::find(std::string_view name) const {
  if (name.starts_with('@')) {
    const auto open = name.find('[');
    if (open == std::string_view::npos || !name.ends_with(']')) return nullptr;
    const auto type = name.substr(1, open - 1);
    const auto digits = name.substr(open + 1, name.size() - open - 2);
    int index = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), index).ec != std::errc{}) return nullptr;
    std::vector<const UciSection*> of_type;
    for (const auto& section : sections)
      if (section.type == type) of_type.push_back(&section);
    const auto count = static_cast<int>(of_type.size());
    if (index < 0) index += count;
    return index >= 0 && index < count ? of_type[static_cast<std::size_t>(index)] : nullptr;
  }
  for (const auto& section : sections)
    if (section.name == name) return &section;
  return nullptr;
}

UciPackage read_uci(std::string_view text) {
  UciPackage package;
  std::uint32_t number = 0;
  for (const auto line : base::split(text, '\n')) {
    ++number;
    const auto words = words_of(line);
    if (words.size() >= 2 && words[0] == "config") {
      UciSection section{.type = words[1], .name = words.size() > 2 ? words[2] : "", .line = number};
      if (section.name.empty()) {
        std::size_t before = 0;
        for (const auto& each : package.sections) before += each.type == section.type;
        section.name = "@" + section.type + "[" + std::to_string(before) + "]";
      }
      package.sections.push_back(std::move(section));
    } else if (words.size() >= 2 && (words[0] == "option" || words[0] == "list") && !package.sections.empty()) {
      package.sections.back().options.push_back({words[1], words.size() > 2 ? words[2] : "", words[0] == "list", number});
    }
  }
  return package;
}

std::optional<UciOption> option_of(const UciSection& section, std::string_view key) {
  std::optional<UciOption> found;
  for (const auto& option : section.options) {
    if (option.key != key) continue;
    if (found && option.is_list) found->value += " " + option.value;
    else found = option;
  }
  return found;
}

}  // namespace shell
