// biopsy scan INPUT...
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <ctime>

#include "app/accept.h"
#include "app/commands.h"
#include "app/output.h"
#include "app/pipeline.h"
#include "app/progress.h"
#include "base/escape.h"

namespace app {
namespace {

// The worst of several devices: 3, 1, 4, 0.
int worse(int a, int b) {
  const auto rank = [](int status) { return status == kUnreadable ? 3 : status == kFound ? 2 : status == kNotEvaluated ? 1 : 0; };
  return rank(b) > rank(a) ? b : a;
}

int status_of(const result::Result& result, const ScanOptions& options) {
  const auto threshold = *result::severity_from_key(options.fail_on);
  for (const auto& finding : result.findings)
    if (finding.severity >= threshold && finding.accepted.empty()) return kFound;
  return options.strict && !result.coverage.not_evaluated.empty() ? kNotEvaluated : kFine;
}

int scan(const ScanOptions& options) {
  std::vector<std::vector<std::string>> devices;
  if (options.device) devices.push_back(options.inputs);
  else
    for (const auto& input : options.inputs) devices.push_back({input});

  auto acceptances = read_acceptances(options.accept);
  if (!acceptances) {
    fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(acceptances.error().message));
    return kUsage;
  }
  int status = kFine;
  std::vector<result::Result> results;
  for (const auto& inputs : devices) {
    ProgressLine line(!options.quiet && ::isatty(STDERR_FILENO));
    auto scanned = scan_device(inputs, options, [&](std::string_view stage, std::uint64_t done, std::uint64_t total) { line.show(stage, done, total); });
    line.clear();
    if (!scanned) {
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(scanned.error().message));
      status = worse(status, kUnreadable);
      continue;
    }
    apply_acceptances(*acceptances, *scanned);
    status = worse(status, status_of(*scanned, options));
    results.push_back(std::move(*scanned));
  }
  if (results.empty()) return status;
  return write_results(results, options) ? status : kUnreadable;
}

std::string date_from_environment() {
  const char* epoch = std::getenv("SOURCE_DATE_EPOCH");
  if (!epoch) return {};
  const std::time_t seconds = std::strtoll(epoch, nullptr, 10);
  char text[32];
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

void add_scan(CLI::App& program, int& status) {
  auto* command = program.add_subcommand("scan", "Read a firmware and report what its owner should know");
  auto options = std::make_shared<ScanOptions>();
  command->add_option("input", options->inputs, "Image, directory, tar or zip of a root file system, ELF file, script, or - for standard input")->required();
  command->add_flag("--device", options->device, "Join the inputs as partitions of one device");
  add_output_options(*command, *options);
  command->add_option("--fail-on", options->fail_on, "Exit with 1 when a finding is at or above this severity")
      ->check(CLI::IsMember({"info", "low", "medium", "high", "critical"}))->capture_default_str();
  command->add_flag("--strict", options->strict, "Exit with 4 when something was not evaluated");
  command->add_option("--accept", options->accept, "YAML file with accepted findings: id, reason, person, expires");
  command->add_option("--jobs,-j", options->jobs, "Worker processes")->check(CLI::Range(1u, 64u))->capture_default_str();
  command->add_flag("!--no-cache", options->cache, "Read every program anew");
  command->add_flag("--quiet,-q", options->quiet, "No progress");
  command->add_option("--date", options->date, "Date to write into the result (default: SOURCE_DATE_EPOCH)");
  command->callback([options, &status] {
    if (options->date.empty()) options->date = date_from_environment();
    status = scan(*options);
  });
}

}  // namespace app
