// Implements respiration.h.
#include "device/resp/respiration.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace bedside {
namespace {

struct Biquad {
  double b0, b1, b2, a1, a2;
};

// Second-order Butterworth by the bilinear transform.
Biquad butterworth(double corner, double rate, bool high) {
  const double k = std::tan(std::numbers::pi * corner / rate), norm = 1 / (1 + k * std::numbers::sqrt2 + k * k);
  const double b = high ? norm : k * k * norm;
  return {b, high ? -2 * b : 2 * b, b, 2 * (k * k - 1) * norm, (1 - k * std::numbers::sqrt2 + k * k) * norm};
}

void run(const Biquad& f, std::vector<double>& x, bool high) {
  // Started in the steady state of the first sample, so that a window's edge does not ring.
  double x1 = x.front(), x2 = x1, y1 = high ? 0 : x1, y2 = y1;
  for (double& v : x) {
    const double y = f.b0 * v + f.b1 * x1 + f.b2 * x2 - f.a1 * y1 - f.a2 * y2;
    x2 = x1, x1 = v, y2 = y1, y1 = y;
    v = y;
  }
}

std::vector<double> band_pass(std::span<const float> samples, double rate) {
  const std::size_t n = samples.size(), pad = std::min<std::size_t>(n - 1, static_cast<std::size_t>(rate * 2));
  std::vector<double> x;
  x.reserve(n + 2 * pad);
  for (std::size_t i = pad; i > 0; --i) x.push_back(2.0 * samples[0] - samples[i]);
  x.insert(x.end(), samples.begin(), samples.end());
  for (std::size_t i = 1; i <= pad; ++i) x.push_back(2.0 * samples[n - 1] - samples[n - 1 - i]);
  for (const bool high : {true, false}) {
    const Biquad f = butterworth(high ? 0.07 : 1.0, rate, high);
    run(f, x, high);
    std::reverse(x.begin(), x.end());
    run(f, x, high);
    std::reverse(x.begin(), x.end());
  }
  return {x.begin() + static_cast<std::ptrdiff_t>(pad), x.begin() + static_cast<std::ptrdiff_t>(pad + n)};
}

double mean_rate(const std::vector<std::size_t>& at, double rate) {
  if (at.size() < 2) return 0;
  return 60.0 * static_cast<double>(at.size() - 1) * rate / static_cast<double>(at.back() - at.front());
}

double by_counting(const std::vector<double>& y, double rate) {
  std::vector<std::size_t> extrema;
  for (std::size_t i = 1; i + 1 < y.size(); ++i)
    if ((y[i] > y[i - 1]) == (y[i] >= y[i + 1]) && (y[i] != y[i - 1] || y[i] != y[i + 1])) extrema.push_back(i);
  if (extrema.size() < 3) return 0;
  std::vector<double> steps;
  const auto measure = [&] {
    steps.clear();
    for (std::size_t i = 1; i < extrema.size(); ++i) steps.push_back(std::abs(y[extrema[i]] - y[extrema[i - 1]]));
  };
  measure();
  std::vector<double> sorted = steps;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() * 3 / 4), sorted.end());
  const double least = 0.3 * sorted[sorted.size() * 3 / 4];
  while (extrema.size() > 2) {
    const auto k = static_cast<std::size_t>(std::min_element(steps.begin(), steps.end()) - steps.begin());
    if (steps[k] >= least) break;
    const auto from = extrema.begin() + static_cast<std::ptrdiff_t>(k);
    if (k == 0) extrema.erase(from);
    else if (k + 1 == steps.size()) extrema.pop_back();
    else extrema.erase(from, from + 2);
    measure();
  }
  std::vector<std::size_t> peaks, troughs;
  for (std::size_t i = 1; i < extrema.size(); ++i)
    (y[extrema[i]] > y[extrema[i - 1]] ? peaks : troughs).push_back(extrema[i]);
  const double up = mean_rate(peaks, rate), down = mean_rate(troughs, rate);
  return up > 0 && down > 0 ? (up + down) / 2 : std::max(up, down);
}

struct Periodicity {
  double rate = 0, strength = 0;
};

