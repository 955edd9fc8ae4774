#include "report/report.h"

namespace report {

std::optional<Format> format_from_key(std::string_view wanted) {
#define FORMAT(name, key, title) \
  if (wanted == key) return Format::name;
#include "report/formats.def"
#undef FORMAT
  return std::nullopt;
}

std::vector<std::string> format_keys() {
  return {
#define FORMAT(name, key, title) key,
#include "report/formats.def"
#undef FORMAT
  };
}

base::Result<std::string> render(Format format, const std::vector<result::Result>& results,
                                 const Options& options) {
  switch (format) {
    case Format::text:
      return render_text(results, options);
    case Format::json:
      return result::to_json(results, options.show_secrets);
    case Format::html:
      return render_html(results, options);
    case Format::sarif:
      return render_sarif(results, options);
    case Format::csaf:
      return render_csaf(results, options);
    case Format::cyclonedx:
      return render_cyclonedx(results, options);
    case Format::openvex:
      return render_openvex(results, options);
  }
  return base::fail(base::Error::Kind::internal, "no such format");
}

}  // namespace report
