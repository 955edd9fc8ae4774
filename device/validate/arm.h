// A seed and the commands of a pump and a valve into the pressure in an arm cuff, and the arterial pressures that were true.
//
// The artery's compliance falls exponentially on both sides of zero transmural pressure, the air in the cuff follows Boyle's law, and the arterial wave is
// that of C. F. Babbs, "Oscillometric measurement of systolic and diastolic blood pressures validated in a physiologic mathematical model", BioMedical Engineering
// OnLine 11:56, 2012, made slimmer so that the mean lies where it does in the brachial artery (Bos et al., J. Hypertens. 25:751, 2007) (after Drzewiecki, Hood and Apple, Ann. Biomed. Eng. 22:88, 1994). How stiff an artery is (the two exponents), the size of the oscillations, the
// wave's shape, breathing, rhythm, movement and leaks are drawn.
#pragma once

#include <string>

#include "device/validate/heart.h"

namespace validate {

struct ArmSettings {
  HeartSettings heart;
  double systolic = 120, diastolic = 80;  // mmHg, of a beat of usual filling
  double collapse = 0.09, stretch = 0.03;  // 1/mmHg: how fast compliance falls under and over zero transmural pressure
  double oscillation = 2.5;                // mmHg at the cuff, about the greatest
  double breathing = 3;                    // mmHg, amplitude of what breathing does to all pressures
  double harmonic = 0.5;                   // share of the second harmonic; Babbs has 0.5
  double slimness = 1.5;                   // power of the wave's height: the mean pressure lies 0.33 to 0.48 of the pulse above diastolic
  double noise = 0.08;                     // mmHg, RMS a sample
  double movements_a_minute = 0, movement = 0;  // mmHg
  double leak = 0.2, pump = 25;            // mmHg/s
  double valve_error = 1;                  // factor on the bleed that is asked for
};

struct ArmTruth {
  double systolic = 0, mean = 0, diastolic = 0;  // mmHg: means over the beats so far (systolic, diastolic), over time (mean)
};

class Arm {
 public:
  static constexpr double frequency = 100;
  explicit Arm(std::uint64_t seed);
  // One sample later: the cuff's pressure, mmHg. Bleed in mmHg/s.
  double next(bool pump, bool valve_open, double bleed);
  // Over the beats since the construction or the last reset.
  ArmTruth truth() const;
  void forget_beats() { beats_ = 0, systolic_sum_ = diastolic_sum_ = mean_sum_ = 0, samples_ = 0; }
  const ArmSettings& settings() const { return settings_; }
  std::string describe() const;

 private:
  double arterial_pressure();
  Draw draw_;
  ArmSettings settings_;
  Heart heart_;
  HeartBeat beat_;
  double shape_low_ = 0, shape_high_ = 1, scale_ = 0;
  double time_ = 0, beat_start_ = 0, beat_high_ = -1, beat_low_ = 999;
  double base_ = 0;  // mmHg that the air alone makes
  double movement_next_ = 0, movement_start_ = -99, movement_length_ = 1, movement_size_ = 0;
  double systolic_sum_ = 0, diastolic_sum_ = 0, mean_sum_ = 0;
  int beats_ = 0, samples_ = 0;
};

}  // namespace validate
