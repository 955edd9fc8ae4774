// A respiration signal (thoracic impedance, any unit) in, breaths a minute with a quality out; streaming, fixed memory.
//
// Two estimators over the last 32 s, at about 25 Hz, after a zero-phase band-pass of 0.07-1 Hz:
// - advanced counting of breaths: extrema whose excursion is under 0.3 of the upper quartile are taken out, and the intervals of what is left
//   are averaged (Schaefer & Kratky, Ann. Biomed. Eng. 36:476, 2008);
// - the first peak of the unbiased autocorrelation that reaches 0.45 of the greatest, which does not count a breath of two humps twice.
// Where they agree within 15 % both are averaged (0.6 count + 0.4 autocorrelation); where not, the autocorrelation stands and the quality drops
// (fusion by agreement: Karlen et al., IEEE TBME 60:1946, 2013). Below `least_quality` there is *no value* rather than a wrong one.
//
// Range 4.5-45 breaths a minute. Latency: the estimate describes the last 32 s; a changed rate is followed within about 20 s.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace bedside {

struct RespirationEstimate {
  float rate = 0;       // breaths a minute
  float quality = 0;    // 0..1
  float count = 0;      // what counting says; 0 when it says nothing
  float periodic = 0;   // what the autocorrelation says; 0 when it says nothing
};

inline constexpr float least_respiration_quality = 0.12F;

// The estimate for one window. `samples` at `rate` Hz, 8 to 40 s of them; nothing when the signal is flat or missing.
std::optional<RespirationEstimate> estimate_respiration(std::span<const float> samples, float rate);

class RespirationMeter {
 public:
  explicit RespirationMeter(double frequency);  // Hz, 20-2000
  void push(float sample);                      // NaN: missing
  // The newest estimate with its quality, whatever it is; the caller compares with least_respiration_quality.
  std::optional<RespirationEstimate> estimate() const;
  double seconds_since_usable() const { return missing_ / frequency_; }
  // How long the signal has stayed under a fifth of its usual excursion (the mean range of a 4 s stretch while it moved): apnoea, when it is long.
  double seconds_still() const { return still_; }

 private:
  static constexpr std::size_t capacity = 1100;
  double frequency_;
  int decimation_;
  std::size_t window_;
  std::array<float, capacity> ring_{};
  std::size_t taken_ = 0;
  float sum_ = 0, last_ = 0;
  int phase_ = 0;
  double missing_ = 0, still_ = 0;
  float usual_ = 0, low_ = 0, high_ = 0;
  int stretch_ = 0;
};

}  // namespace bedside
