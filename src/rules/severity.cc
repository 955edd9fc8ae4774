#include "rules/severity.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cassert>

#include "rules/embedded.h"

namespace rules {

base::Result<SeverityTable> parse_severity(std::string_view yaml) {
  SeverityTable table;
  try {
    for (const auto& node : YAML::Load(std::string(yaml))["rows"]) {
      SeverityRow row;
      for (const auto& condition : node["when"]) {
        auto& values = row.when[condition.first.as<std::string>()];
        if (condition.second.IsScalar()) values.push_back(condition.second.as<std::string>());
        else
          for (const auto& value : condition.second) values.push_back(value.as<std::string>());
      }
      const auto severity = result::severity_from_key(node["severity"].as<std::string>());
      if (!severity) return base::fail(base::Error::Kind::damaged, fmt::format("severity table, line {}: unknown severity", node.Mark().line + 1));
      row.severity = *severity;
      row.because = node["because"].as<std::string>();
      table.push_back(std::move(row));
    }
  } catch (const YAML::Exception& error) {
    return base::fail(base::Error::Kind::damaged, fmt::format("severity table: {}", error.what()));
  }
  return table;
}

const SeverityTable& built_in_severity() {
  static const SeverityTable table = [] {
    auto parsed = parse_severity(embedded::severity_yaml);
    assert(parsed && "the built-in table is checked by rules_test");
    return parsed ? *parsed : SeverityTable{};
  }();
  return table;
}

const SeverityRow& decide(const SeverityTable& table, const Facts& facts) {
  static const SeverityRow none{{}, result::Severity::info, "no row of the table applies"};
  for (const auto& row : table) {
    const bool holds = std::ranges::all_of(row.when, [&](const auto& condition) {
      const auto fact = facts.find(condition.first);
      return fact != facts.end() && std::ranges::find(condition.second, fact->second) != condition.second.end();
    });
    if (holds) return row;
  }
  return none;
}

}  // namespace rules
