// Implements thermometer.h.
#include "device/temp/thermometer.h"

#include <algorithm>
#include <cmath>

namespace bedside {

double thermistor_celsius(double ohms) {
  const double l = std::log(ohms);
  return 1 / (1.4733e-3 + 2.372e-4 * l + 1.074e-7 * l * l * l) - 273.15;
}

Thermometer::Thermometer(double frequency) : frequency_(std::clamp(frequency, 1.0, 100.0)) {}

void Thermometer::push(float ohms) {
  if (!(ohms <= 100'000)) state_ = ProbeState::open;
  else if (ohms < 100) state_ = ProbeState::shorted;
  else state_ = ProbeState::measuring;
  if (state_ != ProbeState::measuring) {
    primed_ = false;
    taken_ = 0;
    return;
  }
  const auto n = std::clamp<std::size_t>(static_cast<std::size_t>(frequency_), 3, ring_.size());
  ring_[taken_++ % n] = ohms;
  const std::size_t have = std::min(taken_, n);
  std::array<float, 128> sorted = ring_;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(have / 2), sorted.begin() + static_cast<std::ptrdiff_t>(have));
  const double now = thermistor_celsius(static_cast<double>(sorted[have / 2]));
  if (have < n) value_ = now;
  else value_ += (now - value_) / (1 + 1.0 * frequency_);
  primed_ = have == n;
  if (value_ < 20 || value_ > 46) state_ = ProbeState::out_of_range;
}

std::optional<float> Thermometer::celsius() const {
  if (!primed_ || state_ != ProbeState::measuring) return std::nullopt;
  return static_cast<float>(value_);
}

}  // namespace bedside
