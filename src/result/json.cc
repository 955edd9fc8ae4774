// Result to JSON (schema 1, docs/schema.json) and back.
#include <fmt/format.h>

#include "base/escape.h"
#include "base/text.h"
#include "effects/json.h"
#include "result/result.h"

namespace result {

using effects::Json;
using effects::flag_at;
using effects::member;
using effects::number_at;
using effects::text_at;

namespace {

std::string out(std::string_view raw) { return base::escape_bytes(raw); }

Json texts(const std::vector<std::string>& list) {
  Json json = Json::array();
  for (const auto& item : list) json.push_back(out(item));
  return json;
}

std::vector<std::string> texts_at(const Json& json, const char* key) {
  std::vector<std::string> list;
  for (const auto& item : member(json, key))
    if (item.is_string()) list.push_back(base::unescape_bytes(item.get_ref<const std::string&>()).value_or(item.get<std::string>()));
  return list;
}

Json map_of(const std::map<std::string, std::string>& map) {
  Json json = Json::object();
  for (const auto& [name, value] : map) json[out(name)] = out(value);
  return json;
}

constexpr std::string_view kMasked = "(masked)";

Json to_json(const Evidence& evidence, bool show_secrets) {
  Json json{{"says", out(evidence.says)}};
  if (evidence.site) json["site"] = effects::to_json(*evidence.site);
  if (evidence.assumed) json["assumed"] = true;
  if (!evidence.secret_words.empty() && show_secrets) json["secret_words"] = out(evidence.secret_words);
  if (!evidence.parts.empty()) json["parts"] = Json::array();
  for (const auto& part : evidence.parts) json["parts"].push_back(to_json(part, show_secrets));
  return json;
}

Evidence evidence_from(const Json& json, int depth = 0) {
  Evidence evidence;
  evidence.says = text_at(json, "says");
  if (member(json, "site").is_object()) evidence.site = effects::site_from_json(member(json, "site"));
  evidence.assumed = flag_at(json, "assumed");
  evidence.secret_words = text_at(json, "secret_words");
  if (depth < 64)
    for (const auto& part : member(json, "parts")) evidence.parts.push_back(evidence_from(part, depth + 1));
  return evidence;
}

Json to_json(const Finding& finding, bool show_secrets) {
  Json json{{"id", out(finding.id)}, {"rule", out(finding.rule)}, {"title", out(finding.title)}, {"cwe", finding.cwe},
            {"severity", key(finding.severity)}, {"severity_reason", out(finding.severity_reason)}, {"confidence", key(finding.confidence)},
            {"says", out(finding.says)}, {"advice", out(finding.advice)}, {"misses", out(finding.misses)},
            {"files", texts(finding.files)}, {"targets", texts(finding.targets)}, {"endpoints", Json::array()},
            {"trigger", effects::to_json(finding.trigger)}, {"triggers", Json::array()}, {"evidence", to_json(finding.evidence, show_secrets)}};
  for (const auto& endpoint : finding.endpoints) json["endpoints"].push_back(effects::to_json(endpoint));
  for (const auto& trigger : finding.triggers) json["triggers"].push_back(effects::to_json(trigger));
  if (!finding.ours.empty()) json["ours"] = finding.ours;
  if (!finding.hidden.empty()) {
    json["hidden"] = Json::array();
    for (const auto& limb : finding.hidden) json["hidden"].push_back({{"limb", limb.limb}, {"state", key(limb.state)}, {"quote", out(limb.quote)}});
  }
  json["occurrences"] = Json::array();
  for (const auto& occurrence : finding.occurrences) json["occurrences"].push_back({{"site", effects::to_json(occurrence.site)}, {"says", out(occurrence.says)}});
  json["fingerprints"] = map_of(finding.fingerprints);
  json["effects"] = finding.effects;
  if (!finding.accepted.empty()) json["accepted"] = out(finding.accepted);
  if (!finding.wire.empty()) json["wire"] = finding.wire;
  return json;
}

Finding finding_from(const Json& json) {
  Finding finding;
  finding.id = text_at(json, "id");
  finding.rule = text_at(json, "rule");
  finding.title = text_at(json, "title");
  for (const auto& number : member(json, "cwe"))
    if (number.is_number_integer()) finding.cwe.push_back(number.get<int>());
  for (const auto& number : member(json, "ours"))
    if (number.is_number_integer()) finding.ours.push_back(number.get<int>());
  finding.severity = severity_from_key(text_at(json, "severity")).value_or(Severity::info);
  finding.severity_reason = text_at(json, "severity_reason");
  finding.confidence = confidence_from_key(text_at(json, "confidence")).value_or(Confidence::tentative);
  finding.says = text_at(json, "says");
  finding.advice = text_at(json, "advice");
  finding.misses = text_at(json, "misses");
  finding.files = texts_at(json, "files");
  finding.targets = texts_at(json, "targets");
  for (const auto& endpoint : member(json, "endpoints")) finding.endpoints.push_back(effects::endpoint_from_json(endpoint));
  finding.trigger = effects::trigger_from_json(member(json, "trigger"));
  for (const auto& trigger : member(json, "triggers")) finding.triggers.push_back(effects::trigger_from_json(trigger));
  finding.evidence = evidence_from(member(json, "evidence"));
  for (const auto& limb : member(json, "hidden")) {
    const auto state = text_at(limb, "state");
    finding.hidden.push_back({text_at(limb, "limb"), state == key(Limb::holds) ? Limb::holds : state == key(Limb::does_not_hold) ? Limb::does_not_hold : Limb::not_evaluated, text_at(limb, "quote")});
  }
  for (const auto& occurrence : member(json, "occurrences")) finding.occurrences.push_back({effects::site_from_json(member(occurrence, "site")), text_at(occurrence, "says")});
  if (const Json& prints = member(json, "fingerprints"); prints.is_object())
    for (const auto& [name, value] : prints.items()) finding.fingerprints[name] = text_at(prints, name.c_str());
  for (const auto& index : member(json, "effects"))
    if (index.is_number_unsigned()) finding.effects.push_back(index.get<std::uint32_t>());
  finding.accepted = text_at(json, "accepted");
  finding.wire = text_at(json, "wire");
  return finding;
}

Json to_json(const UpdatePath& path) {
  Json json{{"id", out(path.id)}, {"program", out(path.program)}, {"trigger", effects::to_json(path.trigger)}, {"source", out(path.source)},
            {"transport", out(path.transport)}, {"endpoints", Json::array()}, {"targets", texts(path.targets)}, {"properties", Json::array()}};
  for (const auto& endpoint : path.endpoints) json["endpoints"].push_back(effects::to_json(endpoint));
  for (const auto& property : path.properties) {
    Json entry{{"key", property.key}, {"state", property.state}, {"because", out(property.because)}};
    if (property.site) entry["site"] = effects::to_json(*property.site);
    if (!property.follows.empty()) entry["follows"] = property.follows;
    json["properties"].push_back(std::move(entry));
  }
  return json;
}

UpdatePath update_path_from(const Json& json) {
  UpdatePath path{text_at(json, "id"), text_at(json, "program"), effects::trigger_from_json(member(json, "trigger")), text_at(json, "source"), text_at(json, "transport"), {}, texts_at(json, "targets"), {}};
  for (const auto& endpoint : member(json, "endpoints")) path.endpoints.push_back(effects::endpoint_from_json(endpoint));
  for (const auto& property : member(json, "properties")) {
    Property entry{text_at(property, "key"), text_at(property, "state"), text_at(property, "because"), std::nullopt, text_at(property, "follows")};
    if (member(property, "site").is_object()) entry.site = effects::site_from_json(member(property, "site"));
    path.properties.push_back(std::move(entry));
  }
  return path;
}

Json to_json(const ImageInfo& image) {
  Json json{{"name", out(image.name)}, {"size", image.size}, {"sha256", image.sha256}, {"format", image.format},
            {"bytes", {{"claimed", image.claimed}, {"padding", image.padding}, {"unknown", image.unknown}}}, {"extents", Json::array()}};
  for (const auto& extent : image.extents) {
    Json entry{{"offset", extent.offset}, {"size", extent.size}, {"kind", extent.kind}};
    if (!extent.format.empty()) entry["format"] = extent.format;
    if (!extent.note.empty()) entry["note"] = out(extent.note);
    json["extents"].push_back(std::move(entry));
  }
  return json;
}

ImageInfo image_from(const Json& json) {
  ImageInfo image;
  image.name = text_at(json, "name");
  image.size = number_at(json, "size");
  image.sha256 = text_at(json, "sha256");
  image.format = text_at(json, "format");
  const Json& bytes = member(json, "bytes");
  image.claimed = number_at(bytes, "claimed");
  image.padding = number_at(bytes, "padding");
  image.unknown = number_at(bytes, "unknown");
  for (const auto& extent : member(json, "extents"))
    image.extents.push_back({number_at(extent, "offset"), number_at(extent, "size"), text_at(extent, "kind"), text_at(extent, "format"), text_at(extent, "note")});
  return image;
}

Json to_json(const Coverage& coverage) {
  Json json{{"verdict", coverage.verdict}, {"bytes", {{"claimed", coverage.claimed}, {"padding", coverage.padding}, {"unknown", coverage.unknown}}},
            {"programs", coverage.programs_by_depth}, {"files", coverage.files}, {"scripts", coverage.scripts}, {"binaries", coverage.binaries},
            {"file_systems", coverage.file_systems}, {"not_evaluated", Json::array()}};
  for (const auto& item : coverage.not_evaluated) json["not_evaluated"].push_back({{"what", out(item.what)}, {"why", out(item.why)}, {"count", item.count}});
  return json;
}

Coverage coverage_from(const Json& json) {
  Coverage coverage;
  coverage.verdict = text_at(json, "verdict");
  const Json& bytes = member(json, "bytes");
  coverage.claimed = number_at(bytes, "claimed");
  coverage.padding = number_at(bytes, "padding");
  coverage.unknown = number_at(bytes, "unknown");
  if (const Json& programs = member(json, "programs"); programs.is_object())
    for (const auto& [name, count] : programs.items()) coverage.programs_by_depth[name] = number_at(programs, name.c_str());
  coverage.files = number_at(json, "files");
  coverage.scripts = number_at(json, "scripts");
  coverage.binaries = number_at(json, "binaries");
  coverage.file_systems = number_at(json, "file_systems");
  for (const auto& item : member(json, "not_evaluated")) coverage.not_evaluated.push_back({text_at(item, "what"), text_at(item, "why"), number_at(item, "count")});
  return coverage;
}

// Notes and words of effects that hold a secret are masked as evidence is.
effects::Effect shown(const effects::Effect& effect, bool show_secrets) {
  effects::Effect copy = effect;
  const auto secret = copy.notes.find("secret");
  if (secret == copy.notes.end() || show_secrets) return copy;
  const std::string value = secret->second;
  for (std::string* text : {&copy.site.words, &copy.object.value, &copy.target.value}) *text = base::masked(std::move(*text), value);
  secret->second = std::string(kMasked);
  return copy;
}

Json to_json(const Component& c) {
  Json json{{"name", out(c.name)}, {"version", out(c.version)}, {"kind", c.kind}};
  for (const auto& [name, value] : {std::pair{"license", &c.license}, {"purl", &c.purl}, {"cpe", &c.cpe}, {"path", &c.path}, {"sha256", &c.sha256}, {"evidence", &c.evidence}})
    if (!value->empty()) json[name] = out(*value);
  return json;
}

Json to_json(const Result& r, bool show_secrets) {
  Json json{{"device", out(r.device)}, {"tool", {{"name", "biopsy"}, {"version", r.tool_version}}}};
  if (!r.date.empty()) json["date"] = r.date;
  for (const char* name : {"images", "findings", "update_paths", "components", "endpoints", "programs", "effects", "edges"}) json[name] = Json::array();
  for (const auto& image : r.images) json["images"].push_back(to_json(image));
  for (const auto& finding : r.findings) json["findings"].push_back(to_json(finding, show_secrets));
  for (const auto& path : r.update_paths) json["update_paths"].push_back(to_json(path));
  for (const auto& component : r.components) json["components"].push_back(to_json(component));
  for (const auto& endpoint : r.endpoints) json["endpoints"].push_back(effects::to_json(endpoint));
  for (const auto& program : r.graph.programs) json["programs"].push_back(effects::to_json(program));
  for (const auto& effect : r.graph.effects) json["effects"].push_back(effects::to_json(shown(effect, show_secrets)));
  for (const auto& edge : r.graph.edges) json["edges"].push_back(effects::to_json(edge));
  json["coverage"] = to_json(r.coverage);
  json["files"] = Json::array();
  for (const auto& file : r.files) {
    Json entry{{"path", out(file.path)}, {"size", file.size}, {"kind", file.kind}};
    if (!file.depth.empty()) entry["depth"] = file.depth;
    if (!file.note.empty()) entry["note"] = out(file.note);
    if (!file.sha256.empty()) entry["sha256"] = file.sha256;
    if (!file.image.empty()) entry["image"] = out(file.image);
    if (!file.switches.empty()) entry["switches"] = map_of(file.switches);
    json["files"].push_back(std::move(entry));
  }
  json["doubts"] = Json::array();
  for (const auto& doubt : r.doubts) json["doubts"].push_back(effects::to_json(doubt));
  return json;
}

FileEntry file_from(const Json& json) {
  FileEntry file{text_at(json, "path"), text_at(json, "kind"), text_at(json, "depth"), text_at(json, "note"), number_at(json, "size"), text_at(json, "sha256"), text_at(json, "image"), {}};
  if (const Json& switches = member(json, "switches"); switches.is_object())
    for (const auto& [name, value] : switches.items())
      if (value.is_string()) file.switches[base::unescape_bytes(name).value_or(name)] = text_at(switches, name.c_str());
  return file;
}

Result result_from(const Json& json) {
  Result r;
  r.device = text_at(json, "device");
  r.tool_version = text_at(member(json, "tool"), "version");
  r.date = text_at(json, "date");
  for (const auto& image : member(json, "images")) r.images.push_back(image_from(image));
  for (const auto& finding : member(json, "findings")) r.findings.push_back(finding_from(finding));
  for (const auto& path : member(json, "update_paths")) r.update_paths.push_back(update_path_from(path));
  for (const auto& c : member(json, "components"))
    r.components.push_back({text_at(c, "name"), text_at(c, "version"), text_at(c, "kind"), text_at(c, "license"), text_at(c, "purl"), text_at(c, "cpe"), text_at(c, "path"), text_at(c, "sha256"), text_at(c, "evidence")});
  for (const auto& endpoint : member(json, "endpoints")) r.endpoints.push_back(effects::endpoint_from_json(endpoint));
  for (const auto& program : member(json, "programs")) r.graph.programs.add(effects::program_from_json(program));
  for (const auto& effect : member(json, "effects")) r.graph.effects.add(effects::effect_from_json(effect));
  for (const auto& edge : member(json, "edges")) r.graph.edges.push_back(effects::edge_from_json(edge));
  r.coverage = coverage_from(member(json, "coverage"));
  for (const auto& f : member(json, "files")) r.files.push_back(file_from(f));
  for (const auto& doubt : member(json, "doubts")) r.doubts.push_back(effects::doubt_from_json(doubt));
  return r;
}

// A saved result is input like any other: ids must lead somewhere before the graph is walked.
bool ids_lead_somewhere(const Result& r) {
  const auto count = r.graph.effects.size();
  for (const auto& effect : r.graph.effects)
    if (effect.program.index >= r.graph.programs.size()) return false;
  for (const auto& edge : r.graph.edges)
    if (edge.from.index >= count || edge.to.index >= count) return false;
  for (const auto& finding : r.findings)
    for (const auto index : finding.effects)
      if (index >= count) return false;
  return true;
}

}  // namespace

// One device is an object; several are {"schema": 1, "devices": [...]} with the same object for each.
std::string to_json(const std::vector<Result>& results, bool show_secrets) {
  Json json{{"schema", 1}};
  if (results.size() == 1) json.update(to_json(results.front(), show_secrets));
  else
    for (const auto& one : results) json["devices"].push_back(to_json(one, show_secrets));
  return json.dump(1) + "\n";
}

base::Result<std::vector<Result>> from_json(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return base::fail(base::Error::Kind::damaged, "not a saved result: not a JSON object");
  if (number_at(json, "schema") != 1) return base::fail(base::Error::Kind::unsupported, fmt::format("a saved result of schema {}; this program reads schema 1", number_at(json, "schema")));
  std::vector<Result> out;
  if (member(json, "devices").is_array())
    for (const auto& one : member(json, "devices")) out.push_back(result_from(one));
  else
    out.push_back(result_from(json));
  for (const auto& one : out)
    if (!ids_lead_somewhere(one)) return base::fail(base::Error::Kind::damaged, "not a saved result: an id leads nowhere");
  return out;
}

}  // namespace result
