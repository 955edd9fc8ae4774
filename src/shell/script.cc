// Small questions about script text that need no evaluation.
#include "shell/ast.h"
#include "shell/shell.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "shell/carriers.h"

namespace shell {

namespace {


}  // namespace

std::string interpreter_of(std::string_view text) {
  if (!text.starts_with("#!")) return {};
  const auto line = base::trim(text.substr(2, std::min<std::size_t>(text.find('\n'), 256) - 2));
  std::vector<std::string> words;
  for (const auto word : base::split_words(line)) words.emplace_back(word);
  return base::join(words, " ");
}

bool looks_like_script(std::string_view text) {
  const std::string line = interpreter_of(text);
  constexpr std::array<std::string_view, 7> shells = {"sh", "ash", "bash", "dash", "ksh", "hush", "mksh"};
  for (auto word : base::split_words(line)) {
    word = base_name(word);
    if (word == "busybox" || word == "env" || word.starts_with("-")) continue;
    return std::ranges::find(shells, word) != shells.end();
  }
  return false;
}

std::string print_canonical(std::string_view text) {
  std::uint64_t steps = 4'000'000;
  return ast::print(ast::read(text, "", steps));
}

const std::vector<std::string_view>& doubt_names() {
  static const std::vector<std::string_view> names = {"shell-syntax", "shell-budget", "shell-too-deep", "shell-here-document", "shell-carriage-returns"};
  return names;
}

std::string_view key(Origin::Kind kind) {
  switch (kind) {
    case Origin::Kind::literal: return "literal";
    case Origin::Kind::assignment: return "assignment";
    case Origin::Kind::sourced_file: return "sourced-file";
    case Origin::Kind::default_expansion: return "default-expansion";
    case Origin::Kind::config_get: return "config-get";
    case Origin::Kind::file_content: return "file-content";
    case Origin::Kind::setting: return "setting";
    case Origin::Kind::argument: return "argument";
    case Origin::Kind::input: return "input";
    case Origin::Kind::environment: return "environment";
    case Origin::Kind::command: return "command";
  }
  return "";
}

}  // namespace shell
