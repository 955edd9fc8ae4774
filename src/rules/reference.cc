#include "rules/reference.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace rules {
namespace {

std::string kinds_of(const Selector& selector) {
  std::string out;
  for (const auto kind : selector.kinds) out += fmt::format("{}{}", out.empty() ? "" : " or ", effects::title(kind));
  return out.empty() ? "does anything" : out;
}

std::string pattern_of(const Rule& rule) {
  if (rule.source) return fmt::format("what comes in where a program {} flows to where one {}", kinds_of(*rule.source), kinds_of(*rule.sink));
  std::string out = fmt::format("a program or file {}", kinds_of(*rule.effect));
  if (rule.with) out += fmt::format(", and the same program{} {}", rule.order == "after" ? " later" : rule.order == "before" ? " before" : "", kinds_of(*rule.with));
  return out;
}

// One paragraph, so that a sentence of a rule opens no heading, list or tag of the page.
std::string plain(std::string_view text) {
  std::string out;
  for (const char c : base::trim(text)) {
    if (c == '<' || c == '`' || c == '*' || c == '_' || c == '|' || c == '{' || c == '}') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

void add_rule(std::string& out, const Rule& rule) {
  out += fmt::format("\n### {}\n\n{}\n\n", rule.id, plain(rule.title));
  std::string numbers;
  for (const int number : rule.cwe) numbers += fmt::format("{}CWE-{}{}", numbers.empty() ? "" : ", ", number, std::ranges::find(rule.ours, number) != rule.ours.end() ? " (ours)" : "");
  out += fmt::format("- Matches when {}.\n", plain(pattern_of(rule)));
  out += fmt::format("- Class in the severity table: {}.{}\n", plain(rule.severity_class), numbers.empty() ? "" : " " + numbers + ".");
  out += fmt::format("- Says: {}\n- Advice: {}\n- Misses: {}\n- Cries wolf: {}\n", plain(rule.says), plain(rule.advice), plain(rule.misses), plain(rule.cries_wolf));
  std::vector<std::string> cases;
  for (const auto& example : rule.hits) cases.push_back("found: " + example.name);
  for (const auto& example : rule.clean) cases.push_back("left alone: " + example.name);
  for (const auto& story : rule.stories) cases.push_back("story " + story);
  if (!cases.empty()) out += fmt::format("- Cases: {}.\n", plain(base::join(cases, "; ")));
}

}  // namespace

std::string reference_of(const std::vector<Rule>& rules) {
  std::string out =
      "# The rules\n\n"
      "Made from [rules/](../rules/) by `biopsy rules reference`; change a rule, not this page. How grave a match is, the facts of the match decide\n"
      "by [severity.yaml](../severity.yaml). CWE numbers marked *ours* stand in no published advisory of the case that the rule is modelled on.\n\n"
      "## In use\n";
  for (const Rule& rule : rules)
    if (!rule.nursery) add_rule(out, rule);
  out += "\n## The nursery\n\nRules that are tried and not trusted yet: what they match is listed as information alone.\n";
  bool any = false;
  for (const Rule& rule : rules)
    if (rule.nursery) add_rule(out, rule), any = true;
  if (!any) out += "\nNone at present.\n";
  return out;
}

}  // namespace rules
