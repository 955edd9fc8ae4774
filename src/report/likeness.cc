// Which images are like the first one in, text out.
#include <fmt/format.h>

#include "base/escape.h"
#include "report/comparison.h"

namespace report {
namespace {

std::string shown(std::string_view raw) { return base::escape_terminal(raw); }

std::string reasons(const comparison::Shared& one) {
  if (one.identical) return "the same bytes";
  std::string out = fmt::format("{} of {} strings", one.strings, one.of_strings);
  if (one.of_functions) out += fmt::format(", {} of {} shapes of functions", one.functions, one.of_functions);
  if (one.digest) out += fmt::format(", ssdeep {}", one.digest);
  return out;
}

}  // namespace

std::string render_likeness_text(const std::vector<comparison::Likeness>& list,
                                 const std::vector<comparison::Sketch>& sketches) {
  std::string out =
      list.empty() ? std::string() : fmt::format("Compared with {}:\n", shown(list.front().known));
  for (const auto& one : list) {
    if (!one.evaluated) {
      out += fmt::format("\n{}: not evaluated; one of the two has no program of its own that was read\n",
                         shown(one.other));
      continue;
    }
    out += fmt::format("\n{}: {} % alike{}\n", shown(one.other), one.likeness,
                       one.alike ? ": it may be the same device under another name" : "");
    for (const auto& pair : one.programs) {
      out += fmt::format("    {:3} %  {} and {}: {}\n", pair.likeness, shown(pair.known), shown(pair.other),
                         reasons(pair));
      for (const auto& text : pair.such_as)
        out += fmt::format("             \"{}\"\n", shown(text.substr(0, 80)));
    }
  }
  for (const auto& sketch : sketches) {
    if (sketch.components || sketch.public_strings)
      out += fmt::format("\n{}: left out as public: {} components, {} strings of libraries",
                         shown(sketch.device), sketch.components, sketch.public_strings);
    for (const auto& gap : sketch.not_read)
      out += fmt::format("\n{}: not read: {}", shown(sketch.device), shown(gap));
  }
  return out + "\n";
}

}  // namespace report
