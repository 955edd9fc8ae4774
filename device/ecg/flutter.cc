// Implements flutter.h.
#include "device/ecg/flutter.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bedside {
namespace {

constexpr float slowest = 130, fastest = 330;  // a minute
constexpr float repeats = 0.6F;                // least autocorrelation
constexpr float restless = 0.35F;              // least share of the range that the middle half spans: a sine 0.71, narrow complexes under 0.15
constexpr float least_volts = 0.15F;           // mV, peak to peak

}  // namespace

FlutterDetector::FlutterDetector(double frequency, int leads) : leads_(std::clamp(leads, 1, max_ecg_leads)) {
  decimation_ = std::max(1, static_cast<int>(std::lround(frequency / 125)));
  rate_ = frequency / decimation_;
}

void FlutterDetector::push(std::span<const float> frame) {
  const bool due = ++phase_ >= decimation_;
  const auto share = [&](double hertz) { return static_cast<float>(1 - std::exp(-2 * std::numbers::pi * hertz / rate_)); };
  const float high = share(0.7), low = share(12);
  for (int i = 0; i < leads_; ++i) {
    Lead& lead = lead_[i];
    const float value = i < static_cast<int>(frame.size()) ? frame[static_cast<std::size_t>(i)] : NAN;
    if (std::isfinite(value)) lead.sum += value;
    else lead.missing = 0;
    if (!due) continue;
    const float mean = lead.sum / static_cast<float>(decimation_);
    lead.sum = 0;
    lead.missing = std::min(lead.missing + 1, window);
    lead.slow1 += high * (mean - lead.slow1);
    lead.slow2 += high * (mean - lead.slow1 - lead.slow2);
    lead.fast += low * (mean - lead.slow1 - lead.slow2 - lead.fast);
    lead.values[static_cast<std::size_t>(taken_ % window)] = lead.fast;
  }
  if (!due) return;
  phase_ = 0;
  ++taken_;
}

std::optional<float> FlutterDetector::rate() const {
  std::optional<float> best;
  for (int i = 0; i < leads_; ++i)
    if (const auto r = rate_of(lead_[i]); r && (!best || *r > *best)) best = r;
  return best;
}

std::optional<float> FlutterDetector::rate_of(const Lead& lead) const {
  const int n = std::min(window, static_cast<int>(4 * rate_));
  if (taken_ < n || lead.missing < n) return std::nullopt;
  std::array<float, window> x{}, sorted{};
  float mean = 0, power = 0;
  for (int i = 0; i < n; ++i) mean += x[i] = lead.values[static_cast<std::size_t>((taken_ - n + i) % window)];
  mean /= static_cast<float>(n);
  for (int i = 0; i < n; ++i) x[i] -= mean, power += x[i] * x[i];
  sorted = x;
  std::sort(sorted.begin(), sorted.begin() + n);
  const float range = sorted[n - 1 - n / 20] - sorted[n / 20];
  if (range < least_volts || sorted[n - 1 - n / 4] - sorted[n / 4] < restless * range) return std::nullopt;
  const int shortest = static_cast<int>(rate_ * 60 / fastest), longest = static_cast<int>(rate_ * 60 / slowest);
  const auto likeness = [&](int lag) {
    float sum = 0;
    for (int i = lag; i < n; ++i) sum += x[i] * x[i - lag];
    return sum / power * static_cast<float>(n) / static_cast<float>(n - lag);
  };
  float top = 0, before = likeness(shortest - 1), here = likeness(shortest);
  int at = 0;
  for (int lag = shortest; lag <= longest; ++lag) {
    const float after = likeness(lag + 1);
    if (here > before && here >= after && here > top + 0.02F) top = here, at = lag;
    before = here;
    here = after;
  }
  // A rhythm of half this rate repeats itself better after two of these waves: then one of them is a T wave.
  if (top < repeats || likeness(2 * at) > top + 0.1F) return std::nullopt;
  return 60 * static_cast<float>(rate_) / static_cast<float>(at);
}

}  // namespace bedside
