#include "rules/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <regex>
#include <set>

#include "base/hash.h"
#include "base/text.h"
#include "rules/declared.h"
#include "rules/match.h"

namespace rules {

using effects::Effect;
using effects::EffectId;
using effects::Graph;
using effects::Kind;

namespace {

// The edges of one graph, ready to be walked.
struct Adjacency {
  std::vector<std::vector<std::size_t>> feeds_out, guards_in;

  explicit Adjacency(const Graph& graph) : feeds_out(graph.effects.size()), guards_in(graph.effects.size()) {
    for (std::size_t i = 0; i < graph.edges.size(); ++i) {
      const auto& edge = graph.edges[i];
      if (edge.kind == effects::EdgeKind::feeds) feeds_out[edge.from.index].push_back(i);
      if (edge.kind == effects::EdgeKind::guards) guards_in[edge.to.index].push_back(i);
    }
  }
};

std::vector<EffectId> checks_on(const Graph& graph, const Adjacency& adjacency, const std::vector<EffectId>& chain) {
  std::set<EffectId> out;
  for (const EffectId id : chain)
    for (const auto i : adjacency.guards_in[id.index])
      if (std::ranges::find(chain, graph.edges[i].from) == chain.end()) out.insert(graph.edges[i].from);
  return {out.begin(), out.end()};
}

// Shortest feeds path from `source` to every sink: one match a sink.
std::vector<Match> flow_matches(const Rule& rule, const Graph& graph, const Adjacency& adjacency, EffectId source) {
  std::vector<Match> out;
  std::map<EffectId, std::pair<EffectId, std::size_t>> came_from;
  std::deque<EffectId> work{source};
  std::set<EffectId> seen{source};
  while (!work.empty() && out.size() < 64) {
    const EffectId at = work.front();
    work.pop_front();
    if (matches(*rule.sink, graph, at)) {
      Match match;
      for (EffectId step = at;; step = came_from.at(step).first) {
        match.chain.insert(match.chain.begin(), step);
        if (step == source) break;
        match.edges.insert(match.edges.begin(), came_from.at(step).second);
      }
      const bool through_replaced = std::ranges::any_of(match.chain, [&](EffectId id) { return !graph.effects[id].replaced.empty(); });
      // A source that is its own sink counts only when it writes (fetch over a program).
      const bool alone = match.chain.size() == 1 && !(rule.sink->replaces && *rule.sink->replaces);
      if (!alone && !(rule.not_through_replaced && through_replaced)) {
        match.checks = checks_on(graph, adjacency, match.chain);
        out.push_back(std::move(match));
      }
    }
    for (const auto i : adjacency.feeds_out[at.index]) {
      const EffectId next = graph.edges[i].to;
      if (!seen.insert(next).second) continue;
      came_from[next] = {at, i};
      work.push_back(next);
    }
  }
  return out;
}

std::vector<Match> effect_matches(const Rule& rule, const Graph& graph, const Adjacency& adjacency, EffectId id) {
  Match match;
  match.chain = {id};
  match.checks = checks_on(graph, adjacency, match.chain);
  if (!rule.with) return {match};
  for (std::uint32_t i = 0; i < graph.effects.size(); ++i) {
    const EffectId other{i};
    if (other == id || graph.effects[other].program != graph.effects[id].program) continue;
    if (rule.order == "after" && i < id.index) continue;
    if (rule.order == "before" && i > id.index) continue;
    if (!matches(*rule.with, graph, other)) continue;
    match.with = other;
    return {match};
  }
  return {};
}

// Version-bearing parts of a path do not belong to a finding's identity: "/opt/fw-2.0.6" and "/opt/fw-2.0.8" are one.
std::string normalised(const std::string& text) {
  static const std::regex version("[0-9]+(\\.[0-9]+)+");
  return std::regex_replace(text.substr(0, 512), version, "#");
}

std::optional<effects::Endpoint> peer_of(const Graph& graph, const Match& match) {
  for (const EffectId id : match.chain)
    if (graph.effects[id].peer) return graph.effects[id].peer;
  if (match.with) return graph.effects[*match.with].peer;
  return std::nullopt;
}

std::string object_of(const Graph& graph, const Match& match) {
  const Effect& source = graph.effects[match.chain.front()];
  const auto secret = source.notes.find("account");
  return normalised(secret != source.notes.end() ? secret->second : source.object.value);
}

// One finding a rule, acting program and peer. Where there is no peer, two accounts, keys or settings are still two.
std::string own_matter(const Graph& graph, const Match& match, bool has_peer) {
  const Kind kind = graph.effects[match.chain.front()].kind;
  const bool owned = kind == Kind::account || kind == Kind::credential || kind == Kind::key_material || kind == Kind::setting;
  return owned && !has_peer ? object_of(graph, match) : "";
}

void add_unique(std::vector<std::string>& list, const std::string& item) {
  if (!item.empty() && std::ranges::find(list, item) == list.end()) list.push_back(item);
}

// A program that writes a file itself and moves it into its place, as settings are kept: what came in before into the folder does not pass
// through that file. Where it does, the write is a link of the chain.
bool moves_what_it_wrote(const Graph& graph, const Match& match) {
  const Effect& sink = graph.effects[match.chain.back()];
  if (sink.kind != Kind::copy || sink.object.empty()) return false;
  const auto fills = [&](const Effect& effect) { return effect.kind == Kind::write && effect.program == sink.program && (effect.target.empty() ? effect.object.value : effect.target.value) == sink.object.value; };
  const bool through = std::any_of(match.chain.begin(), match.chain.end() - 1, [&](EffectId id) {
    const Effect& link = graph.effects[id];
    return fills(link) || link.target.value == sink.object.value || link.object.value == sink.object.value;
  });
  return !through && std::ranges::any_of(graph.effects, fills);
}

// All matches of one rule by one program towards one peer: they become one finding.
result::Finding finding_of(const Rule& rule, const Graph& graph, const SeverityTable& table, std::vector<Match>& group) {
  result::Finding finding;
  finding.rule = rule.id;
  finding.cwe = rule.cwe;
  finding.ours = rule.ours;
  if (!std::ranges::all_of(group, [&](const Match& m) { return moves_what_it_wrote(graph, m); })) std::erase_if(group, [&](const Match& m) { return moves_what_it_wrote(graph, m); });
  // The match that weighs most speaks for the group; among equals the first.
  std::ranges::stable_sort(group, [&](const Match& a, const Match& b) { return decide(table, facts_of(rule, graph, a)).severity > decide(table, facts_of(rule, graph, b)).severity; });
  const Match& main = group.front();
  const Effect& source = graph.effects[main.chain.front()];
  const auto& program = graph.programs[source.program];
  const SeverityRow& row = decide(table, facts_of(rule, graph, main));
  finding.severity = rule.nursery ? result::Severity::info : row.severity;
  finding.severity_reason = rule.nursery ? "the rule is in the nursery" : row.because;

  add_unique(finding.files, program.path);
  std::set<std::string> kinds, objects, targets;
  bool assumed = false;
  for (const Match& match : group) {
    objects.insert(object_of(graph, match));
    for (const EffectId id : match.chain) {
      const Effect& effect = graph.effects[id];
      kinds.emplace(effects::key(effect.kind));
      add_unique(finding.files, graph.programs[effect.program].path);
      if (std::ranges::find(finding.effects, id.index) == finding.effects.end()) finding.effects.push_back(id.index);
    }
    const Effect& sink = graph.effects[match.chain.back()];
    if (match.chain.size() > 1 || rule.source) {
      targets.insert(normalised(sink.target.empty() ? sink.object.value : sink.target.value));
      for (const auto& replaced : sink.replaced) add_unique(finding.targets, replaced);
      if (sink.replaced.empty()) add_unique(finding.targets, sink.target.empty() ? sink.object.value : sink.target.value);
    }
    if (&match != &main && finding.occurrences.size() < 50) finding.occurrences.push_back({masked_site(sink), std::string(effects::title(sink.kind))});
  }
  for (const EffectId id : main.chain) assumed = assumed || graph.effects[id].assumed;
  for (const auto i : main.edges) assumed = assumed || graph.edges[i].assumed;
  if (main.with) assumed = assumed || graph.effects[*main.with].assumed;
  finding.confidence = assumed ? result::Confidence::tentative : result::Confidence::firm;

  if (const auto peer = peer_of(graph, main)) {
    finding.endpoints.push_back(*peer);
    finding.fingerprints["peer"] = peer_text(*peer);
  }
  finding.fingerprints["path"] = program.path;
  if (!program.sha256.empty()) finding.fingerprints["program-sha256"] = program.sha256;
  std::string guards;
  for (const EffectId id : main.checks) guards += (guards.empty() ? "" : "; ") + graph.effects[id].site.words;
  if (!guards.empty()) finding.fingerprints["guards"] = guards;
  finding.triggers = triggers_of(graph, main);
  finding.trigger = finding.triggers.front();

  std::string identity = normalised(program.path);
  for (const auto* set : {&kinds, &objects, &targets})
    for (const auto& item : *set) identity += '\n' + item;
  finding.id = rule.id + "-" + base::sha256_hex(base::as_bytes(identity)).substr(0, 10);

  finding.title = worded(rule.title, graph, main, finding);
  finding.says = worded(rule.says, graph, main, finding);
  finding.advice = rule.advice;
  finding.misses = rule.misses;
  finding.evidence = evidence_of(rule, graph, main, finding);
  return finding;
}

// CWE-912's limbs as far as the firmware alone shows them; declarations are joined later.
void state_limbs(result::Finding& finding, const Graph& graph, effects::ProgramId acting) {
  if (std::ranges::find(finding.cwe, 912) == finding.cwe.end()) return;
  finding.hidden.push_back({"not-documented", result::Limb::not_evaluated, "no manual was given"});
  finding.hidden.push_back({"not-in-specification", result::Limb::not_evaluated, "no specification was given"});
  result::Hidden reach{"not-reachable-obviously", result::Limb::not_evaluated, "what starts it is not known"};
  using Trigger = effects::Trigger::Kind;
  const auto kind = finding.trigger.kind;
  // Started at boot and not kept running: what it asks a person for, it asks at that moment.
  const auto& starts = graph.programs[acting].triggers;
  const bool once_at_boot = !starts.empty() && std::ranges::all_of(starts, [](const auto& t) { return t.kind == Trigger::boot && t.detail.find("respawn") == std::string::npos; });
  if (kind == Trigger::user) {
    reach.state = result::Limb::does_not_hold;
    reach.quote = "a person at the device starts it";
  } else if (kind == Trigger::menu) {
    reach.quote = "doubtful: a person at the device starts it from a menu; whether the menu says what it does is not known";
  } else if (kind == Trigger::key && once_at_boot) {
    reach.state = result::Limb::holds;
    reach.quote = "a key pressed at one moment of the boot starts it, before the device shows its interface";
  } else if (kind == Trigger::key) {
    reach.quote = "a key on the device starts it; whether the device says so is not known";
  } else if (kind != Trigger::unknown) {
    reach.state = result::Limb::holds;
    reach.quote = fmt::format("it is started by: {}", effects::key(kind));
  }
  finding.hidden.push_back(std::move(reach));
  settle_hidden(finding);
}

void make_ids_unique(std::vector<result::Finding>& findings) {
  std::ranges::stable_sort(findings, [](const auto& a, const auto& b) {
    const auto peer = [](const result::Finding& f) { return f.endpoints.empty() ? std::string() : peer_text(f.endpoints.front()); };
    return std::tuple(a.id, peer(a)) < std::tuple(b.id, peer(b));
  });
  std::map<std::string, int> seen;
  for (auto& finding : findings)
    if (const int count = ++seen[finding.id]; count > 1) finding.id += fmt::format("-{}", count);
}

using Groups = std::map<std::tuple<std::string, std::string, std::string>, std::vector<Match>>;

// One call may have been read twice, once without its peer: that reading says nothing of its own.
void join_readings(const Graph& graph, Groups& groups) {
  const auto place = [&](const Match& match) {
    const auto& site = graph.effects[match.chain.front()].site;
    return std::tuple(site.file, site.line, site.address.value_or(0));
  };
  for (auto at = groups.begin(); at != groups.end();) {
    const auto& [path, peer, object] = at->first;
    const auto& unread = at->second;
    const bool unknown = std::ranges::all_of(unread, [&](const Match& match) {
      const auto named = peer_of(graph, match);
      return named && named->name() == "${unknown}";
    });
    const auto known = !unknown ? groups.end() : std::ranges::find_if(groups, [&](const auto& other) {
      if (&other.second == &unread || std::get<0>(other.first) != path || std::get<2>(other.first) != object || std::get<1>(other.first).empty()) return false;
      return std::ranges::all_of(unread, [&](const Match& match) { return std::ranges::any_of(other.second, [&](const Match& told) { return place(told) == place(match); }); });
    });
    if (known == groups.end()) {
      ++at;
      continue;
    }
    known->second.insert(known->second.end(), unread.begin(), unread.end());
    at = groups.erase(at);
  }
}

}  // namespace

Judgement evaluate(const Graph& graph, const std::vector<Rule>& rules, const SeverityTable& table) {
  Judgement out;
  const Adjacency adjacency(graph);
  const Links links(graph);
  for (const Rule& rule : rules) {
    Groups groups;
    for (std::uint32_t i = 0; i < graph.effects.size(); ++i) {
      const EffectId id{i};
      if (!matches(rule.source ? *rule.source : *rule.effect, graph, id)) continue;
      auto found = rule.source ? flow_matches(rule, graph, adjacency, id) : effect_matches(rule, graph, adjacency, id);
      for (Match& match : found) {
        match.links = &links;
        const auto peer = peer_of(graph, match);
        const std::string object = rule.source ? "" : own_matter(graph, match, peer.has_value());
        groups[{graph.programs[graph.effects[id].program].path, peer ? peer_text(*peer) : "", object}].push_back(match);
      }
    }
    join_readings(graph, groups);
    for (auto& [key, group] : groups) {
      out.findings.push_back(finding_of(rule, graph, table, group));
      state_limbs(out.findings.back(), graph, graph.effects[group.front().chain.front()].program);
    }
  }
  make_ids_unique(out.findings);
  // Among equals, what overwrites the device's own programs comes first.
  std::set<std::string> replacing;
  for (const Rule& rule : rules)
    if (rule.sink && rule.sink->replaces.value_or(false)) replacing.insert(rule.id);
  const auto rank = [&](const result::Finding& f) { return std::tuple(-static_cast<int>(f.severity), !replacing.contains(f.rule), f.id); };
  std::ranges::stable_sort(out.findings, [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return out;
}

}  // namespace rules
