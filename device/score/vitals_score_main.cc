// Seeds into how far saturation, blood pressure and temperature lie from the truth of the validation simulator, and how late the heart's alarms come.
//
// Rules. SpO2: each second of a seed, from 20 s after the start of each plateau to its end, truth 70-100 %; A_rms is the root of the mean squared error of the values shown, a seed
// (ISO 80601-2-61, 201.12.1.101.2); a second without a value counts for coverage alone. NIBP: three measurements a seed of the same arm, error of systolic and of diastolic against the mean
// of the beats of the measurement, mean and standard deviation of a seed's population: each seed gives one error a quantity and the figures are over seeds (ISO 81060-2, criterion 1); the worst decile is
// over absolute errors. Temperature: greatest absolute error of a seed from eight time constants of the probe on. Alarms: seconds from the event to its own
// high-priority alarm; the median seed and nineteen seeds of twenty within 10 s.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <limits>

#include "device/monitor/bed.h"
#include "device/validate/arm.h"
#include "device/validate/chest.h"
#include "device/validate/finger.h"
#include "device/validate/probe.h"

namespace {

using namespace bedside;

struct Seed {
  std::uint64_t seed = 0;
  double error = 0, coverage = 1;
  std::string drawn;
};

double at_share(std::vector<double> values, double share) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  const auto i = std::min(values.size() - 1, static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())) - 1));
  return values[i];
}

std::vector<double> errors(const std::vector<Seed>& seeds) {
  std::vector<double> out;
  for (const auto& s : seeds)
    if (std::isfinite(s.error)) out.push_back(std::abs(s.error));
  return out;
}

// The tenth of the seeds that did worst, worst first.
void print_worst(std::vector<Seed> seeds, bool verbose) {
  std::sort(seeds.begin(), seeds.end(), [](const Seed& a, const Seed& b) { return !(std::abs(a.error) <= std::abs(b.error)); });
  const std::size_t shown = verbose ? seeds.size() : std::max<std::size_t>(1, seeds.size() / 10);
  for (std::size_t i = 0; i < shown; ++i) fmt::print("    worst: seed {} error {:.2f} values in {:.0f} % | {}\n", seeds[i].seed, seeds[i].error, 100 * seeds[i].coverage, seeds[i].drawn);
}

Seed judge_oximeter(std::uint64_t seed) {
  validate::Finger finger(seed);
  Oximeter meter(validate::Finger::frequency);
  double squares = 0;
  int shown = 0, seconds = 0;
  const int second = static_cast<int>(validate::Finger::frequency);
  for (int i = 1; i <= static_cast<int>(validate::Finger::seconds * validate::Finger::frequency); ++i) {
    const auto s = finger.next();
    meter.push(static_cast<float>(s.red), static_cast<float>(s.infrared));
    if (i % second != 0) continue;
    const auto reading = meter.estimate();
    const double into = std::fmod(i / second, validate::Finger::plateau + validate::Finger::ramp);
    if (into < 20 || into > validate::Finger::plateau) continue;
    ++seconds;
    if (!reading) continue;
    ++shown;
    squares += (reading->spo2 - s.saturation) * (reading->spo2 - s.saturation);
  }
  return {seed, shown > 0 ? std::sqrt(squares / shown) : std::numeric_limits<double>::quiet_NaN(), static_cast<double>(shown) / seconds, finger.describe()};
}

struct PressureJudgement {
  Seed systolic, mean, diastolic;
};

PressureJudgement judge_cuff(std::uint64_t seed) {
  validate::Arm arm(seed);
  BloodPressureMeter meter(validate::Arm::frequency);
  double sums[3] = {};
  int read = 0;
  constexpr int tries = 3;
  for (int i = 0; i < tries; ++i) {
    for (int pause = 0; pause < 20 * static_cast<int>(validate::Arm::frequency); ++pause) arm.next(false, true, 0);
    arm.forget_beats();
    meter.start();
    CuffCommand command;
    for (int n = 0; n < 150 * static_cast<int>(validate::Arm::frequency); ++n) {
      command = meter.push(static_cast<float>(arm.next(command.pump, command.valve_open, command.bleed)));
      if (meter.state() == CuffState::done || meter.state() == CuffState::failed) break;
    }
    if (meter.state() != CuffState::done || !meter.result()) continue;
    const auto truth = arm.truth();
    ++read;
    sums[0] += meter.result()->systolic - truth.systolic;
    sums[1] += meter.result()->mean - truth.mean;
    sums[2] += meter.result()->diastolic - truth.diastolic;
  }
  const auto one = [&](int i) { return Seed{seed, read > 0 ? sums[i] / read : std::numeric_limits<double>::quiet_NaN(), static_cast<double>(read) / tries, arm.describe()}; };
  return {one(0), one(1), one(2)};
}

