// How many beds one core carries: whole beds (two ECG leads, respiration, two wavelengths, two probes, cuff) fed at 500 Hz from a recorded minute.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <vector>

#include "device/monitor/bed.h"
#include "device/sim/demo.h"

int main(int argc, char** argv) {
  using namespace bedside;
  CLI::App app{"Feeds BEDS whole beds at 500 Hz for SECONDS of their time and says how much of a core that takes (CPU time)."};
  int beds = 200, seconds = 20, runs = 3;
  app.add_option("--beds", beds)->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--seconds", seconds)->check(CLI::Range(1, 3600))->capture_default_str();
  app.add_option("--runs", runs)->check(CLI::Range(1, 99))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  constexpr double frequency = 500;

  DemoPatient patient(frequency, 5);
  std::vector<Frame> minute;
  for (int i = 0; i < 60 * static_cast<int>(frequency); ++i) {
    const auto s = patient.next(false, true, 0);
    minute.push_back({{s.ecg[0], s.ecg[1]}, s.impedance, s.red, s.infrared, {s.ohms[0], s.ohms[1]}, s.cuff});
  }
  std::vector<double> costs;
  std::int64_t beats = 0;
  std::size_t memory = 0;
  for (int run = 0; run < runs; ++run) {
    std::vector<std::unique_ptr<Bed>> ward;
    for (int b = 0; b < beds; ++b) {
      ward.push_back(std::make_unique<Bed>(frequency));
      ward.back()->admit({"1", "A", "B", "", "U", Age::adult});
    }
    const auto start = std::clock();
    // A tenth of a second a bed at a time, as a server would.
    for (int tenth = 0; tenth < seconds * 10; ++tenth)
      for (int b = 0; b < beds; ++b)
        for (int i = 0; i < static_cast<int>(frequency / 10); ++i)
          ward[static_cast<std::size_t>(b)]->push(minute[static_cast<std::size_t>(tenth * static_cast<int>(frequency / 10) + i + b * 37) % minute.size()]);
    costs.push_back(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / seconds);
    beats = 0;
    for (const auto& bed : ward) beats += bed->beats();
    memory = ward[0]->memory_bytes();
  }
  std::sort(costs.begin(), costs.end());
  const double median = costs[costs.size() / 2];
  fmt::print("{} beds, {} s of their time, median of {} runs: {:.3f} of a core; {:.0f} beds a core; {} bytes a bed; {} beats found\n", beds, seconds, runs, median,
             beds / median, memory, beats);
  return beds / median >= 200 ? 0 : 1;
}
