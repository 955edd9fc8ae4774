// A rhythm into the intervals between heart beats.
//
// Sinus rhythm varies with breathing (about 0.25 Hz) and with the pressure reflex (0.1 Hz) as in McSharry, Clifford, Tarassenko and Smith, "A dynamical
// model for generating synthetic electrocardiogram signals", IEEE TBME 50(3):289-294, 2003. Atrial fibrillation: independent intervals of a gamma law
// (Zeng and Glass, "Statistical properties of heartbeat intervals during atrial fibrillation", Phys. Rev. E 54:1779, 1996). Premature beats come early and
// are followed by a compensatory pause. The stroke after a short interval is weak, since the ventricle filled for less long.
#pragma once

#include "device/validate/draw.h"

namespace validate {

enum class Rhythm { sinus, ectopic, fibrillation };

struct HeartSettings {
  double rate = 75;             // beats a minute, mean
  double breath = 15;           // breaths a minute
  double variability = 0.03;    // of the interval, standard deviation in sinus rhythm
  Rhythm rhythm = Rhythm::sinus;
  double premature_share = 0;   // of beats, when ectopic
};

struct HeartBeat {
  double interval = 0.8;  // s, until the next beat
  double filling = 1;     // strength of its stroke, 1 after a usual interval
  bool premature = false;
};

HeartSettings draw_heart(Draw& draw, double lowest_rate, double highest_rate);

class Heart {
 public:
  explicit Heart(const HeartSettings& settings) : settings_(settings) {}
  HeartBeat next(Draw& draw);
  void set_rate(double rate) { settings_.rate = rate; }

 private:
  HeartSettings settings_;
  double time_ = 0, last_interval_ = 0.8;
  bool pause_due_ = false;
};

const char* name(Rhythm rhythm);

}  // namespace validate
