// Implements nibp.h.
#include "device/nibp/nibp.h"

#include <algorithm>
#include <cmath>

namespace bedside {
namespace {

constexpr double systolic_ratio = 0.47, diastolic_ratio = 0.8;
constexpr double form_factor = 0.4;  // share of the pulse that the mean pressure lies above diastolic in the brachial artery

struct Pulse {
  double pressure, amplitude, time;
};

// The centred moving mean of `half` samples each side.
std::vector<double> smooth(const std::vector<double>& x, int half) {
  std::vector<double> sum(x.size() + 1), out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) sum[i + 1] = sum[i] + x[i];
  const int n = static_cast<int>(x.size());
  for (int i = 0; i < n; ++i) {
    const int reach = std::min({half, i, n - 1 - i});
    out[i] = (sum[i + reach + 1] - sum[i - reach]) / (2 * reach + 1);
  }
  return out;
}

std::vector<Pulse> pulses_of(const std::vector<double>& cuff, const std::vector<double>& wave, double frequency) {
  std::vector<Pulse> out;
  const int n = static_cast<int>(wave.size()), guard = static_cast<int>(0.2 * frequency);
  for (int i = guard; i + guard < n; ++i) {
    if (*std::max_element(wave.begin() + i - guard, wave.begin() + i + guard + 1) > wave[i] || (!out.empty() && i - out.back().time * frequency < guard)) continue;
    const int back = static_cast<int>(0.45 * frequency);
    const double low = *std::min_element(wave.begin() + std::max(0, i - back), wave.begin() + i + 1);
    out.push_back({cuff[i], wave[i] - low, i / frequency});
  }
  return out;
}

// A pulse that its neighbours on both sides do not support is motion; it becomes their median.
void reject_artefacts(std::vector<Pulse>& pulses) {
  const auto old = pulses;
  for (std::size_t i = 2; i + 2 < old.size(); ++i) {
    double around[] = {old[i - 2].amplitude, old[i - 1].amplitude, old[i].amplitude, old[i + 1].amplitude, old[i + 2].amplitude};
    std::nth_element(around, around + 2, around + 5);
    if (std::abs(old[i].amplitude - around[2]) > 0.35 * around[2]) pulses[i].amplitude = around[2];
  }
}

// Amplitude at a pressure: Gaussian-weighted mean of the pulses near it.
double envelope(const std::vector<Pulse>& pulses, double pressure, double width) {
  double sum = 0, weight = 1e-12;
  for (const auto& p : pulses) {
    const double w = std::exp(-0.5 * std::pow((p.pressure - pressure) / width, 2));
    sum += w * p.amplitude, weight += w;
  }
  return sum / weight;
}

}  // namespace

std::optional<BloodPressure> read_oscillations(const std::vector<float>& pressure, double frequency) {
  if (static_cast<double>(pressure.size()) < 8 * frequency) return std::nullopt;
  std::vector<double> raw(pressure.begin(), pressure.end());
  const auto clean = smooth(raw, static_cast<int>(0.03 * frequency));
  const auto cuff = smooth(smooth(raw, static_cast<int>(0.6 * frequency)), static_cast<int>(0.4 * frequency));
  std::vector<double> wave(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) wave[i] = clean[i] - cuff[i];
  auto pulses = pulses_of(cuff, wave, frequency);
  if (pulses.size() < 8) return std::nullopt;
  reject_artefacts(pulses);

  const auto [low, high] = std::minmax_element(pulses.begin(), pulses.end(), [](auto& a, auto& b) { return a.pressure < b.pressure; });
  double top = 0, mean = 0;
  for (double p = low->pressure; p <= high->pressure; p += 0.5)
    if (const double e = envelope(pulses, p, 4); e > top) top = e, mean = p;
  if (top < 0.15) return std::nullopt;  // mmHg of oscillation
  double systolic = 0, diastolic = 0;
  for (double p = mean; p <= high->pressure && systolic == 0; p += 0.25)
    if (envelope(pulses, p, 4) < systolic_ratio * top) systolic = p;
  for (double p = mean; p >= low->pressure && diastolic == 0; p -= 0.25)
    if (envelope(pulses, p, 4) < diastolic_ratio * top) diastolic = p;
  if (systolic == 0 || diastolic == 0 || systolic - diastolic < 8) return std::nullopt;

  std::vector<double> gaps;
  for (std::size_t i = 1; i < pulses.size(); ++i)
    if (pulses[i].amplitude > 0.3 * top) gaps.push_back(pulses[i].time - pulses[i - 1].time);
  if (gaps.empty()) return std::nullopt;
  std::nth_element(gaps.begin(), gaps.begin() + static_cast<std::ptrdiff_t>(gaps.size() / 2), gaps.end());
  BloodPressure out;
  out.systolic = static_cast<float>(systolic);
  out.mean = static_cast<float>((mean + diastolic + form_factor * (systolic - diastolic)) / 2);
  out.diastolic = static_cast<float>(diastolic);
  out.pulse = static_cast<float>(60 / gaps[gaps.size() / 2]);
  return out;
}

BloodPressureMeter::BloodPressureMeter(double frequency, bool neonate) : frequency_(frequency), neonate_(neonate) {
  deflation_.reserve(static_cast<std::size_t>(120 * frequency));
}

void BloodPressureMeter::start() {
  const float most = neonate_ ? 130.0F : 280.0F;
  target_ = std::min(most, last_systolic_ > 0 ? last_systolic_ + 30 : neonate_ ? 100.0F : 160.0F);
  state_ = CuffState::inflating;
  failure_ = CuffFailure::none;
  seconds_ = missing_ = inflating_from_ = 0;
  deflation_.clear();
}

void BloodPressureMeter::stop() { state_ = CuffState::idle; }

CuffCommand BloodPressureMeter::fail(CuffFailure why) {
  state_ = CuffState::failed;
  failure_ = why;
  return {};
}

CuffCommand BloodPressureMeter::push(float pressure) {
  const double step = 1 / frequency_;
  if (state_ != CuffState::inflating && state_ != CuffState::deflating) return {};
  seconds_ += step;
  missing_ = std::isfinite(pressure) ? 0 : missing_ + step;
  if (missing_ > 0.5) return fail(CuffFailure::no_pressure_signal);
  if (pressure >= (neonate_ ? 150.0F : 300.0F)) return fail(CuffFailure::overpressure);
  if (seconds_ > (neonate_ ? 90 : 120)) return fail(CuffFailure::time_limit);
  if (!std::isfinite(pressure)) return {false, false, 0};
  if (state_ == CuffState::inflating) {
    if (seconds_ - inflating_from_ > 40) return fail(CuffFailure::leak);
    if (pressure < target_) return {true, false, 0};
    state_ = CuffState::deflating;
    deflation_.clear();
  }
  deflation_.push_back(pressure);
  if (pressure > (neonate_ ? 12.0F : 25.0F)) return {false, false, 4};
  result_ = read_oscillations(deflation_, frequency_);
  // An envelope that is still high at the top of the record hides the systolic pressure: once more, from higher up.
  if (!result_ && seconds_ < 60 && target_ < (neonate_ ? 110.0F : 220.0F)) {
    target_ += 40;
    inflating_from_ = seconds_;
    state_ = CuffState::inflating;
    return {true, false, 0};
  }
  if (!result_) return fail(CuffFailure::weak_pulse);
  last_systolic_ = result_->systolic;
  state_ = CuffState::done;
  return {};
}

}  // namespace bedside
