// Implements qrs.h. Times named `at` are internal samples; each ring holds the value of that time, whatever the filter's delay was.
#include "device/ecg/qrs.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "device/ecg/qrs_judge.h"

namespace bedside {
namespace {

constexpr float silent = 0.004F;        // mV RMS in 8-20 Hz: below this there is nothing to scale to
constexpr float smallest_peak = 0.008F;  // mV RMS: no QRS is smaller
constexpr float smallest_scale = 0.02F;  // mV RMS: a QRS of about 0.1 mV

// A band-pass of `taps` (odd) by the window method (Hamming), unit gain at the geometric centre of the band.
void design(std::span<float> out, double rate, double low, double high) {
  const int n = static_cast<int>(out.size()), middle = n / 2;
  const double pi = std::numbers::pi, centre = std::sqrt(low * high);
  double gain = 0, mean = 0, window_sum = 0;
  std::vector<double> taps(out.size()), window(out.size());
  for (int i = 0; i < n; ++i) {
    const int k = i - middle;
    window[i] = 0.54 + 0.46 * std::cos(pi * k / (middle + 1));
    const double ideal = k == 0 ? 2 * (high - low) / rate
                                : (std::sin(2 * pi * high / rate * k) - std::sin(2 * pi * low / rate * k)) / (pi * k);
    taps[i] = ideal * window[i];
    mean += taps[i];
    window_sum += window[i];
  }
  for (int i = 0; i < n; ++i) {
    taps[i] -= mean * window[i] / window_sum;  // no response to a constant
    gain += taps[i] * std::cos(2 * pi * centre / rate * (i - middle));
  }
  for (int i = 0; i < n; ++i) out[i] = static_cast<float>(taps[i] / gain);
}

float clipped_log(float value, float low, float high) { return std::clamp(std::log(std::max(value, 1e-6F)), low, high); }

}  // namespace

QrsDetector::QrsDetector(double frequency, int leads) : leads_(std::clamp(leads, 1, max_ecg_leads)) {
  decimation_ = std::max(1, static_cast<int>(frequency / 240));
  rate_ = frequency / decimation_;
  taps_ = std::min(max_taps - 1, 2 * samples(0.1) + 1);
  design(std::span(narrow_taps_).first(static_cast<std::size_t>(taps_)), rate_, 8, 20);
  design(std::span(wide_taps_).first(static_cast<std::size_t>(taps_)), rate_, 2.5, 30);
  intervals_.fill(0.8F);
}

std::size_t QrsDetector::memory_bytes() const { return sizeof *this; }

std::optional<Beat> QrsDetector::push(std::span<const float> frame) {
  judged_.reset();
  for (int i = 0; i < leads_; ++i) {
    Lead& lead = lead_[i];
    const float value = i < static_cast<int>(frame.size()) ? frame[static_cast<std::size_t>(i)] : NAN;
    if (std::isfinite(value)) {
      lead.last = value;
      lead.missing = 0;
    } else {
      ++lead.missing;
    }
    lead.sum += lead.last;
  }
  if (++phase_ < decimation_) return std::nullopt;
  phase_ = 0;
  step();
  return judge_due();
}

void QrsDetector::step() {
  for (int i = 0; i < leads_; ++i) {
    lead_[i].input[static_cast<std::size_t>(now_ & 255)] = lead_[i].sum / static_cast<float>(decimation_);
    lead_[i].sum = 0;
    filter(lead_[i]);
  }
  const int half = samples(0.05);
  const std::int64_t known = now_ - taps_ / 2 - half;  // the newest time whose energy is known
  ++now_;
  if (!learned_) {
    if (now_ > samples(3.0)) learn();
    return;
  }
  if (known % samples(0.05) == 0) update_noise();
  float sum = 0;
  for (int i = 0; i < leads_; ++i)
    sum += lead_[i].weight * lead_[i].energy[static_cast<std::size_t>(known & (history - 1))] / lead_[i].scale;
  fused_[static_cast<std::size_t>(known & (history - 1))] = sum;
  find_peak();
}

void QrsDetector::filter(Lead& lead) const {
  float narrow = 0, wide = 0;
  const int first = static_cast<int>(now_) - taps_ + 1;
  for (int k = 0; k < taps_; ++k) {
    const float x = lead.input[static_cast<std::size_t>((first + k) & 255)];
    narrow += narrow_taps_[k] * x;
    wide += wide_taps_[k] * x;
  }
  const std::int64_t at = now_ - taps_ / 2;
  lead.narrow[static_cast<std::size_t>(at & (history - 1))] = narrow;
  lead.wide[static_cast<std::size_t>(at & (history - 1))] = wide;
  const int half = samples(0.05);
  const float old = lead.narrow[static_cast<std::size_t>((at - 2 * half - 1) & (history - 1))];
  lead.running = std::max(0.0, lead.running + double{narrow} * narrow - double{old} * old);
  lead.energy[static_cast<std::size_t>((at - half) & (history - 1))] =
      static_cast<float>(std::sqrt(lead.running / (2 * half + 1)));
}

// The first scale of each lead: the median of the greatest energy of five half-overlapping seconds.
void QrsDetector::learn() {
  learned_ = true;
  const std::int64_t newest = now_ - 1 - taps_ / 2 - samples(0.05);
  for (int i = 0; i < leads_; ++i) {
    Lead& lead = lead_[i];
    std::array<float, 4> tops{};
    for (int block = 0; block < 4; ++block)
      for (int k = 0; k < samples(1.0); ++k)
        tops[block] = std::max(tops[block], lead.energy[static_cast<std::size_t>((newest - samples(0.5) * block - k) & (history - 1))]);
    std::sort(tops.begin(), tops.end());
    lead.scale = std::max(smallest_scale, 0.9F * tops[1]);
    lead.heights.fill(lead.scale);
    lead.wide_scale = 1.5F * lead.scale;
    lead.wide_heights.fill(lead.wide_scale);
    lead.usual = lead.wide_usual = 0;
  }
  update_noise();
  last_beat_ = newest;
}

// Noise of a lead: the 30th percentile of its energy over the last 1.5 s. Signal: the 95th, at most a typical beat. Weights are
// the ratios of the two, shared out.
void QrsDetector::update_noise() {
  const std::int64_t newest = now_ - 2 - taps_ / 2 - samples(0.05);
  std::array<float, 64> values{};
  float total = 0;
  for (int i = 0; i < leads_; ++i) {
    Lead& lead = lead_[i];
    const double stride = 1.5 * rate_ / values.size();
    for (std::size_t k = 0; k < values.size(); ++k)
      values[k] = lead.energy[static_cast<std::size_t>((newest - static_cast<std::int64_t>(static_cast<double>(k) * stride)) & (history - 1))];
    std::nth_element(values.begin(), values.begin() + 19, values.end());
    lead.noise = std::max(silent, values[19]);
    std::nth_element(values.begin(), values.begin() + 60, values.end());
    const float top = std::min(lead.scale, values[60]);  // a lead that went flat has no top
    lead.weight = std::clamp(top / lead.noise, 0.05F, 20.0F);
    if (lead.missing > samples(0.2)) lead.weight *= 1e-3F;
    total += lead.weight;
  }
  for (int i = 0; i < leads_; ++i) lead_[i].weight /= total;
}

// Takes the sample `guard` back as a candidate when it is the greatest within `guard` on both sides.
void QrsDetector::find_peak() {
  const int guard = samples(0.09);
  const std::int64_t newest = now_ - 1 - taps_ / 2 - samples(0.05);
  const std::int64_t at = newest - guard;
  const auto value = [&](std::int64_t t) { return fused_[static_cast<std::size_t>(t & (history - 1))]; };
  const float height = value(at);
  if (height < 0.05F || value(at - 1) >= height || value(at + 1) > height) return;
  for (int k = 2; k <= guard; ++k)
    if (value(at - k) >= height || value(at + k) > height) return;
  if (waiting_count_ == waiting_.size()) return;  // cannot be: the guard bounds how many fit the look-ahead
  Peak peak{at, height, 0, 10, {}};
  for (int i = 0; i < leads_; ++i) {
    peak.energy[i] = lead_[i].energy[static_cast<std::size_t>(at & (history - 1))];
    if (lead_[i].weight > 0.15F) peak.weakest = std::min(peak.weakest, peak.energy[i] / lead_[i].scale);
  }
  waiting_[waiting_count_++] = peak;
}

std::optional<Beat> QrsDetector::judge_due() {
  if (!learned_) return std::nullopt;
  const std::int64_t newest = now_ - 1 - taps_ / 2 - samples(0.05);
  if (newest - last_beat_ > samples(2.0) && (newest - last_beat_) % samples(1.0) == 0)
    for (int i = 0; i < leads_; ++i) {  // nothing found for long: what was taken for a QRS may have been too high
      for (auto& height : lead_[i].heights) height = std::max(smallest_scale, 0.8F * height);
      lead_[i].scale = std::max(smallest_scale, 0.8F * lead_[i].scale);
    }
  if (waiting_count_ == 0 || newest - waiting_[0].at < samples(lookahead_seconds)) return std::nullopt;

  const Peak peak = waiting_[0];
  float likeness = 0;
  int best = -1;
  const auto features = describe(peak, likeness, best);
  const float score = judge_qrs(features);
  std::move(waiting_.begin() + 1, waiting_.begin() + static_cast<std::ptrdiff_t>(waiting_count_), waiting_.begin());
  --waiting_count_;
  const bool refractory = last_beat_ >= 0 && beats_ > 0 && peak.at - last_beat_ < samples(0.18);
  float volts = 0;
  for (int i = 0; i < leads_; ++i) volts += lead_[i].weight * peak.energy[i];
  const bool present = volts > smallest_peak;
  judged_ = QrsCandidate{r_peak(peak.at) * decimation_, features, score, score > 0 && !refractory && present};
  if (!judged_->accepted) return std::nullopt;
  int shift = 0;
  compare_templates(peak.at, likeness, best, shift);
  return accept(peak, score, likeness, best, shift);
}

std::array<float, qrs_feature_count> QrsDetector::describe(const Peak& peak, float& likeness, int& best) {
  const auto value = [&](std::int64_t t) { return fused_[static_cast<std::size_t>(t & (history - 1))]; };
  std::array<float, 96> around{};
  const double stride = 1.45 * rate_ / around.size();
  const std::int64_t from = peak.at - samples(0.72);
  for (std::size_t k = 0; k < around.size(); ++k) around[k] = value(from + static_cast<std::int64_t>(static_cast<double>(k) * stride));
  std::nth_element(around.begin(), around.begin() + 32, around.end());
  const float noise = std::max(0.01F, around[32]);

  std::array<float, 8> sorted = intervals_;
  std::nth_element(sorted.begin(), sorted.begin() + 4, sorted.end());
  const float rr = std::clamp(sorted[4], 0.25F, 2.0F);
  const float since = static_cast<float>(peak.at - last_beat_) / static_cast<float>(rate_);
  const float place = since / rr;

  float soon = 0, later = 0;
  for (std::size_t i = 1; i < waiting_count_; ++i) {
    const float gap = static_cast<float>(waiting_[i].at - peak.at) / static_cast<float>(rate_);
    (gap < 0.26F ? soon : later) = std::max(gap < 0.26F ? soon : later, waiting_[i].height);
  }
  int shift = 0;
  compare_templates(peak.at, likeness, best, shift);
  const float height = clipped_log(peak.height, -3, 1.5F);

  std::array<float, qrs_feature_count> f{};
  f[0] = 1;
  f[1] = height;
  f[2] = clipped_log(peak.height / noise, 0, 4);
  f[3] = std::max(0.0F, likeness);
  f[4] = std::max(0.0F, 0.75F - place);
  f[5] = std::clamp(place - 1.1F, 0.0F, 1.5F);
  f[6] = std::max(0.0F, 0.4F - since) / 0.4F;
  f[7] = since < 0.45F ? std::min(0.0F, clipped_log(peak.height / last_height_, -3, 0)) : 0.0F;
  f[8] = soon > 0 ? clipped_log(peak.height / soon, -3, 1) : 1.0F;
  f[9] = later > 0 ? clipped_log(peak.height / later, -3, 1) : 1.0F;
  f[10] = clipped_log(peak.weakest, -3, 1);
  f[11] = slowness(peak.at);
  f[12] = std::max(0.0F, likeness) * std::max(0.0F, likeness) * std::max(0.0F, likeness) * std::max(0.0F, likeness);
  f[13] = height * std::max(0.0F, likeness);
  f[14] = std::exp(-(place - 1) * (place - 1) / 0.03F);
  f[15] = last_confidence_;
  float wide = 0;
  for (int i = 0; i < leads_; ++i) wide += lead_[i].weight * wide_rms(lead_[i], peak.at) / lead_[i].wide_scale;
  f[16] = f[5] * f[12];
  f[17] = clipped_log(wide, -3, 1.5F);
  f[18] = f[5] * std::min(f[2], 2.0F);
  float next = 0.8F;
  for (std::size_t i = waiting_count_; i-- > 1;)
    if (waiting_[i].height > 0.6F) next = static_cast<float>(waiting_[i].at - peak.at) / static_cast<float>(rate_);
  f[19] = std::min(next / rr, 1.5F);
  f[20] = std::min(since, 2.0F);
  float before = peak.height, after = peak.height;
  for (int k = 0; k < samples(0.2); ++k) {
    before = std::min(before, value(peak.at - k));
    after = std::min(after, value(peak.at + k));
  }
  f[21] = clipped_log(peak.height / std::max({before, after, 0.01F}), 0, 4);
  f[22] = last_slowness_;
  f[23] = static_cast<float>(waiting_count_) / 8;
  return f;
}

// Log of the RMS of the wide band over that of the narrow one, leads weighted: high for T waves and baseline steps.
float QrsDetector::slowness(std::int64_t at) const {
  float sum = 0;
  const int half = samples(0.05);
  for (int i = 0; i < leads_; ++i) {
    float wide = 1e-9F, narrow = 1e-9F;
    for (int k = -half; k <= half; ++k) {
      const auto index = static_cast<std::size_t>((at + k) & (history - 1));
      wide += lead_[i].wide[index] * lead_[i].wide[index];
      narrow += lead_[i].narrow[index] * lead_[i].narrow[index];
    }
    sum += lead_[i].weight * clipped_log(wide / narrow, -2, 4);
  }
  return sum;
}

float QrsDetector::wide_rms(const Lead& lead, std::int64_t at) const {
  const int half = samples(0.06);
  float sum = 0;
  for (int k = -half; k <= half; ++k) sum += wide_at(lead, at + k) * wide_at(lead, at + k);
  return std::sqrt(sum / static_cast<float>(2 * half + 1));
}

// The normalised correlation of the wide signal around `at` with each template, best shift within 40 ms, leads weighted.
void QrsDetector::compare_templates(std::int64_t at, float& likeness, int& best, int& shift) const {
  likeness = -1;
  best = -1;
  const int half = std::min(samples(0.09), max_template / 2 - 1), reach = samples(0.04);
  for (int s = -reach; s <= reach; s += 2) {
    std::array<float, max_ecg_leads> power{};
    for (int i = 0; i < leads_; ++i)
      for (int k = -half; k <= half; ++k) power[i] += wide_at(lead_[i], at + s + k) * wide_at(lead_[i], at + s + k);
    for (int t = 0; t < templates; ++t) {
      if (template_[t].count < 3 && beats_ > 8) continue;
      if (template_[t].count == 0) continue;
      float sum = 0;
      for (int i = 0; i < leads_; ++i) {
        if (lead_[i].weight < 0.02F) continue;
        float dot = 0;
        for (int k = -half; k <= half; ++k) dot += wide_at(lead_[i], at + s + k) * template_[t].shape[i][k + half];
        sum += lead_[i].weight * dot / std::sqrt(power[i] + 1e-9F);
      }
      if (sum > likeness) {
        likeness = sum;
        best = t;
        shift = s;
      }
    }
  }
}

std::int64_t QrsDetector::r_peak(std::int64_t at) const {
  const int reach = samples(0.06);
  std::int64_t best = at;
  float top = -1;
  for (int k = -reach; k <= reach; ++k) {
    float sum = 0;
    for (int i = 0; i < leads_; ++i) sum += lead_[i].weight * std::abs(wide_at(lead_[i], at + k)) / lead_[i].scale;
    if (sum > top) {
      top = sum;
      best = at + k;
    }
  }
  return best;
}

// How strong a beat is beside those of the last half minute. When the chambers stop, P waves may go on, and the scale that shrinks in silence takes them for beats.
float QrsDetector::strength(const Peak& peak) {
  float most = 0;
  for (int i = 0; i < leads_; ++i) {
    const Lead& lead = lead_[i];
    if (lead.missing > samples(0.2)) continue;
    if (lead.usual <= 0) return 1;
    most = std::max({most, peak.energy[i] / lead.usual, 0.8F * wide_rms(lead, peak.at) / lead.wide_usual});
  }
  return most;
}

Beat QrsDetector::accept(const Peak& peak, float score, float likeness, int best, int shift) {
  const std::int64_t r = r_peak(peak.at);
  Beat beat{r * decimation_, 1 / (1 + std::exp(-score)), peak.height, strength(peak), 0, false};
  if (last_r_ >= 0) beat.rr_seconds = static_cast<float>(r - last_r_) / static_cast<float>(rate_);
  const bool strong = beat.strength >= weak_beat || peak.at - last_strong_ > samples(15.0);
  if (strong) last_strong_ = peak.at;
  for (int i = 0; i < leads_; ++i) {
    Lead& lead = lead_[i];
    if (strong && lead.missing == 0) {
      const float wide = wide_rms(lead, peak.at), share = lead.usual > 0 && beat.strength < 3 ? 1.0F / 24 : 1.0F / 4;
      lead.usual += (lead.usual > 0 ? share : 1) * (peak.energy[i] - lead.usual);
      lead.wide_usual += (lead.wide_usual > 0 ? share : 1) * (wide - lead.wide_usual);
    }
    lead.heights[beats_ % remembered] = std::clamp(peak.energy[i], std::max(smallest_scale, 0.3F * lead.scale), 3 * lead.scale);
    std::array<float, remembered> sorted = lead.heights;
    std::nth_element(sorted.begin(), sorted.begin() + remembered / 2, sorted.end());
    lead.scale = std::max(smallest_scale, sorted[remembered / 2]);
    lead.wide_heights[beats_ % remembered] = std::max(wide_rms(lead, peak.at), 0.3F * lead.wide_scale);
    sorted = lead.wide_heights;
    std::nth_element(sorted.begin(), sorted.begin() + remembered / 2, sorted.end());
    lead.wide_scale = std::max(smallest_scale, sorted[remembered / 2]);
  }

  // The template it belongs to, or a new one in place of the least recently used.
  int commonest = 0;
  for (int t = 1; t < templates; ++t)
    if (template_[t].count > template_[commonest].count) commonest = t;
  const bool known = best >= 0 && likeness > 0.8F;
  int into = best;
  if (!known) {
    shift = 0;
    into = 0;
    for (int t = 1; t < templates; ++t)
      if (template_[t].used < template_[into].used) into = t;
    template_[into] = {};
  }
  Template& chosen = template_[into];
  chosen.count = std::min(chosen.count + 1, 1000);
  chosen.used = now_;
  const int half = std::min(samples(0.09), max_template / 2 - 1);
  const float rate = 1 / static_cast<float>(std::min(chosen.count, 8));
  for (int i = 0; i < leads_; ++i) {
    float power = 1e-9F, after = 1e-9F;
    for (int k = -half; k <= half; ++k) power += wide_at(lead_[i], peak.at + shift + k) * wide_at(lead_[i], peak.at + shift + k);
    for (int k = -half; k <= half; ++k) {
      float& point = chosen.shape[i][k + half];
      point += rate * (wide_at(lead_[i], peak.at + shift + k) / std::sqrt(power) - point);
      after += point * point;
    }
    for (int k = -half; k <= half; ++k) chosen.shape[i][k + half] /= std::sqrt(after);
  }
  const float place = beat.rr_seconds;
  beat.likely_ventricular = into != commonest && place > 0 && place < 0.85F * intervals_[(beats_ + 7) % 8] && peak.height > 0.8F;

  if (last_beat_ >= 0 && beats_ > 0)
    intervals_[beats_ % 8] = std::clamp(static_cast<float>(peak.at - last_beat_) / static_cast<float>(rate_), 0.2F, 2.5F);
  ++beats_;
  last_beat_ = peak.at;
  last_height_ = peak.height;
  last_confidence_ = beat.confidence;
  last_slowness_ = slowness(peak.at);
  last_r_ = r;
  return beat;
}

}  // namespace bedside
