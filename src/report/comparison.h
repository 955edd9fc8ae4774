// A comparison in, text or a page out.
#pragma once

#include <string>

#include "compare/alike.h"
#include "compare/compare.h"
#include "report/report.h"

namespace report {

std::string render_comparison_text(const comparison::Comparison& comparison, const Options& options);
std::string render_comparison_html(const comparison::Comparison& comparison);
// `sketches` are those that were likened, the first being the known one.
std::string render_likeness_text(const std::vector<comparison::Likeness>& list, const std::vector<comparison::Sketch>& sketches);

}  // namespace report
