#include "compare/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace comparison {
namespace {

using effects::Effect;
using effects::EffectId;
using effects::Kind;
using result::Finding;
using result::Result;

const std::string& program_of(const Effect& effect, const Result& result) {
  return result.graph.programs[effect.program].path;
}

std::string actor(const Finding& finding) {
  return finding.files.empty() ? std::string() : finding.files.front();
}

// The same thing done by the same program; a target that was not resolved may be the same.
bool same(const Effect& a, const Result& of_a, const Effect& b, const Result& of_b) {
  const bool aims_alike = a.target.value == b.target.value || !a.target.resolved || !b.target.resolved;
  return a.kind == b.kind && a.object.value == b.object.value && aims_alike &&
         program_of(a, of_a) == program_of(b, of_b);
}

std::set<std::string> kinds_of(const std::vector<effects::Trigger>& triggers) {
  std::set<std::string> out;
  for (const auto& trigger : triggers)
    if (trigger.kind != effects::Trigger::Kind::unknown) out.emplace(effects::key(trigger.kind));
  return out;
}

bool is_on(const std::string& value) {
  static const std::set<std::string> kOn = {"on", "yes", "true", "1", "enable", "enabled", "up"};
  return kOn.contains(value);
}

// Interfaces that a program raises by itself.
std::set<std::string> raised_by(const std::string& program, const Result& result) {
  std::set<std::string> out;
  for (const auto& effect : result.graph.effects)
    if (effect.kind == Kind::raise_interface && !effect.object.empty() &&
        program_of(effect, result) == program)
      out.insert(effect.object.value);
  return out;
}

// What decides, beside `program`, whether `interface` is up: who raises it, and the switches of the files
// that those read.
struct Network {
  std::set<std::string> raisers, lowerers;
  std::map<std::string, std::string> switches;  // "/etc/x: NAME" -> value
};

Network network_without(const std::string& program, const std::string& interface, const Result& result) {
  Network out;
  std::set<std::string> deciders;
  for (const auto& effect : result.graph.effects) {
    const auto& who = program_of(effect, result);
    if (who == program || effect.object.value != interface) continue;
    if (effect.kind == Kind::raise_interface) out.raisers.insert(who), deciders.insert(who);
    if (effect.kind == Kind::lower_interface) out.lowerers.insert(who), deciders.insert(who);
  }
  std::set<std::string> read;
  for (const auto& effect : result.graph.effects)
    if ((effect.kind == Kind::execute || effect.kind == Kind::read) &&
        deciders.contains(program_of(effect, result)))
      read.insert(effect.object.value);
  for (const auto& file : result.files)
    if (read.contains(file.path))
      for (const auto& [name, value] : file.switches) out.switches[file.path + ": " + name] = value;
  return out;
}

void compare_interface(const std::string& program, const std::string& interface, const Result& older,
                       const Result& newer, std::vector<std::string>& out) {
  const auto before = network_without(program, interface, older),
             after = network_without(program, interface, newer);
  for (const auto& [name, value] : before.switches) {
    const auto now = after.switches.find(name);
    if (now != after.switches.end() && is_on(value) && !is_on(now->second))
      out.push_back(
          fmt::format("{} was {} and is {}, so that {} may stay down at start; {} brings it up by itself",
                      name, value, now->second, interface, program));
  }
  // Another one that raised it before and still does is enough, as long as no setting of its holds it back.
  const bool raised_anyway =
      std::ranges::any_of(after.raisers, [&](const auto& who) { return before.raisers.contains(who); }) &&
      std::ranges::all_of(after.switches, [](const auto& one) { return is_on(one.second); });
  for (const auto& who : before.raisers)
    if (!after.raisers.contains(who) && !raised_anyway)
      out.push_back(fmt::format("{} no longer brings {} up; {} does so by itself", who, interface, program));
  for (const auto& who : after.lowerers)
    if (!before.lowerers.contains(who))
      out.push_back(fmt::format("{} now takes {} down; {} brings it up by itself", who, interface, program));
}

std::string joined(const std::set<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

}  // namespace

std::vector<std::string> hindrances(const Finding& before, const Result& older, const Finding& after,
                                    const Result& newer) {
  std::vector<std::string> out;
  const auto was = kinds_of(before.triggers), is = kinds_of(after.triggers);
  std::set<std::string> gone, left;
  for (const auto& kind : was) (is.contains(kind) ? left : gone).insert(kind);
  if (!gone.empty() && !is.empty())
    out.push_back(fmt::format("it was started by {}, and is now started by {}", joined(was), joined(is)));

  const auto guard = [](const Finding& finding) {
    const auto found = finding.fingerprints.find("guards");
    return found == finding.fingerprints.end() ? std::string() : found->second;
  };
  if (!guard(after).empty() && guard(before).empty())
    out.push_back("a check now stands before it: " + guard(after));

  const std::string program = actor(after);
  for (const auto& interface : raised_by(program, newer))
    compare_interface(program, interface, older, newer, out);
  return out;
}

Remains effects_remain(const Finding& before, const Result& older, const Result& newer) {
  const bool all = !before.effects.empty() && std::ranges::all_of(before.effects, [&](std::uint32_t index) {
    const Effect& wanted = older.graph.effects[EffectId{index}];
    return std::ranges::any_of(newer.graph.effects,
                               [&](const Effect& effect) { return same(wanted, older, effect, newer); });
  });
  if (!all) return Remains::gone;
  if (std::ranges::none_of(before.endpoints,
                           [](const auto& peer) { return effects::fixed(peer.provenance); }))
    return Remains::remain;
  // It was about a peer that the owner has no say in: what are the program's peers now?
  bool chosen_by_owner = true;
  for (const auto& effect : newer.graph.effects) {
    if (!effect.peer || program_of(effect, newer) != actor(before)) continue;
    if (effects::fixed(effect.peer->provenance)) return Remains::remain;
    if (effect.peer->provenance != effects::Provenance::setting) chosen_by_owner = false;
  }
  return chosen_by_owner ? Remains::gone : Remains::unclear;
}

bool verified_now(const Finding& before, const Result& older, const Result& newer) {
  for (const auto& edge : newer.graph.edges) {
    if (edge.kind != effects::EdgeKind::guards ||
        newer.graph.effects[edge.from].kind != Kind::verify_signature)
      continue;
    for (const auto index : before.effects)
      if (same(older.graph.effects[EffectId{index}], older, newer.graph.effects[edge.to], newer)) return true;
  }
  return false;
}

}  // namespace comparison
