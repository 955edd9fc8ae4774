// Why: a detector's figures are worth what its scorer is worth; each rule of the comparison has a case that breaks without it.
#include "device/score/ec57.h"

#include <gtest/gtest.h>

namespace bedside {
namespace {

std::vector<Annotation> beats(std::initializer_list<double> seconds, std::uint8_t code = 1) {
  std::vector<Annotation> out;
  for (const double s : seconds) {
    Annotation a;
    a.time = static_cast<std::int64_t>(s * 1000 + 0.5);
    a.code = code;
    out.push_back(a);
  }
  return out;
}

BeatScore compare(const std::vector<Annotation>& reference, const std::vector<Annotation>& test) {
  return compare_beats(reference, test, 1000, 600'000);
}

TEST(Ec57, window_is_150_ms_inclusive) {
  EXPECT_EQ(compare(beats({301, 302}), beats({301.15, 302.0})).matched, 2u);
  const auto late = compare(beats({301, 302}), beats({301.151, 302.0}));
  EXPECT_EQ(late.missed, 1u);
  EXPECT_EQ(late.extra, 1u);
}

TEST(Ec57, the_first_five_minutes_do_not_count) {
  const auto score = compare(beats({1, 2, 299, 301}), beats({10, 20, 30, 301}));
  EXPECT_EQ(score.matched, 1u);
  EXPECT_EQ(score.missed + score.extra, 0u);
}

TEST(Ec57, a_pair_across_the_start_is_a_match) {
  EXPECT_EQ(compare(beats({300.05, 301}), beats({299.95, 301})).matched, 2u);
  const auto other = compare(beats({299.95, 301}), beats({300.05, 301}));
  EXPECT_EQ(other.extra, 0u) << "it belongs to a beat of the learning period";
}

TEST(Ec57, the_nearer_of_two_rivals_gets_the_match) {
  const auto score = compare(beats({310}), beats({309.9, 310.02}));
  EXPECT_EQ(score.matched, 1u);
  ASSERT_EQ(score.extra, 1u);
  EXPECT_EQ(score.extra_at[0], 309'900);
}

TEST(Ec57, fibrillation_counts_neither_way) {
  auto reference = beats({305});
  Annotation on, off, flutter;
  on.time = 310'000, on.code = 32;
  flutter.time = 312'000, flutter.code = 31;
  off.time = 315'000, off.code = 33;
  reference.insert(reference.end(), {on, flutter, off});
  const auto score = compare(reference, beats({305, 311, 312.5, 314, 316}));
  EXPECT_EQ(score.matched, 1u);
  EXPECT_EQ(score.missed, 0u);
  ASSERT_EQ(score.extra, 1u) << "only the beat after the closing bracket";
}

TEST(Ec57, only_beat_codes_are_beats) {
  EXPECT_EQ(compare(beats({301}, 28), beats({}, 1)).missed, 0u) << "a rhythm change is no beat";
  EXPECT_EQ(compare(beats({301}, 12), beats({})).missed, 1u) << "a paced beat is";
}

TEST(Ec57, figures_are_percentages_of_counts) {
  BeatScore gross;
  add(gross, compare(beats({301, 302, 303, 304}), beats({301, 302, 303})));
  add(gross, compare(beats({301}), beats({301, 305})));
  EXPECT_DOUBLE_EQ(gross.sensitivity(), 80.0);
  EXPECT_DOUBLE_EQ(gross.positive_predictivity(), 80.0);
}

}  // namespace
}  // namespace bedside
