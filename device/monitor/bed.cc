// Implements bed.h.
#include "device/monitor/bed.h"

#include <algorithm>
#include <cmath>

namespace bedside {

Bed::Bed(double frequency)
    : frequency_(frequency), qrs_(frequency, 2), flutter_(frequency, 2), resp_(frequency), derived_(frequency), oximeter_(frequency), nibp_(frequency / std::max(1.0, std::round(frequency / 100))),
      probes_{Thermometer(10), Thermometer(10)}, limits_(default_limits(Age::adult)), trace_step_(std::max(1, static_cast<int>(frequency / 125))),
      nibp_step_(std::max(1, static_cast<int>(std::round(frequency / 100)))), slow_step_(std::max(1, static_cast<int>(frequency / 10))) {}

std::size_t Bed::memory_bytes() const { return sizeof *this + static_cast<std::size_t>(120 * 125) * sizeof(float); }

void Bed::admit(Patient patient) {
  limits_ = default_limits(patient.age);
  nibp_ = BloodPressureMeter(frequency_ / nibp_step_, patient.age == Age::neonate);
  alarms_.clear(now());
  numerics_ = {};
  beats_in_series_ = 0;
  last_beat_ = resp_seen_ = now();
  patient_ = std::move(patient);
}

void Bed::discharge() {
  nibp_.stop();
  patient_.reset();
  alarms_.clear(now());
  numerics_ = {};
}

CuffCommand Bed::push(const Frame& frame) {
  ++frames_;
  if (const auto beat = qrs_.push(std::span(frame.ecg))) take_beat(*beat);
  flutter_.push(std::span(frame.ecg));
  resp_.push(frame.impedance);
  derived_.push_light(frame.infrared);
  oximeter_.push(frame.red, frame.infrared);
  if (frames_ % slow_step_ == 0)
    for (int i = 0; i < 2; ++i) probes_[i].push(frame.ohms[i]);
  if (frames_ % nibp_step_ == 0) {
    cuff_pressure_ = frame.cuff;
    command_ = nibp_.push(frame.cuff);
  }
  if (frames_ % trace_step_ == 0) {
    traces_[0].push(frame.ecg[0]);
    traces_[1].push(frame.ecg[1]);
    pleth_shown_ += 0.4F * (oximeter_.pleth() - pleth_shown_);
    traces_[2].push(std::isfinite(frame.infrared) ? pleth_shown_ : NAN);
    traces_[3].push(frame.impedance);
  }
  if (frames_ % static_cast<std::int64_t>(frequency_) == 0) fast_ = flutter_.rate();  // apart: a quarter of 250 Hz is no whole number of samples
  if (frames_ % static_cast<std::int64_t>(frequency_ / 4) == 0) judge_heart();
  if (frames_ % static_cast<std::int64_t>(frequency_) == 0) each_second();
  return command_;
}

void Bed::take_beat(const Beat& beat) {
  ++beats_;
  if (beat.strength >= weak_beat) weak_since_pause_ = false;
  else if (beat.strength < faint_beat || beat.rr_seconds > 1.2F) weak_since_pause_ = true;
  if (weak_since_pause_) return;
  derived_.push_beat(static_cast<double>(beat.sample) / frequency_, beat.strength);
  last_beat_ = static_cast<double>(beat.sample) / frequency_;
  if (beat.rr_seconds > 0.15F && beat.rr_seconds < 4) intervals_[static_cast<std::size_t>(beats_in_series_++) % 8] = beat.rr_seconds;
}

void Bed::judge_heart() {
  const double t = now();
  const bool off0 = qrs_.lead_off(0), off1 = qrs_.lead_off(1), none = off0 && off1;
  const double silent = t - last_beat_;
  std::optional<float> rate;
  if (!none && beats_in_series_ >= 4 && silent < 4 + 1) {
    std::array<float, 8> sorted = intervals_;
    const auto n = static_cast<std::ptrdiff_t>(std::min<std::int64_t>(8, beats_in_series_));
    std::sort(sorted.begin(), sorted.begin() + n);
    float sum = 0;
    for (std::ptrdiff_t i = n / 4; i < n - n / 4; ++i) sum += sorted[static_cast<std::size_t>(i)];
    rate = 60 * static_cast<float>(n - 2 * (n / 4)) / sum;
  }
  const auto fast = none ? std::nullopt : fast_;
  if (!fast || (rate && *rate > 0.85F * *fast)) fast_since_ = -1;
  else if (fast_since_ < 0) fast_since_ = t;
  if (fast_since_ >= 0 && t - fast_since_ >= 1) {
    rate = fast;
    last_beat_ = t;
  }
  numerics_.heart_rate = none ? numerics_.pulse : rate;
  if (!patient_) return;
  const bool asystole = !none && silent > static_cast<double>(limits_.asystole_seconds);
  if (asystole) beats_in_series_ = 0;
  if (none) last_beat_ = t;  // the pause counts from when a lead is back
  const auto heart = numerics_.heart_rate;
  alarms_.set(AlarmKind::asystole, asystole, t);
  alarms_.set(AlarmKind::extreme_tachy, heart && *heart > limits_.heart_extreme_high, t, 1);
  alarms_.set(AlarmKind::extreme_brady, heart && *heart < limits_.heart_extreme_low, t, 1);
  alarms_.set(AlarmKind::heart_rate_high, heart && *heart > limits_.heart_high, t, 2);
  alarms_.set(AlarmKind::heart_rate_low, heart && *heart < limits_.heart_low, t, 2);
  alarms_.set(AlarmKind::ecg_off, none, t, 1);
  alarms_.set(AlarmKind::ecg_lead_off, off0 != off1, t, 1);
}

void Bed::each_second() {
  const double t = now();
  const auto oxygen = oximeter_.estimate();
  numerics_.spo2 = oxygen ? std::optional(oxygen->spo2) : std::nullopt;
  numerics_.pulse = oxygen ? std::optional(oxygen->pulse) : std::nullopt;
  numerics_.perfusion = oxygen ? std::optional(oxygen->perfusion) : std::nullopt;
  const auto breath = cross_check(resp_.estimate(), derived_.from_ecg(), derived_.from_light(), numerics_.heart_rate.value_or(0));
  const bool breathing = breath && breath->quality >= least_respiration_quality;
  numerics_.respiration = breathing ? std::optional(breath->rate) : std::nullopt;
  if (breathing) resp_seen_ = t;
  numerics_.celsius1 = probes_[0].celsius();
  numerics_.celsius2 = probes_[1].celsius();
  if (nibp_.state() != cuff_before_) {
    cuff_before_ = nibp_.state();
    if (cuff_before_ == CuffState::done) {
      numerics_.pressure = nibp_.result();
      numerics_.pressure_at = t;
    }
  }
  if (!patient_) return;
  const auto over = [](const std::optional<float>& v, float limit) { return v && *v > limit; };
  const auto under = [](const std::optional<float>& v, float limit) { return v && *v < limit; };
  alarms_.set(AlarmKind::spo2_very_low, under(numerics_.spo2, limits_.spo2_very_low), t, 4);
  alarms_.set(AlarmKind::spo2_low, under(numerics_.spo2, limits_.spo2_low), t, 8);
  alarms_.set(AlarmKind::spo2_sensor_off, oximeter_.state() == OximeterState::sensor_off, t, 2);
  alarms_.set(AlarmKind::spo2_unsure, oximeter_.state() == OximeterState::motion || oximeter_.state() == OximeterState::low_perfusion, t, 15);
  const bool electrode = resp_.seconds_since_usable() < 1;
  alarms_.set(AlarmKind::apnoea, electrode && resp_.seconds_still() > static_cast<double>(limits_.apnoea_seconds), t);
  alarms_.set(AlarmKind::resp_high, over(numerics_.respiration, limits_.resp_high), t, 10);
  alarms_.set(AlarmKind::resp_low, under(numerics_.respiration, limits_.resp_low), t, 10);
  alarms_.set(AlarmKind::resp_unsure, !breathing, t, 40);
  const auto& p = numerics_.pressure;
  alarms_.set(AlarmKind::systolic_high, p && p->systolic > limits_.systolic_high, t);
  alarms_.set(AlarmKind::systolic_low, p && p->systolic < limits_.systolic_low, t);
  alarms_.set(AlarmKind::nibp_failed, nibp_.state() == CuffState::failed, t);
  alarms_.set(AlarmKind::temperature_high, over(numerics_.celsius1, limits_.celsius_high), t, 10);
  alarms_.set(AlarmKind::temperature_low, under(numerics_.celsius1, limits_.celsius_low), t, 10);
  alarms_.set(AlarmKind::temperature_gap,
              numerics_.celsius1 && numerics_.celsius2 && std::abs(*numerics_.celsius1 - *numerics_.celsius2) > limits_.celsius_gap, t, 10);
}

}  // namespace bedside
