// biopsy rules list|lint|try
#include "rules/rule.h"

#include <fmt/format.h>

#include <memory>

#include "app/commands.h"
#include "base/bytes.h"
#include "base/escape.h"

namespace app {

void add_rules(CLI::App& program, int& status) {
  auto* command = program.add_subcommand("rules", "List the rules, or check a rule file");
  command->require_subcommand(1);
  command->add_subcommand("list", "One line a rule")->callback([&status] {
    for (const auto& rule : rules::built_in_rules()) fmt::print("{:40} {}\n", rule.id, rule.title);
    status = kFine;
  });
  auto* lint = command->add_subcommand("lint", "Check rule files");
  auto files = std::make_shared<std::vector<std::string>>();
  lint->add_option("file", *files, "Rule files")->required();
  lint->callback([files, &status] {
    status = kFine;
    for (const auto& file : *files) {
      const auto bytes = base::read_file(file, 1 << 20);
      const auto rule = bytes ? rules::parse_rule(base::as_text(*bytes), file) : base::Result<rules::Rule>(std::unexpected(bytes.error()));
      if (rule) {
        fmt::print("{}: {} is well-formed\n", base::escape_terminal(file), base::escape_terminal(rule->id));
        continue;
      }
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(rule.error().message));
      status = kUnreadable;
    }
  });
}

}  // namespace app
