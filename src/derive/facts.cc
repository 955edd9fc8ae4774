// ProgramFacts to bytes and back (CBOR, RFC 8949), for the way from a worker and for the cache.
#include "derive/facts.h"

#include <algorithm>
#include <map>

#include "effects/json.h"

namespace derive {

using effects::Json;

void add_facts(std::vector<ProgramFacts>& facts, std::vector<ProgramFacts> more) {
  std::map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < facts.size(); ++i) known.emplace(facts[i].program.path, i);
  for (ProgramFacts& one : more) {
    const auto [place, fresh] = known.try_emplace(one.program.path, facts.size());
    if (fresh) {
      facts.push_back(std::move(one));
      continue;
    }
    ProgramFacts& into = facts[place->second];
    const auto base = static_cast<std::uint32_t>(into.effects.size());
    for (auto& effect : one.effects) into.effects.push_back(std::move(effect));
    for (auto edge : one.edges) {
      edge.from.index += base;
      edge.to.index += base;
      into.edges.push_back(std::move(edge));
    }
    for (auto& trigger : one.program.triggers)
      if (std::ranges::find(into.program.triggers, trigger) == into.program.triggers.end()) into.program.triggers.push_back(std::move(trigger));
    if (one.program.depth > into.program.depth) {
      into.program.depth = one.program.depth;
      into.program.depth_reason = one.program.depth_reason;
    }
  }
}

std::string to_bytes(const ProgramFacts& facts) {
  Json json{{"program", effects::to_json(facts.program)}, {"effects", Json::array()}, {"edges", Json::array()}, {"give_ups", facts.give_ups}, {"doubts", Json::array()}, {"stats", facts.stats}};
  for (const auto& effect : facts.effects) json["effects"].push_back(effects::to_json(effect));
  for (const auto& edge : facts.edges) json["edges"].push_back(effects::to_json(edge));
  for (const auto& doubt : facts.doubts) json["doubts"].push_back(effects::to_json(doubt));
  const auto bytes = Json::to_cbor(json);
  return {bytes.begin(), bytes.end()};
}

base::Result<ProgramFacts> facts_from_bytes(std::string_view bytes) {
  const Json json = Json::from_cbor(bytes, true, false);
  if (!json.is_object()) return base::fail(base::Error::Kind::damaged, "facts of a program: not the form that was written");
  ProgramFacts facts;
  facts.program = effects::program_from_json(effects::member(json, "program"));
  for (const auto& effect : effects::member(json, "effects")) facts.effects.push_back(effects::effect_from_json(effect));
  for (const auto& edge : effects::member(json, "edges")) facts.edges.push_back(effects::edge_from_json(edge));
  for (const auto& text : effects::member(json, "give_ups")) facts.give_ups.push_back(text.is_string() ? text.get<std::string>() : "");
  for (const auto& doubt : effects::member(json, "doubts")) facts.doubts.push_back(effects::doubt_from_json(doubt));
  if (const Json& stats = effects::member(json, "stats"); stats.is_object())
    for (const auto& [name, value] : stats.items()) facts.stats[name] = value.is_string() ? value.get<std::string>() : "";
  const auto count = facts.effects.size();
  for (const auto& edge : facts.edges)
    if (edge.from.index >= count || edge.to.index >= count) return base::fail(base::Error::Kind::damaged, "facts of a program: an edge leads nowhere");
  return facts;
}

}  // namespace derive
