// Why: an alarm that comes late, hides or never ends harms; each rule of IEC 60601-1-8 that we claim has a case here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "device/monitor/alarms.h"
#include "device/monitor/bed.h"
#include "device/sim/demo.h"

namespace bedside {
namespace {

bool has(const Alarms& alarms, AlarmKind kind) {
  for (const auto& a : alarms.active())
    if (a.kind == kind) return true;
  return false;
}

TEST(Alarms, every_kind_has_a_text_and_high_ones_latch) {
  for (std::size_t i = 0; i < alarm_kind_count; ++i) {
    const auto& a = info(static_cast<AlarmKind>(i));
    EXPECT_FALSE(a.text.empty());
    EXPECT_EQ(a.latching, a.priority == Priority::high) << a.name;
    EXPECT_FALSE(a.technical && a.priority == Priority::high) << a.name;
  }
}

TEST(Alarms, flash_rates_and_bursts_lie_in_the_standards_ranges) {
  const auto high = signal_of(Priority::high), medium = signal_of(Priority::medium), low = signal_of(Priority::low);
  EXPECT_TRUE(high.flash_hz >= 1.4 && high.flash_hz <= 2.8 && high.pulses == 10 && high.burst_interval <= 15);
  EXPECT_TRUE(medium.flash_hz >= 0.4 && medium.flash_hz <= 0.8 && medium.pulses == 3 && medium.burst_interval <= 30);
  EXPECT_EQ(low.flash_hz, 0);
}

TEST(Alarms, a_condition_must_hold_for_its_delay) {
  Alarms alarms;
  alarms.set(AlarmKind::spo2_low, true, 0, 8);
  alarms.set(AlarmKind::spo2_low, true, 7.9, 8);
  EXPECT_TRUE(alarms.active().empty());
  alarms.set(AlarmKind::spo2_low, true, 8, 8);
  EXPECT_TRUE(has(alarms, AlarmKind::spo2_low));
  alarms.set(AlarmKind::spo2_low, false, 9, 8);
  EXPECT_TRUE(alarms.active().empty()) << "not latching";
}

TEST(Alarms, a_latched_alarm_waits_for_a_person) {
  Alarms alarms;
  alarms.set(AlarmKind::asystole, true, 0);
  alarms.set(AlarmKind::asystole, false, 5);
  ASSERT_TRUE(has(alarms, AlarmKind::asystole));
  EXPECT_FALSE(alarms.active()[0].present);
  EXPECT_EQ(alarms.sounding(6), Priority::high);
  alarms.acknowledge(7);
  EXPECT_TRUE(alarms.active().empty());
}

TEST(Alarms, acknowledging_what_still_holds_silences_but_shows) {
  Alarms alarms;
  alarms.set(AlarmKind::asystole, true, 0);
  alarms.acknowledge(1);
  EXPECT_TRUE(has(alarms, AlarmKind::asystole));
  EXPECT_EQ(alarms.sounding(2), std::nullopt);
  alarms.set(AlarmKind::asystole, false, 3);
  EXPECT_TRUE(alarms.active().empty());
}

TEST(Alarms, audio_pause_ends_and_a_new_high_alarm_breaks_it) {
  Alarms alarms;
  alarms.set(AlarmKind::heart_rate_high, true, 0);
  alarms.pause_audio(1, 1e9);
  EXPECT_EQ(alarms.sounding(2), std::nullopt);
  EXPECT_EQ(alarms.sounding(121.5), Priority::medium) << "120 s at most";
  alarms.pause_audio(122);
  alarms.set(AlarmKind::asystole, true, 123);
  EXPECT_EQ(alarms.sounding(123), Priority::high);
}

TEST(Alarms, highest_priority_first) {
  Alarms alarms;
  alarms.set(AlarmKind::spo2_sensor_off, true, 0);
  alarms.set(AlarmKind::extreme_tachy, true, 1);
  alarms.set(AlarmKind::heart_rate_high, true, 2);
  std::vector<AlarmKind> kinds;
  for (const auto& a : alarms.active()) kinds.push_back(a.kind);
  EXPECT_THAT(kinds, testing::ElementsAre(AlarmKind::extreme_tachy, AlarmKind::heart_rate_high, AlarmKind::spo2_sensor_off));
}

TEST(Alarms, ten_thousand_alarms_take_no_more_memory) {
  Alarms alarms;
  for (int i = 0; i < 10'000; ++i) {
    alarms.set(AlarmKind::heart_rate_high, i % 2 == 0, i);
    if (i % 1000 == 0) {
      EXPECT_LE(alarms.take_changes().size(), 256u);
    }
  }
  EXPECT_EQ(alarms.raised(), 5000u);
}

// A bed fed by the demo patient at 250 Hz.
struct Ward {
  DemoPatient patient{250, 9};
  Bed bed{250};
  CuffCommand cuff{};
  Ward() { bed.admit({"1", "Doe", "Jo", "19500101", "F", Age::adult}); }
  void run(double seconds) {
    for (int i = 0; i < static_cast<int>(seconds * 250); ++i) {
      const auto s = patient.next(cuff.pump, cuff.valve_open, cuff.bleed);
      cuff = bed.push({{s.ecg[0], s.ecg[1]}, s.impedance, s.red, s.infrared, {s.ohms[0], s.ohms[1]}, s.cuff});
    }
  }
};

TEST(Bed, shows_six_vital_signs_of_a_healthy_patient_without_alarms) {
  Ward ward;
  ward.run(40);
  ward.bed.measure_pressure();
  ward.run(60);
  const auto& n = ward.bed.numerics();
  EXPECT_NEAR(n.heart_rate.value(), 72, 3);
  EXPECT_NEAR(n.spo2.value(), 97, 2);
  EXPECT_NEAR(n.pulse.value(), 72, 3);
  EXPECT_NEAR(n.respiration.value(), 14, 1);
  EXPECT_NEAR(n.pressure.value().systolic, 118, 8);
  EXPECT_NEAR(n.celsius1.value(), 36.8, 0.2);
  EXPECT_NEAR(n.celsius2.value(), 36.1, 0.2);
  for (const auto& a : ward.bed.alarms().active()) ADD_FAILURE() << info(a.kind).name;
}

TEST(Bed, asystole_and_tachycardia_alarm_within_ten_seconds) {
  Ward ward;
  ward.run(30);
  ward.patient.truth.heart_rate = 0;
  ward.run(10);
  EXPECT_TRUE(has(ward.bed.alarms(), AlarmKind::asystole));
  ward.patient.truth.heart_rate = 180;
  ward.bed.acknowledge();
  ward.run(10);
  EXPECT_TRUE(has(ward.bed.alarms(), AlarmKind::extreme_tachy));
  EXPECT_FALSE(has(ward.bed.alarms(), AlarmKind::asystole));
}

TEST(Bed, pulled_sensors_are_technical_alarms_and_no_values) {
  Ward ward;
  ward.run(40);
  ward.patient.truth.ecg_lead_off = ward.patient.truth.finger_off = true;
  ward.run(10);
  EXPECT_TRUE(has(ward.bed.alarms(), AlarmKind::ecg_off));
  EXPECT_TRUE(has(ward.bed.alarms(), AlarmKind::spo2_sensor_off));
  EXPECT_FALSE(has(ward.bed.alarms(), AlarmKind::asystole)) << "a lead off is not a heart that stopped";
  EXPECT_FALSE(ward.bed.numerics().spo2);
  EXPECT_FALSE(ward.bed.numerics().heart_rate);
}

TEST(Bed, apnoea_is_seen_though_the_last_window_still_holds_breaths) {
  Ward ward;
  ward.run(60);
  ward.patient.truth.breath_rate = 0;
  ward.run(32);
  EXPECT_TRUE(has(ward.bed.alarms(), AlarmKind::apnoea));
}

TEST(Bed, discharge_forgets_the_patient) {
  Ward ward;
  ward.run(20);
  ward.bed.discharge();
  EXPECT_FALSE(ward.bed.patient());
  EXPECT_FALSE(ward.bed.numerics().heart_rate);
  ward.patient.truth.heart_rate = 0;
  ward.run(12);
  EXPECT_TRUE(ward.bed.alarms().active().empty()) << "nobody is there";
}

TEST(Bed, a_neonates_cuff_stops_far_below_an_adults) {
  Ward ward;
  ward.bed.admit({"2", "Doe", "Baby", "", "U", Age::neonate});
  ward.bed.measure_pressure();
  float most = 0;
  for (int i = 0; i < 250 * 60; ++i) {
    const auto s = ward.patient.next(ward.cuff.pump, ward.cuff.valve_open, ward.cuff.bleed);
    ward.cuff = ward.bed.push({{s.ecg[0], s.ecg[1]}, s.impedance, s.red, s.infrared, {s.ohms[0], s.ohms[1]}, s.cuff});
    most = std::max(most, s.cuff);
  }
  EXPECT_GT(most, 60);
  EXPECT_LT(most, 150);
}

TEST(Bed, memory_of_a_bed) { EXPECT_LT(Bed(500).memory_bytes(), 250'000u); }

}  // namespace
}  // namespace bedside
