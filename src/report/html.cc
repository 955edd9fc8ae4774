// One self-contained HTML page.
#include "base/escape.h"
#include "report/report.h"

namespace report {

std::string render_html(const std::vector<result::Result>& results, const Options& options) { return base::escape_html(render_text(results, options)); }

}  // namespace report
