// A seed into what the two photodiodes of a finger clip see during a controlled desaturation from about 99 to 70 %, and the saturation that was true.
//
// Beer-Lambert: light falls exponentially with the blood in its way; arterial pulses change red and infrared absorbance in the ratio R of the arterial
// saturation, whose relation to saturation is the sensor's calibration, SpO2 = 110 - 25 R. Pulse waves are two Gaussians over the phase of the beat (Tang,
// Chen, Allen, Alian, Menon, Ward and Elgendi, "PPGSynth", Front. Med. Technol. 2:597774, 2020). Breathing changes amplitude, base line and interval (Charlton et al.,
// Physiol. Meas. 37:610, 2016), the base line by venous blood. Movement sloshes venous blood, whose saturation is lower, and loosens the clip, which scales both wavelengths
// alike (Hayes and Smith, "A new method for pulse oximetry possessing inherent insensitivity to artifact", IEEE TBME 48:452, 2001). Plateaus of 60 s as in the
// procedure of ISO 80601-2-61, annex EE.
#pragma once

#include <string>

#include "device/validate/heart.h"

namespace validate {

struct FingerSettings {
  HeartSettings heart;
  double perfusion = 1;             // %, infrared pulse amplitude over its steady part
  double noise = 3e-5;              // of the steady light, RMS a sample
  double mains = 3e-5;              // of the steady light, amplitude of what the light of the room leaves
  bool moves = false;
  double movements_a_minute = 0, movement = 0;  // amplitude as a multiple of the pulse
  double venous_drop = 20;          // % that venous blood lies under arterial
  double amplitude_modulation = 0.1, baseline = 0.5;  // by breathing, of the pulse
  double notch = 0.4;
};

struct FingerSample {
  double red = 0, infrared = 0;
  double saturation = 0, pulse = 0;  // truth: %, beats a minute (mean of the rhythm)
  bool moving = false;
};

class Finger {
 public:
  static constexpr double frequency = 125;
  static constexpr double plateau = 60, ramp = 15;  // s
  static constexpr int plateaus = 6;
  static constexpr double seconds = plateaus * (plateau + ramp);
  explicit Finger(std::uint64_t seed);
  FingerSample next();
  const FingerSettings& settings() const { return settings_; }
  std::string describe() const;

 private:
  double saturation_at(double t) const;
  Draw draw_;
  FingerSettings settings_;
  Heart heart_;
  HeartBeat beat_;
  double levels_[plateaus + 1] = {};
  double time_ = 0, beat_start_ = 0, gain_red_ = 1, gain_infrared_ = 1;
  double movement_until_ = -1, movement_next_ = 0, movement_rate_ = 2, movement_phase_ = 0, movement_size_ = 0, slip_ = 0, slow_ = 0;
  bool rhythmic_ = false;
  Coloured restless_, wander_;
};

}  // namespace validate
