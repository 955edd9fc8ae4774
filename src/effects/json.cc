#include "effects/json.h"

#include "base/escape.h"

namespace effects {
namespace {

std::string out(std::string_view raw) { return base::escape_bytes(raw); }

// The enumerator whose key() is `wanted`; the first one when there is none.
template <class Enum>
Enum from_key(std::string_view wanted, int count) {
  for (int i = 0; i < count; ++i)
    if (key(static_cast<Enum>(i)) == wanted) return static_cast<Enum>(i);
  return static_cast<Enum>(0);
}

constexpr int kProvenances = 5, kScopes = 7, kTriggers = 12, kWitnesses = 3, kEdges = 5, kPrograms = 5, kDepths = 5;

}  // namespace

const Json& member(const Json& json, const char* key) {
  static const Json null;
  if (!json.is_object()) return null;
  const auto found = json.find(key);
  return found == json.end() ? null : *found;
}

std::string text_at(const Json& json, const char* key) {
  const Json& value = member(json, key);
  if (!value.is_string()) return {};
  const auto& escaped = value.get_ref<const std::string&>();
  return base::unescape_bytes(escaped).value_or(escaped);
}

std::uint64_t number_at(const Json& json, const char* key) {
  const Json& value = member(json, key);
  return value.is_number_unsigned() ? value.get<std::uint64_t>() : value.is_number_integer() ? static_cast<std::uint64_t>(value.get<std::int64_t>()) : 0;
}

bool flag_at(const Json& json, const char* key) {
  const Json& value = member(json, key);
  return value.is_boolean() && value.get<bool>();
}

Json to_json(const Text& text) {
  Json json{{"value", out(text.value)}, {"provenance", key(text.provenance)}};
  if (!text.resolved) json["resolved"] = false;
  if (!text.origin.empty()) json["origin"] = out(text.origin);
  return json;
}

Text text_from_json(const Json& json) {
  Text text;
  text.value = text_at(json, "value");
  text.provenance = from_key<Provenance>(text_at(json, "provenance"), kProvenances);
  text.resolved = member(json, "resolved").is_null();
  text.origin = text_at(json, "origin");
  return text;
}

Json to_json(const Endpoint& endpoint) {
  Json json = Json::object();
  if (!endpoint.address.empty()) json["address"] = out(endpoint.address);
  if (!endpoint.host.empty()) json["host"] = out(endpoint.host);
  if (endpoint.port) json["port"] = endpoint.port;
  if (!endpoint.protocol.empty()) json["protocol"] = out(endpoint.protocol);
  json["scope"] = key(endpoint.scope);
  json["provenance"] = key(endpoint.provenance);
  if (endpoint.looked_up) json["looked_up"] = true;
  if (!endpoint.origin.empty()) json["origin"] = out(endpoint.origin);
  return json;
}

Endpoint endpoint_from_json(const Json& json) {
  Endpoint endpoint;
  endpoint.address = text_at(json, "address");
  endpoint.host = text_at(json, "host");
  endpoint.port = static_cast<std::uint16_t>(number_at(json, "port"));
  endpoint.protocol = text_at(json, "protocol");
  endpoint.scope = from_key<Scope>(text_at(json, "scope"), kScopes);
  endpoint.provenance = from_key<Provenance>(text_at(json, "provenance"), kProvenances);
  endpoint.looked_up = flag_at(json, "looked_up");
  endpoint.origin = text_at(json, "origin");
  return endpoint;
}

Json to_json(const Site& site) {
  Json json{{"file", out(site.file)}};
  if (site.line) json["line"] = site.line;
  if (site.address) json["address"] = *site.address;
  if (!site.function.empty()) json["function"] = out(site.function);
  if (!site.words.empty()) json["words"] = out(site.words);
  if (!site.frames.empty()) json["frames"] = site.frames;
  return json;
}

Site site_from_json(const Json& json) {
  Site site;
  site.file = text_at(json, "file");
  site.line = static_cast<std::uint32_t>(number_at(json, "line"));
  if (!member(json, "address").is_null()) site.address = number_at(json, "address");
  site.function = text_at(json, "function");
  site.words = text_at(json, "words");
  for (const auto& frame : member(json, "frames"))
    if (frame.is_number_unsigned()) site.frames.push_back(frame.get<std::uint64_t>());
  return site;
}

Json to_json(const Trigger& trigger) { return {{"kind", key(trigger.kind)}, {"detail", out(trigger.detail)}}; }

Trigger trigger_from_json(const Json& json) {
  return {from_key<Trigger::Kind>(text_at(json, "kind"), kTriggers), text_at(json, "detail")};
}

Json to_json(const Effect& effect) {
  Json json{{"kind", key(effect.kind)}, {"program", effect.program.index}, {"site", to_json(effect.site)}, {"witness", key(effect.witness)}};
  if (effect.peer) json["peer"] = to_json(*effect.peer);
  if (!effect.object.empty()) json["object"] = to_json(effect.object);
  if (!effect.target.empty()) json["target"] = to_json(effect.target);
  if (!effect.triggers.empty()) json["triggers"] = Json::array();
  for (const auto& trigger : effect.triggers) json["triggers"].push_back(to_json(trigger));
  if (!effect.data.empty()) json["data"] = effect.data;
  for (const auto& [name, value] : effect.notes) json["notes"][out(name)] = out(value);
  for (const auto& path : effect.replaced) json["replaced"].push_back(out(path));
  if (effect.assumed) json["assumed"] = out(effect.assumption);
  return json;
}

Effect effect_from_json(const Json& json) {
  Effect effect;
  effect.kind = kind_from_key(text_at(json, "kind")).value_or(Kind{});
  if (member(json, "program").is_number()) effect.program = ProgramId{static_cast<std::uint32_t>(number_at(json, "program"))};
  effect.site = site_from_json(member(json, "site"));
  effect.witness = from_key<Witness>(text_at(json, "witness"), kWitnesses);
  if (member(json, "peer").is_object()) effect.peer = endpoint_from_json(member(json, "peer"));
  if (member(json, "object").is_object()) effect.object = text_from_json(member(json, "object"));
  if (member(json, "target").is_object()) effect.target = text_from_json(member(json, "target"));
  for (const auto& trigger : member(json, "triggers")) effect.triggers.push_back(trigger_from_json(trigger));
  for (const auto& data : member(json, "data"))
    if (data.is_string()) effect.data.push_back(data.get<std::string>());
  if (const Json& notes = member(json, "notes"); notes.is_object())
    for (const auto& [name, value] : notes.items()) effect.notes[base::unescape_bytes(name).value_or(name)] = text_at(notes, name.c_str());
  for (const auto& path : member(json, "replaced"))
    if (path.is_string()) effect.replaced.push_back(base::unescape_bytes(path.get<std::string>()).value_or(""));
  if (!member(json, "assumed").is_null()) {
    effect.assumed = true;
    effect.assumption = text_at(json, "assumed");
  }
  return effect;
}

Json to_json(const Program& program) {
  Json json{{"path", out(program.path)}, {"sha256", program.sha256}, {"kind", key(program.kind)}, {"depth", key(program.depth)}};
  if (!program.depth_reason.empty()) json["depth_reason"] = out(program.depth_reason);
  if (!program.triggers.empty()) json["triggers"] = Json::array();
  for (const auto& trigger : program.triggers) json["triggers"].push_back(to_json(trigger));
  if (!program.started_by.empty()) json["started_by"] = Json::array();
  for (const auto& id : program.started_by) json["started_by"].push_back(id.index);
  return json;
}

Program program_from_json(const Json& json) {
  Program program;
  program.path = text_at(json, "path");
  program.sha256 = text_at(json, "sha256");
  program.kind = from_key<Program::Kind>(text_at(json, "kind"), kPrograms);
  program.depth = from_key<Program::Depth>(text_at(json, "depth"), kDepths);
  program.depth_reason = text_at(json, "depth_reason");
  for (const auto& trigger : member(json, "triggers")) program.triggers.push_back(trigger_from_json(trigger));
  for (const auto& id : member(json, "started_by"))
    if (id.is_number_unsigned()) program.started_by.push_back(ProgramId{id.get<std::uint32_t>()});
  return program;
}

Json to_json(const Edge& edge) {
  Json json{{"from", edge.from.index}, {"to", edge.to.index}, {"kind", key(edge.kind)}};
  if (edge.assumed) json["assumed"] = true;
  if (!edge.why.empty()) json["why"] = out(edge.why);
  return json;
}

Edge edge_from_json(const Json& json) {
  Edge edge;
  edge.from = EffectId{static_cast<std::uint32_t>(number_at(json, "from"))};
  edge.to = EffectId{static_cast<std::uint32_t>(number_at(json, "to"))};
  edge.kind = from_key<EdgeKind>(text_at(json, "kind"), kEdges);
  edge.assumed = flag_at(json, "assumed");
  edge.why = text_at(json, "why");
  return edge;
}

Json to_json(const base::Doubt& doubt) {
  Json json{{"name", doubt.name}, {"where", out(doubt.where)}, {"offset", doubt.offset}, {"detail", out(doubt.detail)}};
  if (doubt.count != 1) json["count"] = doubt.count;
  return json;
}

base::Doubt doubt_from_json(const Json& json) {
  base::Doubt doubt{text_at(json, "name"), text_at(json, "where"), number_at(json, "offset"), text_at(json, "detail")};
  if (const auto count = number_at(json, "count")) doubt.count = count;
  return doubt;
}

}  // namespace effects
