// biopsy capture FILE...: what the wire alone shows, as the same result that a scan gives.
#include "app/capture.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "app/commands.h"
#include "app/output.h"
#include "base/escape.h"
#include "base/worker.h"
#include "join/join.h"

namespace app {
namespace {

constexpr std::uint64_t kWorkerMemory = std::uint64_t{6} << 30;  // the file twice, what is held of its streams, the result
constexpr unsigned kWorkerSeconds = 600;

base::Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

base::Result<result::Result> read_capture(const std::string& path, const ScanOptions& options) {
  const auto file = base::read_file(path);
  if (!file) return std::unexpected(file.error());
  const std::string name = path == "-" ? "standard input" : std::filesystem::path(path).filename().string();
  if (file->empty()) return base::fail(base::Error::Kind::unreadable, fmt::format("{}: the file is empty", path));
  const base::WorkerLimits limits{kWorkerMemory, kWorkerSeconds, 2 * kWorkerSeconds};
  // The first byte says which of the two follows: a result, or the sentence why there is none.
  const auto answer = base::run_worker(limits, [&] {
    witness::Options reading;
    reading.show_secrets = options.show_secrets;
    reading.keep_objects = false;
    const auto capture = witness::read(*file, reading);
    if (!capture) return bytes_of("-" + capture.error().message);
    return bytes_of("+" + result::to_json({join::result_of(*capture, name, *file)}, true));
  });
  if (!answer) return std::unexpected(answer.error());
  const std::string_view text = base::as_text(*answer);
  if (!text.starts_with('+')) {
    const auto why = text.substr(text.empty() ? 0 : 1);
    return base::fail(base::Error::Kind::unreadable, why.starts_with(path) ? std::string(why) : fmt::format("{}: {}", path, why.starts_with("capture: ") ? why.substr(9) : why));
  }
  auto results = result::from_json(text.substr(1));
  if (!results) return std::unexpected(results.error());
  auto out = std::move(results->front());
  out.tool_version = BIOPSY_VERSION;
  out.date = options.date;
  return out;
}

void add_capture(CLI::App& program, int& status) {
  auto* command = program.add_subcommand("capture", "Read packet captures and report what the traffic alone shows");
  auto options = std::make_shared<ScanOptions>();
  command->add_option("capture", options->inputs, "pcap or pcapng, gzip-compressed or not")->required();
  add_output_options(*command, *options);
  add_judging_options(*command, *options);
  command->callback([options, &status] {
    std::vector<result::Result> results;
    int worst = kFine;
    for (const auto& path : options->inputs) {
      auto one = read_capture(path, *options);
      if (one) {
        results.push_back(std::move(*one));
        continue;
      }
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(one.error().message));
      worst = kUnreadable;
    }
    status = conclude(results, *options, worst);
  });
}

}  // namespace app
