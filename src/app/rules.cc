// biopsy rules list|lint|try|reference
#include "rules/rule.h"

#include <fmt/format.h>

#include <memory>

#include "app/commands.h"
#include "app/pipeline.h"
#include "base/bytes.h"
#include "base/escape.h"
#include "result/result.h"
#include "rules/evaluate.h"
#include "rules/reference.h"
#include "rules/severity.h"

namespace app {
namespace {

// The graph of a saved result, or of an input that is scanned now.
base::Result<effects::Graph> graph_of(const std::string& input) {
  if (input.ends_with(".json")) {
    const auto bytes = base::read_file(input);
    if (!bytes) return std::unexpected(bytes.error());
    auto results = result::from_json(base::as_text(*bytes));
    if (!results) return std::unexpected(results.error());
    if (results->empty()) return base::fail(base::Error::Kind::unreadable, input + ": the result holds no device");
    return std::move(results->front().graph);
  }
  auto scanned = scan_device({input}, {}, {});
  if (!scanned) return std::unexpected(scanned.error());
  return std::move(scanned->graph);
}

// What one rule of a file finds in an input, whether or not it is built in. The number of findings, or an error.
base::Result<std::size_t> try_rule(const std::string& file, const std::string& input) {
  const auto bytes = base::read_file(file, 1 << 20);
  if (!bytes) return std::unexpected(bytes.error());
  auto rule = rules::parse_rule(base::as_text(*bytes), file);
  if (!rule) return std::unexpected(rule.error());
  const auto graph = graph_of(input);
  if (!graph) return std::unexpected(graph.error());
  rule->nursery = false;  // to see what it would weigh
  const auto judgement = rules::evaluate(*graph, {*rule}, rules::built_in_severity());
  for (const auto& finding : judgement.findings)
    fmt::print("{:8} {}  {}\n", result::key(finding.severity), base::escape_terminal(finding.id), base::escape_terminal(finding.says));
  return judgement.findings.size();
}

}  // namespace

void add_rules(CLI::App& program, int& status) {
  auto* command = program.add_subcommand("rules", "List the rules, or check a rule file");
  command->require_subcommand(1);
  command->add_subcommand("list", "One line a rule")->callback([&status] {
    for (const auto& rule : rules::built_in_rules()) fmt::print("{:40} {}\n", rule.id, rule.title);
    status = kFine;
  });
  command->add_subcommand("reference", "Every rule with what it misses and when it cries wolf, as Markdown")->callback([&status] {
    fmt::print("{}", rules::reference_of(rules::built_in_rules()));
    status = kFine;
  });
  auto* attempt = command->add_subcommand("try", "Show what one rule file finds in an input or a saved result (.json)");
  auto tried = std::make_shared<std::pair<std::string, std::string>>();
  attempt->add_option("file", tried->first, "Rule file")->required();
  attempt->add_option("input", tried->second, "Image, directory, program, or a result of scan --format json")->required();
  attempt->callback([tried, &status] {
    const auto count = try_rule(tried->first, tried->second);
    if (!count) {
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(count.error().message));
      status = kUnreadable;
      return;
    }
    fmt::print("{} finding{}\n", *count, *count == 1 ? "" : "s");
    status = *count ? kFound : kFine;
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
