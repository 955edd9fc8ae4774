// A folder in the layout of the BIDMC dataset in, the respiration estimator's error and its error-coverage curve out.
//
// Rule: windows of 32 s, one after the other from 0 s. An annotator's rate in a window is 60 (n - 1) / (last - first) of the n breaths marked in it.
// A window counts where both annotators' rates lie within 2 a minute; the reference is their mean. Windows are dropped in order of
// falling quality for the curve; those below the estimator's own least quality have no value and are not covered.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/bytes.h"
#include "base/escape.h"
#include "device/ecg/qrs.h"
#include "device/resp/derived.h"
#include "device/resp/respiration.h"
#include "device/wave/csv.h"

namespace {

using namespace bedside;
constexpr double frequency = 125, window_seconds = 32;

struct Window {
  double reference = 0, error = 0, quality = 0, monitor_error = NAN, ecg_error = NAN, light_error = NAN;
  bool has_value = false;
};

double breath_rate(const std::vector<float>& samples, double from, double to) {
  double first = NAN, last = NAN;
  int n = 0;
  for (const float s : samples) {
    const double t = static_cast<double>(s) / frequency;
    if (!(t >= from && t < to)) continue;
    if (n++ == 0) first = t;
    last = t;
  }
  return n > 1 ? 60 * (n - 1) / (last - first) : NAN;
}

base::Result<CsvColumns> load(const std::string& path) {
  const auto bytes = base::read_file(path, std::uint64_t{1} << 28);
  if (!bytes) return std::unexpected(bytes.error());
  return parse_csv(base::as_text(*bytes));
}

// The windows of one stay; `worst` prints each one.
base::Result<std::vector<Window>> score_stay(const std::string& prefix, bool each) {
  const auto signals = load(prefix + "_Signals.csv"), breaths = load(prefix + "_Breaths.csv"), numerics = load(prefix + "_Numerics.csv");
  if (!signals) return std::unexpected(signals.error());
  if (!breaths) return std::unexpected(breaths.error());
  const auto* resp = signals->find("RESP");
  if (!resp || breaths->columns.size() < 2) return base::fail(base::Error::Kind::damaged, "no RESP signal or fewer than two annotators");
  const auto* monitor = numerics ? numerics->find("RESP") : nullptr;
  std::vector<Window> out;
  const auto *ecg = signals->find("II"), *light = signals->find("PLETH");
  RespirationMeter meter(frequency);
  DerivedRespiration derived(frequency);
  QrsDetector qrs(frequency, 1);
  std::array<float, 8> intervals{};
  std::size_t beats = 0;
  const auto step = static_cast<std::size_t>(window_seconds * frequency);
  for (std::size_t at = 0; at + step <= resp->size(); at += step) {
    for (std::size_t i = at; i < at + step; ++i) {
      meter.push((*resp)[i]);
      if (light && i < light->size()) derived.push_light((*light)[i]);
      if (!ecg || i >= ecg->size()) continue;
      if (const auto beat = qrs.push(std::span(&(*ecg)[i], 1))) derived.push_beat(static_cast<double>(beat->sample) / frequency, beat->strength), intervals[beats++ % 8] = beat->rr_seconds;
    }
    const double from = static_cast<double>(at) / frequency, to = from + window_seconds;
    const double one = breath_rate(breaths->columns[0], from, to), two = breath_rate(breaths->columns[1], from, to);
    if (!(std::abs(one - two) <= 2)) continue;
    Window w;
    w.reference = (one + two) / 2;
    float heart = 0;
    if (beats >= 8) {
      auto sorted = intervals;
      std::nth_element(sorted.begin(), sorted.begin() + 4, sorted.end());
      heart = sorted[4] > 0 ? 60 / sorted[4] : 0;
    }
    const auto from_ecg = derived.from_ecg(), from_light = derived.from_light();
    const auto clear = [&](const auto& e) { return e && e->quality >= 0.7F ? std::abs(static_cast<double>(e->rate) - w.reference) : NAN; };
    w.ecg_error = clear(from_ecg), w.light_error = clear(from_light);
    if (const auto e = cross_check(meter.estimate(), from_ecg, from_light, heart)) {
      w.error = std::abs(static_cast<double>(e->rate) - w.reference);
      w.quality = static_cast<double>(e->quality);
      w.has_value = e->quality >= least_respiration_quality;
      if (each) fmt::print("  {:5.0f} s reference {:5.1f} estimate {:5.1f} quality {:.2f}\n", from, w.reference, e->rate, e->quality);
    }
    if (monitor) {
      double sum = 0;
      int n = 0;
      for (auto s = static_cast<std::size_t>(from); s < static_cast<std::size_t>(to) && s < monitor->size(); ++s)
        if (std::isfinite((*monitor)[s])) sum += static_cast<double>((*monitor)[s]), ++n;
      if (n) w.monitor_error = std::abs(sum / n - w.reference);
    }
    out.push_back(w);
  }
  return out;
}

double mean_error(const std::vector<Window>& windows, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += windows[i].error;
  return n ? sum / static_cast<double>(n) : 0;
}

int run(const std::string& dir, bool each) {
  const std::string ending = "_Signals.csv";
  std::vector<std::string> stays;
  std::error_code error;
  for (std::filesystem::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    const auto name = it->path().filename().string();
    if (name.ends_with(ending)) stays.push_back(name.substr(0, name.size() - ending.size()));
  }
  std::sort(stays.begin(), stays.end());
  std::vector<Window> all;
  int failures = 0;
  for (const auto& stay : stays) {
    auto windows = score_stay(dir + "/" + stay, each);
    if (!windows) {
      fmt::print(stderr, "bedside-resp-score: {}: {}\n", base::escape_terminal(stay), base::escape_terminal(windows.error().message));
      ++failures;
      continue;
    }
    std::stable_partition(windows->begin(), windows->end(), [](const Window& w) { return w.has_value; });
    const auto covered = static_cast<std::size_t>(std::count_if(windows->begin(), windows->end(), [](const Window& w) { return w.has_value; }));
    fmt::print("{:<10} windows {:3} covered {:3}  MAE {:.2f}/min\n", base::escape_terminal(stay), windows->size(), covered, mean_error(*windows, covered));
    all.insert(all.end(), windows->begin(), windows->end());
  }
  if (all.empty()) {
    fmt::print(stderr, "bedside-resp-score: no stays with breaths in {}\n", dir);
    return 3;
  }
  double monitor = 0;
  int monitored = 0;
  for (const auto& w : all)
    if (std::isfinite(w.monitor_error)) monitor += w.monitor_error, ++monitored;
  if (monitored) fmt::print("the ward's own monitor, all windows: MAE {:.2f}/min\n", monitor / monitored);
  for (const auto& [what, member] : {std::pair{"ECG", &Window::ecg_error}, {"PPG", &Window::light_error}}) {
    std::vector<double> errors;
    for (const auto& w : all)
      if (std::isfinite(w.*member)) errors.push_back(w.*member);
    if (!errors.empty()) fmt::print("derived from {} alone, where clear: {} of {} windows, MAE {:.2f}/min\n", what, errors.size(), all.size(), std::accumulate(errors.begin(), errors.end(), 0.0) / static_cast<double>(errors.size()));
  }
  std::stable_sort(all.begin(), all.end(), [](const Window& a, const Window& b) { return a.quality > b.quality; });
  fmt::print("coverage % : MAE/min\n");
  for (const int percent : {50, 60, 70, 80, 90, 95, 98, 100})
    fmt::print("  {:3} : {:.2f}\n", percent, mean_error(all, (all.size() * static_cast<std::size_t>(percent) + 99) / 100));
  const auto covered = static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const Window& w) { return w.has_value; }));
  fmt::print("windows {} coverage {:.1f} % MAE {:.2f}\n", all.size(), 100.0 * static_cast<double>(covered) / static_cast<double>(all.size()),
             mean_error(all, covered));
  return failures ? 3 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Scores the bedside respiration estimator on a folder in the layout of the BIDMC PPG and Respiration Dataset (CSV)."};
  std::string dir;
  bool each = false;
  app.add_option("DIR", dir, "folder with *_Signals.csv, *_Breaths.csv, *_Numerics.csv")->required();
  app.add_flag("--windows", each, "list each window");
  CLI11_PARSE(app, argc, argv);
  return run(dir, each);
}
