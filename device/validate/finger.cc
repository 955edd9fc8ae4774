// Light at the photodiodes, sample by sample; models in the header.
#include "device/validate/finger.h"

#include <fmt/format.h>

#include <algorithm>

namespace validate {
namespace {

FingerSettings draw_finger(Draw& draw) {
  FingerSettings s;
  s.heart = draw_heart(draw, 50, 130);
  s.perfusion = draw.chance(0.25) ? draw.log_between(0.15, 0.5) : draw.log_between(0.5, 6);
  s.noise = draw.log_between(1e-5, 8e-5);
  s.mains = draw.log_between(1e-5, 1e-4);
  s.moves = draw.chance(0.5);
  s.movements_a_minute = s.moves ? draw.between(0.5, 2.5) : 0;
  s.movement = s.moves ? draw.log_between(0.5, 6) : 0;
  s.venous_drop = draw.between(5, 35);
  s.amplitude_modulation = draw.between(0, 0.25);
  s.baseline = draw.between(0, 1);
  s.notch = draw.between(0.2, 0.6);
  return s;
}

double bell(double x, double centre, double width) { return std::exp(-(x - centre) * (x - centre) / (2 * width * width)); }

double ratio_of(double saturation) { return (110 - saturation) / 25; }

}  // namespace

Finger::Finger(std::uint64_t seed)
    : draw_(seed), settings_(draw_finger(draw_)), heart_(settings_.heart), restless_(2.5, frequency), wander_(0.08, frequency) {
  for (int i = 0; i <= plateaus; ++i) levels_[i] = std::clamp(99 - 29.0 * i / (plateaus - 1) + draw_.between(-1.5, 1.5), 70.0, 100.0);
  gain_red_ = draw_.between(0.4, 2);
  gain_infrared_ = draw_.between(0.4, 2);
  beat_ = heart_.next(draw_);
  movement_next_ = settings_.moves ? draw_.waiting(60 / settings_.movements_a_minute) : 1e9;
}

double Finger::saturation_at(double t) const {
  const int i = std::min(static_cast<int>(t / (plateau + ramp)), plateaus - 1);
  const double into = t - i * (plateau + ramp) - plateau;
  return into <= 0 ? levels_[i] : levels_[i] + (levels_[i + 1] - levels_[i]) * std::min(1.0, into / ramp);
}

FingerSample Finger::next() {
  FingerSample out;
  const double pulse = settings_.perfusion / 100, pi = std::numbers::pi;
  while (time_ - beat_start_ >= beat_.interval) {
    beat_start_ += beat_.interval;
    beat_ = heart_.next(draw_);
  }
  // The wave keeps its shape from the foot on and is stretched by the interval; a long pause ends in run-off, not in a stretched wave.
  const double phase = -pi + 2 * pi * (time_ - beat_start_) / std::min(beat_.interval, 1.2);
  const double wave = beat_.filling * (bell(phase, -1.6, 0.6) + settings_.notch * bell(phase, 0.1, 0.9));
  const double breath = std::sin(2 * pi * settings_.heart.breath / 60 * time_);
  out.saturation = saturation_at(time_);
  out.pulse = settings_.heart.rate;

  const double arterial = pulse * (1 + settings_.amplitude_modulation * breath) * wave;
  slow_ += (wander_.next(draw_) - slow_) * 2 * pi * 0.08 / frequency;  // vessels that narrow and widen over ten seconds and more
  double venous = pulse * (settings_.baseline * breath + 1.4 * slow_);
  if (time_ >= movement_next_) {
    movement_until_ = time_ + draw_.between(3, 15);
    movement_next_ = movement_until_ + draw_.waiting(60 / settings_.movements_a_minute);
    movement_rate_ = draw_.between(0.7, 3.5);
    rhythmic_ = draw_.chance(0.5);
    movement_size_ = settings_.movement * draw_.between(0.5, 1.5);
    slip_ = draw_.between(-0.5, 0.5);
  }
  double loosened = 0;
  const double restless = restless_.next(draw_);
  if (time_ < movement_until_) {
    out.moving = true;
    movement_phase_ += 2 * pi * movement_rate_ / frequency;
    const double movement = pulse * movement_size_ * (rhythmic_ ? std::sin(movement_phase_) + 0.3 * restless : restless);
    venous += movement;
    loosened = slip_ * movement;
  }

  const double room = settings_.mains * std::sin(2 * pi * 24.7 * time_);  // 100 Hz folded down by the sampling, with a crystal that is a little off
  const auto light = [&](double ratio, double venous_ratio) {
    return std::exp(-(ratio * arterial + venous_ratio * venous + loosened)) + room + settings_.noise * draw_.normal();
  };
  const double venous_saturation = std::max(30.0, out.saturation - settings_.venous_drop);
  out.red = gain_red_ * light(ratio_of(out.saturation), ratio_of(venous_saturation));
  out.infrared = gain_infrared_ * light(1, 1);
  time_ += 1 / frequency;
  return out;
}

std::string Finger::describe() const {
  return fmt::format("rate={:.0f} rhythm={} breath={:.0f} perfusion={:.2f}% noise={:.0e} mains={:.0e} movements={:.1f}/min size={:.1f} venous-drop={:.0f}", settings_.heart.rate,
                     name(settings_.heart.rhythm), settings_.heart.breath, settings_.perfusion, settings_.noise, settings_.mains, settings_.movements_a_minute, settings_.movement,
                     settings_.venous_drop);
}

}  // namespace validate
