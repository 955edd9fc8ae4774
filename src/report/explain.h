// One finding as a walk that a colleague can follow, from what starts it to what it does.
#pragma once

#include <string>

#include "report/report.h"

namespace report {

// `finding` belongs to `result`. Only what the result stores is told: the firmware itself is not needed.
std::string explain(const result::Result& result, const result::Finding& finding);

}  // namespace report
