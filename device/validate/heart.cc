// Intervals of the three rhythms; sources in the header.
#include "device/validate/heart.h"

#include <algorithm>

namespace validate {

HeartSettings draw_heart(Draw& draw, double lowest_rate, double highest_rate) {
  HeartSettings s;
  s.rate = draw.between(lowest_rate, highest_rate);
  s.breath = draw.between(9, 28);
  s.variability = draw.between(0.01, 0.06);
  const double kind = draw.unit();
  if (kind < 0.15) s.rhythm = Rhythm::fibrillation;
  else if (kind < 0.35) s.rhythm = Rhythm::ectopic, s.premature_share = draw.between(0.02, 0.2);
  return s;
}

HeartBeat Heart::next(Draw& draw) {
  const double usual = 60 / settings_.rate;
  HeartBeat beat;
  // The filling of this stroke is that of the interval before it, exponential with about 0.2 s after the ejection.
  const auto filled = [](double interval) { return 1 - std::exp(-std::max(0.0, interval - 0.25) / 0.2); };
  beat.filling = filled(last_interval_) / filled(usual);
  beat.premature = last_interval_ < 0.75 * usual && settings_.rhythm == Rhythm::ectopic;
  if (settings_.rhythm == Rhythm::fibrillation) {
    // A gamma law of shape 16: four sums of exponentials of four, spread about 25 %, never under the refractory time.
    double sum = 0;
    for (int i = 0; i < 16; ++i) sum += draw.waiting(1);
    beat.interval = std::max(0.33, usual * sum / 16);
  } else {
    const double slow = std::sin(2 * std::numbers::pi * 0.1 * time_), breath = std::sin(2 * std::numbers::pi * settings_.breath / 60 * time_);
    beat.interval = usual * (1 + settings_.variability * (slow + breath) / std::numbers::sqrt2 * 1.2 + 0.2 * settings_.variability * draw.normal());
    if (pause_due_) {
      beat.interval = 1.35 * usual;
      pause_due_ = false;
    } else if (settings_.rhythm == Rhythm::ectopic && draw.chance(settings_.premature_share)) {
      beat.interval = draw.between(0.55, 0.7) * usual;
      pause_due_ = true;
    }
  }
  time_ += beat.interval;
  last_interval_ = beat.interval;
  return beat;
}

const char* name(Rhythm rhythm) {
  static constexpr const char* names[] = {"sinus", "ectopic", "fibrillation"};
  return names[static_cast<int>(rhythm)];
}

}  // namespace validate
