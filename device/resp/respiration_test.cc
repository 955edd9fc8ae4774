// Why: a respiration number must be right or absent; each failure mode of impedance (two humps, drift, flat, heart beats) has a case.
#include "device/resp/respiration.h"

#include "device/resp/derived.h"

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

TEST(Derived, beats_and_light_tell_of_breathing) {
  DerivedRespiration derived(125);
  const double breath = 2 * std::numbers::pi * 14 / 60;
  double next_beat = 0;
  for (int i = 0; i < 125 * 60; ++i) {
    const double t = i / 125.0;
    derived.push_light(static_cast<float>(1 + 0.01 * std::sin(breath * t) + 0.02 * std::sin(2 * std::numbers::pi * 1.2 * t)));
    if (t < next_beat) continue;
    derived.push_beat(t, static_cast<float>(1 + 0.1 * std::sin(breath * t)));
    next_beat += 0.8;
  }
  ASSERT_TRUE(derived.from_ecg() && derived.from_light());
  EXPECT_NEAR(derived.from_ecg()->rate, 14, 0.7);
  EXPECT_NEAR(derived.from_light()->rate, 14, 0.7);
  EXPECT_GT(derived.from_ecg()->quality, 0.7F);
}

TEST(Derived, cross_check_settles_disputes_and_unmasks_the_heart) {
  const RespirationEstimate sure{15, 0.9F, 15, 15}, torn{30, 0.3F, 15.2F, 30}, heart{72, 0.9F, 72, 72}, other{15, 0.8F, 15, 15}, vague{15, 0.3F, 10, 15};
  EXPECT_EQ(cross_check(sure, other, {}, 72)->rate, 15);
  EXPECT_NEAR(cross_check(torn, {}, other, 72)->rate, 15.2F, 0.01F);
  EXPECT_EQ(cross_check(torn, {}, vague, 72)->rate, 30) << "what is not clear itself settles nothing";
  EXPECT_FALSE(cross_check(heart, other, {}, 72)) << "no value rather than the heart's";
  EXPECT_TRUE(cross_check(heart, {}, {}, 72)) << "nothing says otherwise";
  EXPECT_FALSE(cross_check({}, other, other, 72)) << "the derived ones check, they do not replace";
}

}  // namespace
}  // namespace bedside
