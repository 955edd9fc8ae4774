// The resistance of a thermistor probe in (ohms), a temperature out.
//
// Steinhart-Hart with the coefficients of the 400-series curve (2252 ohm at 25 C: A 1.4733e-3, B 2.372e-4, C 1.074e-7, as published for the
// YSI 44004; Steinhart & Hart, Deep-Sea Res. 15:497, 1968). The median of the last second, then a first-order mean of 2 s.
// Range 25-45 C; accuracy of the curve 0.1 C from 25 to 45. Latency: 3 s to nine tenths of a step (the probe's own is longer).
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace bedside {

enum class ProbeState : std::uint8_t { measuring, open, shorted, out_of_range };

// Celsius for a resistance in ohms (positive).
double thermistor_celsius(double ohms);

class Thermometer {
 public:
  explicit Thermometer(double frequency);  // Hz, 1-100
  void push(float ohms);                   // NaN or above 100 kilohm: open; below 100 ohm: shorted
  std::optional<float> celsius() const;
  ProbeState state() const { return state_; }

 private:
  double frequency_;
  std::array<float, 128> ring_{};
  std::size_t taken_ = 0;
  double value_ = 0;
  bool primed_ = false;
  ProbeState state_ = ProbeState::open;
};

}  // namespace bedside
