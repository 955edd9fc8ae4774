// A patient who does not exist: samples of every sensor for the demo and the monitor's own tests. No accuracy is claimed from it (validate/README.md).
//
// ECG: a sum of Gaussian waves a beat (after McSharry et al., IEEE TBME 50:289, 2003); impedance: a sine with sighs and heart beats; light: two-Gaussian
// pulse waves; cuff: a bell-shaped envelope of oscillations around the mean pressure (Drzewiecki et al., 1994).
#pragma once

#include <cstdint>
#include <random>

namespace bedside {

struct DemoTruth {
  double heart_rate = 72;   // a minute; 0 is asystole
  double breath_rate = 14;  // a minute
  double spo2 = 97;         // %
  double perfusion = 2;     // %
  double systolic = 118, mean = 90, diastolic = 76;  // mmHg
  double celsius1 = 36.8, celsius2 = 36.1;
  double noise = 0.01;      // mV RMS on the ECG
  bool ecg_lead_off = false, finger_off = false, probe2_off = false;
};

struct DemoSample {
  float ecg[2] = {};    // mV
  float impedance = 0;  // ohm, alternating part
  float red = 0, infrared = 0;
  float ohms[2] = {};
  float cuff = 0;       // mmHg
};

class DemoPatient {
 public:
  explicit DemoPatient(double frequency, std::uint64_t seed = 1);
  DemoTruth truth;
  // The next sample. `pump`, `valve_open` and `bleed` (mmHg/s) drive the cuff.
  DemoSample next(bool pump, bool valve_open, float bleed);
  double seconds() const { return t_; }
  std::int64_t beats() const { return beat_count_; }

 private:
  double gaussian(double centre, double width, double height) const;
  double step_, t_ = 0, beat_at_ = 0, next_beat_ = 0.5, breath_phase_ = 0, cuff_ = 0;
  std::int64_t beat_count_ = 0;
  double rr_ = 0.8;
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
};

}  // namespace bedside
