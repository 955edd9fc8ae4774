// A seed into two ECG leads with one event: the heart stops or races, or nothing happens.
//
// Waves: the dynamical model of McSharry, Clifford, Tarassenko and Smith, IEEE TBME 50(3):289-294, 2003, with a lead's own amplitudes; ventricular beats are wide, without a P wave.
// Noise: wander, muscle, electrode movement after the noise stress test of Moody, Muldrow and Mark, Computers in Cardiology 11:381, 1984, each coloured noise of its band, and mains. In half of the
// arrests the atria go on alone, which must not be taken for beats.
#pragma once

#include <string>

#include "device/validate/heart.h"

namespace validate {

enum class HeartEvent { none, asystole, narrow_tachycardia, wide_tachycardia };

struct ChestSample {
  double lead[2] = {};     // mV
  double rate = 0;         // truth, beats a minute, 0 from the arrest on
  bool event = false;      // it has begun
};

class Chest {
 public:
  static constexpr double frequency = 500, seconds = 150;
  Chest(std::uint64_t seed, HeartEvent event);
  ChestSample next();
  double event_at() const { return event_at_; }  // s
  double event_rate() const { return event_rate_; }
  std::string describe() const;

 private:
  Draw draw_;
  HeartSettings settings_;
  Heart heart_;
  HeartBeat beat_;
  HeartEvent event_;
  double event_at_ = 0, event_rate_ = 0;
  bool atria_go_on_ = false, begun_ = false;
  double lead_size_[2][5] = {};
  double time_ = 0, beat_start_ = 0;
  double wander_size_, muscle_size_, mains_size_, mains_, step_size_, steps_a_minute_, step_[2] = {};
  Coloured wander_[2], muscle_[2];
};

}  // namespace validate
