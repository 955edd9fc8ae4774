// One finding as a walk that a colleague can follow, from what starts it to what it does.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "report/report.h"

namespace report {

// What the firmware shows at a place of the proof, in lines: key is place_words(site).
using CloserLook = std::map<std::string, std::vector<std::string>>;

// What is known of the rule beside the finding.
struct RuleFacts {
  std::string severity_class;
  std::vector<std::pair<result::Severity, std::string>> grades;  // the class's rows of severity.yaml, the first that holds decides
  std::vector<std::vector<std::string>> declared_by;             // words of a manual's sentence that declares it: one of each group
};

// `finding` belongs to `result`. Only what the result stores is told; `closer` adds what the firmware itself shows.
std::string explain(const result::Result& result, const result::Finding& finding, const RuleFacts& rule = {}, const CloserLook& closer = {});

// What would have to be so in the firmware for a finding of this class not to be told; empty for a class that is not known.
std::string_view what_ends(std::string_view severity_class);

}  // namespace report
