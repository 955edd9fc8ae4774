// The report that a person reads top-down in a terminal: what was found, the proof, what to do, what was not evaluated.
#include <fmt/format.h>

#include "base/escape.h"
#include "report/report.h"

namespace report {
namespace {

std::string shown(std::string_view raw) { return base::escape_terminal(raw); }

}  // namespace

std::string render_text(const std::vector<result::Result>& results, const Options&) {
  std::string out;
  for (const auto& result : results) {
    out += fmt::format("{}\n", shown(result.device));
    for (const auto& finding : result.findings) out += fmt::format("[{}] {}\n  {}\n", result::key(finding.severity), shown(finding.title), shown(finding.says));
  }
  return out;
}

}  // namespace report
