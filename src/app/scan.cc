// biopsy scan INPUT...
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "app/capture.h"
#include "app/commands.h"
#include "app/output.h"
#include "app/pipeline.h"
#include "app/progress.h"
#include "base/escape.h"
#include "join/join.h"

namespace app {
namespace {

int scan(const ScanOptions& options) {
  std::vector<std::vector<std::string>> devices;
  if (options.device) devices.push_back(options.inputs);
  else
    for (const auto& input : options.inputs) devices.push_back({input});

  int status = kFine;
  std::vector<result::Result> observed;
  for (const auto& path : options.captures) {
    auto one = read_capture(path, options);
    if (!one) {
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(one.error().message));
      return kUnreadable;
    }
    observed.push_back(std::move(one->result));
  }
  std::vector<result::Result> results;
  for (const auto& inputs : devices) {
    ProgressLine line(!options.quiet && ::isatty(STDERR_FILENO));
    auto scanned = scan_device(inputs, options, [&](std::string_view stage, std::uint64_t done, std::uint64_t total) { line.show(stage, done, total); });
    line.clear();
    if (!scanned) {
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(scanned.error().message));
      status = kUnreadable;
      continue;
    }
    for (const auto& capture : observed) join::add_observed(*scanned, capture);
    results.push_back(std::move(*scanned));
  }
  return conclude(results, options, status);
}

}  // namespace

void add_scan(CLI::App& program, int& status) {
  auto* command = program.add_subcommand("scan", "Read a firmware and report what its owner should know");
  auto options = std::make_shared<ScanOptions>();
  command->add_option("input", options->inputs, "Image, directory, tar or zip of a root file system, ELF file, script, or - for standard input")->required();
  command->add_flag("--device", options->device, "Join the inputs as partitions of one device");
  add_output_options(*command, *options);
  add_judging_options(*command, *options);
  add_declared_option(*command, *options);
  command->add_option("--capture", options->captures, "Packet capture of this device: what was seen confirms what was read; may be given several times")->allow_extra_args(false);
  command->add_option("--jobs,-j", options->jobs, "Worker processes")->check(CLI::Range(1u, 64u))->capture_default_str();
  command->add_flag("!--no-cache", options->cache, "Read every program anew");
  command->add_flag("--quiet,-q", options->quiet, "No progress");
  command->callback([options, &status] { status = scan(*options); });
}

}  // namespace app
