// biopsy explain FINDING REPORT: one finding as a walk.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>

#include "app/closer.h"
#include "app/commands.h"
#include "base/bytes.h"
#include "base/escape.h"
#include "rules/rule.h"
#include "rules/severity.h"
#include "unpack/unpack.h"

namespace app {
namespace {

struct Asked {
  std::string finding, report;
  std::vector<std::string> images;
};

report::RuleFacts facts_of(const std::string& id) {
  report::RuleFacts out;
  for (const auto& rule : rules::built_in_rules()) {
    if (rule.id != id) continue;
    out.severity_class = rule.severity_class;
    out.declared_by = rule.declared_by;
    for (const auto& row : rules::built_in_severity())
      if (const auto named = row.when.find("class");
          named != row.when.end() &&
          std::ranges::find(named->second, rule.severity_class) != named->second.end())
        out.grades.emplace_back(row.severity, row.because);
  }
  return out;
}

int explain(const Asked& asked) {
  const auto bytes = base::read_file(asked.report);
  auto results = bytes ? result::from_json(base::as_text(*bytes))
                       : base::Result<std::vector<result::Result>>(std::unexpected(bytes.error()));
  if (!results) {
    fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(results.error().message));
    return kUnreadable;
  }
  std::optional<unpack::Firmware> firmware;
  if (!asked.images.empty()) {
    auto opened = unpack::open(asked.images);
    if (!opened) {
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(opened.error().message));
      return kUnreadable;
    }
    firmware = std::move(*opened);
  }
  bool found = false;
  for (const auto& one : *results)
    for (const auto& finding : one.findings) {
      if (finding.id != asked.finding) continue;
      std::cout << (found ? "\n" : "")
                << report::explain(one, finding, facts_of(finding.rule),
                                   firmware ? look_closer(*firmware, one, finding) : report::CloserLook());
      found = true;
    }
  if (found && asked.images.empty())
    std::cout << "\nWith the image as third word, the code and the lines of scripts are shown too.\n";
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
  command->add_option("image", asked->images,
                      "The image or partitions that were scanned: adds the way from the program's start to "
                      "each call, the call with its "
                      "values, texts with their addresses, the code, and the lines of scripts");
  command->callback([asked, &status] { status = explain(*asked); });
}

}  // namespace app
