// A match as sentences and as the tree that proves it.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "rules/match.h"

namespace rules {

using effects::Effect;
using effects::EffectId;
using effects::Graph;

std::string peer_text(const effects::Endpoint& peer) {
  std::string out = peer.protocol.empty() ? "" : peer.protocol + " ";
  out += peer.name().empty() ? "an unknown peer" : peer.name();
  if (peer.port) out += fmt::format(" port {}", peer.port);
  return out;
}

namespace {

std::string trigger_words(const effects::Trigger& trigger) {
  using Kind = effects::Trigger::Kind;
  std::string what;
  switch (trigger.kind) {
    case Kind::unknown: what = "what starts it is not known"; break;
    case Kind::boot: what = "it starts at boot"; break;
    case Kind::timer: what = "a timer starts it"; break;
    case Kind::hotplug: what = "plugging something in starts it"; break;
    case Kind::media: what = "inserting a card or stick starts it"; break;
    case Kind::network_up: what = "it starts when the network comes up"; break;
    case Kind::signal: what = "a signal starts it"; break;
    case Kind::network_input: what = "data from the network starts it"; break;
    case Kind::login: what = "it starts at a login"; break;
    case Kind::key: what = "a key pressed on the device starts it"; break;
    case Kind::menu: what = "an entry of a menu starts it"; break;
    case Kind::user: what = "a person at the device starts it"; break;
  }
  return trigger.detail.empty() ? what : what + " (" + trigger.detail + ")";
}

std::string names(const std::vector<std::string>& list) {
  std::string out;
  for (std::size_t i = 0; i < list.size() && i < 6; ++i) out += (i ? ", " : "") + list[i];
  if (list.size() > 6) out += fmt::format(" and {} more", list.size() - 6);
  return out;
}

// Program, target and login word their own sentences: "runs /tmp/agent", "starts a network service (telnet), behind /bin/login".
std::string what_it_does(const Effect& effect) {
  using effects::Kind;
  if (effect.kind == Kind::execute && !effect.peer && !effect.object.empty()) {
    if (effect.object.value == "-") return "runs what it is given on its input";
    return "runs " + effect.object.value;
  }
  if (effect.kind == Kind::start_service && !effect.peer) {
    const auto protocol = effect.notes.find("protocol");
    std::string out = "starts a network service";
    if (protocol != effect.notes.end()) out += " (" + protocol->second + ")";
    if (!effect.object.empty()) out += effect.object.value.find("login") != std::string::npos ? ", behind " + effect.object.value : ": " + effect.object.value;
    return out;
  }
  std::string out(effects::title(effect.kind));
  if (effect.peer) out += ": " + peer_text(*effect.peer);
  if (!effect.object.empty()) out += (effect.peer ? " " : ": ") + effect.object.value;
  if (!effect.target.empty()) out += " -> " + effect.target.value;
  return out;
}

// Of all that is tested before an effect, what a reader wants to know: checks, and what a person is asked.
bool is_telling(const Effect& effect) {
  using effects::Kind;
  for (const auto& [name, value] : effect.notes)
    if (name.starts_with("checks-")) return true;
  return effect.kind == Kind::verify_signature || effect.kind == Kind::check_hash || effect.kind == Kind::compare_version || effect.kind == Kind::compare_constant || effect.kind == Kind::ask_user;
}

result::Evidence leaf(const Effect& effect, std::string says) {
  result::Evidence out;
  out.says = std::move(says);
  out.site = effect.site;
  out.assumed = effect.assumed;
  const auto secret = effect.notes.find("secret");
  if (secret != effect.notes.end()) {
    out.secret_words = effect.site.words;
    out.site->words = base::masked(std::move(out.site->words), secret->second);
  }
  if (effect.assumed) out.says += " (assumed: " + effect.assumption + ")";
  return out;
}

}  // namespace

effects::Site masked_site(const Effect& effect) {
  effects::Site site = effect.site;
  if (const auto secret = effect.notes.find("secret"); secret != effect.notes.end()) site.words = base::masked(std::move(site.words), secret->second);
  return site;
}

std::string worded(std::string_view sentence, const Graph& graph, const Match& match, const result::Finding& finding) {
  const Effect& source = graph.effects[match.chain.front()];
  const Effect& sink = graph.effects[match.chain.back()];
  const Effect* with = match.with ? &graph.effects[*match.with] : nullptr;
  const auto value = [&](std::string_view name) -> std::string {
    if (name == "program") return graph.programs[source.program].path;
    if (name == "peer") return finding.endpoints.empty() ? "an unknown peer" : peer_text(finding.endpoints.front());
    if (name == "object") return source.object.value;
    if (name == "target") return source.target.value;
    if (name == "sink") return what_it_does(sink);
    if (name == "source") return what_it_does(source);
    if (name == "with") return with ? what_it_does(*with) : "";
    if (name == "targets") return finding.targets.empty() ? "files of the device" : names(finding.targets);
    if (name == "trigger") return trigger_words(finding.trigger);
    if (name == "check") {
      const auto state = verified(graph, match);
      return state == "yes" ? "A verification stands before it." : state == "fake" ? "What looks like a check compares with a constant." : "Nothing verifies it.";
    }
    if (name.starts_with("note:")) {
      const auto note = source.notes.find(std::string(name.substr(5)));
      return note == source.notes.end() ? "none" : note->second;
    }
    return "{" + std::string(name) + "}";
  };
  std::string out;
  while (!sentence.empty()) {
    const auto open = sentence.find('{');
    const auto close = sentence.find('}', open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) {
      out += sentence;
      break;
    }
    out += sentence.substr(0, open);
    out += value(sentence.substr(open + 1, close - open - 1));
    sentence.remove_prefix(close + 1);
  }
  return std::string(base::trim(out));
}

result::Evidence evidence_of(const Rule& rule, const Graph& graph, const Match& match, const result::Finding& finding) {
  result::Evidence root;
  root.says = rule.source ? "what comes in, and where it ends up" : "what was found";
  for (std::size_t i = 0; i < match.chain.size(); ++i) {
    const Effect& effect = graph.effects[match.chain[i]];
    result::Evidence part = leaf(effect, what_it_does(effect));
    if (i > 0 && i - 1 < match.edges.size()) {
      const auto& edge = graph.edges[match.edges[i - 1]];
      part.says += edge.why.empty() ? "" : " [" + edge.why + "]";
      part.assumed = part.assumed || edge.assumed;
    }
    root.parts.push_back(std::move(part));
  }
  if (match.with) {
    const Effect& with = graph.effects[*match.with];
    root.parts.push_back(leaf(with, what_it_does(with)));
  }
  for (const EffectId id : match.checks) {
    const Effect& check = graph.effects[id];
    if (!is_telling(check)) continue;
    result::Evidence part = leaf(check, "tested before: " + what_it_does(check));
    const bool told = std::ranges::any_of(root.parts, [&](const auto& other) { return other.says == part.says; });
    if (!told) root.parts.push_back(std::move(part));
  }
  result::Evidence trigger;
  trigger.says = "trigger: " + trigger_words(finding.trigger);
  for (std::size_t i = 1; i < finding.triggers.size() && i < 6; ++i) trigger.parts.push_back({"also: " + trigger_words(finding.triggers[i]), {}, false, {}, {}});
  root.parts.push_back(std::move(trigger));
  return root;
}

}  // namespace rules
