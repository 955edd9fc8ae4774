// A bed in, what a screen shows out: one description that the terminal and the page are both drawn from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "device/monitor/bed.h"

namespace bedside {

struct NumericView {
  std::string name;    // stable key: hr, spo2, pulse, resp, nibp, temp
  std::string label, value, unit, detail, colour;
  std::string limits;  // "50 - 120"
  std::string alarm;   // the highest priority that alarms on it now: "", "low", "medium", "high"
};

struct TraceView {
  std::string label, colour;
  double low = 0, high = 1;         // the range drawn
  std::uint64_t written = 0;        // samples since the start; the newest has index written - 1
  std::vector<float> values;        // the last up to Trace::length, oldest first; NaN where the sensor was off
};

struct AlarmView {
  std::string text, priority, colour;
  double flash_hz = 0;
  bool present = false, acknowledged = false, technical = false;
};

// An update as the screen offers it.
struct UpdateView {
  bool offered = false, busy = false;
  std::string version, origin, notes, fingerprint;
  std::string message;  // how the last answer ended
  std::string prompt;   // what is being typed in the terminal
};

struct ScreenState {
  std::string bed, patient, age, clock;
  bool admitted = false;
  std::vector<NumericView> numerics;
  std::vector<TraceView> traces;
  std::vector<AlarmView> alarms;
  double audio_paused = 0;      // seconds left
  std::string sounding;         // priority, or empty
  std::string notice;           // e.g. "DEMO: simulated patient"
  std::int64_t beats = 0;
  UpdateView update;
};

// `clock` and `notice` are the caller's. `since`: only trace samples with an index of at least this.
ScreenState describe(const Bed& bed, const std::string& bed_name, const std::string& clock, const std::string& notice, std::uint64_t since = 0);

// JSON of the whole state, for the page.
std::string to_json(const ScreenState& state);

}  // namespace bedside
