// The graph and the rules in, findings out: each with the tree that proves it.
#pragma once

#include "effects/effects.h"
#include "result/result.h"
#include "rules/rule.h"
#include "rules/severity.h"

namespace rules {

struct Judgement {
  std::vector<result::Finding> findings;            // by severity, replaced programs first, then id; ids are unique
  std::vector<result::NotEvaluated> not_evaluated;  // rules that need what was not computed
};

// `give_ups` are the programs that could not be read as deep as a rule needs.
Judgement evaluate(const effects::Graph& graph, const std::vector<Rule>& rules, const SeverityTable& table);

}  // namespace rules
