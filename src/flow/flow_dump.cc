// flow_dump functions|calls|pcode|stats FILE [FUNCTION]: the engine alone, for those who work on it.
#include <fmt/format.h>

#include <cstdio>
#include <cstring>

#include "flow/flow.h"

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const auto bytes = base::read_file(argv[2]);
  if (!bytes) return fmt::print(stderr, "{}\n", bytes.error().message), 3;
  const auto binary = elf::read(*bytes);
  if (!binary) return fmt::print(stderr, "{}\n", binary.error().message), 3;
  const auto program = flow::analyse(*binary, *bytes);
  if (!program) return fmt::print(stderr, "{}\n", program.error().message), 3;
  if (std::strcmp(argv[1], "functions") == 0) fmt::print("{}", flow::dump_functions(*program));
  if (std::strcmp(argv[1], "calls") == 0) fmt::print("{}", flow::dump_calls_jsonl(*program, argv[2]));
  if (std::strcmp(argv[1], "pcode") == 0) {
    const auto text = flow::dump_pcode(*binary, *program, argc > 3 ? argv[3] : "main");
    fmt::print("{}\n", text ? *text : text.error().message);
  }
  if (std::strcmp(argv[1], "stats") == 0) {
    const auto& s = program->stats;
    fmt::print("functions {} instructions {} lifted {} steps {} calls {} arguments {} resolved {}{}\n", s.functions, s.instructions,
               s.lifted, s.steps, program->calls.size(), s.arguments, s.resolved, s.budget_ran_out ? " budget ran out" : "");
    for (const auto& g : s.give_ups) fmt::print("  {}\n", g);
  }
  return 0;
}
