// Implements derived.h.
#include "device/resp/derived.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bedside {
namespace {

constexpr double grid_rate = 25;      // Hz, of the series of beats
constexpr float clear_quality = 0.7F;  // both methods agree, and the series repeats itself

bool near(float a, float b, float share) { return std::abs(a - b) < share * b; }

}  // namespace

DerivedRespiration::DerivedRespiration(double frequency) : ecg_(grid_rate), light_(frequency), share_(1 - std::exp(-2 * std::numbers::pi * 0.5 / frequency)) {}

void DerivedRespiration::forget_beats() { last_at_ = -1; }

void DerivedRespiration::push_beat(double seconds, float size) {
  if (!std::isfinite(size) || seconds - last_at_ > 4 || last_at_ < 0 || seconds <= last_at_) {
    last_at_ = grid_ = seconds;
    last_size_ = size;
    return;
  }
  // A beat out of line (premature, or noise) counts as one at the edge of the line.
  size = std::clamp(size, 0.6F * last_size_, 1.5F * last_size_);
  for (; grid_ < seconds; grid_ += 1 / grid_rate) ecg_.push(last_size_ + (size - last_size_) * static_cast<float>((grid_ - last_at_) / (seconds - last_at_)));
  last_at_ = seconds;
  last_size_ = size;
}

void DerivedRespiration::push_light(float infrared) {
  if (!std::isfinite(infrared)) {
    primed_ = false;
    return light_.push(infrared);
  }
  if (!primed_) slow1_ = slow2_ = infrared, primed_ = true;
  slow1_ += static_cast<float>(share_) * (infrared - slow1_);
  slow2_ += static_cast<float>(share_) * (slow1_ - slow2_);
  light_.push(slow2_);
}

std::optional<RespirationEstimate> cross_check(const std::optional<RespirationEstimate>& impedance, const std::optional<RespirationEstimate>& ecg,
                                               const std::optional<RespirationEstimate>& light, float heart_rate) {
  if (!impedance) return impedance;
  auto out = *impedance;
  for (const auto* derived : {&ecg, &light}) {
    if (!*derived || (*derived)->quality < clear_quality) continue;
    const float other = (*derived)->rate;
    if (heart_rate > 0 && near(out.rate, heart_rate, 0.08F) && !near(out.rate, other, 0.25F)) return std::nullopt;
    if (out.quality >= 0.5F) continue;
    if (out.count > 0 && near(out.count, other, 0.15F)) out.rate = out.count, out.quality = 0.5F;
    else if (out.periodic > 0 && near(out.periodic, other, 0.15F)) out.rate = out.periodic, out.quality = 0.5F;
  }
  return out;
}

}  // namespace bedside
