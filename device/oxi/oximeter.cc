// Implements oximeter.h.
#include "device/oxi/oximeter.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bedside {
namespace {

constexpr float least_perfusion = 0.02F;  // %

struct Slope {
  float ratio = 0, correlation = 0, power = 0;
};

// Total least squares of y on x, both centred: the larger axis of the ellipse.
template <class X, class Y>
Slope slope(X x, Y y, int n) {
  double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
  for (int i = 0; i < n; ++i) mx += x(i), my += y(i);
  mx /= n, my /= n;
  for (int i = 0; i < n; ++i) {
    const double a = x(i) - mx, b = y(i) - my;
    xx += a * a, yy += b * b, xy += a * b;
  }
  if (!(xx > 0) || !(yy > 0)) return {};
  Slope out;
  out.correlation = static_cast<float>(xy / std::sqrt(xx * yy));
  out.power = static_cast<float>(xx);
  out.ratio = static_cast<float>((yy - xx + std::sqrt((yy - xx) * (yy - xx) + 4 * xy * xy)) / (2 * xy));
  return out;
}

}  // namespace

Oximeter::Oximeter(double frequency) : decimation_(std::max(1, static_cast<int>(std::lround(frequency / 50)))) {
  rate_ = frequency / decimation_;
}

// One-pole high-pass at 0.6 Hz, two one-pole low-passes at 6 Hz: the same for both colours, so that their ratio is untouched.
float Oximeter::filter(Filter& f, float x) const {
  const double high = 1 - std::exp(-2 * std::numbers::pi * 0.6 / rate_), low = 1 - std::exp(-2 * std::numbers::pi * 6 / rate_);
  if (!f.primed) f = {double{x}, 0, 0, true};
  f.high += high * (x - f.high);
  f.low1 += low * (x - f.high - f.low1);
  f.low2 += low * (f.low1 - f.low2);
  return static_cast<float>(f.low2);
}

void Oximeter::push(float red, float infrared) {
  const bool usable = std::isfinite(red) && std::isfinite(infrared) && red > 0 && infrared > 0;
  off_ = usable ? 0 : off_ + 1;
  if (!usable) {
    if (off_ > rate_ * decimation_) {
      taken_ = 0;
      red_filter_.primed = ir_filter_.primed = false;
    }
    return;
  }
  sum_red_ += red;
  sum_ir_ += infrared;
  if (++phase_ < decimation_) return;
  const auto i = static_cast<std::size_t>(taken_ % capacity);
  const float r = sum_red_ / static_cast<float>(decimation_), s = sum_ir_ / static_cast<float>(decimation_);
  red_[i] = filter(red_filter_, r);
  ir_[i] = filter(ir_filter_, s);
  dc_red_[i] = r;
  dc_ir_[i] = s;
  pleth_ = -100 * ir_[i] / s;
  ++taken_;
  phase_ = 0;
  sum_red_ = sum_ir_ = 0;
}

std::optional<OximeterReading> Oximeter::estimate() {
  const int n = static_cast<int>(8 * rate_);
  if (off_ > rate_ * decimation_) return state_ = OximeterState::sensor_off, std::nullopt;
  if (static_cast<double>(taken_) < n + rate_) return state_ = OximeterState::searching, std::nullopt;
  const auto at = [&](const std::array<float, capacity>& ring, int i) {
    return static_cast<double>(ring[static_cast<std::size_t>((taken_ - n + i) % capacity)]);
  };
  double dc_red = 0, dc_ir = 0;
  for (int i = 0; i < n; ++i) dc_red += at(dc_red_, i), dc_ir += at(dc_ir_, i);
  dc_red /= n, dc_ir /= n;

  std::array<float, 16> ratios{}, ranges{};
  const int slice = n / 16;
  int used = 0;
  std::array<Slope, 16> slices{};
  for (int k = 0; k < 16; ++k) {
    double low = 1e30, high = -1e30;
    const int wide_from = std::clamp(k * slice - slice / 2, 0, n - 2 * slice);  // a second, so that each holds most of a beat
    for (int i = 0; i < 2 * slice; ++i) low = std::min(low, at(ir_, wide_from + i)), high = std::max(high, at(ir_, wide_from + i));
    ranges[k] = static_cast<float>(100 * (high - low) / dc_ir);
    slices[k] = slope([&](int i) { return at(ir_, wide_from + i) / dc_ir; }, [&](int i) { return at(red_, wide_from + i) / dc_red; }, 2 * slice);
  }
  std::nth_element(ranges.begin(), ranges.begin() + 8, ranges.end());
  OximeterReading out;
  out.perfusion = ranges[8];
  if (out.perfusion < least_perfusion) return state_ = OximeterState::low_perfusion, std::nullopt;
  std::array<float, 16> powers{};
  for (int k = 0; k < 16; ++k) powers[k] = slices[k].power;
  std::nth_element(powers.begin(), powers.begin() + 8, powers.end());
  for (const float least : {0.95F, 0.85F}) {
    used = 0;
    for (const auto& s : slices)
      if (s.correlation > least && s.power < 6 * powers[8]) ratios[used++] = s.ratio;
    if (used >= 5) break;
  }

  double best = 0, zero = 0;
  const int shortest = static_cast<int>(rate_ * 60 / 240), longest = std::min(static_cast<int>(rate_ * 60 / 30), n / 2);
  std::array<double, 128> ac{};
  for (int i = 0; i < n; ++i) zero += at(ir_, i) * at(ir_, i);
  for (int lag = shortest - 1; lag <= longest + 1 && lag < 128; ++lag) {
    for (int i = lag; i < n; ++i) ac[lag] += at(ir_, i) * at(ir_, i - lag);
    ac[lag] /= zero * (n - lag) / n;
  }
  for (int lag = shortest; lag <= longest && lag < 127; ++lag)
    if (ac[lag] > ac[lag - 1] && ac[lag] >= ac[lag + 1]) best = std::max(best, ac[lag]);
  for (int lag = shortest; lag <= longest && lag < 127; ++lag)
    if (ac[lag] > ac[lag - 1] && ac[lag] >= ac[lag + 1] && ac[lag] > 0.8 * best) {
      const double curve = ac[lag - 1] - 2 * ac[lag] + ac[lag + 1];
      out.pulse = static_cast<float>(60 * rate_ / (lag + (curve < 0 ? 0.5 * (ac[lag - 1] - ac[lag + 1]) / curve : 0)));
      break;
    }
  out.quality = static_cast<float>(used / 16.0 * std::clamp(best, 0.0, 1.0));
  if (used < 5 || best < 0.3 || out.pulse <= 0) return state_ = OximeterState::motion, std::nullopt;
  std::nth_element(ratios.begin(), ratios.begin() + used / 2, ratios.begin() + used);
  out.spo2 = std::clamp(110 - 25 * ratios[used / 2], 50.0F, 100.0F);
  state_ = OximeterState::measuring;
  return out;
}

}  // namespace bedside
