// An arm in a cuff; the models are named in the header.
#include "device/validate/arm.h"

#include <fmt/format.h>

#include <algorithm>

namespace validate {
namespace {

// The spread of ages and diseases that ISO 81060-2 wants in a validation: a twentieth at most 100, a fifth at least 140, a twentieth at least 160 systolic.
ArmSettings draw_arm(Draw& draw) {
  ArmSettings s;
  s.heart = draw_heart(draw, 48, 125);
  s.systolic = std::clamp(128 + 27 * draw.normal(), 72.0, 215.0);
  const double pulse = std::clamp(s.systolic * draw.between(0.26, 0.52), 20.0, 110.0);
  s.diastolic = s.systolic - pulse;
  s.collapse = draw.between(0.06, 0.12);
  s.stretch = draw.between(0.02, 0.045);
  s.oscillation = draw.chance(0.25) ? draw.log_between(0.5, 1.2) : draw.log_between(1.2, 5);
  s.breathing = draw.between(0, 5);
  s.harmonic = draw.between(0.35, 0.6);
  s.slimness = draw.between(1.1, 1.9);
  s.noise = draw.log_between(0.02, 0.15);
  if (draw.chance(0.5)) s.movements_a_minute = draw.between(1, 6), s.movement = draw.log_between(1, 12);
  s.leak = draw.between(0, 0.8);
  s.pump = draw.between(12, 40);
  s.valve_error = draw.between(0.85, 1.15);
  return s;
}

// Volume of the artery over transmural pressure, in units of its greatest compliance times mmHg.
double volume(double pressure, double collapse, double stretch) {
  return pressure < 0 ? std::exp(collapse * pressure) / collapse : 1 / collapse + (1 - std::exp(-stretch * pressure)) / stretch;
}

double wave(double phase, double harmonic) {
  return std::sin(phase) + harmonic * std::sin(2 * phase) + harmonic / 2 * std::sin(3 * phase);
}

}  // namespace

Arm::Arm(std::uint64_t seed) : draw_(seed), settings_(draw_arm(draw_)), heart_(settings_.heart) {
  for (int i = 0; i < 1000; ++i) {
    const double w = wave(2 * std::numbers::pi * i / 1000, settings_.harmonic);
    shape_low_ = std::min(shape_low_, w);
    shape_high_ = std::max(shape_high_, w);
  }
  // The greatest oscillation comes where the pulse straddles zero transmural pressure; the cuff's compliance is drawn so that it has the size wanted.
  double greatest = 0;
  for (double cuff = settings_.diastolic; cuff < settings_.systolic; ++cuff)
    greatest = std::max(greatest, volume(settings_.systolic - cuff, settings_.collapse, settings_.stretch) - volume(settings_.diastolic - cuff, settings_.collapse, settings_.stretch));
  scale_ = settings_.oscillation / greatest;
  beat_ = heart_.next(draw_);
  movement_next_ = settings_.movements_a_minute > 0 ? draw_.waiting(60 / settings_.movements_a_minute) : 1e9;
}

double Arm::arterial_pressure() {
  while (time_ - beat_start_ >= beat_.interval) {
    beat_start_ += beat_.interval;
    if (beat_high_ > 0) {
      systolic_sum_ += beat_high_;
      diastolic_sum_ += beat_low_;
      ++beats_;
    }
    beat_high_ = -1;
    beat_low_ = 999;
    beat_ = heart_.next(draw_);
  }
  const double phase = 2 * std::numbers::pi * (time_ - beat_start_) / beat_.interval;
  const double height = std::pow(std::max(0.0, (wave(phase, settings_.harmonic) - shape_low_) / (shape_high_ - shape_low_)), settings_.slimness);
  const double breath = settings_.breathing * std::sin(2 * std::numbers::pi * settings_.heart.breath / 60 * time_);
  // A weak stroke reaches less high; its foot stays near the usual one.
  const double pressure = settings_.diastolic + breath + (settings_.systolic - settings_.diastolic) * std::clamp(beat_.filling, 0.3, 1.25) * height;
  beat_high_ = std::max(beat_high_, pressure);
  beat_low_ = std::min(beat_low_, pressure);
  mean_sum_ += pressure;
  ++samples_;
  return pressure;
}

double Arm::next(bool pump, bool valve_open, double bleed) {
  const double step = 1 / frequency;
  if (pump) base_ += settings_.pump * step;
  if (valve_open) base_ -= base_ / 0.5 * step;
  else base_ -= std::min(base_, (bleed * settings_.valve_error + (base_ > 5 ? settings_.leak : 0)) * step);
  base_ = std::clamp(base_, 0.0, 400.0);
  const double arterial = arterial_pressure();
  // Boyle: at higher pressure the same volume of blood makes more pressure. Under 10 mmHg the cuff hangs loose.
  const double air = (base_ + 760) / 860 * std::clamp(base_ / 20, 0.0, 1.0);
  double pressure = base_ + air * scale_ * (volume(arterial - base_, settings_.collapse, settings_.stretch) - volume(settings_.diastolic - base_, settings_.collapse, settings_.stretch));
  if (time_ >= movement_next_) {
    movement_start_ = time_;
    movement_length_ = draw_.between(0.3, 2);
    movement_size_ = settings_.movement * draw_.between(-1, 1);
    movement_next_ = time_ + movement_length_ + draw_.waiting(60 / settings_.movements_a_minute);
  }
  if (const double into = (time_ - movement_start_) / movement_length_; into < 1 && base_ > 10) pressure += movement_size_ * std::sin(std::numbers::pi * into) * std::sin(2.7 * std::numbers::pi * into);
  if (pump) pressure += 0.5 * std::sin(2 * std::numbers::pi * 23 * time_);
  time_ += step;
  return std::max(0.0, pressure + settings_.noise * draw_.normal());
}

ArmTruth Arm::truth() const {
  if (beats_ == 0 || samples_ == 0) return {};
  return {systolic_sum_ / beats_, mean_sum_ / samples_, diastolic_sum_ / beats_};
}

std::string Arm::describe() const {
  return fmt::format("systolic={:.0f} diastolic={:.0f} rate={:.0f} rhythm={} collapse={:.3f} stretch={:.3f} oscillation={:.1f} breathing={:.1f} noise={:.2f} movements={:.1f}/min size={:.1f} leak={:.1f}",
                     settings_.systolic, settings_.diastolic, settings_.heart.rate, name(settings_.heart.rhythm), settings_.collapse, settings_.stretch, settings_.oscillation, settings_.breathing,
                     settings_.noise, settings_.movements_a_minute, settings_.movement, settings_.leak);
}

}  // namespace validate
