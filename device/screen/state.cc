// Implements state.h.
#include "device/screen/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/escape.h"

namespace bedside {
namespace {

constexpr const char* nothing = "--";

std::string shown(const std::optional<float>& v, int decimals = 0) { return v ? fmt::format("{:.{}f}", *v, decimals) : nothing; }

std::string_view name_of(Priority p) { return p == Priority::high ? "high" : p == Priority::medium ? "medium" : "low"; }

// The list is in order of priority, so the first that fits is the highest.
std::string alarming(const Bed& bed, std::initializer_list<AlarmKind> kinds) {
  for (const auto& a : bed.alarms().active())
    if (a.present && std::find(kinds.begin(), kinds.end(), a.kind) != kinds.end()) return std::string(name_of(info(a.kind).priority));
  return {};
}

std::vector<NumericView> numerics_of(const Bed& bed) {
  using enum AlarmKind;
  const auto& n = bed.numerics();
  const auto& l = bed.limits();
  std::vector<NumericView> out;
  out.push_back({"hr", "HR", shown(n.heart_rate), "/min", "", "#3ddc5a", fmt::format("{:.0f} - {:.0f}", l.heart_low, l.heart_high),
                 alarming(bed, {asystole, extreme_tachy, extreme_brady, heart_rate_high, heart_rate_low})});
  out.push_back({"spo2", "SpO2", shown(n.spo2), "%", n.perfusion ? fmt::format("PI {:.1f} %", *n.perfusion) : "", "#35c9f0",
                 fmt::format("{:.0f} - 100", l.spo2_low), alarming(bed, {spo2_low, spo2_very_low})});
  out.push_back({"pulse", "PULSE", shown(n.pulse), "/min", "", "#35c9f0", "", ""});
  out.push_back({"resp", "RESP", shown(n.respiration), "/min", "", "#f2dc3a", fmt::format("{:.0f} - {:.0f}", l.resp_low, l.resp_high),
                 alarming(bed, {resp_low, resp_high, apnoea})});
  NumericView nibp{"nibp", "NIBP", "-- / --", "mmHg", "", "#f0f0f0", fmt::format("{:.0f} - {:.0f}", l.systolic_low, l.systolic_high),
                   alarming(bed, {systolic_high, systolic_low})};
  if (n.pressure) {
    nibp.value = fmt::format("{:.0f} / {:.0f}", n.pressure->systolic, n.pressure->diastolic);
    nibp.detail = fmt::format("mean {:.0f}, {:.0f} min", n.pressure->mean, std::floor((bed.now() - n.pressure_at) / 60));
  }
  if (bed.cuff().state() == CuffState::inflating || bed.cuff().state() == CuffState::deflating)
    nibp.detail = fmt::format("measuring, cuff {:.0f}", bed.cuff_pressure());
  out.push_back(std::move(nibp));
  NumericView temp{"temp", "TEMP", shown(n.celsius1, 1), "C", "T2 " + shown(n.celsius2, 1), "#e58bff",
                   fmt::format("{:.1f} - {:.1f}", l.celsius_low, l.celsius_high), alarming(bed, {temperature_high, temperature_low, temperature_gap})};
  if (n.celsius1 && n.celsius2) temp.detail += fmt::format("  TD {:.1f}", std::abs(*n.celsius1 - *n.celsius2));
  out.push_back(std::move(temp));
  return out;
}

TraceView trace_of(const Trace& trace, const char* label, const char* colour, double low, double high, std::uint64_t since) {
  TraceView out{label, colour, low, high, trace.written, {}};
  const std::uint64_t oldest = trace.written > Trace::length ? trace.written - Trace::length : 0;
  for (std::uint64_t i = std::max(oldest, since); i < trace.written; ++i) out.values.push_back(trace.values[i % Trace::length]);
  return out;
}

// A range for a trace without a fixed scale: its own extremes with a tenth of air, never less than `least` wide.
std::pair<double, double> range_of(const Trace& trace, double least) {
  double low = 1e9, high = -1e9;
  const std::uint64_t n = std::min<std::uint64_t>(trace.written, Trace::length);
  for (std::uint64_t i = 0; i < n; ++i) {
    const auto v = static_cast<double>(trace.values[i]);
    if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
  }
  if (low > high) return {-least / 2, least / 2};
  const double air = std::max(0.1 * (high - low), (least - (high - low)) / 2);
  return {low - air, high + air};
}

}  // namespace

ScreenState describe(const Bed& bed, const std::string& bed_name, const std::string& clock, const std::string& notice, std::uint64_t since) {
  ScreenState out;
  out.bed = bed_name;
  out.clock = clock;
  out.notice = notice;
  out.admitted = bed.patient().has_value();
  if (out.admitted) {
    const auto& p = *bed.patient();
    out.patient = p.family_name + ", " + p.given_name;
    out.age = p.age == Age::adult ? "adult" : p.age == Age::child ? "child" : "neonate";
  }
  out.numerics = numerics_of(bed);
  const auto ecg1 = range_of(bed.trace(0), 1.5), ecg2 = range_of(bed.trace(1), 1.5), pleth = range_of(bed.trace(2), 0.2), breath = range_of(bed.trace(3), 0.3);
  out.traces.push_back(trace_of(bed.trace(0), "II", "#3ddc5a", ecg1.first, ecg1.second, since));
  out.traces.push_back(trace_of(bed.trace(1), "V", "#3ddc5a", ecg2.first, ecg2.second, since));
  out.traces.push_back(trace_of(bed.trace(2), "Pleth", "#35c9f0", pleth.first, pleth.second, since));
  out.traces.push_back(trace_of(bed.trace(3), "Resp", "#f2dc3a", breath.first, breath.second, since));
  for (const auto& a : bed.alarms().active()) {
    const auto& i = info(a.kind);
    const auto signal = signal_of(i.priority);
    out.alarms.push_back({std::string(i.text), std::string(name_of(i.priority)), std::string(signal.colour), a.acknowledged ? 0 : signal.flash_hz, a.present,
                          a.acknowledged, i.technical});
  }
  out.audio_paused = bed.alarms().audio_paused_for(bed.now());
  if (const auto p = bed.alarms().sounding(bed.now())) out.sounding = name_of(*p);
  out.beats = bed.beats();
  return out;
}

std::string to_json(const ScreenState& s) {
  using nlohmann::json;
  json out = {{"bed", s.bed}, {"patient", s.patient}, {"age", s.age}, {"clock", s.clock}, {"admitted", s.admitted},
              {"audio_paused", s.audio_paused}, {"sounding", s.sounding}, {"notice", s.notice}, {"beats", s.beats}};
  if (const auto& u = s.update; u.offered || !u.message.empty())
    out["update"] = {{"offered", u.offered}, {"busy", u.busy}, {"version", u.version}, {"origin", u.origin}, {"notes", u.notes}, {"fingerprint", u.fingerprint}, {"message", u.message}};
  for (auto* list : {"numerics", "traces", "alarms"}) out[list] = json::array();
  for (const auto& n : s.numerics)
    out["numerics"].push_back({{"name", n.name}, {"label", n.label}, {"value", n.value}, {"unit", n.unit}, {"detail", n.detail}, {"colour", n.colour},
                               {"limits", n.limits}, {"alarm", n.alarm}});
  for (const auto& t : s.traces) {
    json values = json::array();
    for (const float v : t.values) values.push_back(std::isfinite(v) ? json(std::round(static_cast<double>(v) * 1000) / 1000) : json());
    out["traces"].push_back({{"label", t.label}, {"colour", t.colour}, {"low", t.low}, {"high", t.high}, {"written", t.written}, {"values", std::move(values)}});
  }
  for (const auto& a : s.alarms)
    out["alarms"].push_back({{"text", a.text}, {"priority", a.priority}, {"colour", a.colour}, {"flash_hz", a.flash_hz}, {"present", a.present},
                             {"acknowledged", a.acknowledged}, {"technical", a.technical}});
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace bedside
