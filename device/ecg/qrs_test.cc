// Why: the detector must be streaming in truth (no look-ahead beyond a second, no growth), and stand leads lost, pauses and paced or wide beats.
#include "device/ecg/qrs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "device/score/ec57.h"

namespace bedside {
namespace {

double bump(double t, double at, double width, double height) { return height * std::exp(-0.5 * std::pow((t - at) / width, 2)); }

// A plain complex with P and T waves around each beat; `width` scales the QRS.
struct Tracing {
  std::vector<double> beats;
  double width = 1;
  double amplitude = 1;
  double noise = 0.01;
  float at(double t, std::mt19937& random) const {
    double v = std::normal_distribution<double>(0, noise)(random) + 0.2 * std::sin(t * 1.3);
    for (const double b : beats)
      if (std::abs(t - b) < 1)
        v += amplitude * (bump(t, b - 0.16, 0.025, 0.15) + bump(t, b - 0.025 * width, 0.01 * width, -0.15) +
                          bump(t, b, 0.011 * width, 1) + bump(t, b + 0.03 * width, 0.012 * width, -0.25) + bump(t, b + 0.3, 0.06, 0.3));
    return static_cast<float>(v);
  }
};

std::vector<double> regular(double from, double to, double rr) {
  std::vector<double> out;
  for (double t = from; t < to; t += rr) out.push_back(t);
  return out;
}

// Runs two leads at `rate`; gives found beats in seconds and checks the latency of each.
std::vector<double> run(const Tracing& tracing, double seconds, double rate, double lead_off_from = 1e9) {
  std::mt19937 random(11);
  QrsDetector detector(rate, 2);
  std::vector<double> found;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(seconds * rate); ++i) {
    const double t = static_cast<double>(i) / rate;
    const float v = tracing.at(t, random);
    const float frame[] = {t > lead_off_from ? NAN : v, -0.6F * v + 0.1F};
    if (const auto beat = detector.push(frame)) {
      const double at = static_cast<double>(beat->sample) / rate;
      EXPECT_LE(t - at, 1.0) << "look-ahead";
      EXPECT_GE(t, at);
      found.push_back(at);
    }
  }
  return found;
}

void expect_found(const std::vector<double>& beats, const std::vector<double>& found, double from, double to, double tolerance = 0.06) {
  std::size_t extra = 0;
  for (const double f : found) {
    bool near = f < from || f > to;
    for (const double b : beats) near |= std::abs(f - b) < tolerance;
    extra += !near;
  }
  EXPECT_EQ(extra, 0u);
  for (const double b : beats) {
    if (b < from || b > to) continue;
    bool near = false;
    for (const double f : found) near |= std::abs(f - b) < tolerance;
    EXPECT_TRUE(near) << "missed beat at " << b << " s";
  }
}

TEST(Qrs, finds_every_beat_at_every_sampling_rate) {
  for (const double rate : {125.0, 250.0, 360.0, 500.0, 1000.0}) {
    SCOPED_TRACE(rate);
    Tracing tracing{regular(0.5, 40, 0.8)};
    expect_found(tracing.beats, run(tracing, 40, rate), 5, 38);
  }
}

TEST(Qrs, follows_slow_fast_small_and_wide) {
  for (const double rr : {0.3, 0.45, 1.0, 1.9}) {
    SCOPED_TRACE(rr);
    Tracing tracing{regular(0.5, 60, rr)};
    expect_found(tracing.beats, run(tracing, 60, 360), 10, 58);
  }
  Tracing small{regular(0.5, 40, 0.8)};
  small.amplitude = 0.15;
  small.noise = 0.003;
  expect_found(small.beats, run(small, 40, 500), 5, 38);
  Tracing wide{regular(0.5, 40, 0.8)};
  wide.width = 3;
  expect_found(wide.beats, run(wide, 40, 360), 10, 38);
}

TEST(Qrs, a_lead_that_comes_off_costs_no_beat) {
  Tracing tracing{regular(0.5, 60, 0.8)};
  expect_found(tracing.beats, run(tracing, 60, 500, 20), 5, 58);
}

TEST(Qrs, silence_and_noise_alone_are_not_beats) {
  Tracing tracing{regular(0.5, 20, 0.8)};
  tracing.noise = 0.003;
  const auto found = run(tracing, 60, 360);
  int late = 0;
  for (const double f : found) late += f > 21;
  EXPECT_EQ(late, 0) << "asystole from 20 s on";
}

TEST(Qrs, memory_is_fixed_and_small) { EXPECT_LT(QrsDetector(500, 2).memory_bytes(), 80'000u); }

// The regression line for the real thing. Measured with this detector: Se 99.8, +P 99.8 (README); the bar here is the issue's.
TEST(Qrs, mit_bih_records_at_hand) {
  const char* given = std::getenv("BIOPSY_SHARED");
  const std::string dir = (given ? std::string(given) : std::string(BIOPSY_SOURCE_DIR) + "/../shared") + "/physio/mitdb";
  if (!std::filesystem::exists(dir)) GTEST_SKIP() << "needs shared physiological data: mitdb";
  BeatScore gross;
  base::Doubts doubts;
  for (const auto& name : list_records(dir, "atr")) {
    const auto record = read_wfdb_record(dir, name, doubts);
    const auto reference = parse_annotations(*base::read_file(dir + "/" + name + ".atr"));
    ASSERT_TRUE(record && reference);
    QrsDetector detector(record->header.frequency, 2);
    std::vector<Annotation> beats;
    for (std::size_t i = 0; i < record->samples[0].size(); ++i) {
      const float frame[] = {record->physical(0, i), record->physical(1, i)};
      if (const auto beat = detector.push(frame)) {
        EXPECT_LE(static_cast<double>(static_cast<std::int64_t>(i) - beat->sample) / record->header.frequency, 1.0);
        beats.push_back({beat->sample, 1, 0, 0, 0, {}});
      }
    }
    // The last second stays unjudged here, so the record is scored without it.
    const auto end = static_cast<std::int64_t>(record->samples[0].size()) - 400;
    std::vector<Annotation> cut;
    for (const auto& a : *reference)
      if (a.time < end) cut.push_back(a);
    add(gross, compare_beats(cut, beats, record->header.frequency, end));
  }
  EXPECT_GE(gross.sensitivity(), 99.75);
  EXPECT_GE(gross.positive_predictivity(), 99.75);
}

}  // namespace
}  // namespace bedside
