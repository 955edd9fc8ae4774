// CSAF 2.0 security advisory (OASIS, 2022): one document, one product a device, one vulnerability a finding.
// A result without findings is a document of the profile CSAF Base, for an advisory must have one.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "report/export.h"
#include "report/report.h"
#include "report/words.h"

namespace report {
namespace {

using Json = nlohmann::ordered_json;
using result::Result;

std::string product_id(std::size_t index) { return fmt::format("device-{}", index + 1); }

Json product(const Result& result, const Publisher::Product& named, std::size_t index) {
  Json out{{"product_id", product_id(index)}, {"name", named.version.empty() ? named.name : named.name + " " + named.version}};
  Json hashes = Json::array();
  for (const auto& image : result.images)
    if (!image.sha256.empty())
      hashes.push_back({{"file_hashes", Json::array({{{"algorithm", "sha256"}, {"value", image.sha256}}})}, {"filename", shown(image.name)}});
  Json helper = Json::object();
  if (!named.cpe.empty()) helper["cpe"] = named.cpe;
  if (!hashes.empty()) helper["hashes"] = std::move(hashes);
  if (!named.purl.empty()) helper["purl"] = named.purl;
  if (!helper.empty()) out["product_identification_helper"] = std::move(helper);
  return out;
}

Json tree(const std::vector<Result>& results, const Publisher& publisher) {
  Json out = Json::object();
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto named = product_of(results[i], publisher);
    Json leaf = product(results[i], named, i);
    if (named.vendor.empty()) {
      out["full_product_names"].push_back(std::move(leaf));
      continue;
    }
    Json inner{{"category", "product_name"}, {"name", named.name}};
    if (named.version.empty())
      inner["product"] = std::move(leaf);
    else
      inner["branches"] = Json::array({{{"category", "product_version"}, {"name", named.version}, {"product", std::move(leaf)}}});
    out["branches"].push_back({{"category", "vendor"}, {"name", named.vendor}, {"branches", Json::array({std::move(inner)})}});
  }
  return out;
}

Json vulnerability(const result::Finding& finding, const std::string& product) {
  Json out{{"title", shown(finding.title)}, {"ids", Json::array({{{"system_name", "biopsy finding"}, {"text", shown(finding.id)}}})}};
  for (const int number : finding.cwe)
    if (const auto name = cwe_name(number); !name.empty()) {
      out["cwe"] = {{"id", fmt::format("CWE-{}", number)}, {"name", name}};  // the standard has room for one
      break;
    }
  out["notes"] = Json::array({{{"category", "description"}, {"text", about(finding)}}});
  if (finding.cwe.size() > 1) out["notes"].push_back({{"category", "other"}, {"title", "Weaknesses"}, {"text", cwe_words(finding.cwe)}});
  if (!finding.accepted.empty()) out["notes"].push_back({{"category", "other"}, {"title", "Accepted"}, {"text", shown(finding.accepted)}});
  const bool shown_in_full = finding.confidence != result::Confidence::tentative;
  out["product_status"] = {{shown_in_full ? "known_affected" : "under_investigation", Json::array({product})}};
  out["remediations"] = Json::array({{{"category", finding.advice.empty() ? "none_available" : "mitigation"},
                                      {"details", finding.advice.empty() ? "No measure is known." : shown(finding.advice)},
                                      {"product_ids", Json::array({product})}}});
  out["threats"] = Json::array({{{"category", "impact"}, {"details", result::key(finding.severity)}, {"product_ids", Json::array({product})}}});
  return out;
}

std::string limits(const std::vector<Result>& results) {
  std::string out = "What was read decides what is said here. ";
  for (const auto& result : results) {
    const auto left = gaps(result.coverage);
    out += fmt::format("{}: {} findings; {} reasons for which something was not evaluated", shown(result.device), result.findings.size(), left.size());
    for (std::size_t i = 0; i < left.size() && i < 12; ++i) out += fmt::format("; {} ({})", shown(left[i].why), left[i].what.size());
    out += ". ";
  }
  out += "What was not evaluated is not thereby clean.";
  return out;
}

}  // namespace

base::Result<std::string> render_csaf(const std::vector<Result>& results, const Options& options) {
  const auto& publisher = options.publisher;
  const auto date = date_of(results, publisher);
  if (!date) return std::unexpected(date.error());
  if (results.empty()) return base::fail(base::Error::Kind::unsupported, "a CSAF document needs a device, and there is no result");
  Json vulnerabilities = Json::array();
  for (std::size_t i = 0; i < results.size(); ++i)
    for (const auto& finding : results[i].findings) vulnerabilities.push_back(vulnerability(finding, product_id(i)));

  Json document{{"category", vulnerabilities.empty() ? "csaf_base" : "csaf_security_advisory"}, {"csaf_version", "2.0"}};
  if (!publisher.tlp.empty()) document["distribution"]["tlp"] = {{"label", publisher.tlp}, {"url", "https://www.first.org/tlp/"}};
  if (!publisher.sharing.empty()) document["distribution"]["text"] = publisher.sharing;
  document["lang"] = publisher.language;
  document["notes"] = Json::array({{{"category", "summary"}, {"text", shown(headline(results.front()))}}, {{"category", "general"}, {"title", "Limits"}, {"text", limits(results)}}});
  if (!publisher.given) document["notes"].push_back({{"category", "other"}, {"title", "Draft"}, {"text", "No publisher was named: this document is a draft and not meant to be sent on."}});
  if (!date->known) document["notes"].push_back({{"category", "other"}, {"title", "Date"}, {"text", "No date was given: the dates of this document mean nothing."}});
  document["publisher"] = {{"category", publisher.category}};
  if (!publisher.contact.empty()) document["publisher"]["contact_details"] = publisher.contact;
  if (!publisher.authority.empty()) document["publisher"]["issuing_authority"] = publisher.authority;
  document["publisher"]["name"] = publisher.name;
  document["publisher"]["namespace"] = publisher.address;
  document["title"] = publisher.title.empty() ? "Findings in the firmware of " + shown(product_of(results.front(), publisher).name) : publisher.title;
  const std::string id = publisher.id.empty() ? "biopsy-" + uuid_of(content_of("csaf", results, publisher)).substr(9) : publisher.id;
  document["tracking"] = {{"current_release_date", date->text},
                          {"generator", {{"engine", {{"name", "biopsy"}, {"version", shown(results.front().tool_version)}}}}},
                          {"id", id},
                          {"initial_release_date", date->text},
                          {"revision_history", Json::array({{{"date", date->text}, {"number", publisher.version}, {"summary", "Made from the scan."}}})},
                          {"status", publisher.status},
                          {"version", publisher.version}};
  Json out{{"document", std::move(document)}, {"product_tree", tree(results, publisher)}};
  if (!vulnerabilities.empty()) out["vulnerabilities"] = std::move(vulnerabilities);
  return out.dump(1) + "\n";
}

}  // namespace report
