// A comparison in, text or a page out.
#pragma once

#include <string>

#include "compare/compare.h"
#include "report/report.h"

namespace report {

std::string render_comparison_text(const comparison::Comparison& comparison, const Options& options);
std::string render_comparison_html(const comparison::Comparison& comparison);

}  // namespace report
