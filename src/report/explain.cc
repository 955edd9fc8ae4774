#include "report/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

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

using Said =
    std::vector<std::pair<std::string, std::vector<std::string>>>;  // what is said, and each value once

constexpr std::size_t kWays = 4;  // values of one kind that are told

void say(Said& said, const char* name, std::string words) {
  auto found = std::ranges::find(said, name, &Said::value_type::first);
  if (found == said.end()) found = said.insert(said.end(), {name, {}});
  if (std::ranges::find(found->second, words) == found->second.end())
    found->second.push_back(std::move(words));
}

// One effect with its values and where each came from.
void tell_effect(const effects::Effect& effect, Said& said) {
  if (!effect.site.words.empty()) say(said, "reads", effect.site.words.substr(0, 500));
  if (effect.peer)
    say(said, "peer",
        fmt::format("{} ({}, {})", endpoint_words(*effect.peer), provenance_words(effect.peer->provenance),
                    scope_words(effect.peer->scope)));
  const auto tell_text = [&](const char* name, const effects::Text& text) {
    if (text.empty()) return;
    const bool known = text.origin.empty() || text.origin == effects::key(text.provenance);
    say(said, name,
        fmt::format("{} ({}{})", text.value, provenance_words(text.provenance),
                    known ? "" : ", " + text.origin));
  };
  tell_text("what", effect.object);
  tell_text("to", effect.target);
  for (const auto& path : effect.replaced) say(said, "replaces", path);
  if (effect.assumed) say(said, "assumed", effect.assumption);
}

std::string times(std::size_t count) { return count > 1 ? fmt::format(" ({} times)", count) : ""; }

// Effects at one place are one step, told with each way in which they differ; steps bear numbers that the
// edges name.
void tell_steps(const Result& result, const Finding& finding, const CloserLook& closer, std::string& out) {
  const auto& graph = result.graph;
  std::vector<std::vector<std::uint32_t>> steps;
  std::map<std::string, std::size_t> step_at;
  std::map<std::uint32_t, std::size_t> step_of;
  for (const auto index : finding.effects) {
    if (index >= graph.effects.size()) continue;
    const auto& effect = graph.effects[EffectId{index}];
    const auto [place, fresh] = step_at.try_emplace(
        fmt::format("{} {}", effects::key(effect.kind), place_words(effect.site)), steps.size());
    if (fresh) steps.emplace_back();
    steps[place->second].push_back(index);
    step_of[index] = place->second;
  }
  std::map<std::size_t, std::set<std::string>> links;
  for (const auto& edge : graph.edges) {
    const auto from = step_of.find(edge.from.index), to = step_of.find(edge.to.index);
    if (from == step_of.end() || to == step_of.end() || from->second == to->second) continue;
    links[from->second].insert(fmt::format("{} 3.{}{}{}", property_words(effects::key(edge.kind)),
                                           to->second + 1, edge.why.empty() ? "" : ": " + shown(edge.why),
                                           edge.assumed ? " (assumed)" : ""));
  }
  out += "3. What it does:\n";
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& first = graph.effects[EffectId{steps[i].front()}];
    out += fmt::format("   3.{} {}\n     at {}\n", i + 1, effects::title(first.kind),
                       shown(place_words(first.site)));
    Said said;
    for (const auto index : steps[i]) tell_effect(graph.effects[EffectId{index}], said);
    for (const auto& [name, values] : said) {
      for (std::size_t way = 0; way < values.size() && way < kWays; ++way)
        out += fmt::format("     {} {}\n", way ? std::string(name.size() - 1, ' ') + "or" : name + ":",
                           shown(values[way]));
      if (values.size() > kWays)
        out +=
            fmt::format("     {} {} more\n", std::string(name.size() - 1, ' ') + "or", values.size() - kWays);
    }
    for (const auto& link : links[i]) out += "     " + link + "\n";
    if (const auto look = closer.find(place_words(first.site)); look != closer.end())
      for (const auto& line : look->second) out += "       | " + shown(line) + "\n";
  }
}

// Checks of the firmware that stand before one of the effects, each place once.
void tell_checks(const Result& result, const Finding& finding, std::string& out) {
  std::map<std::string, std::size_t> checks;
  std::vector<std::string> order;
  for (const auto& edge : result.graph.edges) {
    if (edge.kind != effects::EdgeKind::guards ||
        std::ranges::find(finding.effects, edge.to.index) == finding.effects.end() ||
        std::ranges::find(finding.effects, edge.from.index) != finding.effects.end())
      continue;
    const auto& check = result.graph.effects[edge.from];
    auto words = fmt::format("{} at {}", effects::title(check.kind), shown(place_words(check.site)));
    if (!check.site.words.empty()) words += ": " + shown(check.site.words.substr(0, 120));
    if (++checks[words] == 1) order.push_back(words);
  }
  out += "4. What is tested before it, and decides whether it happens:\n";
  for (const auto& check : order) out += "   " + check + times(checks[check]) + "\n";
  if (order.empty()) out += "   nothing that was found\n";
}

