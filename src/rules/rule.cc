#include "rules/rule.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cassert>
#include <set>

#include "rules/embedded.h"

namespace rules {
namespace {

using base::Error;
using base::fail;
using effects::Effect;

// Thrown inside this file only, where yaml-cpp throws as well; parse_rule turns both into an Error.
struct Wrong {
  std::string what;
};

std::vector<std::string> list(const YAML::Node& node) {
  std::vector<std::string> out;
  if (node && node.IsScalar()) out.push_back(node.as<std::string>());
  else
    for (const auto& item : node) out.push_back(item.as<std::string>());
  return out;
}

template <class Enum>
Enum enumerator(const std::string& wanted, int count) {
  for (int i = 0; i < count; ++i)
    if (effects::key(static_cast<Enum>(i)) == wanted) return static_cast<Enum>(i);
  throw Wrong{fmt::format("unknown word '{}'", wanted)};
}

std::regex pattern(const YAML::Node& node) {
  try {
    return std::regex(node.as<std::string>(), std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& error) {
    throw Wrong{fmt::format("'{}' is not a regular expression", node.as<std::string>())};
  }
}

void only(const YAML::Node& node, const std::set<std::string>& known) {
  for (const auto& entry : node)
    if (!known.contains(entry.first.as<std::string>())) throw Wrong{fmt::format("unknown key '{}'", entry.first.as<std::string>())};
}

std::optional<Selector> selector(const YAML::Node& node) {
  if (!node) return std::nullopt;
  only(node, {"kinds", "peer", "scope", "protocol", "data", "triggers", "replaces", "link", "object", "target", "words", "path", "notes", "without_notes"});
  Selector out;
  for (const auto& key : list(node["kinds"])) {
    const auto kind = effects::kind_from_key(key);
    if (!kind) throw Wrong{fmt::format("unknown effect kind '{}'", key)};
    out.kinds.push_back(*kind);
  }
  out.peer = list(node["peer"]);
  out.scope = list(node["scope"]);
  out.protocol = list(node["protocol"]);
  out.data = list(node["data"]);
  out.without_notes = list(node["without_notes"]);
  for (const auto& key : list(node["triggers"])) out.triggers.push_back(enumerator<effects::Trigger::Kind>(key, 12));
  if (node["replaces"]) out.replaces = node["replaces"].as<bool>();
  if (node["link"]) out.link = node["link"].as<bool>();
  if (node["object"]) out.object = pattern(node["object"]);
  if (node["target"]) out.target = pattern(node["target"]);
  if (node["words"]) out.words = pattern(node["words"]);
  if (node["path"]) out.path = pattern(node["path"]);
  for (const auto& note : node["notes"]) out.notes.emplace(note.first.as<std::string>(), pattern(note.second));
  return out;
}

std::vector<Example> examples(const YAML::Node& node) {
  std::vector<Example> out;
  for (const auto& item : node) {
    Example example;
    example.name = item["name"].as<std::string>();
    for (const auto& file : item["files"]) example.files[file.first.as<std::string>()] = file.second.as<std::string>();
    out.push_back(std::move(example));
  }
  return out;
}

Rule rule_from(const YAML::Node& node) {
  only(node, {"id", "title", "class", "cwe", "needs", "flow", "effect", "with", "ours", "declared_by", "nursery", "says", "advice", "misses", "cries_wolf", "hits", "clean", "stories"});
  Rule rule;
  rule.id = node["id"].as<std::string>();
  rule.title = node["title"].as<std::string>();
  rule.severity_class = node["class"].as<std::string>();
  for (const auto& number : node["cwe"]) rule.cwe.push_back(number.as<int>());
  std::ranges::sort(rule.cwe);
  for (const auto& key : list(node["needs"])) rule.needs.push_back(enumerator<effects::EdgeKind>(key, 5));
  if (const auto flow = node["flow"]) {
    only(flow, {"source", "sink", "not_through_replaced"});
    rule.source = selector(flow["source"]);
    rule.sink = selector(flow["sink"]);
    rule.not_through_replaced = flow["not_through_replaced"] && flow["not_through_replaced"].as<bool>();
    if (!rule.source || !rule.sink) throw Wrong{"a flow needs a source and a sink"};
  }
  rule.effect = selector(node["effect"]);
  if (const auto with = node["with"]) {
    YAML::Node rest = YAML::Clone(with);
    rule.order = with["order"] ? with["order"].as<std::string>() : "any";
    rest.remove("order");
    rule.with = selector(rest);
    if (rule.order != "any" && rule.order != "after" && rule.order != "before") throw Wrong{fmt::format("order '{}'", rule.order)};
  }
  if (rule.source.has_value() == rule.effect.has_value()) throw Wrong{"a rule has either flow or effect"};
  for (const auto& number : node["ours"]) rule.ours.push_back(number.as<int>());
  for (const int number : rule.ours)
    if (std::ranges::find(rule.cwe, number) == rule.cwe.end()) throw Wrong{fmt::format("ours: {} is not among cwe", number)};
  for (const auto& group : node["declared_by"]) rule.declared_by.push_back(list(group));
  rule.nursery = node["nursery"] && node["nursery"].as<bool>();
  rule.says = node["says"].as<std::string>();
  rule.advice = node["advice"].as<std::string>();
  rule.misses = node["misses"].as<std::string>();
  rule.cries_wolf = node["cries_wolf"].as<std::string>();
  rule.hits = examples(node["hits"]);
  rule.clean = examples(node["clean"]);
  rule.stories = list(node["stories"]);
  if (!rule.nursery && rule.stories.empty() && (rule.hits.empty() || rule.clean.empty())) throw Wrong{"a rule outside the nursery needs examples under hits and clean, or stories"};
  return rule;
}

bool peer_is(const Effect& effect, const std::string& wanted) {
  if (wanted == "any") return effect.peer.has_value();
  if (wanted == "none") return !effect.peer.has_value();
  if (!effect.peer) return false;
  if (wanted == "fixed") return effects::fixed(effect.peer->provenance);
  return effects::key(effect.peer->provenance) == wanted;
}

bool found(const std::optional<std::regex>& pattern, const std::string& text) {
  return !pattern || std::regex_search(text.substr(0, 4096), *pattern);
}

template <class List, class Test>
bool any(const List& list, Test test) {
  return list.empty() || std::ranges::any_of(list, test);
}

}  // namespace

base::Result<Rule> parse_rule(std::string_view yaml, std::string_view file) {
  try {
    Rule rule = rule_from(YAML::Load(std::string(yaml)));
    rule.file = std::string(file);
    return rule;
  } catch (const Wrong& wrong) {
    return fail(Error::Kind::damaged, fmt::format("rule {}: {}", file, wrong.what));
  } catch (const YAML::Exception& error) {
    return fail(Error::Kind::damaged, fmt::format("rule {}: {}", file, error.what()));
  }
}

const std::vector<Rule>& built_in_rules() {
  static const std::vector<Rule> rules = [] {
    std::vector<Rule> out;
    for (const auto& [name, text] : embedded::rule_files) {
      auto rule = parse_rule(text, name);
      assert(rule && "the built-in rules are checked by rules_test");
      if (rule) out.push_back(std::move(*rule));
    }
    std::ranges::sort(out, {}, &Rule::id);
    return out;
  }();
  return rules;
}

bool matches(const Selector& selector, const effects::Graph& graph, effects::EffectId id) {
  const Effect& effect = graph.effects[id];
  const auto& program = graph.programs[effect.program];
  const auto& triggers = effect.triggers.empty() ? program.triggers : effect.triggers;
  if (!any(selector.kinds, [&](auto kind) { return kind == effect.kind; })) return false;
  if (!any(selector.peer, [&](const auto& wanted) { return peer_is(effect, wanted); })) return false;
  if (!any(selector.scope, [&](const auto& wanted) { return effect.peer && effects::key(effect.peer->scope) == wanted; })) return false;
  if (!any(selector.protocol, [&](const auto& wanted) {
        const auto note = effect.notes.find("protocol");
        return (effect.peer && effect.peer->protocol == wanted) || (note != effect.notes.end() && note->second == wanted);
      })) return false;
  if (!any(selector.data, [&](const auto& wanted) { return std::ranges::find(effect.data, wanted) != effect.data.end(); })) return false;
  if (!any(selector.triggers, [&](auto wanted) { return std::ranges::any_of(triggers, [&](const auto& t) { return t.kind == wanted; }); })) return false;
  if (selector.replaces && *selector.replaces != !effect.replaced.empty()) return false;
  if (selector.link && *selector.link != effect.notes.contains("link")) return false;
  if (!found(selector.object, effect.object.value) || !found(selector.target, effect.target.value)) return false;
  if (!found(selector.words, effect.site.words) || !found(selector.path, program.path)) return false;
  for (const auto& [name, wanted] : selector.notes) {
    const auto note = effect.notes.find(name);
    if (note == effect.notes.end() || !std::regex_search(note->second, wanted)) return false;
  }
  return std::ranges::none_of(selector.without_notes, [&](const auto& name) { return effect.notes.contains(name); });
}

}  // namespace rules