Seed judge_probes(std::uint64_t seed) {
  validate::Probes probes(seed);
  Thermometer meters[2] = {Thermometer(validate::Probes::frequency), Thermometer(validate::Probes::frequency)};
  double worst = 0;
  int due = 0, shown = 0;
  for (int i = 1; i <= static_cast<int>(validate::Probes::seconds * validate::Probes::frequency); ++i) {
    const auto s = probes.next();
    for (int p = 0; p < 2; ++p) {
      meters[p].push(static_cast<float>(s.ohms[p]));
      if (!s.settled || i % 10 != 0) continue;
      ++due;
      const auto celsius = meters[p].celsius();
      if (!celsius) continue;
      ++shown;
      if (std::abs(*celsius - s.celsius[p]) > std::abs(worst)) worst = *celsius - s.celsius[p];
    }
  }
  return {seed, worst, due > 0 ? static_cast<double>(shown) / due : 1, probes.describe()};
}

// Seconds from the event to its high-priority alarm; a false one before the event is told by `coverage` 0.
Seed judge_heart(std::uint64_t seed, validate::HeartEvent event) {
  validate::Chest chest(seed, event);
  Bed bed(validate::Chest::frequency);
  bed.admit({"SIM", "Simulated", "Patient", "19700101", "U", Age::adult});
  const auto nan = std::numeric_limits<float>::quiet_NaN();
  const auto alarmed = [&](AlarmKind kind) {
    for (const auto& a : bed.alarms().active())
      if (a.kind == kind && a.present) return true;
    return false;
  };
  const AlarmKind wanted = event == validate::HeartEvent::asystole ? AlarmKind::asystole : AlarmKind::extreme_tachy;
  double delay = std::numeric_limits<double>::infinity();
  int seconds = 0, false_seconds = 0;
  for (int i = 1; i <= static_cast<int>(validate::Chest::seconds * validate::Chest::frequency); ++i) {
    const auto s = chest.next();
    bed.push({{static_cast<float>(s.lead[0]), static_cast<float>(s.lead[1])}, nan, nan, nan, {nan, nan}, 0});
    const double now = i / validate::Chest::frequency;
    if (s.event && std::isinf(delay) && i % 50 == 0 && alarmed(wanted)) delay = now - chest.event_at();
    if (!s.event && i % 500 == 0 && now > 15) ++seconds, false_seconds += alarmed(AlarmKind::asystole) || alarmed(AlarmKind::extreme_tachy);
  }
  return {seed, delay, seconds > 0 ? 1 - static_cast<double>(false_seconds) / seconds : 1, chest.describe()};
}

bool line(const char* what, double figure, double limit, const char* unit) {
  const bool good = figure <= limit;
  fmt::print("  {:<44} {:7.2f} {}  (at most {:g}) {}\n", what, figure, unit, limit, good ? "" : "MISSED");
  return good;
}

bool judge_pressures(const char* what, const std::vector<Seed>& seeds, bool verbose) {
  double sum = 0, squares = 0;
  int n = 0, read = 0;
  for (const auto& s : seeds) {
    if (!std::isfinite(s.error)) continue;
    sum += s.error;
    squares += s.error * s.error;
    ++n;
    read += s.coverage > 0.99;
  }
  const double mean = n > 0 ? sum / n : std::numeric_limits<double>::quiet_NaN(), deviation = n > 1 ? std::sqrt((squares - n * mean * mean) / (n - 1)) : std::numeric_limits<double>::quiet_NaN();
  fmt::print("NIBP {}: {} of {} seeds read, {} of them all three times; mean error {:+.2f} mmHg\n", what, n, seeds.size(), read, mean);
  bool good = line("mean error, absolute", std::abs(mean), 5, "mmHg");
  good = line("standard deviation", deviation, 8, "mmHg") && good;
  fmt::print("  {:<44} {:7.2f} mmHg\n", "median seed, absolute error", at_share(errors(seeds), 0.5));
  fmt::print("  {:<44} {:7.2f} mmHg\n", "worst decile from", at_share(errors(seeds), 0.9));
  print_worst(seeds, verbose);
  return good && n >= static_cast<int>(seeds.size() * 9 / 10);
}

