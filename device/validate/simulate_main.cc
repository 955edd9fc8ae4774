// KIND and SEED into text: one patient of the validation simulator, sample by sample with the truth beside it (device/validate/README.md).
#include <fmt/format.h>

#include <cstdlib>
#include <iostream>
#include <string_view>

#include "device/validate/arm.h"
#include "device/validate/chest.h"
#include "device/validate/finger.h"
#include "device/validate/probe.h"

int main(int argc, char** argv) {
  using namespace validate;
  const std::string_view kind = argc == 3 ? argv[1] : "";
  const auto seed = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
  if (kind == "oximeter") {
    Finger finger(seed);
    fmt::print("# seed={} {}; SpO2 = 110 - 25 R\n", seed, finger.describe());
    for (int i = 0; i < Finger::seconds * Finger::frequency; ++i) {
      const auto s = finger.next();
      fmt::print("{:.6f},{:.6f},{:.2f},{:.1f}\n", s.red, s.infrared, s.saturation, s.pulse);
    }
  } else if (kind == "temperature") {
    Probes probes(seed);
    fmt::print("# seed={} {}\n", seed, probes.describe());
    for (int i = 0; i < Probes::seconds * Probes::frequency; ++i) {
      const auto s = probes.next();
      fmt::print("{:.2f},{:.2f},{:.3f},{:.3f}\n", s.ohms[0], s.ohms[1], s.celsius[0], s.celsius[1]);
    }
  } else if (kind == "nibp") {
    Arm arm(seed);
    fmt::print("# seed={} {}\n", seed, arm.describe());
    int pump = 0, valve = 0;
    double bleed = 0;
    while (std::cin >> pump >> valve >> bleed) fmt::print("{:.3f}\n", arm.next(pump != 0, valve != 0, bleed));
    const auto truth = arm.truth();
    fmt::print("# systolic={:.1f} mean={:.1f} diastolic={:.1f}\n", truth.systolic, truth.mean, truth.diastolic);
  } else if (kind == "asystole" || kind == "tachycardia") {
    Chest chest(seed, kind == "asystole" ? HeartEvent::asystole : HeartEvent::wide_tachycardia);
    fmt::print("# seed={} {}\n", seed, chest.describe());
    for (int i = 0; i < Chest::seconds * Chest::frequency; ++i) {
      const auto s = chest.next();
      fmt::print("{:.4f},{:.4f},{:.0f}\n", s.lead[0], s.lead[1], s.rate);
    }
  } else {
    fmt::print(stderr, "usage: bedside-simulate oximeter|temperature|nibp|asystole|tachycardia SEED\n");
    return 2;
  }
  return 0;
}
