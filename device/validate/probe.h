// A seed into the resistance of two thermistor probes on a body whose temperature drifts, and the temperatures that were true.
//
// Resistance: the published table of 400-series probes (2252 ohm at 25 C), ln R interpolated over 1/T by the polynomial through the four nearest points, with the maker's interchangeability
// of 0.1 C drawn a probe. A probe follows the body with one time constant (ISO 80601-2-56 calls a steady reading what is left after it). Leads, noise of the
// converter, mains and short loss of contact are drawn.
#pragma once

#include <string>

#include "device/validate/draw.h"

namespace validate {

struct ProbeSample {
  double ohms[2] = {};
  double celsius[2] = {};  // truth: of the body at the probe
  bool settled = false;    // both probes had contact for eight time constants
};

class Probes {
 public:
  static constexpr double frequency = 10, seconds = 1200;
  explicit Probes(std::uint64_t seed);
  ProbeSample next();
  std::string describe() const;

 private:
  Draw draw_;
  double start_[2], slope_, constant_[2], error_[2], leads_, noise_, mains_, slips_an_hour_;
  double tip_[2], time_ = 0, slip_until_[2] = {-1, -1}, settled_after_ = 0;
};

// The table's curve, for one temperature in -5 to 55 C.
double ohms_of(double celsius);

}  // namespace validate
