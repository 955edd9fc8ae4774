// Two probes; sources in the header.
#include "device/validate/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace validate {

double ohms_of(double celsius) {
  struct Point {
    double celsius, ohms;
  };
  static constexpr std::array<Point, 13> table = {{{-5, 9534}, {0, 7355}, {5, 5720}, {10, 4482}, {15, 3539}, {20, 2814}, {25, 2252}, {30, 1815}, {35, 1471}, {40, 1200}, {45, 983.8}, {50, 811.3}, {55, 672.9}}};
  const auto inverse = [](double c) { return 1000 / (c + 273.15); };
  const int nearest = static_cast<int>(std::floor((celsius + 5) / 5));
  const int first = std::clamp(nearest - 1, 0, static_cast<int>(table.size()) - 4);
  double sum = 0;
  for (int i = first; i < first + 4; ++i) {
    double term = std::log(table[i].ohms);
    for (int j = first; j < first + 4; ++j)
      if (j != i) term *= (inverse(celsius) - inverse(table[j].celsius)) / (inverse(table[i].celsius) - inverse(table[j].celsius));
    sum += term;
  }
  return std::exp(sum);
}

Probes::Probes(std::uint64_t seed) : draw_(seed) {
  start_[0] = draw_.between(34, 41.5);
  start_[1] = start_[0] - draw_.between(0, 5);
  slope_ = draw_.between(-1.5, 1.5) / 3600;  // a fast fever
  for (int i = 0; i < 2; ++i) {
    constant_[i] = draw_.between(6, 30);
    error_[i] = draw_.between(-0.1, 0.1);
    tip_[i] = 22;
  }
  leads_ = draw_.between(0, 1.5);
  noise_ = draw_.log_between(0.1, 2);
  mains_ = draw_.log_between(0.1, 3);
  slips_an_hour_ = draw_.chance(0.5) ? draw_.between(2, 10) : 0;
  settled_after_ = 8 * std::max(constant_[0], constant_[1]);
}

ProbeSample Probes::next() {
  ProbeSample out;
  for (int i = 0; i < 2; ++i) {
    out.celsius[i] = start_[i] + slope_ * time_;
    if (slips_an_hour_ > 0 && draw_.chance(slips_an_hour_ / 3600 / frequency)) {
      slip_until_[i] = time_ + draw_.between(5, 40);
      settled_after_ = std::max(settled_after_, slip_until_[i] + 8 * constant_[i]);
    }
    const double around = time_ < slip_until_[i] ? 24 : out.celsius[i];
    tip_[i] += (around - tip_[i]) / (constant_[i] * frequency);
    out.ohms[i] = ohms_of(tip_[i] + error_[i]) + leads_ + noise_ * draw_.normal() + mains_ * std::sin(2 * std::numbers::pi * 0.3 * time_);
  }
  out.settled = time_ > settled_after_;
  time_ += 1 / frequency;
  return out;
}

std::string Probes::describe() const {
  return fmt::format("start={:.1f},{:.1f} slope={:.1f}/h constants={:.0f},{:.0f}s error={:+.2f},{:+.2f} leads={:.1f} noise={:.1f} mains={:.1f} slips={:.0f}/h", start_[0], start_[1], slope_ * 3600, constant_[0],
                     constant_[1], error_[0], error_[1], leads_, noise_, mains_, slips_an_hour_);
}

}  // namespace validate
