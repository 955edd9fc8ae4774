// What the severity table may ask of a match.
#include <algorithm>

#include "rules/match.h"

namespace rules {

using effects::Effect;
using effects::EffectId;
using effects::Graph;
using effects::Kind;
using effects::Trigger;

std::vector<Trigger> triggers_of(const Graph& graph, const Match& match) {
  const Effect& source = graph.effects[match.chain.front()];
  std::vector<Trigger> out = source.triggers.empty() ? graph.programs[source.program].triggers : source.triggers;
  // What a person has to agree to on the way to its end, a person starts: a card is mounted at boot, its script runs on request.
  for (const EffectId id : match.chain) {
    const auto& own = graph.effects[id].triggers;
    if (!own.empty() && std::ranges::all_of(own, [](const Trigger& t) { return effects::started_by_user(t.kind); })) out = own;
  }
  // Unasked weighs more than asked, asked more than unknown.
  const auto weight = [](const Trigger& trigger) { return trigger.kind == Trigger::Kind::unknown ? 2 : effects::started_by_user(trigger.kind) ? 1 : 0; };
  std::ranges::stable_sort(out, {}, weight);
  if (out.empty()) out.push_back({Trigger::Kind::unknown, "nothing in the image was seen to start it"});
  return out;
}

namespace {

bool is_check(const Effect& effect) { return effect.kind == Kind::verify_signature || effect.notes.contains("checks-signature"); }

std::string secret_of(const Effect& effect) {
  const auto note = effect.notes.find("password");
  if (note != effect.notes.end()) return note->second == "none" ? "empty" : note->second;
  return effect.notes.contains("secret") ? "constant" : "none";
}

}  // namespace

namespace {

// A signature over something else, or over a share that is read again, verifies nothing of what is installed. Where it cannot be told
// what a signature covers, it counts; where hashes are checked beside it, it may cover their list.
bool checks_what_comes(const Graph& graph, const Match& match, EffectId check) {
  if (!match.links || match.chain.size() < 2) return true;
  Arrival arrival;
  arrival.content = reached_from(*match.links, match.chain.front());
  const auto kind = coverage_of(graph, *match.links, arrival, match.chain, check).kind;
  if (kind != Coverage::Kind::none) return kind != Coverage::Kind::live;
  return std::ranges::any_of(match.checks, [&](EffectId id) {
    if (graph.effects[id].kind != Kind::check_hash && !graph.effects[id].notes.contains("checks-hash")) return false;
    return coverage_of(graph, *match.links, arrival, match.chain, id).kind != Coverage::Kind::live;
  });
}

}  // namespace

std::string verified(const Graph& graph, const Match& match) {
  bool fake = false;
  for (const EffectId id : match.checks) {
    const Effect& check = graph.effects[id];
    if (is_check(check) && checks_what_comes(graph, match, id)) return "yes";
    fake = fake || (check.kind == Kind::compare_constant && !check.notes.contains("offered"));
  }
  return fake ? "fake" : "no";
}

Facts facts_of(const Rule& rule, const Graph& graph, const Match& match) {
  Facts facts;
  facts["class"] = rule.severity_class;
  const Effect& source = graph.effects[match.chain.front()];
  const effects::Endpoint* peer = nullptr;
  for (const EffectId id : match.chain)
    if (graph.effects[id].peer && !peer) peer = &*graph.effects[id].peer;
  if (!peer && match.with && graph.effects[*match.with].peer) peer = &*graph.effects[*match.with].peer;
  facts["peer"] = !peer ? "none" : effects::fixed(peer->provenance) ? "fixed" : std::string(effects::key(peer->provenance));
  facts["scope"] = peer ? std::string(effects::key(peer->scope)) : "none";
  facts["verified"] = verified(graph, match);
  const auto trigger = triggers_of(graph, match).front().kind;
  facts["asked"] = trigger == Trigger::Kind::unknown ? "unknown" : effects::started_by_user(trigger) ? "user" : "unasked";
  facts["secret"] = secret_of(source);
  const auto login = source.notes.find("login");
  facts["login"] = login != source.notes.end() ? login->second : "no";
  return facts;
}

}  // namespace rules
