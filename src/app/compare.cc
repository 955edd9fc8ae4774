// biopsy compare OLD NEW...: was it fixed?
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include "app/commands.h"
#include "app/output.h"
#include "app/pipeline.h"
#include "app/progress.h"
#include "base/bytes.h"
#include "base/escape.h"
#include "compare/alike.h"
#include "compare/compare.h"
#include "report/comparison.h"
#include "unpack/unpack.h"

namespace app {
namespace {

// A saved result is read back; anything else is scanned.
base::Result<std::vector<result::Result>> results_of(const std::string& input, const ScanOptions& options) {
  if (input.ends_with(".json")) {
    const auto bytes = base::read_file(input);
    if (!bytes) return std::unexpected(bytes.error());
    return result::from_json(base::as_text(*bytes));
  }
  ProgressLine line(!options.quiet && ::isatty(STDERR_FILENO));
  auto scanned =
      scan_device({input}, options, [&](std::string_view stage, std::uint64_t done, std::uint64_t total) {
        line.show(stage, done, total);
      });
  line.clear();
  if (!scanned) return std::unexpected(scanned.error());
  return std::vector<result::Result>{std::move(*scanned)};
}

bool write(const std::string& output, const std::string& text) {
  if (output == "-") {
    std::cout << text << std::flush;
    return static_cast<bool>(std::cout);
  }
  std::ofstream file(output, std::ios::binary);
  file << text;
  file.close();
  if (!file) fmt::print(stderr, "biopsy: {}: could not be written\n", base::escape_terminal(output));
  return static_cast<bool>(file);
}

// Which of the others is the first under another name. No finding is looked for, so that images are read and not scanned.
int liken_inputs(const ScanOptions& options) {
  std::vector<comparison::Sketch> sketches;
  for (const auto& input : options.inputs) {
    if (input.ends_with(".json") || options.format == "html") {
      fmt::print(stderr, "biopsy: --alike reads images, not saved results, and writes text or json\n");
      return kUsage;
    }
    const auto firmware = unpack::open({input});
    if (!firmware) {
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(firmware.error().message));
      return kUnreadable;
    }
    sketches.push_back(comparison::sketch(*firmware, std::filesystem::path(input).filename().string(), options.jobs));
  }
  const auto list = comparison::liken(sketches);
  for (const auto& output : options.outputs.empty() ? std::vector<std::string>{"-"} : options.outputs) {
    const bool json = options.format == "json" || output.ends_with(".json");
    if (!write(output, json ? comparison::to_json(list) : report::render_likeness_text(list, sketches))) return kUnreadable;
  }
  return std::ranges::any_of(list, &comparison::Likeness::alike) ? kFound : kFine;
}

int compare_inputs(const ScanOptions& options) {
  std::vector<result::Result> results;
  for (const auto& input : options.inputs) {
    auto some = results_of(input, options);
    if (!some) {
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(some.error().message));
      return kUnreadable;
    }
    for (auto& one : *some) {
      // Partitions joined by --device often bear the same names in every version: then the input's name tells
      // them apart.
      if (some->size() == 1 && input.ends_with(".json"))
        one.device = std::filesystem::path(input).stem().string();
      results.push_back(std::move(one));
    }
  }
  const auto comparison = comparison::compare_all(results);
  for (const auto& output : options.outputs.empty() ? std::vector<std::string>{"-"} : options.outputs) {
    std::string format = options.format;
    if (format == "text" && output.ends_with(".json")) format = "json";
    if (format == "text" && (output.ends_with(".html") || output.ends_with(".htm"))) format = "html";
    report::Options rendering;
    rendering.colour = output == "-" && ::isatty(STDOUT_FILENO) && !std::getenv("NO_COLOR");
    const std::string text = format == "json"   ? comparison::to_json(comparison)
                             : format == "html" ? report::render_comparison_html(comparison)
                                                : report::render_comparison_text(comparison, rendering);
    if (!write(output, text)) return kUnreadable;
  }
  const auto threshold = *result::severity_from_key(options.fail_on);
  for (const auto& step : comparison.steps)
    for (const auto& change : step.changes)
      if (change.verdict != comparison::Verdict::fixed && std::max(change.before, change.after) >= threshold)
        return kFound;
  return kFine;
}

}  // namespace

void add_compare(CLI::App& program, int& status) {
  auto* command =
      program.add_subcommand("compare", "Was it fixed? Compare images or saved results, finding by finding");
  auto options = std::make_shared<ScanOptions>();
  command
      ->add_option("input", options->inputs,
                   "The older image, then the newer ones; results saved as .json stand for their images")
      ->required()
      ->expected(2, 64);
  command->add_option("--format,-f", options->format, "text, json or html")
      ->check(CLI::IsMember({"text", "json", "html"}))
      ->capture_default_str();
  command->add_option("--output,-o", options->outputs,
                      "Write to this file, - for standard output; .json and .html choose their format");
  command
      ->add_option("--fail-on", options->fail_on,
                   "Exit with 1 when a finding at or above this severity is not fixed")
      ->check(CLI::IsMember({"info", "low", "medium", "high", "critical"}))
      ->capture_default_str();
  command->add_option("--jobs,-j", options->jobs, "Worker processes")
      ->check(CLI::Range(1u, 64u))
      ->capture_default_str();
  command->add_flag("--quiet,-q", options->quiet, "No progress");
  auto alike = std::make_shared<bool>(false);
  command->add_flag("--alike", *alike,
                    "Instead: is one of the others the first device under another name? Programs, strings and functions that they "
                    "share; exit status 1 when one is");
  command->callback([options, alike, &status] { status = *alike ? liken_inputs(*options) : compare_inputs(*options); });
}

}  // namespace app