Periodicity by_autocorrelation(const std::vector<double>& y, double rate) {
  const std::size_t n = y.size();
  const auto shortest = static_cast<std::size_t>(rate * 60 / 45);
  const std::size_t longest = std::min(static_cast<std::size_t>(rate * 60 / 4.5), n * 6 / 10);
  std::vector<double> ac(longest + 2);
  for (std::size_t lag = 0; lag < ac.size(); ++lag) {
    double sum = 0;
    for (std::size_t i = lag; i < n; ++i) sum += y[i] * y[i - lag];
    ac[lag] = sum / static_cast<double>(n - lag);
  }
  if (!(ac[0] > 0)) return {};
  std::vector<std::size_t> peaks;
  double top = 0;
  for (std::size_t lag = std::max<std::size_t>(1, shortest); lag <= longest; ++lag)
    if (ac[lag] > ac[lag - 1] && ac[lag] >= ac[lag + 1]) {
      peaks.push_back(lag);
      top = std::max(top, ac[lag]);
    }
  for (const std::size_t lag : peaks) {
    if (!(ac[lag] > 0.45 * top)) continue;
    const double curve = ac[lag - 1] - 2 * ac[lag] + ac[lag + 1];
    const double shift = curve < 0 ? 0.5 * (ac[lag - 1] - ac[lag + 1]) / curve : 0;
    return {60 * rate / (static_cast<double>(lag) + shift), ac[lag] / ac[0]};
  }
  return {};
}

}  // namespace

std::optional<RespirationEstimate> estimate_respiration(std::span<const float> samples, float rate) {
  if (static_cast<float>(samples.size()) < 8 * rate) return std::nullopt;
  const auto [low, high] = std::minmax_element(samples.begin(), samples.end());
  if (!(*high - *low > 1e-6F)) return std::nullopt;
  const auto y = band_pass(samples, rate);
  const double count = by_counting(y, rate);
  const auto periodic = by_autocorrelation(y, rate);
  if (periodic.rate <= 0) return std::nullopt;
  const bool agree = std::abs(count - periodic.rate) < 0.15 * periodic.rate;
  RespirationEstimate out;
  out.count = static_cast<float>(count);
  out.periodic = static_cast<float>(periodic.rate);
  out.rate = static_cast<float>(agree ? 0.6 * count + 0.4 * periodic.rate : periodic.rate);
  const double strength = std::clamp(periodic.strength, 0.0, 1.0);
  out.quality = static_cast<float>(agree ? 0.5 + 0.5 * strength : 0.5 * strength);
  return out;
}

RespirationMeter::RespirationMeter(double frequency)
    : frequency_(frequency), decimation_(std::max(1, static_cast<int>(std::lround(frequency / 25)))) {
  window_ = std::min(capacity, static_cast<std::size_t>(std::lround(32 * frequency / decimation_)));
}

void RespirationMeter::push(float sample) {
  if (std::isfinite(sample)) {
    last_ = sample;
    missing_ = 0;
  } else {
    missing_ += 1;
  }
  sum_ += last_;
  if (++phase_ < decimation_) return;
  const float value = sum_ / static_cast<float>(decimation_);
  ring_[taken_ % window_] = value;
  if (stretch_ == 0) low_ = high_ = value;
  low_ = std::min(low_, value), high_ = std::max(high_, value);
  const double rate = frequency_ / decimation_;
  if (++stretch_ >= static_cast<int>(4 * rate)) {
    const float range = high_ - low_;
    const bool still = usual_ > 0 && range < 0.2F * usual_;
    still_ = still ? still_ + 4 : 0;
    if (!still) usual_ = usual_ > 0 ? 0.8F * usual_ + 0.2F * std::min(range, 3 * usual_) : range;
    stretch_ = 0;
  }
  ++taken_;
  sum_ = 0;
  phase_ = 0;
}

std::optional<RespirationEstimate> RespirationMeter::estimate() const {
  if (missing_ > 2 * frequency_ || taken_ < window_ / 2) return std::nullopt;
  std::array<float, capacity> line;
  const std::size_t n = std::min(taken_, window_);
  for (std::size_t i = 0; i < n; ++i) line[i] = ring_[(taken_ - n + i) % window_];
  return estimate_respiration(std::span(line).first(n), static_cast<float>(frequency_ / decimation_));
}

}  // namespace bedside
