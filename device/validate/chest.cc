// The ECG of a heart that stops or races; models in the header.
#include "device/validate/chest.h"

#include <fmt/format.h>

#include <algorithm>

namespace validate {
namespace {

// P, Q, R, S, T: angle (rad at 60 a minute), amplitude and width of the paper's table. A wave of the model integrates to a bell of height a b^2.
constexpr double pi = std::numbers::pi;
constexpr double angles[] = {-70 * pi / 180, -15 * pi / 180, 0, 15 * pi / 180, 100 * pi / 180};
constexpr double amplitudes[] = {1.2, -5, 30, -7.5, 0.75};
constexpr double widths[] = {0.25, 0.1, 0.1, 0.1, 0.4};

}  // namespace

Chest::Chest(std::uint64_t seed, HeartEvent event)
    : draw_(seed), settings_(draw_heart(draw_, 50, 105)), heart_(settings_), event_(event), wander_{{0.15, frequency}, {0.15, frequency}}, muscle_{{40, frequency}, {40, frequency}} {
  event_at_ = draw_.between(60, 90);
  event_rate_ = event == HeartEvent::asystole ? 0 : draw_.between(160, 230);
  atria_go_on_ = draw_.chance(0.5);
  for (auto& lead : lead_size_) {
    // Millivolts of the R wave; leads differ, and some look at the heart from behind.
    const double size = draw_.log_between(0.5, 2) * (draw_.chance(0.15) ? -1 : 1);
    for (int i = 0; i < 5; ++i) lead[i] = size * draw_.between(0.7, 1.3);
  }
  wander_size_ = draw_.log_between(0.02, 0.3);
  muscle_size_ = draw_.log_between(0.005, 0.06);
  mains_size_ = draw_.log_between(0.002, 0.1);
  mains_ = draw_.chance(0.5) ? 50 : 60;
  steps_a_minute_ = draw_.chance(0.5) ? draw_.between(0.5, 4) : 0;
  step_size_ = draw_.log_between(0.1, 1);
  beat_ = heart_.next(draw_);
}

ChestSample Chest::next() {
  ChestSample out;
  if (!begun_ && event_ != HeartEvent::none && time_ >= event_at_) {
    begun_ = true;
    if (event_ != HeartEvent::asystole) {
      HeartSettings fast = settings_;
      fast.rate = event_rate_;
      fast.rhythm = Rhythm::sinus;
      fast.variability = 0.01;
      heart_ = Heart(fast);
      beat_ = heart_.next(draw_);
      beat_start_ = time_;
    }
  }
  while (time_ - beat_start_ >= beat_.interval) {
    beat_start_ += beat_.interval;
    beat_ = heart_.next(draw_);
  }
  out.event = begun_;
  out.rate = begun_ ? event_rate_ : settings_.rate;

  const double omega = 2 * pi / beat_.interval, phase = -pi + omega * (time_ - beat_start_);
  const double stretch = std::sqrt(1 / beat_.interval);  // the paper's scaling of widths with the rate: waves keep their time
  const bool ventricles = !(begun_ && event_ == HeartEvent::asystole), wide = (begun_ && event_ == HeartEvent::wide_tachycardia) || beat_.premature;
  for (int lead = 0; lead < 2; ++lead) {
    double z = 0;
    for (int i = 0; i < 5; ++i) {
      if (i == 0 ? (wide || (!ventricles && !atria_go_on_)) : !ventricles) continue;
      double width = widths[i] * stretch, size = amplitudes[i];
      if (wide && i != 4) width *= 3, size *= i == 2 ? 0.45 : 0.15;
      const double away = std::remainder(phase - angles[i] * (i == 0 || i == 4 ? std::sqrt(stretch) : stretch), 2 * pi);
      z += lead_size_[lead][i] * size * widths[i] * widths[i] / 0.3 * std::exp(-away * away / (2 * width * width));
    }
    if (steps_a_minute_ > 0 && draw_.chance(steps_a_minute_ / 60 / frequency)) step_[lead] += step_size_ * draw_.normal();
    step_[lead] *= 1 - 1 / (1.5 * frequency);
    out.lead[lead] = z + wander_size_ * wander_[lead].next(draw_) + muscle_size_ * muscle_[lead].next(draw_) + mains_size_ * std::sin(2 * pi * mains_ * time_) +
                     step_[lead];
  }
  time_ += 1 / frequency;
  return out;
}

std::string Chest::describe() const {
  return fmt::format("rate={:.0f} rhythm={} at={:.1f}s to={:.0f} atria={} wander={:.2f} muscle={:.3f} mains={:.3f} steps={:.1f}/min", settings_.rate, name(settings_.rhythm), event_at_, event_rate_,
                     atria_go_on_ ? "go-on" : "stop", wander_size_, muscle_size_, mains_size_, steps_a_minute_);
}

}  // namespace validate
