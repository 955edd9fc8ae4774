// Why: a judge that is wrong, or that knows what it judges, proves nothing. These hold the validation simulator to what is known apart from it, and to sharing no code.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "device/validate/arm.h"
#include "device/validate/chest.h"
#include "device/validate/finger.h"
#include "device/validate/probe.h"

namespace validate {
namespace {

TEST(Validate, includes_nothing_of_the_monitor) {
  for (const auto& entry : std::filesystem::directory_iterator(BIOPSY_SOURCE_DIR "/device/validate")) {
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);)
      if (line.starts_with("#include \"")) { EXPECT_TRUE(line.starts_with("#include \"device/validate/")) << entry.path() << ": " << line; }
  }
}

TEST(Validate, a_seed_is_one_patient) {
  Finger a(7), b(7), c(8);
  bool differ = false;
  for (int i = 0; i < 5000; ++i) {
    const auto x = a.next(), y = b.next(), z = c.next();
    ASSERT_EQ(x.red, y.red);
    differ = differ || x.red != z.red;
  }
  EXPECT_TRUE(differ);
  EXPECT_NE(a.describe(), c.describe());
}

TEST(Validate, light_holds_the_saturation_it_claims) {
  // Over every still second the logarithms of the two lights vary in the ratio of the calibration, to within what veins add.
  std::uint64_t still = 1;  // the first seed without movement and with quiet veins
  while (Finger(still).settings().moves || Finger(still).settings().baseline > 0.3 || Finger(still).settings().perfusion < 1) ++still;
  Finger finger(still);
  double worst = 0;
  for (int plateau = 0; plateau < Finger::plateaus; ++plateau) {
    double xx = 0, xy = 0, last_red = 0, last_infrared = 0, truth = 0;
    int n = 0;
    for (int i = 0; i < (Finger::plateau + Finger::ramp) * Finger::frequency; ++i) {
      const auto s = finger.next();
      const double red = std::log(s.red), infrared = std::log(s.infrared);
      if (i > 1 && i < Finger::plateau * Finger::frequency) xx += (infrared - last_infrared) * (infrared - last_infrared), xy += (infrared - last_infrared) * (red - last_red), truth += s.saturation, ++n;
      last_red = red, last_infrared = infrared;
    }
    worst = std::max(worst, std::abs(110 - 25 * xy / xx - truth / n));
  }
  EXPECT_LT(worst, 2.5);
}

TEST(Validate, arms_are_the_people_that_the_standard_wants) {
  int low = 0, high = 0, very_high = 0, diastolic_low = 0, diastolic_high = 0;
  constexpr int n = 400;
  for (int seed = 1; seed <= n; ++seed) {
    const Arm arm(seed);
    const auto& s = arm.settings();
    low += s.systolic <= 100, high += s.systolic >= 140, very_high += s.systolic >= 160;
    diastolic_low += s.diastolic <= 60, diastolic_high += s.diastolic >= 85;
    EXPECT_GT(s.diastolic, 30);
  }
  // ISO 81060-2, 5.1.4: at least 5 % at most 100, 20 % at least 140, 5 % at least 160 systolic; 5 % at most 60 and 20 % at least 85 diastolic.
  EXPECT_GE(low, n / 20);
  EXPECT_GE(high, n / 5);
  EXPECT_GE(very_high, n / 20);
  EXPECT_GE(diastolic_low, n / 20);
  EXPECT_GE(diastolic_high, n / 5);
}

TEST(Validate, a_cuff_does_what_pump_and_valve_say) {
  Arm arm(3);
  double pressure = 0;
  for (int i = 0; i < 3000 && pressure < 180; ++i) pressure = arm.next(true, false, 0);
  EXPECT_GE(pressure, 180);
  for (int i = 0; i < 1000; ++i) pressure = arm.next(false, false, 4);
  EXPECT_NEAR(pressure, 180 - 40 * arm.settings().valve_error - 10 * arm.settings().leak, 8);
  for (int i = 0; i < 400; ++i) pressure = arm.next(false, true, 0);
  EXPECT_LT(pressure, 5);
  const auto truth = arm.truth();
  EXPECT_LT(truth.diastolic, truth.mean);
  EXPECT_LT(truth.mean, truth.systolic);
}

TEST(Validate, probes_have_the_published_resistance) {
  EXPECT_NEAR(ohms_of(25), 2252, 0.5);
  EXPECT_NEAR(ohms_of(37), 1355, 1.5);  // not a point of the table that is interpolated
  EXPECT_NEAR(ohms_of(32), 1667, 2);
}

TEST(Validate, hearts_keep_their_rate_and_stop_when_they_stop) {
  for (int seed = 1; seed < 20; ++seed) {
    Draw draw(seed);
    const auto settings = draw_heart(draw, 50, 130);
    Heart heart(settings);
    double seconds = 0;
    for (int i = 0; i < 2000; ++i) seconds += heart.next(draw).interval;
    EXPECT_NEAR(60 * 2000 / seconds, settings.rate, 0.06 * settings.rate) << name(settings.rhythm);
  }
  // Steps over 20 ms: those of complexes go, those of noise stay.
  int quieter = 0;
  for (int seed = 1; seed <= 20; ++seed) {
    Chest chest(seed, HeartEvent::asystole);
    double steps[2] = {}, last = 0;
    for (int i = 0; i < Chest::seconds * Chest::frequency; i += 1) {
      const auto s = chest.next();
      if (i % 10 != 0) continue;
      EXPECT_EQ(s.rate == 0, s.event);
      if (i > 10 && std::abs(i / Chest::frequency - chest.event_at()) > 1) steps[s.event] = std::max(steps[s.event], std::abs(s.lead[0] - last));
      last = s.lead[0];
    }
    EXPECT_GT(steps[1], 0) << "noise goes on";
    quieter += steps[1] < 0.8 * steps[0];
  }
  EXPECT_GE(quieter, 12) << "in the others an electrode moved";
}

}  // namespace
}  // namespace validate
