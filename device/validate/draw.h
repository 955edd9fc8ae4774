// A seed into numbers. Its own transforms, because the standard library's distributions differ from one library to the next and a printed
// seed has to mean the same patient everywhere.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

namespace validate {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : engine_(seed * 0x9e3779b97f4a7c15ULL + 1) { engine_.discard(16); }
  double unit() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }  // [0, 1)
  double between(double low, double high) { return low + (high - low) * unit(); }
  double log_between(double low, double high) { return low * std::pow(high / low, unit()); }
  bool chance(double probability) { return unit() < probability; }
  double normal() { return std::sqrt(-2 * std::log(1 - unit())) * std::cos(2 * std::numbers::pi * unit()); }
  double waiting(double mean) { return -mean * std::log(1 - unit()); }  // exponential

 private:
  std::mt19937_64 engine_;
};

// First-order low-pass noise of unit variance: muscle, movement and wander are all this at different corner frequencies.
class Coloured {
 public:
  Coloured(double corner, double frequency) : keep_(std::exp(-2 * std::numbers::pi * corner / frequency)) {}
  double next(Draw& draw) { return value_ = keep_ * value_ + std::sqrt(1 - keep_ * keep_) * draw.normal(); }

 private:
  double keep_, value_ = 0;
};

}  // namespace validate