bool judge_alarm(const char* what, const std::vector<Seed>& seeds, bool verbose) {
  int in_time = 0, quiet = 0;
  for (const auto& s : seeds) in_time += s.error <= 10, quiet += s.coverage > 0.999;
  fmt::print("{}: {} of {} seeds alarmed within 10 s; no false alarm before it in {}\n", what, in_time, seeds.size(), quiet);
  const bool good = line("median seed", at_share(errors(seeds), 0.5), 10, "s");
  fmt::print("  {:<44} {:7.2f} s\n", "worst decile from", at_share(errors(seeds), 0.9));
  print_worst(seeds, verbose);
  return good && in_time * 20 >= static_cast<int>(seeds.size()) * 19;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Judges the estimators by the validation simulator. No clinical proof."};
  std::uint64_t first = 1, count = 100;
  bool verbose = false;
  std::vector<std::string> kinds = {"spo2", "nibp", "temperature", "alarms"};
  app.add_option("--first", first, "first seed")->capture_default_str();
  app.add_option("--seeds", count, "how many")->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--only", kinds, "spo2 nibp temperature alarms");
  app.add_flag("--verbose", verbose, "every seed with what was drawn, not the worst tenth alone");
  CLI11_PARSE(app, argc, argv);
  const auto wanted = [&](const char* kind) { return std::find(kinds.begin(), kinds.end(), kind) != kinds.end(); };
  fmt::print("Seeds {} to {}. A simulator that follows published models is the judge: this is no clinical proof.\n", first, first + count - 1);
  bool good = true;
  if (wanted("spo2")) {
    std::vector<Seed> seeds;
    std::vector<double> coverage;
    for (std::uint64_t s = first; s < first + count; ++s) seeds.push_back(judge_oximeter(s)), coverage.push_back(seeds.back().coverage);
    fmt::print("SpO2, A_rms a seed over 70-100 %\n");
    good = line("median seed", at_share(errors(seeds), 0.5), 4, "%") && good;
    fmt::print("  {:<44} {:7.2f} %\n", "worst decile from", at_share(errors(seeds), 0.9));
    fmt::print("  {:<44} {:7.1f} % (median), {:.1f} % (worst decile to)\n", "seconds with a value", 100 * at_share(coverage, 0.5), 100 * at_share(coverage, 0.1));
    print_worst(seeds, verbose);
  }
  if (wanted("nibp")) {
    std::vector<Seed> systolic, mean, diastolic;
    for (std::uint64_t s = first; s < first + count; ++s) {
      auto j = judge_cuff(s);
      systolic.push_back(j.systolic), mean.push_back(j.mean), diastolic.push_back(j.diastolic);
    }
    good = judge_pressures("systolic", systolic, verbose) && good;
    good = judge_pressures("mean", mean, verbose) && good;
    good = judge_pressures("diastolic", diastolic, verbose) && good;
  }
  if (wanted("temperature")) {
    std::vector<Seed> seeds;
    for (std::uint64_t s = first; s < first + count; ++s) seeds.push_back(judge_probes(s));
    fmt::print("Temperature, greatest error of a seed\n");
    good = line("median seed", at_share(errors(seeds), 0.5), 0.3, "C") && good;
    fmt::print("  {:<44} {:7.2f} C\n", "worst decile from", at_share(errors(seeds), 0.9));
    print_worst(seeds, verbose);
  }
  if (wanted("alarms")) {
    std::vector<Seed> stops, narrow, wide;
    for (std::uint64_t s = first; s < first + count; ++s) {
      stops.push_back(judge_heart(s, validate::HeartEvent::asystole));
      narrow.push_back(judge_heart(s, validate::HeartEvent::narrow_tachycardia));
      wide.push_back(judge_heart(s, validate::HeartEvent::wide_tachycardia));
    }
    good = judge_alarm("Asystole", stops, verbose) && good;
    good = judge_alarm("Tachycardia, narrow", narrow, verbose) && good;
    good = judge_alarm("Tachycardia, wide", wide, verbose) && good;
  }
  fmt::print("{}\n", good ? "every limit is kept" : "not every limit is kept");
  return good ? 0 : 1;
}
