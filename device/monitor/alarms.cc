// Implements alarms.h.
#include "device/monitor/alarms.h"

#include <algorithm>

namespace bedside {
namespace {

constexpr std::array<AlarmInfo, alarm_kind_count> infos = {{
#define ALARM(name, priority, technical, latching, text) {#name, text, Priority::priority, technical, latching},
#include "device/monitor/alarm_kinds.def"
#undef ALARM
}};

}  // namespace

const AlarmInfo& info(AlarmKind kind) { return infos[static_cast<std::size_t>(kind)]; }

Signal signal_of(Priority priority) {
  switch (priority) {
    case Priority::high: return {"red", 2.0, 10, 8};       // 1.4-2.8 Hz; two bursts of five
    case Priority::medium: return {"yellow", 0.6, 3, 15};  // 0.4-0.8 Hz
    case Priority::low: return {"cyan", 0, 2, 0};
  }
  return {};
}

void Alarms::note(AlarmKind kind, AlarmEvent event) {
  if (change_count_ < changes_.size()) changes_[change_count_++] = {kind, event};
}

void Alarms::set(AlarmKind kind, bool holds, double now, double delay) {
  Slot& slot = slots_[static_cast<std::size_t>(kind)];
  if (holds && !slot.holds) slot.held_since = now;
  slot.holds = holds;
  const bool due = holds && now - slot.held_since >= delay;
  if (due && !slot.present) {
    const bool again = slot.alarming;  // latched, and now it is back
    slot.present = slot.alarming = true;
    slot.acknowledged = false;
    if (!again) slot.since = now;
    ++raised_;
    note(kind, AlarmEvent::raised);
    if (info(kind).priority == Priority::high) paused_until_ = -1;
  } else if (!holds && slot.present) {
    slot.present = false;
    if (info(kind).latching && !slot.acknowledged) {
      note(kind, AlarmEvent::latched);
    } else {
      slot.alarming = false;
      note(kind, AlarmEvent::ended);
    }
  }
}

void Alarms::acknowledge(double) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!slot.alarming || slot.acknowledged) continue;
    slot.acknowledged = true;
    note(static_cast<AlarmKind>(i), AlarmEvent::acknowledged);
    if (!slot.present) slot.alarming = false;
  }
}

void Alarms::pause_audio(double now, double seconds) { paused_until_ = now + std::clamp(seconds, 0.0, 120.0); }

double Alarms::audio_paused_for(double now) const { return std::max(0.0, paused_until_ - now); }

std::vector<ActiveAlarm> Alarms::active() const {
  std::vector<ActiveAlarm> out;
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].alarming) out.push_back({static_cast<AlarmKind>(i), slots_[i].since, slots_[i].present, slots_[i].acknowledged});
  std::stable_sort(out.begin(), out.end(), [](const ActiveAlarm& a, const ActiveAlarm& b) {
    const auto pa = info(a.kind).priority, pb = info(b.kind).priority;
    return pa != pb ? pa > pb : a.since > b.since;
  });
  return out;
}

std::optional<Priority> Alarms::sounding(double now) const {
  if (audio_paused_for(now) > 0) return std::nullopt;
  std::optional<Priority> top;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].alarming || slots_[i].acknowledged) continue;
    const auto priority = info(static_cast<AlarmKind>(i)).priority;
    if (!top || priority > *top) top = priority;
  }
  return top;
}

std::vector<AlarmChange> Alarms::take_changes() {
  std::vector<AlarmChange> out(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(change_count_));
  change_count_ = 0;
  return out;
}

void Alarms::clear(double) {
  for (auto& slot : slots_) slot = {};
  paused_until_ = -1;
}

Limits default_limits(Age age) {
  switch (age) {
    case Age::neonate: return {100, 200, 60, 230, 20, 80, 15, 88, 80, 40, 90, 36, 38, 2, 4};
    case Age::child: return {70, 170, 45, 200, 10, 40, 20, 90, 82, 70, 130, 35.5F, 38.5F, 2, 4};
    case Age::adult: break;
  }
  return {50, 120, 35, 150, 8, 30, 20, 90, 82, 90, 160, 35, 38.5F, 2, 4};
}

}  // namespace bedside
