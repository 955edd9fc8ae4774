// Conditions (true or false, now) in; alarm signals by IEC 60601-1-8 out: what to show, in which colour and rhythm, what to sound.
//
// A condition must hold for its delay before it alarms. Physiological alarms end when the condition ends unless they latch; latched ones wait for
// acknowledge(). Acknowledging a condition that still holds silences its sound and keeps it on the screen. Audio pause (120 s at most) silences all sound;
// a new high-priority alarm breaks it. Fixed memory: one slot a kind.
// Source: IEC 60601-1-8:2006+A2:2020, 6.1 (priorities), 6.3 (signals, tables 2-4), 6.8 (inactivation), 6.10 (latching).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace bedside {

enum class AlarmKind : std::uint8_t {
#define ALARM(name, priority, technical, latching, text) name,
#include "device/monitor/alarm_kinds.def"
#undef ALARM
  count
};
inline constexpr std::size_t alarm_kind_count = static_cast<std::size_t>(AlarmKind::count);

enum class Priority : std::uint8_t { low, medium, high };

struct AlarmInfo {
  std::string_view name, text;
  Priority priority;
  bool technical, latching;
};
const AlarmInfo& info(AlarmKind kind);

// How a priority looks and sounds.
struct Signal {
  std::string_view colour;  // CSS name
  double flash_hz;          // 0: steady
  int pulses;               // in a burst
  double burst_interval;    // seconds; 0: one burst only
};
Signal signal_of(Priority priority);

struct ActiveAlarm {
  AlarmKind kind{};
  double since = 0;        // monotonic seconds
  bool present = false;    // the condition holds now; false: latched only
  bool acknowledged = false;
};

enum class AlarmEvent : std::uint8_t { raised, ended, acknowledged, latched };
struct AlarmChange {
  AlarmKind kind{};
  AlarmEvent event{};
};

class Alarms {
 public:
  // Says whether `kind` holds at `now` (monotonic seconds, never falling); it alarms when it has held for `delay` s.
  void set(AlarmKind kind, bool holds, double now, double delay = 0);
  void acknowledge(double now);
  void pause_audio(double now, double seconds = 120);
  double audio_paused_for(double now) const;  // seconds left
  // Highest priority first, then newest first.
  std::vector<ActiveAlarm> active() const;
  // The priority to sound now, if any.
  std::optional<Priority> sounding(double now) const;
  // Changes since the last call, in order; at most 256 are kept between calls.
  std::vector<AlarmChange> take_changes();
  std::uint64_t raised() const { return raised_; }
  void clear(double now);  // discharge

 private:
  struct Slot {
    bool holds = false, alarming = false, present = false, acknowledged = false;
    double held_since = 0, since = 0;
  };
  void note(AlarmKind kind, AlarmEvent event);
  std::array<Slot, alarm_kind_count> slots_{};
  std::array<AlarmChange, 256> changes_{};
  std::size_t change_count_ = 0;
  double paused_until_ = -1;
  std::uint64_t raised_ = 0;
};

// Limits of the physiological alarms.
struct Limits {
  float heart_low, heart_high, heart_extreme_low, heart_extreme_high;
  float resp_low, resp_high, apnoea_seconds;
  float spo2_low, spo2_very_low;
  float systolic_low, systolic_high;
  float celsius_low, celsius_high, celsius_gap;
  float asystole_seconds;
};
enum class Age : std::uint8_t { adult, child, neonate };
// Defaults as bedside monitors ship them (adult, paediatric and neonatal profiles); the ward's own replace them.
Limits default_limits(Age age);

}  // namespace bedside
