#include "report/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/escape.h"
#include "report/words.h"

namespace report {
namespace {

using effects::EffectId;
using result::Finding;
using result::Result;

std::string shown(std::string_view raw) { return base::escape_terminal(raw); }

const effects::Program* program_at(const Result& result, const std::string& path) {
  for (const auto& program : result.graph.programs)
    if (program.path == path) return &program;
  return nullptr;
}

void tell_program(const Result& result, const Finding& finding, std::string& out) {
  const auto device = finding.fingerprints.find("device");  // of what only traffic shows
  const std::string path = !finding.files.empty()                 ? finding.files.front()
                           : device != finding.fingerprints.end() ? device->second
                                                                  : std::string();
  out += fmt::format("1. Who acts: {}\n", shown(path));
  const auto* program = program_at(result, path);
  if (!program) return;
  if (program->kind == effects::Program::Kind::device) {
    out += fmt::format("   a device on the wire: {}\n", shown(program->depth_reason));
    return;
  }
  out += fmt::format("   {}, {}{}\n", effects::key(program->kind), depth_words(effects::key(program->depth)),
                     program->depth_reason.empty() ? "" : " (" + shown(program->depth_reason) + ")");
  if (!program->sha256.empty()) out += fmt::format("   sha256 {}\n", shown(program->sha256));
  for (const auto id : program->started_by)
    if (id.index < result.graph.programs.size())
      out += fmt::format("   run by {}\n", shown(result.graph.programs[id].path));
}

void tell_triggers(const Finding& finding, std::string& out) {
  out += "2. What starts it:\n";
  for (const auto& trigger : finding.triggers)
    out += fmt::format("   {}{}\n",
                       trigger.kind == effects::Trigger::Kind::unknown
                           ? "not known"
                           : property_words(effects::key(trigger.kind)),
                       trigger.detail.empty() ? "" : ": " + shown(trigger.detail));
  if (finding.triggers.empty()) out += "   not known\n";
}

// One effect with its values and where each came from.
void tell_effect(const effects::Effect& effect, std::string& out) {
  out += fmt::format("   * {}\n", effects::title(effect.kind));
  out += fmt::format("     at {}\n", shown(place_words(effect.site)));
  if (!effect.site.words.empty())
    out += fmt::format("     reads: {}\n", shown(effect.site.words.substr(0, 500)));
  if (effect.peer)
    out += fmt::format("     peer: {} ({}, {})\n", shown(endpoint_words(*effect.peer)),
                       provenance_words(effect.peer->provenance), scope_words(effect.peer->scope));
  const auto tell_text = [&](const char* name, const effects::Text& text) {
    if (text.empty()) return;
    out += fmt::format("     {}: {} ({}{})\n", name, shown(text.value), provenance_words(text.provenance),
                       text.origin.empty() ? "" : ", " + shown(text.origin));
  };
  tell_text("what", effect.object);
  tell_text("to", effect.target);
  for (const auto& path : effect.replaced) out += fmt::format("     replaces: {}\n", shown(path));
  if (effect.assumed) out += fmt::format("     assumed: {}\n", shown(effect.assumption));
}

void tell_steps(const Result& result, const Finding& finding, std::string& out) {
  out += "3. What it does:\n";
  const auto& graph = result.graph;
  for (const auto index : finding.effects) {
    if (index >= graph.effects.size()) continue;
    tell_effect(graph.effects[EffectId{index}], out);
    for (const auto& edge : graph.edges) {
      if (edge.from.index != index ||
          std::ranges::find(finding.effects, edge.to.index) == finding.effects.end())
        continue;
      out += fmt::format("     {} \"{}\"{}{}\n", property_words(effects::key(edge.kind)),
                         effects::title(graph.effects[edge.to].kind),
                         edge.why.empty() ? "" : ": " + shown(edge.why), edge.assumed ? " (assumed)" : "");
    }
  }
}

// Checks of the firmware that stand before one of the effects, and their kind.
void tell_checks(const Result& result, const Finding& finding, std::string& out) {
  bool verified = false;
  std::string checks;
  for (const auto& edge : result.graph.edges) {
    if (edge.kind != effects::EdgeKind::guards ||
        std::ranges::find(finding.effects, edge.to.index) == finding.effects.end())
      continue;
    const auto& check = result.graph.effects[edge.from];
    verified = verified || check.kind == effects::Kind::verify_signature;
    checks += fmt::format("   {} at {}\n", effects::title(check.kind), shown(place_words(check.site)));
  }
  out +=
      "4. What stands before it:\n" + (checks.empty() ? std::string("   nothing that was found\n") : checks);
  out += "5. What would change the verdict:\n";
  if (!verified) out += "   a signature check that dominates it and refuses what does not verify\n";
  if (std::ranges::any_of(finding.endpoints,
                          [](const auto& peer) { return effects::fixed(peer.provenance); }))
    out += "   a peer that the owner sets, empty as shipped\n";
  if (!effects::started_by_user(finding.trigger.kind)) out += "   a start that a user asks for\n";
  for (const auto& limb : finding.hidden)
    out += fmt::format("   for CWE-912, whether {}: {}{}\n", limb_words(limb.limb), state_words(limb.state),
                       limb.quote.empty() ? "" : " (" + shown(limb.quote) + ")");
}

}  // namespace

std::string explain(const Result& result, const Finding& finding) {
  std::string out =
      fmt::format("{}\n{}\n\n{}\n\n", shown(finding.id), shown(finding.title), shown(finding.says));
  out += fmt::format("{}{}; {}.\n", result::key(finding.severity),
                     finding.severity_reason.empty() ? "" : " because " + shown(finding.severity_reason),
                     confidence_words(finding));
  if (!finding.accepted.empty()) out += "Accepted: " + shown(finding.accepted) + "\n";
  out += "\n";
  tell_program(result, finding, out);
  tell_triggers(finding, out);
  tell_steps(result, finding, out);
  tell_checks(result, finding, out);
  if (!finding.misses.empty())
    out += fmt::format("6. What the rule cannot see:\n   {}\n", shown(finding.misses));
  if (!finding.advice.empty()) out += "\nWhat to do: " + shown(finding.advice) + "\n";
  return out;
}

}  // namespace report
