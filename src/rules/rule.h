// rules/*.yaml in, rules out: small patterns over the graph of effects, as data.
//
// A rule has one of two shapes. `flow`: bytes that a source brings in reach a sink over `feeds` edges. `effect`: one effect,
// perhaps `with` another in the same program. What both match on is a Selector.
#pragma once

#include <map>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "effects/effects.h"

namespace rules {

// Which effects. Every given line must hold; a list holds when one of its items does.
struct Selector {
  std::vector<effects::Kind> kinds;
  std::vector<std::string> peer;       // fixed, literal, shipped-default, setting, input, unknown, none, any
  std::vector<std::string> scope;      // keys of effects::Scope
  std::vector<std::string> protocol;
  std::vector<std::string> data;       // data classes
  std::vector<effects::Trigger::Kind> triggers;
  std::optional<bool> replaces;        // it covers programs of the image
  std::optional<bool> link;            // it makes a link only
  std::optional<std::regex> object, target, words, path;  // path: of the acting program
  std::map<std::string, std::regex> notes;         // searched in the note; a missing note does not match
  std::vector<std::string> without_notes;          // none of these notes is there
};

struct Example {
  std::string name;
  std::map<std::string, std::string> files;  // path -> content of a small root file system
};

struct Rule {
  std::string id, title, severity_class;
  std::vector<int> cwe;
  std::vector<effects::EdgeKind> needs;
  std::optional<Selector> source, sink;         // flow
  bool not_through_replaced = false;            // a flow that replaces programs on its way is another rule's
  std::optional<Selector> effect, with;         // effect
  std::string order;                            // of `with`: "after", "before" or "any"
  std::vector<int> ours;                        // of `cwe`, those that are our own judgement and in no published advisory of the case
  std::vector<std::vector<std::string>> declared_by;  // a sentence of a manual with one word of each group describes it; lower case
  bool nursery = false;                         // unproven: listed as info only
  std::string says, advice, misses, cries_wolf, severity_note;
  std::vector<Example> hits, clean;
  std::vector<std::string> stories;             // cases in lab/stories in place of examples: programs do not fit into a text
  std::string file;                             // its name, for messages
};

// One rule from the text of its file. Errors: damaged, with what is wrong.
base::Result<Rule> parse_rule(std::string_view yaml, std::string_view file);

// All rules that are built in, by id.
const std::vector<Rule>& built_in_rules();

bool matches(const Selector& selector, const effects::Graph& graph, effects::EffectId id);

}  // namespace rules
