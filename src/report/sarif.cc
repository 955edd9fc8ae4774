// SARIF 2.1.0 (OASIS, 2020), for the tools that show findings of code scanners: one run a device, one result
// a finding, the proof as a code flow. What was not evaluated goes along as notifications, so that silence
// there is not taken for clean.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "report/report.h"
#include "report/words.h"

namespace report {
namespace {

using Json = nlohmann::ordered_json;
using result::Finding;
using result::Result;
using result::Severity;

std::string shown(std::string_view raw) { return base::escape_terminal(raw); }

// In a message braces are placeholders and brackets are links (section 3.11): both are escaped, so that a
// firmware can make neither.
Json message(std::string_view raw) {
  std::string text;
  for (const char c : shown(raw)) {
    if (c == '{' || c == '}') text += c;
    if (c == '[' || c == ']') text += '\\';
    text += c;
  }
  return {{"text", text}};
}

// A path inside the firmware as a relative URI reference (RFC 3986): everything but unreserved characters and
// slashes encoded.
std::string uri(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    if (plain)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

const char* level(Severity severity) {
  return severity >= Severity::high ? "error" : severity == Severity::medium ? "warning" : "note";
}

// The number that code scanning services sort by, in the bands of CVSS 3.1's qualitative scale.
const char* rank(Severity severity) {
  static constexpr const char* kRanks[] = {"0.0", "3.0", "5.5", "8.0", "9.5"};
  return kRanks[static_cast<std::size_t>(severity)];
}

Json location(const effects::Site& site, std::string_view words) {
  Json physical{{"artifactLocation", {{"uri", uri(site.file)}, {"uriBaseId", "FIRMWARE"}}}};
  if (site.line) {
    physical["region"] = {{"startLine", site.line}};
    if (!words.empty()) physical["region"]["snippet"] = {{"text", shown(words.substr(0, 500))}};
  }
  if (site.address && *site.address <= INT64_MAX) physical["address"] = {{"absoluteAddress", *site.address}};
  Json out{{"physicalLocation", std::move(physical)}};
  if (!site.function.empty())
    out["logicalLocations"] = Json::array({{{"name", shown(site.function)}, {"kind", "function"}}});
  return out;
}

void add_steps(const result::Evidence& evidence, bool show_secrets, Json& steps) {
  if (evidence.site && !evidence.site->file.empty()) {
    Json place = location(*evidence.site, words_of(evidence, show_secrets));
    place["message"] = message(evidence.says);
    steps.push_back({{"location", std::move(place)}});
  }
  for (const auto& part : evidence.parts) add_steps(part, show_secrets, steps);
}

Json result_of(const Finding& finding, std::size_t rule, const Options& options) {
  Json out{{"ruleId", shown(finding.rule)},
           {"ruleIndex", rule},
           {"level", level(finding.severity)},
           {"message", message(finding.says)},
           {"locations", Json::array()}};
  Json steps = Json::array();
  add_steps(finding.evidence, options.show_secrets, steps);
  if (!steps.empty())
    out["locations"].push_back(steps.front()["location"]);
  else if (!finding.files.empty())
    out["locations"].push_back(location({finding.files.front(), 0, std::nullopt, "", "", {}}, ""));
  if (!steps.empty())
    out["codeFlows"] = Json::array({{{"threadFlows", Json::array({{{"locations", std::move(steps)}}})}}});
  out["partialFingerprints"] = {{"biopsyFindingId/v1", shown(finding.id)}};
  if (!finding.accepted.empty())
    out["suppressions"] = Json::array(
        {{{"kind", "external"}, {"status", "accepted"}, {"justification", shown(finding.accepted)}}});
  out["properties"] = {{"severity", result::key(finding.severity)},
                       {"confidence", result::key(finding.confidence)},
                       {"security-severity", rank(finding.severity)}};
  return out;
}

Json rule_of(const Finding& finding) {
  Json tags = Json::array({"security"});
  for (const int number : finding.cwe) tags.push_back(fmt::format("external/cwe/cwe-{:03}", number));
  Json out{{"id", shown(finding.rule)}, {"shortDescription", message(finding.title)}};
  if (!finding.advice.empty()) out["help"] = message(finding.advice);
  if (!finding.misses.empty())
    out["fullDescription"] = message(finding.title + ". What the rule cannot see: " + finding.misses);
  out["properties"] = {{"tags", std::move(tags)}};
  return out;
}

Json run_of(const Result& result, const Options& options) {
  Json rules = Json::array(), results = Json::array(), notes = Json::array();
  std::map<std::string, std::size_t> index;
  for (const auto& finding : result.findings) {
    const auto [place, fresh] = index.try_emplace(finding.rule, rules.size());
    if (fresh) rules.push_back(rule_of(finding));
    results.push_back(result_of(finding, place->second, options));
  }
  for (const auto& item : result.coverage.not_evaluated)
    notes.push_back(
        {{"level", "warning"}, {"message", message("not evaluated: " + item.what + ": " + item.why)}});
  Json artifacts = Json::array();
  for (const auto& image : result.images) {
    Json artifact{{"location", {{"uri", uri(image.name)}}}, {"length", image.size}};
    if (!image.sha256.empty()) artifact["hashes"] = {{"sha-256", shown(image.sha256)}};
    artifacts.push_back(std::move(artifact));
  }
  Json driver{{"name", "biopsy"}, {"rules", std::move(rules)}};
  if (!result.tool_version.empty()) driver["version"] = shown(result.tool_version);
  Json run{{"tool", {{"driver", std::move(driver)}}}};
  run["invocations"] =
      Json::array({{{"executionSuccessful", true}, {"toolExecutionNotifications", std::move(notes)}}});
  run["originalUriBaseIds"] = {
      {"FIRMWARE", {{"description", message("the root of the device's file system: " + result.device)}}}};
  run["artifacts"] = std::move(artifacts);
  run["results"] = std::move(results);
  return run;
}

}  // namespace

std::string render_sarif(const std::vector<Result>& results, const Options& options) {
  Json json{{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
            {"version", "2.1.0"},
            {"runs", Json::array()}};
  for (const auto& result : results) json["runs"].push_back(run_of(result, options));
  return json.dump(1) + "\n";
}

}  // namespace report
