// Heart beats and light at the finger in, what they say of breathing out; and the thoracic impedance's estimate checked by it.
//
// ECG: breathing turns the heart's axis and so changes the size of R waves from beat to beat (Moody, Mark, Zoccola and Mantero, "Derivation of respiratory signals from multi-lead ECGs",
// Computers in Cardiology 12:113, 1985). PPG: the base line of the light follows breathing by the veins (Charlton et al., Physiol. Meas. 37:610, 2016). Each series goes through the same
// estimator as the impedance.
#pragma once

#include <cstdint>
#include <optional>

#include "device/resp/respiration.h"

namespace bedside {

class DerivedRespiration {
 public:
  explicit DerivedRespiration(double frequency);  // Hz of the light, 20-1000
  void push_beat(double seconds, float size);     // when it was and how large its R wave, any unit
  void push_light(float infrared);                // NaN: off
  std::optional<RespirationEstimate> from_ecg() const { return ecg_.estimate(); }
  std::optional<RespirationEstimate> from_light() const { return light_.estimate(); }
  void forget_beats();  // the leads were off

 private:
  RespirationMeter ecg_, light_;
  double share_, last_at_ = -1, grid_ = 0;
  float last_size_ = 0, slow1_ = 0, slow2_ = 0;
  bool primed_ = false;
};

// The impedance's estimate after the cross-check: where its two methods disagree, the one that a clear derived estimate confirms within 15 %; nothing where its rate is the
// heart's (within 8 %) and a clear derived estimate says otherwise, since that is the heart moving in the chest. `heart_rate` 0: unknown.
std::optional<RespirationEstimate> cross_check(const std::optional<RespirationEstimate>& impedance, const std::optional<RespirationEstimate>& ecg,
                                               const std::optional<RespirationEstimate>& light, float heart_rate);

}  // namespace bedside
