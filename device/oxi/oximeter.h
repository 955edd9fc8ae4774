// Red and infrared light at the finger in (any linear unit, light on minus ambient), SpO2, pulse rate and perfusion out; streaming, fixed memory.
//
// Ratio of ratios R = (AC/DC red) / (AC/DC infrared), SpO2 = 110 - 25 R % (Webster, Design of Pulse Oximeters, 1997, ch. 4; the nominal curve, a real
// sensor needs its own calibration). The light is band-passed to about 0.6-6 Hz and differentiated, so that veins and breathing hardly count; each rise of a pulse in the last 8 s gives
// one R, the slope of red on infrared during it less what both drifted from the beat before to the beat after; the median counts. No value is given where the two colours do not move together,
// the R of the beats disagree, or pulses have suddenly grown, since all three are movement (venous blood that sloshes: Hayes & Smith, IEEE TBME 48:452, 2001).
// Pulse rate is the mean of the middle half of the intervals between rises, so that it holds in irregular rhythms. Perfusion index is the infrared AC peak-to-peak over DC, in %.
//
// Ranges: SpO2 50-100 % (stated accuracy only over 70-100), pulse 30-240 a minute, perfusion 0.02-20 %. Latency: 8 s window, new value each second.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace bedside {

struct OximeterReading {
  float spo2 = 0;       // %
  float pulse = 0;      // beats a minute
  float perfusion = 0;  // %
  float quality = 0;    // 0..1: share of the pulses that could be used
};

enum class OximeterState : std::uint8_t { searching, sensor_off, low_perfusion, motion, measuring };

class Oximeter {
 public:
  explicit Oximeter(double frequency);  // Hz, 50-1000
  void push(float red, float infrared);  // NaN: no sample
  // The reading, or nothing and why in state().
  std::optional<OximeterReading> estimate();
  OximeterState state() const { return state_; }
  float pleth() const { return pleth_; }  // the newest filtered infrared, sign so that systole is up, in % of DC

 private:
  static constexpr int capacity = 512;  // at about 50 Hz: 10 s
  struct Filter {
    double high = 0, low1 = 0, low2 = 0;
    bool primed = false;
  };
  float filter(Filter& f, float x) const;
  double rate_;
  int decimation_, phase_ = 0;
  float sum_red_ = 0, sum_ir_ = 0, pleth_ = 0;
  Filter red_filter_, ir_filter_;
  std::array<float, capacity> red_{}, ir_{}, dc_red_{}, dc_ir_{};
  std::int64_t taken_ = 0;
  int off_ = 0, jumped_for_ = 0;
  double usual_size_ = 0;
  OximeterState state_ = OximeterState::searching;
};

}  // namespace bedside