std::string joined(const std::vector<std::string>& words, std::size_t most) {
  std::string out;
  for (std::size_t i = 0; i < words.size() && i < most; ++i) out += (i ? ", " : "") + words[i];
  return out + (words.size() > most ? ", ..." : "");
}

void tell_changes(const Finding& finding, const RuleFacts& rule, std::string& out) {
  out += "5. What would change the verdict:\n";
  if (const auto end = what_ends(rule.severity_class); !end.empty())
    out += fmt::format("   What would end it: {}.\n", end);
  if (rule.grades.size() > 1) {
    out += "   The grade is the first of these that holds:\n";
    for (const auto& [severity, because] : rule.grades)
      out += fmt::format("   {} {:8}  {}\n", because == finding.severity_reason ? ">" : " ",
                         result::key(severity), shown(because));
  }
  const bool hidden = !finding.hidden.empty();
  for (const auto& limb : finding.hidden)
    out += fmt::format("   For CWE-912, whether {}: {}{}.\n", limb_words(limb.limb), state_words(limb.state),
                       limb.quote.empty() ? "" : " (" + shown(limb.quote) + ")");
  if (hidden && !rule.declared_by.empty()) {
    out += "   A manual (--declared) documents it where one sentence has";
    for (const auto& group : rule.declared_by)
      out += fmt::format("{} one of: {}", &group == rule.declared_by.data() ? "" : "; and", joined(group, 5));
    out += "\n";
  }
  if (hidden && !finding.endpoints.empty()) {
    std::set<std::string> peers;
    for (const auto& peer : finding.endpoints) peers.insert(endpoint_words(peer));
    out += fmt::format("   A MUD file or list (--declared) specifies it where it allows {}.\n",
                       shown(joined({peers.begin(), peers.end()}, 4)));
  }
  if (hidden) out += "   Neither takes the finding away: a declared one is told as declared.\n";
}

}  // namespace

std::string_view what_ends(std::string_view severity_class) {
  static const std::map<std::string_view, std::string_view> kEnds = {
      {"remote-code",
       "no way left from what a peer gives to where programs lie or are run; a signature that is verified "
       "before it lowers the grade"},
      {"media-code",
       "no way left from a medium to where programs lie or are run; a signature that is verified before it "
       "lowers the grade"},
      {"upload-code",
       "no way left from an upload to where programs lie or are flashed; a signature that is verified before "
       "it lowers the grade"},
      {"open-shell", "no shell behind it, or a credential that differs from device to device"},
      {"credential", "a credential that is made on the device or set by its owner, and none in the image"},
      {"clear-service", "the service gone, or carried by an encrypted one"},
      {"console-shell", "a login before the shell"},
      {"patient-data", "an encrypted channel around what is sent"},
      {"device-data", "an encrypted channel around what is sent"},
      {"fixed-peer", "a peer that the owner sets, empty as shipped"},
      {"interface", "an interface that comes up only where the settings say so"},
      {"request-command", "no way left from a request to a command line"},
      {"secret-log", "the secret left out of what is printed"},
      {"unchecked-channel",
       "a certificate that is checked, and a peer that is refused where it does not hold"},
      {"weak-default", "the other value as shipped"},
  };
  const auto found = kEnds.find(severity_class);
  return found == kEnds.end() ? std::string_view() : found->second;
}

std::string explain(const Result& result, const Finding& finding, const RuleFacts& rule,
                    const CloserLook& closer) {
  std::string out =
      fmt::format("{}\n{}\n\n{}\n\n", shown(finding.id), shown(finding.title), shown(finding.says));
  out += fmt::format("{}{}; {}.\n", result::key(finding.severity),
                     finding.severity_reason.empty() ? "" : " because " + shown(finding.severity_reason),
                     confidence_words(finding));
  if (!finding.accepted.empty()) out += "Accepted: " + shown(finding.accepted) + "\n";
  out += "\n";
  tell_program(result, finding, out);
  tell_triggers(finding, out);
  tell_steps(result, finding, closer, out);
  tell_checks(result, finding, out);
  tell_changes(finding, rule, out);
  if (!finding.misses.empty())
    out += fmt::format("6. What the rule cannot see:\n   {}\n", shown(finding.misses));
  if (!finding.advice.empty()) out += "\nWhat to do: " + shown(finding.advice) + "\n";
  return out;
}

}  // namespace report
