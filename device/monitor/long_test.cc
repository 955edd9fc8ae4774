// Why: a monitor runs for days; sensors come and go, alarms by the thousand, the station dies, the clock lies, and still no asystole is missed.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "device/central/link.h"
#include "device/monitor/bed.h"
#include "device/monitor/trends.h"
#include "device/sim/demo.h"

namespace bedside {
namespace {

bool has(const Bed& bed, AlarmKind kind) {
  for (const auto& a : bed.alarms().active())
    if (a.kind == kind && a.present) return true;
  return false;
}

std::size_t resident_bytes() {
  std::size_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// Two simulated hours in the everyday test; BEDSIDE_HOURS=24 runs the whole day.
TEST(Long, a_bad_day_misses_no_asystole_and_loses_no_row) {
  const char* given = std::getenv("BEDSIDE_HOURS");
  const double hours = given ? std::atof(given) : 2;
  char name[] = "/tmp/bedside-long-XXXXXX";
  const std::filesystem::path folder = mkdtemp(name);
  auto store = TrendStore::open((folder / "t.db").string());
  ASSERT_TRUE(store);
  DemoPatient patient(250, 77);
  Bed bed(250);
  bed.admit({"1", "A", "B", "", "U", Age::adult});
  std::mt19937 random(7);
  const auto chance = [&](double p) { return std::uniform_real_distribution<double>(0, 1)(random) < p; };
  CuffCommand cuff{};
  int asystoles = 0, seen = 0, seconds_dead = -1, rows = 0, wrong = 0;
  const std::size_t memory = bed.memory_bytes();
  std::size_t resident = 0;
  // A station that is dead all day: nothing listens there, and the certificates do not exist either.
  CentralConfig config;
  config.host = "127.0.0.1", config.port = 1, config.ca = config.certificate = config.key = "/nonexistent.pem";
  CentralLink link(config);
  for (std::int64_t second = 0; second < static_cast<std::int64_t>(hours * 3600); ++second) {
    auto& truth = patient.truth;
    if (seconds_dead < 0) {
      if (chance(0.02)) truth.ecg_lead_off = !truth.ecg_lead_off;
      if (chance(0.02)) truth.finger_off = !truth.finger_off;
      if (chance(0.02)) truth.noise = chance(0.3) ? 0.1 : 0.01;
      if (chance(0.05)) truth.heart_rate = chance(0.3) ? 130 : 72;
      if (chance(0.01)) bed.measure_pressure();
      if (chance(0.005)) bed.acknowledge();
      if (chance(0.005)) bed.pause_audio();
      if (second > 60 && chance(0.004)) {
        seconds_dead = 0;
        truth.heart_rate = 0;
        truth.ecg_lead_off = false;
        ++asystoles;
      }
    }
    if (second == 1800) resident = resident_bytes();
    // A station and a store that come and go: with the patient's own, more than 10,000 alarms a day.
    bed.report(AlarmKind::central_lost, second % 20 < 10);
    bed.report(AlarmKind::trend_store, second % 25 < 12);
    if (second % 30 == 0 && bed.patient()) link.offer(observation_message(config, *bed.patient(), bed.numerics(), std::chrono::system_clock::now()));
    for (int i = 0; i < 250; ++i) {
      const auto s = patient.next(cuff.pump, cuff.valve_open, cuff.bleed);
      cuff = bed.push({{s.ecg[0], s.ecg[1]}, s.impedance, s.red, s.infrared, {s.ohms[0], s.ohms[1]}, s.cuff});
    }
    static_cast<void>(bed.alarms().take_changes());
    // A wall clock that jumps about.
    const std::int64_t wall = chance(0.01) ? 0 : 1'000'000 + second;
    rows += store->add(bed.numerics(), "1", bed.now(), wall).has_value();
    if (second % 20 == 19) {
      ASSERT_TRUE(store->commit());
    }
    if (seconds_dead < 0) wrong += has(bed, AlarmKind::asystole) && !truth.ecg_lead_off && truth.heart_rate > 0 && truth.noise < 0.05;
    if (seconds_dead >= 0 && ++seconds_dead == 10) {
      seen += has(bed, AlarmKind::asystole);
      EXPECT_TRUE(has(bed, AlarmKind::asystole)) << "asystole at " << second << " s, noise " << truth.noise;
      truth.heart_rate = 72;
      seconds_dead = -1;
    }
  }
  ASSERT_TRUE(store->commit());
  EXPECT_GT(asystoles, static_cast<int>(hours * 5));
  EXPECT_EQ(seen, asystoles);
  EXPECT_EQ(store->rows(), rows);
  EXPECT_EQ(rows, static_cast<int>(hours * 3600));
  EXPECT_EQ(bed.memory_bytes(), memory);
  EXPECT_LT(resident_bytes(), resident + (16u << 20)) << "nothing grows with the hours";
  EXPECT_GT(static_cast<double>(bed.alarms().raised()), hours * 10'000 / 24);
  EXPECT_EQ(link.delivered(), 0u);
  EXPECT_GE(link.dropped() + CentralLink::queue_limit + 1, static_cast<std::uint64_t>(hours * 120)) << "the oldest messages went, the queue stayed short";
  std::printf("%d asystoles, all alarmed within 10 s: %d; alarms raised %llu; seconds of false asystole alarm with a beating heart and little noise: %d\n", asystoles, seen,
              static_cast<unsigned long long>(bed.alarms().raised()), wrong);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

// A fast heart that stops: what the detector of fast rates said a moment ago must not stand for a beat. The start moves by a second a
// round, since what is looked at only at some instants fails only at some.
TEST(Long, a_heart_that_stops_after_racing_is_alarmed) {
  DemoPatient patient(250, 5);
  Bed bed(250);
  bed.admit({"1", "A", "B", "", "U", Age::adult});
  CuffCommand cuff{};
  const auto run = [&](float rate, int seconds) {
    patient.truth.heart_rate = rate;
    for (int i = 0; i < seconds * 250; ++i) {
      const auto s = patient.next(cuff.pump, cuff.valve_open, cuff.bleed);
      cuff = bed.push({{s.ecg[0], s.ecg[1]}, s.impedance, s.red, s.infrared, {s.ohms[0], s.ohms[1]}, s.cuff});
    }
  };
  run(72, 60);
  for (int round = 0; round < 31; ++round) {
    run(130, 20 + round % 2);
    run(0, 10);
    EXPECT_TRUE(has(bed, AlarmKind::asystole)) << "round " << round << ", at " << bed.now() << " s";
    run(72, 16);
  }
}

}  // namespace
}  // namespace bedside
