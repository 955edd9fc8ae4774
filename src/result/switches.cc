// The text of a settings file to its switches: NAME=VALUE lines whose values say on or off. Nothing else of
// such a file is kept, so that no password gets into a result.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "result/result.h"

namespace result {

std::map<std::string, std::string> switches_of(std::string_view text) {
  static constexpr std::array<std::string_view, 14> kWords = {
      "on", "off",    "yes",     "no",      "true",     "false", "1",
      "0",  "enable", "disable", "enabled", "disabled", "up",    "down"};
  std::map<std::string, std::string> out;
  if (text.size() > 64 * 1024 || text.find('\0') != std::string_view::npos) return out;
  for (const auto line : base::split(text, '\n')) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const auto name = base::trim(line.substr(0, equals));
    auto value = base::lower(base::trim(line.substr(equals + 1)));
    if (value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0])
      value = value.substr(1, value.size() - 2);
    const bool plain = !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
             c == '-' || c == '.';
    });
    if (plain && std::ranges::find(kWords, value) != kWords.end() && out.size() < 200)
      out[std::string(name)] = value;
  }
  return out;
}

}  // namespace result
