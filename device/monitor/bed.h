// The samples of one bed's sensors in, its numerics, waveforms for the screen and alarms out. One sample at a time, fixed memory.
//
// Heart rate is the mean over the median half of the last eight intervals, or from the pulse when every ECG lead is off. Asystole: no beat for 4 s while a lead is
// on; with the detector's 0.95 s the alarm stands within 5 s (IEC 60601-2-27 asks for 10). Weak beats after a pause do not end it (P waves of an arrest).
// A fast wave without separate complexes (ecg/flutter.h) that holds for 1 s gives the rate when more beats than were detected. Latencies of the other numerics: see their meters.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "device/ecg/flutter.h"
#include "device/ecg/qrs.h"
#include "device/monitor/alarms.h"
#include "device/nibp/nibp.h"
#include "device/oxi/oximeter.h"
#include "device/resp/derived.h"
#include "device/resp/respiration.h"
#include "device/temp/thermometer.h"

namespace bedside {

struct Patient {
  std::string id, family_name, given_name, birth_date, sex;  // birth date YYYYMMDD; sex F, M, O or U
  Age age = Age::adult;
};

// Values that are shown; nothing where there is no trustworthy value.
struct Numerics {
  std::optional<float> heart_rate, spo2, pulse, perfusion, respiration, celsius1, celsius2;
  std::optional<BloodPressure> pressure;
  double pressure_at = -1;  // monotonic seconds
};

// One instant of all sensors. NaN where a sensor is off. Units as the meters want them.
struct Frame {
  float ecg[2];
  float impedance, red, infrared;
  float ohms[2];
  float cuff;
};

// The last eight seconds of a waveform at 125 Hz, for the screen.
struct Trace {
  static constexpr std::size_t length = 1000;
  std::array<float, length> values{};
  std::uint64_t written = 0;
  void push(float v) { values[written++ % length] = v; }
};

class Bed {
 public:
  explicit Bed(double frequency);  // Hz of frames, 125-1000
  void admit(Patient patient);
  void discharge();
  const std::optional<Patient>& patient() const { return patient_; }

  // Takes a frame; time is the count of frames over the frequency, so that a wrong wall clock changes nothing.
  CuffCommand push(const Frame& frame);
  void measure_pressure() { nibp_.start(); }
  void stop_pressure() { nibp_.stop(); }
  void acknowledge() { alarms_.acknowledge(now()); }
  void pause_audio() { alarms_.pause_audio(now()); }
  void set_limits(const Limits& limits) { limits_ = limits; }
  // Technical alarms of the world around the bed.
  void report(AlarmKind kind, bool holds) { alarms_.set(kind, holds, now()); }

  const Numerics& numerics() const { return numerics_; }
  const Limits& limits() const { return limits_; }
  Alarms& alarms() { return alarms_; }
  const Alarms& alarms() const { return alarms_; }
  const Trace& trace(int i) const { return traces_[i]; }  // 0, 1 ECG mV; 2 pleth %; 3 impedance
  const BloodPressureMeter& cuff() const { return nibp_; }
  float cuff_pressure() const { return cuff_pressure_; }
  std::int64_t beats() const { return beats_; }
  double now() const { return static_cast<double>(frames_) / frequency_; }
  std::size_t memory_bytes() const;

 private:
  void each_second();
  void take_beat(const Beat& beat);
  void judge_heart();

  double frequency_;
  QrsDetector qrs_;
  FlutterDetector flutter_;
  RespirationMeter resp_;
  DerivedRespiration derived_;
  Oximeter oximeter_;
  BloodPressureMeter nibp_;
  Thermometer probes_[2];
  Alarms alarms_;
  Limits limits_;
  std::optional<Patient> patient_;
  Numerics numerics_;
  std::array<Trace, 4> traces_{};
  std::array<float, 8> intervals_{};
  std::int64_t frames_ = 0, beats_ = 0, beats_in_series_ = 0;
  bool weak_since_pause_ = false;  // only weak beats since a pause
  std::optional<float> fast_;      // flutter_.rate(), asked each second
  double fast_since_ = -1;         // seconds; the wave holds since then
  double last_beat_ = 0, resp_seen_ = 0;
  float cuff_pressure_ = 0, pleth_shown_ = 0;
  CuffCommand command_{};
  CuffState cuff_before_ = CuffState::idle;
  int trace_step_, nibp_step_, slow_step_;
};

}  // namespace bedside
