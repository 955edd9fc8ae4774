// Inside rules/: one match of a rule, before it becomes a finding.
#pragma once

#include <string>
#include <vector>

#include "effects/effects.h"
#include "result/result.h"
#include "rules/rule.h"
#include "rules/severity.h"
#include "rules/update_ways.h"

namespace rules {

struct Match {
  std::vector<effects::EffectId> chain;  // from source to sink; one effect for an effect rule
  std::vector<std::size_t> edges;        // graph.edges between them
  std::vector<effects::EffectId> checks; // what guards an element of the chain
  std::optional<effects::EffectId> with;
  const Links* links = nullptr;          // of the graph that it was found in
};

// facts.cc: what the severity table asks for, and what a person is told about when it happens.
Facts facts_of(const Rule& rule, const effects::Graph& graph, const Match& match);
std::vector<effects::Trigger> triggers_of(const effects::Graph& graph, const Match& match);
std::string verified(const effects::Graph& graph, const Match& match);  // yes, no, fake

// wording.cc: sentences and evidence.
std::string worded(std::string_view sentence, const effects::Graph& graph, const Match& match, const result::Finding& finding);
result::Evidence evidence_of(const Rule& rule, const effects::Graph& graph, const Match& match, const result::Finding& finding);
effects::Site masked_site(const effects::Effect& effect);  // the secret that the effect names is taken out of the words
std::string peer_text(const effects::Endpoint& peer);

}  // namespace rules
