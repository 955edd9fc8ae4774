// ECG samples of one to four leads in, beats out; streaming, one sample at a time, fixed memory, no allocation after construction.
//
// Method. Each lead is band-passed to 8-20 Hz, where a QRS complex stands out best (Elgendi, PLoS ONE 8(9):e73557, 2013), and turned
// into a 100 ms RMS. The leads are added in units of their own recent QRS height, weighted by their own signal-to-noise ratio
// (as multi-lead detectors do since Pan & Tompkins, IEEE TBME 32:230, 1985, adapted their thresholds). Every local maximum
// is a candidate; it is judged once the signal up to `lookahead_seconds` after it is known, by a logistic function of its height against
// recent beats and local noise, its likeness to templates of earlier beats, its place in the rhythm, and its rivals before and after it.
// The weights were fitted on twelve records of the MIT-BIH Arrhythmia Database and cross-validated record by record (device/README.md).
//
// Range: 120-2000 Hz, amplitudes from about 0.1 mV. Latency: at most 0.95 s from R peak to the report.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace bedside {

inline constexpr int max_ecg_leads = 4;
inline constexpr int qrs_feature_count = 24;
inline constexpr float weak_beat = 0.4F;  // strength under which a beat after a pause may be an atrium's
inline constexpr float faint_beat = 0.25F;  // under which it may be one without a pause

struct Beat {
  std::int64_t sample = 0;   // R peak, in input samples from the start
  float confidence = 0;      // 0.5 (just a beat) to 1
  float height = 0;          // against recent beats, 1 is typical
  float strength = 0;        // against the beats of the last half minute, in the lead where it is strongest; a pause does not lower that scale
  float rr_seconds = 0;      // to the beat before; 0 for the first
  bool likely_ventricular = false;  // unlike the commonest template and premature; a hint for the display, not a diagnosis
};

// What the judge saw of one candidate; for fitting and for `bedside-score --explain`.
struct QrsCandidate {
  std::int64_t sample = 0;
  std::array<float, qrs_feature_count> features{};
  float score = 0;  // log odds
  bool accepted = false;
};

class QrsDetector {
 public:
  // `frequency` in Hz, `leads` 1..4.
  QrsDetector(double frequency, int leads);

  // One frame, mV a lead; NaN where a lead is off. At most one beat comes out a frame.
  std::optional<Beat> push(std::span<const float> frame);

  // The last candidate judged by the latest push(), if there was one.
  const std::optional<QrsCandidate>& judged() const { return judged_; }

  // Share (0..1) that each lead has in the decision now; the greatest is the lead to show and count from.
  float lead_weight(int lead) const { return lead_[lead].weight; }
  // True when `lead` has had no usable sample for a second.
  bool lead_off(int lead) const { return lead_[lead].missing > rate_; }

  static constexpr double lookahead_seconds = 0.75;
  std::size_t memory_bytes() const;

 private:
  static constexpr int history = 1024;       // internal samples kept; a power of two
  static constexpr int max_taps = 128;
  static constexpr int max_template = 96;    // points of a template a lead
  static constexpr int templates = 6;
  static constexpr int remembered = 12;      // beats whose heights set the scale

  struct Lead {
    std::array<float, 256> input{};        // for the filters
    std::array<float, history> narrow{};   // 8-20 Hz
    std::array<float, history> wide{};     // 2.5-30 Hz, for shape
    std::array<float, history> energy{};   // RMS of narrow over 100 ms
    std::array<float, remembered> heights{};
    std::array<float, remembered> wide_heights{};
    double running = 0;
    float sum = 0;                         // decimation
    float last = 0;                        // the last usable sample
    float scale = 0;                       // typical energy at a beat, mV
    float noise = 0;                       // energy between beats, mV
    float wide_scale = 0;                  // typical RMS of wide at a beat, mV
    float usual = 0, wide_usual = 0;       // the same two over half a minute, which silence lowers only after 15 s
    float weight = 0;
    int missing = 0;
  };
  struct Template {
    std::array<std::array<float, max_template>, max_ecg_leads> shape{};
    int count = 0;
    std::int64_t used = 0;
  };
  struct Peak {
    std::int64_t at = 0;     // internal samples
    float height = 0;
    float noise = 0;
    float weakest = 0;       // least height among the leads that count
    std::array<float, max_ecg_leads> energy{};
  };

  void step();
  void filter(Lead& lead) const;
  void learn();
  void update_noise();
  void find_peak();
  std::optional<Beat> judge_due();
  std::array<float, qrs_feature_count> describe(const Peak& peak, float& likeness, int& best);
  void compare_templates(std::int64_t at, float& likeness, int& best, int& shift) const;
  float slowness(std::int64_t at) const;
  float wide_rms(const Lead& lead, std::int64_t at) const;
  float strength(const Peak& peak);
  Beat accept(const Peak& peak, float score, float likeness, int best, int shift);
  std::int64_t r_peak(std::int64_t at) const;
  float wide_at(const Lead& lead, std::int64_t at) const { return lead.wide[static_cast<std::size_t>(at & (history - 1))]; }
  int samples(double seconds) const { return static_cast<int>(seconds * rate_ + 0.5); }

  double rate_ = 0;      // internal
  int decimation_ = 1;
  int phase_ = 0;
  int leads_ = 1;
  int taps_ = 0;
  std::array<float, max_taps> narrow_taps_{};
  std::array<float, max_taps> wide_taps_{};
  std::array<Lead, max_ecg_leads> lead_{};
  std::array<float, history> fused_{};
  std::array<Template, templates> template_{};
  std::array<Peak, 32> waiting_{};
  std::size_t waiting_count_ = 0;
  std::array<float, 8> intervals_{};  // seconds
  std::size_t beats_ = 0;
  std::int64_t now_ = 0;         // internal samples taken
  std::int64_t last_beat_ = -1;  // internal, by energy peak
  std::int64_t last_strong_ = 0;  // the last beat as strong as those before
  float last_height_ = 1;
  float last_confidence_ = 0;
  float last_slowness_ = 0;
  std::int64_t last_r_ = -1;
  bool learned_ = false;
  std::optional<QrsCandidate> judged_;
};

}  // namespace bedside
