// CycloneDX 1.6 (ECMA-424): the device as a bill of materials, with the findings as its VEX. Every component
// with how its version is known, every program with its hash; what was not read makes the bill incomplete.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "report/export.h"
#include "report/report.h"

namespace report {
namespace {

using Json = nlohmann::ordered_json;
using result::Result;

Json property(const char* name, std::string_view value) { return {{"name", name}, {"value", shown(value)}}; }

Json hashes(const std::string& sha256) { return Json::array({{{"alg", "SHA-256"}, {"content", sha256}}}); }

const char* type_of(std::string_view kind) {
  return kind == "library" ? "library" : kind == "kernel" ? "operating-system" : kind == "module" ? "device-driver" : "application";
}

// An id of SPDX goes as id, for tools to match; anything else as the words that stand in the firmware.
Json license(const std::string& words) {
  static constexpr std::array kSpdx = {"0BSD", "AFL-2.1", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "ISC", "LGPL-2.0-only", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "MIT", "MPL-2.0", "OpenSSL", "PSF-2.0", "Unlicense", "Zlib", "curl"};
  const bool known = std::ranges::find(kSpdx, std::string_view(words)) != kSpdx.end();
  return {{"license", {{known ? "id" : "name", shown(words)}}}};
}

Json component(const result::Component& part, const std::string& ref) {
  Json out{{"type", type_of(part.kind)}, {"bom-ref", ref}, {"name", shown(part.name)}};
  if (!part.version.empty()) out["version"] = shown(part.version);
  if (!part.sha256.empty()) out["hashes"] = hashes(part.sha256);
  if (!part.license.empty()) out["licenses"] = Json::array({license(part.license)});
  if (!part.cpe.empty()) out["cpe"] = shown(part.cpe);
  if (!part.purl.empty()) out["purl"] = shown(part.purl);
  Json evidence = Json::object();
  if (!part.version.empty()) {
    const bool listed = part.kind == "package", by_name = part.evidence.starts_with("the file's name");
    Json method{{"technique", listed ? "manifest-analysis" : by_name ? "filename" : "binary-analysis"}, {"confidence", listed ? 1.0 : by_name ? 0.6 : 0.8}};
    if (!part.evidence.empty()) method["value"] = shown(part.evidence);
    evidence["identity"] = Json::array({{{"field", "version"}, {"confidence", method["confidence"]}, {"methods", Json::array({method})}}});
  }
  if (!part.path.empty()) evidence["occurrences"] = Json::array({{{"location", shown(part.path)}}});
  if (!evidence.empty()) out["evidence"] = std::move(evidence);
  out["properties"] = Json::array({property("biopsy:kind", part.kind), property("biopsy:version", part.version.empty() ? "unknown" : "stated by the firmware")});
  return out;
}

Json program(const result::FileEntry& file, const std::string& ref) {
  Json out{{"type", "file"}, {"bom-ref", ref}, {"name", shown(file.path)}, {"hashes", hashes(file.sha256)}};
  out["properties"] = Json::array({property("biopsy:kind", file.kind), property("biopsy:depth", file.depth.empty() ? "unknown" : file.depth)});
  return out;
}

Json vulnerability(const result::Finding& finding, const std::string& device, const std::string& ref, const std::map<std::string, std::string>& programs) {
  Json out{{"bom-ref", ref}, {"id", shown(finding.id)}, {"source", {{"name", "biopsy"}}}};
  out["ratings"] = Json::array({{{"source", {{"name", "biopsy"}}}, {"severity", result::key(finding.severity)}, {"method", "other"}, {"justification", shown(finding.severity_reason)}}});
  if (!finding.cwe.empty()) out["cwes"] = finding.cwe;
  out["description"] = shown(finding.title);
  out["detail"] = about(finding);
  if (!finding.advice.empty()) out["recommendation"] = shown(finding.advice);
  out["analysis"] = {{"state", finding.confidence == result::Confidence::tentative ? "in_triage" : "exploitable"}};
  if (!finding.accepted.empty()) out["analysis"]["detail"] = "Accepted: " + shown(finding.accepted);
  std::set<std::string> affected{device};
  for (const auto& file : finding.files)
    if (const auto found = programs.find(file); found != programs.end()) affected.insert(found->second);
  for (const auto& one : affected) out["affects"].push_back({{"ref", one}});
  return out;
}

void add_device(const Result& result, const Publisher& publisher, std::size_t index, Json& bom) {
  const auto named = product_of(result, publisher);
  const std::string device = fmt::format("device-{}", index + 1);
  Json top{{"type", "firmware"}, {"bom-ref", device}, {"name", named.name}};
  if (!named.vendor.empty()) top["supplier"] = {{"name", named.vendor}};
  if (!named.version.empty()) top["version"] = named.version;
  if (!named.cpe.empty()) top["cpe"] = named.cpe;
  if (!named.purl.empty()) top["purl"] = named.purl;
  if (result.images.size() == 1 && !result.images.front().sha256.empty()) top["hashes"] = hashes(result.images.front().sha256);

  Json parts = Json::array();
  std::vector<std::string> assemblies{device};
  std::map<std::string, std::string> programs;
  for (const auto& part : result.components) {
    assemblies.push_back(fmt::format("{}-component-{}", device, parts.size() + 1));
    parts.push_back(component(part, assemblies.back()));
  }
  for (const auto& file : result.files) {
    if (file.kind == "data" || file.sha256.empty()) continue;
    const auto ref = fmt::format("{}-program-{}", device, programs.size() + 1);
    if (programs.emplace(file.path, ref).second) parts.push_back(program(file, ref));
  }
  if (index == 0) {
    bom["metadata"]["component"] = std::move(top);
    for (auto& part : parts) bom["components"].push_back(std::move(part));
  } else {
    top["components"] = std::move(parts);
    bom["components"].push_back(std::move(top));
  }
  bom["compositions"].push_back({{"aggregate", result.coverage.verdict == "unknown" ? "unknown" : "incomplete"}, {"assemblies", assemblies}});
  for (std::size_t i = 0; i < result.findings.size(); ++i)
    bom["vulnerabilities"].push_back(vulnerability(result.findings[i], device, fmt::format("{}-finding-{}", device, i + 1), programs));
}

}  // namespace

base::Result<std::string> render_cyclonedx(const std::vector<Result>& results, const Options& options) {
  const auto& publisher = options.publisher;
  const auto date = date_of(results, publisher);
  if (!date) return std::unexpected(date.error());
  if (results.empty()) return base::fail(base::Error::Kind::unsupported, "a bill of materials needs a device, and there is no result");
  Json bom{{"$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json"}, {"bomFormat", "CycloneDX"}, {"specVersion", "1.6"}, {"serialNumber", uuid_of(content_of("cyclonedx", results, publisher))}, {"version", std::max(1, std::stoi(publisher.version))}};
  bom["metadata"] = Json::object();
  if (date->known) bom["metadata"]["timestamp"] = date->text;
  bom["metadata"]["tools"] = {{"components", Json::array({{{"type", "application"}, {"name", "biopsy"}, {"version", shown(results.front().tool_version)}}})}};
  bom["metadata"]["component"] = nullptr;
  if (publisher.given) bom["metadata"]["manufacturer"] = {{"name", publisher.name}, {"url", Json::array({publisher.address})}};
  Json sharing = Json::array();
  if (!publisher.tlp.empty()) sharing.push_back(property("biopsy:tlp", publisher.tlp));
  if (!publisher.sharing.empty()) sharing.push_back(property("biopsy:sharing", publisher.sharing));
  if (!sharing.empty()) bom["metadata"]["properties"] = std::move(sharing);
  bom["components"] = Json::array();
  bom["compositions"] = Json::array();
  for (std::size_t i = 0; i < results.size(); ++i) add_device(results[i], publisher, i, bom);
  return bom.dump(1) + "\n";
}

}  // namespace report
