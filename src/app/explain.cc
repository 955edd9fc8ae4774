// biopsy explain FINDING REPORT: one finding as a walk.
#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "app/commands.h"
#include "base/bytes.h"
#include "base/escape.h"
#include "report/explain.h"

namespace app {
namespace {

struct Asked {
  std::string finding, report;
};

int explain(const Asked& asked) {
  const auto bytes = base::read_file(asked.report);
  auto results = bytes ? result::from_json(base::as_text(*bytes))
                       : base::Result<std::vector<result::Result>>(std::unexpected(bytes.error()));
  if (!results) {
    fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(results.error().message));
    return kUnreadable;
  }
  bool found = false;
  for (const auto& one : *results)
    for (const auto& finding : one.findings) {
      if (finding.id != asked.finding) continue;
      std::cout << (found ? "\n" : "") << report::explain(one, finding);
      found = true;
    }
  if (!found) {
    fmt::print(stderr, "biopsy: {} has no finding {}\n", base::escape_terminal(asked.report),
               base::escape_terminal(asked.finding));
    return kUsage;
  }
  return std::cout.flush() ? kFine : kUnreadable;
}

}  // namespace

void add_explain(CLI::App& program, int& status) {
  auto* command = program.add_subcommand(
      "explain",
      "Show one finding of a saved JSON result as a walk, with its values and what would change the verdict");
  auto asked = std::make_shared<Asked>();
  command->add_option("finding", asked->finding, "Its id")->required();
  command->add_option("report", asked->report, "Result of scan --format json")->required();
  command->callback([asked, &status] { status = explain(*asked); });
}

}  // namespace app
