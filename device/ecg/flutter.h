// ECG samples of one to four leads in, the rate of a fast wave without separate complexes out, if there is one: ventricular tachycardia, flutter and coarse fibrillation, in which
// a detector of narrow complexes finds too few. Streaming, fixed memory.
//
// Method: of each lead, band-passed to about 1-12 Hz, the autocorrelation over 4 s. A wave of 130-330 a minute is reported when it repeats itself (greatest peak over 0.6), hardly
// rests (the middle half of its values is wide: a narrow complex leaves a flat line) and is at least 0.15 mV peak to peak; after the idea of Chen, Thakor and Mower, "Ventricular fibrillation
// detection by a regression test on the autocorrelation function", Med. Biol. Eng. Comput. 25:241, 1987. Latency: 4 s from the first wave.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "device/ecg/qrs.h"

namespace bedside {

class FlutterDetector {
 public:
  FlutterDetector(double frequency, int leads);  // Hz, 125-1000; leads 1..4
  void push(std::span<const float> frame);       // mV a lead; NaN where a lead is off
  std::optional<float> rate() const;             // a minute; greatest of the leads

 private:
  static constexpr int window = 512;  // samples at about 125 Hz
  struct Lead {
    std::array<float, window> values{};
    float slow1 = 0, slow2 = 0, fast = 0, sum = 0;
    int missing = window;
  };
  std::optional<float> rate_of(const Lead& lead) const;
  std::array<Lead, max_ecg_leads> lead_{};
  int leads_, decimation_, phase_ = 0;
  double rate_;
  std::int64_t taken_ = 0;
};

}  // namespace bedside
