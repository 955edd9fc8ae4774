// biopsy run IMAGE [PROGRAM...]: what a program does in the closed box; with --confirm, whether it does what was read.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>

#include "app/commands.h"
#include "app/output.h"
#include "app/run_text.h"
#include "base/bytes.h"
#include "base/escape.h"
#include "base/text.h"
#include "base/worker.h"
#include "box/box.h"
#include "join/join.h"
#include "join/run.h"
#include "unpack/unpack.h"

namespace app {
namespace {

constexpr unsigned kWorkerSeconds = 120;

struct RunOptions : ScanOptions {
  std::vector<std::string> words;  // program and its arguments
  std::vector<std::string> others;  // more partitions of the device
  std::string image, keys, input, capture, confirm;
  unsigned seconds = 20, speed = 100;
};

// {patient}, {name}, {number} and {doctor} are replaced by the canary patient's lines; \n in --keys is the enter key.
std::string typed(std::string text, const box::Patient& patient) {
  const auto replace = [&](std::string_view what, const std::string& with) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) text.replace(at, what.size(), with);
  };
  replace("{patient}", base::join(patient.lines, "\n") + "\n");
  replace("{name}", patient.canaries[0]);
  replace("{number}", patient.canaries[1]);
  replace("{doctor}", patient.canaries[2]);
  return text;
}

base::Result<std::string> read_input(const RunOptions& options, const box::Patient& patient) {
  std::string text;
  if (!options.input.empty()) {
    const auto file = base::read_file(options.input, 1 << 20);
    if (!file) return std::unexpected(file.error());
    text = base::as_text(*file);
  }
  std::string keys = options.keys;
  for (std::size_t at = 0; (at = keys.find("\\n", at)) != std::string::npos;) keys.replace(at, 2, "\n");
  return typed(text + keys, patient);
}

base::Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

// The traffic is the payload's words: it is read in a worker.
base::Result<result::Result> result_of(const box::Record& record, const box::Patient& patient, const std::string& name, bool show_secrets) {
  const base::WorkerLimits limits{std::uint64_t{2} << 30, kWorkerSeconds, 2 * kWorkerSeconds};
  const auto answer = base::run_worker(limits, [&] {
    witness::Options reading;
    reading.show_secrets = show_secrets;
    reading.keep_objects = false;
    reading.canaries = patient.canaries;
    reading.canaries.push_back(box::canary_text(record.secret));
    const auto capture = witness::read(record.capture, reading);
    return bytes_of(result::to_json({join::result_of_run(record, capture ? *capture : witness::Capture{}, name)}, true));
  });
  if (!answer) return std::unexpected(answer.error());
  auto results = result::from_json(base::as_text(*answer));
  if (!results) return std::unexpected(results.error());
  return std::move(results->front());
}

bool keep_capture(const std::string& path, const base::Bytes& capture) {
  if (path.empty()) return true;
  std::ofstream file(path, std::ios::binary);
  file << base::as_text(capture);
  file.close();
  return file.good();
}

constexpr unsigned kAttemptSeconds = 3;  // of one attempt; at the usual speed five minutes of the device
constexpr std::size_t kManyKeys = 100;   // an attempt with more has twice the time

// What could set a program's findings going: nothing at all, each key once, each two keys with an enter between. Where all of
// them wait for a person, nothing at all comes last.
std::vector<std::string> attempts(const result::Result& scan, const std::string& program) {
  std::string singles, pairs;
  for (char key = 'A'; key <= 'Z'; ++key) singles += key;
  for (char key = '0'; key <= '9'; ++key) singles += key;
  for (char first = 'A'; first <= 'Z'; ++first)
    for (char second = 'A'; second <= 'Z'; ++second) pairs += {first, second, '\n'};
  const bool asked = std::ranges::all_of(scan.findings, [&](const result::Finding& f) {
    return f.files.empty() || f.files.front() != program || f.endpoints.empty() || effects::started_by_user(f.trigger.kind);
  });
  if (asked) return {singles, pairs, ""};
  return {"", singles, pairs};
}

// Indices of the findings of `program` that name a peer and that no effect in `seen` shows yet.
std::vector<std::size_t> open_findings(const result::Result& scan, const std::string& program, const result::Result& observed) {
  std::vector<const effects::Effect*> seen;
  for (const auto& effect : observed.graph.effects) seen.push_back(&effect);
  std::set<std::uint32_t> shown;
  for (const auto& verdict : join::compare(scan.graph, seen))
    if (verdict.state == join::State::seen) shown.insert(verdict.effect.index);
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < scan.findings.size(); ++i) {
    const auto& finding = scan.findings[i];
    if (finding.files.empty() || finding.files.front() != program || finding.endpoints.empty() || finding.confidence == result::Confidence::confirmed) continue;
    const auto first = std::ranges::find_if(finding.effects, [&](std::uint32_t e) { return e < scan.graph.effects.size() && scan.graph.effects[effects::EffectId{e}].peer; });
    if (first != finding.effects.end() && !shown.contains(*first)) out.push_back(i);
  }
  return out;
}

