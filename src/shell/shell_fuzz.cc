// Any bytes as a script. Ends on invariants: the canonical form is a fixed point, every doubt has a known name, indices lie inside.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/bytes.h"
#include "shell/shell.h"
#include "shell/uci.h"

namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 65536) return 0;
  const auto text = base::as_text({data, size});
  const auto once = shell::print_canonical(text);
  require(shell::print_canonical(once) == once, "print, read, print is stable");
  shell::Environment environment;
  environment.read_file = [&](std::string_view path) -> std::optional<std::string> {
    if (path.size() % 2 == 0) return std::nullopt;
    return std::string(text.substr(0, text.size() / 2));
  };
  const auto script = shell::parse(text, "/etc/fuzz.sh", environment);
  for (const auto& doubt : script.doubts) require(std::ranges::find(shell::doubt_names(), doubt.name) != shell::doubt_names().end(), "a doubt's name is known");
  for (const auto& command : script.commands) {
    require(!command.captured_by || *command.captured_by < script.commands.size(), "captured_by lies inside");
    for (const auto& guard : command.guards)
      for (const auto index : guard.commands) require(index < script.commands.size(), "a guard's commands lie inside");
    for (const auto& word : command.words) {
      require(word.alternatives.size() <= 8, "at most eight alternatives");
      require(word.resolved == word.unknowns.empty(), "resolved means nothing unknown");
    }
    (void)shell::effective_command(command);
    (void)shell::shell_text_of(command);
  }
  (void)shell::read_uci(text);
  return 0;
}
