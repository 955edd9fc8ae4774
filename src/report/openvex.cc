// OpenVEX 0.2.0: a statement a finding. A finding that is shown in full is "affected", a tentative one
// "under_investigation"; what an engine cannot show ("not_affected", "fixed") is never written.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "report/export.h"
#include "report/report.h"

namespace report {
namespace {

using Json = nlohmann::ordered_json;
using result::Result;

Json product(const Result& result, const Publisher& publisher) {
  const auto named = product_of(result, publisher);
  Json out{{"@id", named.purl.empty() ? uuid_of(content_of("product", {result}, publisher)) : named.purl}};
  if (!named.purl.empty()) out["identifiers"]["purl"] = named.purl;
  if (!named.cpe.empty()) out["identifiers"]["cpe23"] = named.cpe;
  if (result.images.size() == 1 && !result.images.front().sha256.empty()) out["hashes"] = {{"sha-256", result.images.front().sha256}};
  return out;
}

Json statement(const result::Finding& finding, const Json& product) {
  const bool tentative = finding.confidence == result::Confidence::tentative;
  Json out{{"vulnerability", {{"name", shown(finding.id)}, {"description", about(finding)}}},
           {"products", Json::array({product})},
           {"status", tentative ? "under_investigation" : "affected"}};
  if (!finding.accepted.empty()) out["status_notes"] = "Accepted: " + shown(finding.accepted);
  if (!tentative) out["action_statement"] = finding.advice.empty() ? "No measure is known." : shown(finding.advice);
  return out;
}

}  // namespace

base::Result<std::string> render_openvex(const std::vector<Result>& results, const Options& options) {
  const auto& publisher = options.publisher;
  const auto date = date_of(results, publisher);
  if (!date) return std::unexpected(date.error());
  Json statements = Json::array();
  for (const auto& result : results) {
    const Json device = product(result, publisher);
    for (const auto& finding : result.findings) statements.push_back(statement(finding, device));
  }
  if (statements.empty()) return base::fail(base::Error::Kind::unsupported, "an OpenVEX document needs a statement, and there is no finding to make one of");
  Json out{{"@context", "https://openvex.dev/ns/v0.2.0"},
           {"@id", uuid_of(content_of("openvex", results, publisher))},
           {"author", publisher.name},
           {"timestamp", date->text},
           {"version", std::max(1, std::stoi(publisher.version))},
           {"tooling", "biopsy " + shown(results.front().tool_version)},
           {"statements", std::move(statements)}};
  return out.dump(1) + "\n";
}

}  // namespace report
