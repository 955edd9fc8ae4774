// Implements demo.h.
#include "device/sim/demo.h"

#include <cmath>
#include <numbers>

namespace bedside {
namespace {

// Resistance of the 400-series thermistor by bisection of the Steinhart-Hart equation, written out again so that an error in one shows.
double ohms_for(double celsius) {
  double low = 100, high = 100'000;
  for (int i = 0; i < 60; ++i) {
    const double mid = std::sqrt(low * high), l = std::log(mid);
    const double kelvin = 1 / (1.4733e-3 + 2.372e-4 * l + 1.074e-7 * l * l * l);
    (kelvin - 273.15 > celsius ? low : high) = mid;
  }
  return low;
}

}  // namespace

DemoPatient::DemoPatient(double frequency, std::uint64_t seed) : step_(1 / frequency), random_(seed) {}

// A wave of the beat at hand, by time since its R peak, in seconds.
double DemoPatient::gaussian(double centre, double width, double height) const {
  double sum = 0;
  for (const double beat : {beat_at_, next_beat_})
    if (beat > 0) sum += height * std::exp(-0.5 * std::pow((t_ - beat - centre) / width, 2));
  return sum;
}

DemoSample DemoPatient::next(bool pump, bool valve_open, float bleed) {
  t_ += step_;
  breath_phase_ += 2 * std::numbers::pi * truth.breath_rate / 60 * step_;
  if (truth.heart_rate <= 0) {
    next_beat_ = t_ + 1e6;
  } else {
    if (next_beat_ > t_ + 10) next_beat_ = t_ + 0.4;
    if (t_ >= next_beat_) {
      beat_at_ = next_beat_;
      ++beat_count_;
      rr_ = 60 / truth.heart_rate * (1 + 0.03 * std::sin(breath_phase_) + 0.01 * normal_(random_));
      next_beat_ = beat_at_ + rr_;
    }
  }
  const double squeeze = std::sqrt(std::min(1.0, rr_ / 0.8));  // QT shortens with the rate
  const double ecg = gaussian(-0.17, 0.025, 0.14) + gaussian(-0.03, 0.010, -0.12) + gaussian(0, 0.011, 1.1) + gaussian(0.032, 0.012, -0.28) +
                     gaussian(0.30 * squeeze, 0.06 * squeeze, 0.28);
  const double second = gaussian(-0.17, 0.025, 0.08) + gaussian(0, 0.013, -0.5) + gaussian(0.03, 0.014, 0.9) + gaussian(0.30 * squeeze, 0.06 * squeeze, 0.2);
  const double wander = 0.06 * std::sin(breath_phase_);
  DemoSample s;
  s.ecg[0] = truth.ecg_lead_off ? NAN : static_cast<float>(ecg + wander + truth.noise * normal_(random_));
  s.ecg[1] = truth.ecg_lead_off ? NAN : static_cast<float>(second - wander + truth.noise * normal_(random_));
  s.impedance = static_cast<float>(0.8 * std::sin(breath_phase_) + 0.15 * std::sin(2 * breath_phase_ + 0.7) + 0.04 * ecg + 0.02 * normal_(random_));
  const double pulse = gaussian(0.25, 0.08, 1) + gaussian(0.45, 0.10, 0.35);
  const double ratio = (110 - truth.spo2) / 25, depth = truth.perfusion / 100;
  s.infrared = truth.finger_off ? NAN : static_cast<float>(2.0 * (1 - depth * pulse + 2e-5 * normal_(random_)));
  s.red = truth.finger_off ? NAN : static_cast<float>(1.4 * (1 - ratio * depth * pulse + 2e-5 * normal_(random_)));
  s.ohms[0] = static_cast<float>(ohms_for(truth.celsius1 + 0.01 * normal_(random_)));
  s.ohms[1] = truth.probe2_off ? 1e6F : static_cast<float>(ohms_for(truth.celsius2 + 0.01 * normal_(random_)));

  if (valve_open) cuff_ *= std::exp(-step_ / 0.8);
  else cuff_ += (pump ? 25.0 : -static_cast<double>(bleed)) * step_;
  cuff_ = std::max(0.0, cuff_);
  const double above = (cuff_ - truth.mean) / (truth.systolic - truth.mean), below = (truth.mean - cuff_) / (truth.mean - truth.diastolic);
  const double envelope = cuff_ > truth.mean ? std::pow(0.55, above * above) : std::pow(0.75, below * below);
  s.cuff = static_cast<float>(cuff_ + (cuff_ > 5 ? 2.2 * envelope * pulse : 0) + 0.03 * normal_(random_));
  return s;
}

}  // namespace bedside
