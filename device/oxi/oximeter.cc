// Implements oximeter.h.
#include "device/oxi/oximeter.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bedside {
namespace {

constexpr float least_perfusion = 0.02F;  // %
constexpr int most_upstrokes = 40;        // in the window: 8 s at 240 a minute, and some

// One fall of the infrared light as the pulse arrives.
struct Upstroke {
  double at = 0;         // samples into the window
  double ratio = 0;      // red over infrared, of the steady parts
  double correlation = 0;
  double size = 0;       // of the steady infrared light
};

double median(std::array<double, most_upstrokes> values, int n) {
  std::nth_element(values.begin(), values.begin() + n / 2, values.begin() + n);
  return values[n / 2];
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

  // Steps of the light, so that what changes slowly (breathing, veins) hardly counts beside the rise of a pulse.
  std::array<double, capacity> infrared{}, red{};
  for (int i = 1; i < n; ++i) infrared[i] = (at(ir_, i - 1) - at(ir_, i)) / dc_ir, red[i] = (at(red_, i - 1) - at(red_, i)) / dc_red;
  std::array<double, 8> tops{};
  for (int i = 1; i < n; ++i) tops[static_cast<std::size_t>(i * 8 / n)] = std::max(tops[static_cast<std::size_t>(i * 8 / n)], infrared[i]);
  std::nth_element(tops.begin(), tops.begin() + 4, tops.end());
  const double top = tops[4];

  std::array<int, most_upstrokes> peaks{};
  int found = 0;
  const int apart = static_cast<int>(0.25 * rate_);
  for (int i = 2; i + 1 < n && found < most_upstrokes; ++i) {
    if (infrared[i] < 0.4 * top || infrared[i] < infrared[i - 1] || infrared[i] <= infrared[i + 1]) continue;
    if (found > 0 && i - peaks[found - 1] < apart) {
      if (infrared[i] > infrared[peaks[found - 1]]) peaks[found - 1] = i;
      continue;
    }
    peaks[found++] = i;
  }
  // What the light did from the pulse before to the pulse after is not of this pulse: its mean step is taken off.
  std::array<Upstroke, most_upstrokes> strokes{};
  for (int u = 0; u < found; ++u) {
    const int i = peaks[u], before = u > 0 ? peaks[u - 1] : i, after = u + 1 < found ? peaks[u + 1] : i;
    double drift = 0, red_drift = 0;
    for (int k = before + 1; k <= after; ++k) drift += infrared[k] / (after - before), red_drift += red[k] / (after - before);
    int from = i, to = i;
    while (from > 1 && infrared[from - 1] > 0.3 * infrared[i]) --from;
    while (to + 1 < n && infrared[to + 1] > 0.3 * infrared[i]) ++to;
    double xx = 0, xy = 0, yy = 0;
    strokes[u].at = i;
    for (int k = from; k <= to; ++k) {
      const double x = infrared[k] - drift, y = red[k] - red_drift;
      xx += x * x, xy += x * y, yy += y * y;
      strokes[u].size += x;
    }
    if (to - from < 2 || !(xx > 0) || !(yy > 0)) continue;
    strokes[u].ratio = xy / xx;
    strokes[u].correlation = xy / std::sqrt(xx * yy);
  }
  OximeterReading out;
  if (found < 4) return state_ = top * 100 < least_perfusion / 10 ? OximeterState::low_perfusion : OximeterState::motion, std::nullopt;
  std::array<double, most_upstrokes> values{};
  for (int i = 0; i < found; ++i) values[i] = strokes[i].size;
  const double size = median(values, found);
  out.perfusion = static_cast<float>(100 * size * 1.15);  // a little of the rise lies under the threshold
  if (out.perfusion < least_perfusion) return state_ = OximeterState::low_perfusion, std::nullopt;

  int used = 0;
  std::array<double, most_upstrokes> ratios{};
  for (int i = 0; i < found; ++i)
    if (strokes[i].correlation > 0.97 && strokes[i].size > 0.4 * size && strokes[i].size < 2 * size) ratios[used++] = strokes[i].ratio;
  int gaps = 0;
  for (int i = 1; i < found; ++i) values[gaps++] = (strokes[i].at - strokes[i - 1].at) / rate_;
  std::sort(values.begin(), values.begin() + gaps);
  double middle = 0;
  for (int i = gaps / 4; i < gaps - gaps / 4; ++i) middle += values[i];
  out.pulse = static_cast<float>(60 * (gaps - 2 * (gaps / 4)) / middle);
  out.quality = static_cast<float>(used) / static_cast<float>(found);
  if (used < 4 || used * 2 < found) return state_ = OximeterState::motion, std::nullopt;
  const double ratio = median(ratios, used);
  for (int i = 0; i < used; ++i) values[i] = std::abs(ratios[i] - ratio);
  const double spread = median(values, used);
  // Pulses that disagree, or are suddenly much larger than they were, are movement.
  const bool jumped = usual_size_ > 0 && size > 1.6 * usual_size_ && jumped_for_ < 30;
  jumped_for_ = jumped ? jumped_for_ + 1 : 0;
  if (spread > 0.08 || jumped) return state_ = OximeterState::motion, std::nullopt;
  const bool settle = usual_size_ <= 0 || size < usual_size_ / 1.6 || size > 1.6 * usual_size_;
  usual_size_ = settle ? size : usual_size_ + 0.1 * (size - usual_size_);
  out.spo2 = static_cast<float>(std::clamp(110 - 25 * ratio, 50.0, 100.0));
  state_ = OximeterState::measuring;
  return out;
}

}  // namespace bedside
