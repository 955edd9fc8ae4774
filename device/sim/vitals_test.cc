// Why: the oximeter, the cuff and the thermometer must give back what a known patient has, and nothing when the sensor lies. This is a
// self-test on our own demo patient, no evidence of accuracy: that is what validate/README.md and bedside-vitals-score are for.
#include <gtest/gtest.h>

#include <cmath>

#include "device/nibp/nibp.h"
#include "device/oxi/oximeter.h"
#include "device/sim/demo.h"
#include "device/temp/thermometer.h"

namespace bedside {
namespace {

std::optional<OximeterReading> oximetry(DemoTruth truth, Oximeter& meter, double seconds = 20) {
  DemoPatient patient(125, 3);
  patient.truth = truth;
  for (int i = 0; i < static_cast<int>(seconds * 125); ++i) {
    const auto s = patient.next(false, true, 0);
    meter.push(s.red, s.infrared);
  }
  return meter.estimate();
}

TEST(Oximeter, follows_saturation_and_pulse) {
  for (const double spo2 : {72.0, 85.0, 97.0})
    for (const double rate : {45.0, 72.0, 150.0}) {
      DemoTruth truth;
      truth.spo2 = spo2, truth.heart_rate = rate;
      Oximeter meter(125);
      const auto r = oximetry(truth, meter);
      ASSERT_TRUE(r) << spo2 << " " << rate;
      EXPECT_NEAR(r->spo2, spo2, 1.5);
      EXPECT_NEAR(r->pulse, rate, 0.03 * rate + 1);
    }
}

TEST(Oximeter, names_why_it_is_silent) {
  DemoTruth off;
  off.finger_off = true;
  Oximeter one(125);
  EXPECT_FALSE(oximetry(off, one));
  EXPECT_EQ(one.state(), OximeterState::sensor_off);
  DemoTruth still;
  still.heart_rate = 0;
  Oximeter two(125);
  EXPECT_FALSE(oximetry(still, two));
  EXPECT_NE(two.state(), OximeterState::measuring) << "no pulse, no saturation";
}

// Runs a measurement against the demo patient; returns seconds taken.
double measure(BloodPressureMeter& meter, DemoPatient& patient) {
  meter.start();
  CuffCommand command{true, false, 0};
  double seconds = 0;
  while ((meter.state() == CuffState::inflating || meter.state() == CuffState::deflating) && seconds < 200) {
    command = meter.push(patient.next(command.pump, command.valve_open, command.bleed).cuff);
    seconds += 0.01;
  }
  return seconds;
}

TEST(Nibp, reads_a_known_pressure) {
  for (const auto& [systolic, mean, diastolic] : {std::tuple{118.0, 90.0, 76.0}, {180.0, 130.0, 105.0}, {92.0, 70.0, 58.0}}) {
    DemoPatient patient(100, 4);
    patient.truth.systolic = systolic, patient.truth.mean = mean, patient.truth.diastolic = diastolic;
    BloodPressureMeter meter(100);
    EXPECT_LT(measure(meter, patient), 120);
    ASSERT_TRUE(meter.result()) << systolic;
    EXPECT_NEAR(meter.result()->systolic, systolic, 8);  // the demo's envelope has another ratio than the method
    EXPECT_NEAR(meter.result()->mean, mean, 5);
    EXPECT_NEAR(meter.result()->diastolic, diastolic, 6);
  }
}

TEST(Nibp, the_valve_opens_whatever_happens) {
  BloodPressureMeter meter(100);
  meter.start();
  EXPECT_TRUE(meter.push(10).pump);
  auto command = meter.push(301);
  EXPECT_TRUE(command.valve_open && !command.pump);
  EXPECT_EQ(meter.failure(), CuffFailure::overpressure);

  meter.start();
  for (int i = 0; i < 60; ++i) command = meter.push(NAN);
  EXPECT_TRUE(command.valve_open && !command.pump);
  EXPECT_EQ(meter.failure(), CuffFailure::no_pressure_signal);

  meter.start();
  for (int i = 0; i < 100 * 45; ++i) command = meter.push(20);  // a cuff that does not fill
  EXPECT_TRUE(command.valve_open);
  EXPECT_EQ(meter.failure(), CuffFailure::leak);

  meter.start();
  for (int i = 0; i < 100 * 121; ++i) command = meter.push(i < 1000 ? 165.0F : 100.0F);  // stuck half-way down
  EXPECT_TRUE(command.valve_open);
  EXPECT_EQ(meter.failure(), CuffFailure::time_limit);
}

TEST(Nibp, no_pulse_no_reading) {
  DemoPatient patient(100, 4);
  patient.truth.heart_rate = 0;
  BloodPressureMeter meter(100);
  measure(meter, patient);
  EXPECT_EQ(meter.state(), CuffState::failed);
  EXPECT_FALSE(meter.result());
}

TEST(Thermometer, known_points_of_the_400_series) {
  // Resistances of the published 400-series table (2252 ohm at 25 C).
  EXPECT_NEAR(thermistor_celsius(2252), 25.0, 0.05);
  EXPECT_NEAR(thermistor_celsius(1355), 37.0, 0.05);
  EXPECT_NEAR(thermistor_celsius(1200), 40.0, 0.1);
  Thermometer probe(10);
  for (int i = 0; i < 100; ++i) probe.push(i % 7 == 3 ? 3000 : 1355);
  EXPECT_NEAR(probe.celsius().value(), 37.0, 0.1) << "single spikes do not count";
  probe.push(NAN);
  EXPECT_EQ(probe.state(), ProbeState::open);
  EXPECT_FALSE(probe.celsius());
  probe.push(3);
  EXPECT_EQ(probe.state(), ProbeState::shorted);
}

}  // namespace
}  // namespace bedside
