// Cuff pressure in (mmHg), pump and valve commands and a blood pressure out: the control of a cuff, and the oscillometric reading.
//
// Control: idle -> inflating (to 160 mmHg, or 30 above the last systolic; 30 more when oscillations are still large there) -> deflating
// (4 mmHg/s linear bleed) -> done or failed. Limits that no state overrides: valve open at 300 mmHg (adult; 150 neonate), at 120 s of a measurement (90 s neonate),
// and whenever the pressure signal is missing for 0.5 s (IEC 80601-2-30, 201.104).
// Reading: the pulse amplitudes on the falling cuff pressure form an envelope; systolic lies where it has risen to 0.47 of its greatest, diastolic where it has fallen to
// 0.8 (fixed-ratio method with ratios in the published ranges 0.45-0.57 and 0.75-0.86: Geddes et al., Ann. Biomed. Eng. 10:271, 1982; Drzewiecki et al., Ann. Biomed. Eng. 22:88,
// 1994). Mean pressure is midway between the place of the greatest amplitude, which lies low in stiff arteries, and diastolic + 0.4 of the pulse (Bos et al., J. Hypertens. 25:751, 2007).
// Ranges: systolic 40-260, diastolic 20-200 mmHg, pulse 30-220. Latency: at the end of deflation, about 40-50 s from start.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace bedside {

struct BloodPressure {
  float systolic = 0, mean = 0, diastolic = 0;  // mmHg
  float pulse = 0;                              // a minute
};

enum class CuffState : std::uint8_t { idle, inflating, deflating, done, failed };
enum class CuffFailure : std::uint8_t { none, overpressure, time_limit, no_pressure_signal, leak, weak_pulse, artefact };

struct CuffCommand {
  bool pump = false;
  bool valve_open = true;    // the dump valve
  float bleed = 0;           // mmHg/s wanted while deflating
};

class BloodPressureMeter {
 public:
  BloodPressureMeter(double frequency, bool neonate = false);  // Hz, 50-500
  void start();
  void stop();  // opens the valve at once
  CuffCommand push(float pressure_mmhg);
  CuffState state() const { return state_; }
  CuffFailure failure() const { return failure_; }
  const std::optional<BloodPressure>& result() const { return result_; }

 private:
  CuffCommand fail(CuffFailure why);
  double frequency_;
  bool neonate_;
  CuffState state_ = CuffState::idle;
  CuffFailure failure_ = CuffFailure::none;
  std::optional<BloodPressure> result_;
  float target_ = 160, last_systolic_ = 0;
  double seconds_ = 0, missing_ = 0, inflating_from_ = 0;
  std::vector<float> deflation_;  // reserved once
};

// The reading from a deflation record at `frequency`; nothing when there is no clear envelope.
std::optional<BloodPressure> read_oscillations(const std::vector<float>& pressure, double frequency);

}  // namespace bedside
