// What a maker declares, laid beside what was found: limbs of CWE-912 decided, peers quoted. Nothing is taken away and no severity changes.
#pragma once

#include <vector>

#include "declare/declare.h"
#include "result/result.h"

namespace rules {

// A manual decides whether a finding is documented: a sentence must say what is done (`declared_by` of the rule), an address alone does not.
// A MUD file or a list decides whether its peer is in the specification. Peers that a declaration names, or fails to name, are told in the
// evidence, for captures as for firmware. Doubts of the readers become doubts of the result.
void apply_declarations(const std::vector<declare::Declaration>& declarations, result::Result& result);

// CWE-912 stays listed unless every limb that was evaluated is shown not to hold.
void settle_hidden(result::Finding& finding);

}  // namespace rules
