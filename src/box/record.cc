// A record as JSON, over the pipe between the supervisor and the caller. Bytes of the payload are escaped as everywhere.
#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "box/parts.h"

namespace box {
namespace {

using Json = nlohmann::json;

std::string text_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_string()) return {};
  return base::unescape_bytes(found->get<std::string>()).value_or("");
}

std::uint64_t number_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

bool truth_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_boolean() && found->get<bool>();
}

const Json& list_at(const Json& json, const char* key) {
  static const Json kNone = Json::array();
  const auto found = json.find(key);
  return found != json.end() && found->is_array() ? *found : kNone;
}

}  // namespace

std::string to_json(const Record& record) {
  const auto safe = [](const std::string& text) { return base::escape_bytes(text); };
  Json json = {{"started", safe(record.started)}, {"ended", record.ended},   {"status", static_cast<std::uint64_t>(record.status)}, {"boot", record.boot},
               {"secret", record.secret},         {"run_ms", record.run_ms}, {"notified_calls", record.notified_calls},             {"supervisor_us", record.supervisor_us},
               {"output", safe(record.output)},   {"events", Json::array()}, {"landings", Json::array()},                           {"unanswered", Json::object()},
               {"missing", Json::array()},        {"doubts", Json::array()}};
  for (const auto& e : record.events)
    json["events"].push_back({{"call", e.call}, {"program", safe(e.program)}, {"actor", safe(e.actor)}, {"object", safe(e.object)}, {"target", safe(e.target)},
                              {"address", safe(e.address)}, {"port", e.port}, {"protocol", safe(e.protocol)}, {"answer", e.answer}, {"pid", e.pid},
                              {"first_ms", e.first_ms}, {"count", e.count}});
  for (const auto& l : record.landings) json["landings"].push_back({{"path", safe(l.path)}, {"canary", safe(l.canary)}, {"replaced", l.replaced}});
  for (const auto& [what, count] : record.unanswered) json["unanswered"][safe(what)] = count;
  for (const auto& name : record.missing) json["missing"].push_back(safe(name));
  for (const auto& d : record.doubts) json["doubts"].push_back({{"name", d.name}, {"where", safe(d.where)}, {"detail", safe(d.detail)}, {"count", d.count}});
  return json.dump();
}

base::Result<Record> record_from_json(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return base::fail(base::Error::Kind::internal, "the box's record could not be read");
  Record out;
  out.started = text_at(json, "started");
  out.ended = text_at(json, "ended");
  out.status = static_cast<int>(number_at(json, "status") & 0xffff);
  out.boot = truth_at(json, "boot");
  out.secret = text_at(json, "secret");
  out.run_ms = number_at(json, "run_ms");
  out.notified_calls = number_at(json, "notified_calls");
  out.supervisor_us = number_at(json, "supervisor_us");
  out.output = text_at(json, "output");
  for (const auto& e : list_at(json, "events"))
    out.events.push_back({text_at(e, "call"), text_at(e, "program"), text_at(e, "actor"), text_at(e, "object"), text_at(e, "target"), text_at(e, "address"),
                          static_cast<std::uint16_t>(number_at(e, "port")), text_at(e, "protocol"), text_at(e, "answer"), static_cast<std::uint32_t>(number_at(e, "pid")),
                          number_at(e, "first_ms"), number_at(e, "count")});
  for (const auto& l : list_at(json, "landings")) out.landings.push_back({text_at(l, "path"), text_at(l, "canary"), truth_at(l, "replaced")});
  if (const auto found = json.find("unanswered"); found != json.end() && found->is_object())
    for (const auto& [what, count] : found->items())
      if (count.is_number_unsigned()) out.unanswered[base::unescape_bytes(what).value_or(what)] = count.get<std::uint64_t>();
  for (const auto& name : list_at(json, "missing"))
    if (name.is_string()) out.missing.push_back(base::unescape_bytes(name.get<std::string>()).value_or(""));
  for (const auto& d : list_at(json, "doubts")) out.doubts.push_back({text_at(d, "name"), text_at(d, "where"), 0, text_at(d, "detail"), number_at(d, "count")});
  return out;
}

}  // namespace box
