#include "app/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "base/escape.h"
#include "base/text.h"
#include "report/report.h"

namespace app {
namespace {

// Explicit --format wins for standard output; a file name's ending wins for a file that has a known one.
report::Format format_for(const std::string& output, const ScanOptions& options) {
  const auto asked = report::format_from_key(options.format).value_or(report::Format::text);
  if (output == "-") return asked;
  for (const auto& [ending, key] : {std::pair{".json", "json"}, {".html", "html"}, {".htm", "html"}, {".txt", "text"}, {".sarif", "sarif"}})
    if (output.ends_with(ending) && options.format == "text") return *report::format_from_key(key);
  return asked;
}

}  // namespace

void add_output_options(CLI::App& command, ScanOptions& options) {
  command.add_option("--format,-f", options.format, "text, json, html, ...")->check(CLI::IsMember(report::format_keys()))->capture_default_str();
  command.add_option("--output,-o", options.outputs, "Write to this file, - for standard output; may be given several times; .json and .html choose their format");
  command.add_flag("--show-secrets", options.show_secrets, "Show passwords, keys and patient data instead of masking them");
}

bool write_results(const std::vector<result::Result>& results, const ScanOptions& options) {
  const std::vector<std::string> outputs = options.outputs.empty() ? std::vector<std::string>{"-"} : options.outputs;
  for (const auto& output : outputs) {
    report::Options rendering;
    rendering.show_secrets = options.show_secrets;
    rendering.colour = output == "-" && ::isatty(STDOUT_FILENO) && !std::getenv("NO_COLOR");
    const auto text = report::render(format_for(output, options), results, rendering);
    if (!text) {
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(text.error().message));
      return false;
    }
    if (output == "-") {
      std::cout << *text << std::flush;
      if (!std::cout) return false;
      continue;
    }
    std::ofstream file(output, std::ios::binary);
    file << *text;
    file.close();
    if (!file) {
      fmt::print(stderr, "biopsy: {}: could not be written\n", base::escape_terminal(output));
      return false;
    }
  }
  return true;
}

}  // namespace app
