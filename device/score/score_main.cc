// A folder of WFDB records in, the QRS detector's score against the reference beats out, record by record and gross.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>

#include "base/escape.h"
#include "device/ecg/qrs.h"
#include "device/score/ec57.h"
#include "device/wave/wfdb.h"

namespace {

using namespace bedside;

struct Options {
  std::string dir;
  std::string reference = "atr";
  std::string test;              // an annotator in DIR to judge instead of the detector
  std::string test_dir;          // where its files lie
  std::vector<std::string> write;  // annotator, folder
  std::string explain;           // a file for the candidates
  bool errors = false;
  int lead = -1;
};

// The first two ECG-like signals; the rest are ignored.
std::vector<std::size_t> leads_of(const WfdbRecord& record, int only) {
  std::vector<std::size_t> leads;
  for (std::size_t i = 0; i < record.samples.size() && leads.size() < 2; ++i)
    if (only < 0 || static_cast<std::size_t>(only) == i) leads.push_back(i);
  return leads;
}

std::vector<Annotation> detect(const WfdbRecord& record, const Options& options, std::ofstream& explain) {
  const auto leads = leads_of(record, options.lead);
  if (leads.empty()) return {};
  QrsDetector detector(record.header.frequency, static_cast<int>(leads.size()));
  std::vector<Annotation> beats;
  std::vector<float> frame(leads.size());
  const std::size_t frames = record.samples[0].size();
  const auto tail = static_cast<std::size_t>(record.header.frequency);  // so that the last beats are judged
  for (std::size_t i = 0; i < frames + tail; ++i) {
    for (std::size_t k = 0; k < leads.size(); ++k) frame[k] = record.physical(leads[k], std::min(i, frames - 1));
    const auto beat = detector.push(frame);
    const auto cut = static_cast<std::int64_t>(0.015 * record.header.frequency);  // a complex that the end of the record cuts is not a beat
    if (beat && beat->sample + cut < static_cast<std::int64_t>(frames)) {
      Annotation a;
      a.time = std::max<std::int64_t>(beat->sample, beats.empty() ? 0 : beats.back().time);
      a.code = 1;
      beats.push_back(a);
    }
    if (explain.is_open() && detector.judged()) {
      const auto& judged = *detector.judged();
      fmt::print(explain, "{},{},{},{:.4f}", record.header.name, judged.sample, judged.accepted ? 1 : 0, judged.score);
      for (const float f : judged.features) fmt::print(explain, ",{:.5g}", f);
      fmt::print(explain, "\n");
    }
  }
  return beats;
}

void print_errors(const BeatScore& score, double frequency) {
  const auto list = [&](const char* what, const std::vector<std::int64_t>& times) {
    for (const auto t : times) fmt::print("  {} {:.2f} s ({})\n", what, static_cast<double>(t) / frequency, t);
  };
  list("missed", score.missed_at);
  list("extra ", score.extra_at);
}

int run(const Options& options) {
  std::ofstream explain;
  if (!options.explain.empty()) explain.open(options.explain);
  const auto names = list_records(options.dir, options.reference);
  if (names.empty()) {
    fmt::print(stderr, "bedside-score: no records with .{} annotations in {}\n", options.reference, options.dir);
    return 3;
  }
  BeatScore gross;
  int failures = 0;
  base::Doubts doubts;
  for (const auto& name : names) {
    const auto record = read_wfdb_record(options.dir, name, doubts);
    const auto bytes = base::read_file(options.dir + "/" + name + "." + options.reference);
    auto reference = bytes ? parse_annotations(*bytes) : std::unexpected(bytes.error());
    if (!record || !reference) {
      fmt::print(stderr, "bedside-score: {}: {}\n", base::escape_terminal(name),
                 base::escape_terminal(record ? reference.error().message : record.error().message));
      ++failures;
      continue;
    }
    std::vector<Annotation> beats;
    if (options.test.empty()) {
      beats = detect(*record, options, explain);
    } else {
      const auto test = base::read_file((options.test_dir.empty() ? options.dir : options.test_dir) + "/" + name + "." + options.test);
      auto parsed = test ? parse_annotations(*test) : std::unexpected(test.error());
      if (!parsed) {
        fmt::print(stderr, "bedside-score: {}: {}\n", base::escape_terminal(name), parsed.error().message);
        ++failures;
        continue;
      }
      beats = std::move(*parsed);
    }
    if (options.write.size() == 2) {
      const auto out = write_annotations(beats);
      std::ofstream file(options.write[1] + "/" + name + "." + options.write[0], std::ios::binary);
      file.write(base::as_text(out).data(), static_cast<std::streamsize>(out.size()));
      if (!file) {
        fmt::print(stderr, "bedside-score: cannot write to {}\n", options.write[1]);
        return 3;
      }
    }
    const auto score = compare_beats(*reference, beats, record->header.frequency, static_cast<std::int64_t>(record->header.length));
    fmt::print("{:<8} beats {:6} missed {:4} extra {:4}  Se {:6.2f} +P {:6.2f}\n", base::escape_terminal(name), score.matched + score.missed,
               score.missed, score.extra, score.sensitivity(), score.positive_predictivity());
    if (options.errors) print_errors(score, record->header.frequency);
    add(gross, score);
  }
  for (const auto& doubt : doubts)
    fmt::print(stderr, "bedside-score: {} in {}: {}\n", doubt.name, base::escape_terminal(doubt.where), base::escape_terminal(doubt.detail));
  fmt::print("gross    beats {:6} missed {:4} extra {:4}\n", gross.matched + gross.missed, gross.missed, gross.extra);
  fmt::print("Se {:.2f} +P {:.2f}\n", gross.sensitivity(), gross.positive_predictivity());
  return failures ? 3 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Scores the bedside QRS detector beat by beat against reference annotations (ANSI/AAMI EC57: 150 ms, from 5:00)."};
  Options options;
  app.add_option("DIR", options.dir, "folder of WFDB records (.hea, signals, annotations)")->required();
  app.add_option("--reference", options.reference, "reference annotator")->capture_default_str();
  app.add_option("--test", options.test, "judge this annotator's files instead of running the detector");
  app.add_option("--test-dir", options.test_dir, "folder of the annotator to judge (default: DIR)");
  app.add_option("--write", options.write, "ANNOTATOR DIR: also write the beats as WFDB annotation files, for bxb")->expected(2);
  app.add_option("--lead", options.lead, "use this signal alone (0, 1, ...)");
  app.add_option("--explain", options.explain, "write every judged candidate and its features to this CSV file");
  app.add_flag("--errors", options.errors, "list each missed and each extra beat");
  CLI11_PARSE(app, argc, argv);
  return run(options);
}
