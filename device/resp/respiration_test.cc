// Why: a respiration number must be right or absent; each failure mode of impedance (two humps, drift, flat, heart beats) has a case.
#include "device/resp/respiration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <random>

namespace bedside {
namespace {

std::optional<RespirationEstimate> measure(const std::function<double(double)>& signal, double rate = 125) {
  RespirationMeter meter(rate);
  for (int i = 0; i < static_cast<int>(40 * rate); ++i) meter.push(static_cast<float>(signal(i / rate)));
  return meter.estimate();
}

double wave(double t, double per_minute, double phase = 0) { return std::sin(2 * std::numbers::pi * per_minute / 60 * t + phase); }

TEST(Respiration, plain_breathing_over_the_whole_range) {
  for (const double rate : {5.0, 8.0, 12.0, 20.0, 30.0, 42.0}) {
    const auto e = measure([&](double t) { return wave(t, rate) + 0.3 * wave(t, 1.5) + 3; });
    ASSERT_TRUE(e) << rate;
    EXPECT_NEAR(e->rate, rate, 0.4);
    EXPECT_GT(e->quality, 0.5);
  }
}

TEST(Respiration, two_humps_are_one_breath) {
  const auto e = measure([](double t) { return wave(t, 6) + 0.9 * wave(t, 12, 1); });
  ASSERT_TRUE(e);
  EXPECT_NEAR(e->rate, 6, 0.4);
}

TEST(Respiration, the_heart_in_the_impedance_is_not_breathing) {
  const auto e = measure([](double t) { return wave(t, 15) + 0.4 * wave(t, 75); });
  ASSERT_TRUE(e);
  EXPECT_NEAR(e->rate, 15, 0.5);
}

TEST(Respiration, says_nothing_rather_than_something) {
  EXPECT_FALSE(measure([](double) { return 1.0; })) << "flat";
  EXPECT_FALSE(measure([](double t) { return t < 20 ? wave(t, 15) : NAN; })) << "electrodes off";
  std::mt19937 random(5);
  std::normal_distribution<double> noise;
  int confident = 0;
  for (int trial = 0; trial < 20; ++trial) {
    const auto e = measure([&](double) { return noise(random); });
    confident += e && e->quality > 0.75F;
  }
  EXPECT_LE(confident, 1) << "white noise must not look like good breathing";
}

}  // namespace
}  // namespace bedside
