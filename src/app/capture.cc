// biopsy capture FILE...: what the wire alone shows, as the same result that a scan gives.
#include "app/capture.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "app/commands.h"
#include "app/output.h"
#include "app/pipeline.h"
#include "base/escape.h"
#include "base/worker.h"
#include "join/join.h"

namespace app {
namespace {

constexpr std::uint64_t kWorkerMemory = std::uint64_t{6}
                                        << 30;  // the file twice, what is held of its streams, the result
constexpr unsigned kWorkerSeconds = 600;

constexpr std::size_t kCarriedScanned = 64;

base::Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

// Length (eight bytes, least first), then the bytes.
void put_sized(base::Bytes& out, base::ByteView bytes) {
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<std::uint8_t>(bytes.size() >> 8 * i));
  out.insert(out.end(), bytes.begin(), bytes.end());
}
std::optional<base::ByteView> take_sized(base::ByteView bytes, std::uint64_t& at) {
  const auto size = base::load<std::uint64_t>(bytes, at, base::ByteOrder::little);
  if (!size || *size > bytes.size() - at - 8) return std::nullopt;
  const auto out = bytes.subspan(at + 8, *size);
  at += 8 + *size;
  return out;
}

}  // namespace

base::Result<CaptureRead> read_capture(const std::string& path, const ScanOptions& options) {
  const auto file = base::read_file(path);
  if (!file) return std::unexpected(file.error());
  const std::string name = path == "-" ? "standard input" : std::filesystem::path(path).filename().string();
  if (file->empty())
    return base::fail(base::Error::Kind::unreadable, fmt::format("{}: the file is empty", path));
  const base::WorkerLimits limits{kWorkerMemory, kWorkerSeconds, 2 * kWorkerSeconds};
  // The first byte says which of the two follows: a result, or the sentence why there is none.
  const auto answer = base::run_worker(limits, [&] {
    witness::Options reading;
    reading.show_secrets = options.show_secrets;
    reading.canaries = options.canaries;
    reading.keep_objects = options.scan_carried;
    const auto capture = witness::read(*file, reading);
    if (!capture) return bytes_of("-" + capture.error().message);
    base::Bytes out{'+'};
    put_sized(out, base::as_bytes(result::to_json({join::result_of(*capture, name, *file)}, true)));
    if (options.scan_carried)
      for (const auto& object : capture->objects) put_sized(out, object.bytes);
    return out;
  });
  if (!answer) return std::unexpected(answer.error());
  const std::string_view text = base::as_text(*answer);
  if (!text.starts_with('+')) {
    const auto why = text.substr(text.empty() ? 0 : 1);
    return base::fail(base::Error::Kind::unreadable,
                      why.starts_with(path)
                          ? std::string(why)
                          : fmt::format("{}: {}", path, why.starts_with("capture: ") ? why.substr(9) : why));
  }
  std::uint64_t at = 1;
  const auto json = take_sized(*answer, at);
  if (!json) return base::fail(base::Error::Kind::internal, path + ": the worker's answer is damaged");
  auto results = result::from_json(base::as_text(*json));
  if (!results) return std::unexpected(results.error());
  CaptureRead out{std::move(results->front()), {}};
  out.result.tool_version = BIOPSY_VERSION;
  out.result.date = options.date;
  for (const auto& entry : out.result.files) {
    const auto carried = options.scan_carried ? take_sized(*answer, at) : std::nullopt;
    if (!carried || carried->empty() || entry.note.starts_with("data, ")) continue;
    if (out.carried.size() == kCarriedScanned) {
      base::add_doubt(out.result.doubts,
                      {"carried-not-scanned", name, 0, "more carried files than are scanned"});
      break;
    }
    // Paths inside it begin with its own name on the wire, of which the last part counts.
    const auto last =
        entry.path.substr(entry.path.rfind('/') == std::string::npos ? 0 : entry.path.rfind('/') + 1);
    auto scanned = scan_bytes({carried->begin(), carried->end()}, last.empty() ? "carried" : last, options);
    scanned.device = fmt::format("{} carried in {}", entry.path, name);
    out.carried.push_back(std::move(scanned));
  }
  return out;
}

void add_capture(CLI::App& program, int& status) {
  auto* command =
      program.add_subcommand("capture", "Read packet captures and report what the traffic alone shows");
  auto options = std::make_shared<ScanOptions>();
  command->add_option("capture", options->inputs, "pcap or pcapng, gzip-compressed or not")->required();
  command->add_flag("--scan-carried", options->scan_carried,
                    "Scan programs, scripts and archives that were carried in clear, too");
  command
      ->add_option("--canary", options->canaries,
                   "A string typed in at the device, a made-up patient's name say: finds it in every stream, "
                   "whatever the framing; may be given several times")
      ->allow_extra_args(false);
  add_output_options(*command, *options);
  add_judging_options(*command, *options);
  add_declared_option(*command, *options);
  command->callback([options, &status] {
    std::vector<result::Result> results;
    int worst = kFine;
    for (const auto& path : options->inputs) {
      auto one = read_capture(path, *options);
      if (one) {
        results.push_back(std::move(one->result));
        for (auto& carried : one->carried) results.push_back(std::move(carried));
        continue;
      }
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(one.error().message));
      worst = kUnreadable;
    }
    status = conclude(results, *options, worst);
  });
}

}  // namespace app