base::Result<result::Result> confirm(const RunOptions& options, const unpack::Firmware& firmware, box::Plan plan, const box::Patient& patient) {
  const auto file = base::read_file(options.confirm);
  if (!file) return std::unexpected(file.error());
  auto results = result::from_json(base::as_text(*file));
  if (!results) return std::unexpected(results.error());
  if (results->size() != 1) return base::fail(base::Error::Kind::unsupported, options.confirm + ": holds several devices; save the result of one");
  result::Result& scan = results->front();

  std::vector<std::string> programs;
  for (const auto& finding : scan.findings)
    if (!finding.files.empty() && !finding.endpoints.empty() && std::ranges::find(programs, finding.files.front()) == programs.end()) programs.push_back(finding.files.front());
  result::Result observed;
  std::vector<box::Record> records;
  for (const auto& program : programs) {
    std::vector<std::string> inputs = plan.input.empty() ? attempts(scan, program) : std::vector<std::string>{plan.input};
    for (std::size_t i = 0; i < inputs.size() && !open_findings(scan, program, observed).empty(); ++i) {
      box::Plan one = plan;
      one.program = program;
      one.input = inputs[i];
      if (plan.input.empty()) one.limits.wall_seconds = std::min(plan.limits.wall_seconds, inputs[i].size() > kManyKeys ? 2 * kAttemptSeconds : kAttemptSeconds);
      if (!options.quiet) fmt::print(stderr, "biopsy: trying {}{}\n", base::escape_terminal(program), inputs[i].empty() ? "" : fmt::format(" with {} keys", inputs[i].size()));
      auto record = box::run(firmware, one);
      if (!record && record.error().kind == base::Error::Kind::unsupported) return std::unexpected(record.error());
      if (!record) {
        base::add_doubt(observed.doubts, {"not-run", program, 0, record.error().message, 1});
        break;
      }
      const auto shown = result_of(*record, patient, fmt::format("run {} of {}", records.size() + 1, program), options.show_secrets);
      if (!shown) return std::unexpected(shown.error());
      join::merge_run(observed, *shown);
      records.push_back(std::move(*record));
    }
  }
  join::add_observed(scan, observed);
  join::add_landings(scan, records);
  for (const auto& missing : observed.coverage.not_evaluated) scan.coverage.not_evaluated.push_back(missing);
  return std::move(scan);
}

int run(const RunOptions& options) {
  const auto complain = [](const base::Error& error) {
    fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(error.message));
    return kUnreadable;
  };
  unpack::Options unpacking;
  unpacking.jobs = options.jobs;
  std::vector<std::string> inputs = {options.image};
  inputs.insert(inputs.end(), options.others.begin(), options.others.end());
  const auto firmware = unpack::open(inputs, unpacking);
  if (!firmware) return complain(firmware.error());
  box::Plan plan;
  plan.secret = box::draw_secret();
  plan.speed = options.speed;
  plan.limits.wall_seconds = options.seconds;
  if (!options.words.empty()) {
    plan.program = options.words.front();
    plan.arguments.assign(options.words.begin() + 1, options.words.end());
  }
  const auto patient = box::canary_patient(plan.secret);
  auto input = read_input(options, patient);
  if (!input) return complain(input.error());
  plan.input = std::move(*input);

  std::vector<result::Result> results;
  if (!options.confirm.empty()) {
    auto confirmed = confirm(options, *firmware, plan, patient);
    if (!confirmed) return complain(confirmed.error());
    results.push_back(std::move(*confirmed));
    return conclude(results, options, kFine);
  }
  const auto record = box::run(*firmware, plan);
  if (!record) return complain(record.error());
  if (!keep_capture(options.capture, record->capture)) return complain({base::Error::Kind::unreadable, options.capture + ": could not be written"});
  auto shown = result_of(*record, patient, "run of " + record->started.substr(0, record->started.find(' ')), options.show_secrets);
  if (!shown) return complain(shown.error());
  shown->tool_version = BIOPSY_VERSION;
  shown->device = options.image.substr(options.image.rfind('/') + 1);
  if (options.format == "text" && (options.outputs.empty() || std::ranges::find(options.outputs, "-") != options.outputs.end()))
    std::cout << run_text(*record, plan.input.empty() ? std::vector<std::string>{} : patient.canaries);
  results.push_back(std::move(*shown));
  return conclude(results, options, kFine);
}

}  // namespace

void add_run(CLI::App& program, int& status) {
  auto* command = program.add_subcommand("run", "Run a program of an image in a closed box and say what it did");
  auto options = std::make_shared<RunOptions>();
  command->add_option("image", options->image, "Image")->required();
  command->add_option("program", options->words, "Program inside the image, and its words; without one the boot is started");
  command->add_option("--with", options->others, "Another partition of the same device; may be given several times")->allow_extra_args(false);
  command->add_option("--confirm", options->confirm, "Result of scan --format json of this image: try its findings and join what was seen");
  command->add_option("--input", options->input, "Type what this file holds; {patient} stands for the ten lines of a canary patient");
  command->add_option("--keys", options->keys, "Type these keys, after --input; \\n is enter");
  command->add_option("--keep-capture", options->capture, "Write the traffic to this file, as pcap");
  command->add_option("--seconds", options->seconds, "End each run after so long")->check(CLI::Range(1u, 3600u))->capture_default_str();
  command->add_option("--speed", options->speed, "Shorten sleeps and waits so many times")->check(CLI::Range(1u, 100000u))->capture_default_str();
  add_output_options(*command, *options);
  add_judging_options(*command, *options);
  command->add_flag("--quiet,-q", options->quiet, "No progress");
  command->callback([options, &status] { status = run(*options); });
}

}  // namespace app
