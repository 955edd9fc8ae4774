// Every rule, its proof and its limits, as a page for people: docs/rules.md.
#pragma once

#include <string>
#include <vector>

#include "rules/rule.h"

namespace rules {

// Markdown; the same rules give the same bytes. Rules of the nursery stand in a section of their own.
std::string reference_of(const std::vector<Rule>& rules);

}  // namespace rules
