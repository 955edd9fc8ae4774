// What only carries another command: inside knowledge shared by effective_command() and the evaluator.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "shell/shell.h"

namespace shell {

std::string_view base_name(std::string_view path);
// The index of the word that is shell text (sh -c TEXT, su -c TEXT); for eval 1, and the words after it belong to the text.
std::optional<std::size_t> shell_text_index(const std::vector<Word>& words);

}  // namespace shell
