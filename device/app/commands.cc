// Implements commands.h.
#include "device/app/commands.h"

#include <fmt/format.h>

#include "device/central/config.h"
#include "device/central/hl7.h"
#include "device/central/mud.h"
#include "device/update/updater.h"

namespace bedside {

int print_mud(const std::string& config_path, const std::string& updates_path) {
  const auto config = read_central_config(config_path);
  if (!config) return fmt::print(stderr, "bedside: {}\n", config.error().message), 2;
  std::string repository;
  if (!updates_path.empty()) {
    const auto settings = update::read_settings(updates_path);
    if (!settings) return fmt::print(stderr, "bedside: {}\n", settings.error().message), 2;
    repository = settings->repository;
  }
  fmt::print("{}\n", mud_file(*config, repository));
  return 0;
}

int print_sample_message(const std::string& config_path) {
  const auto config = read_central_config(config_path);
  if (!config) return fmt::print(stderr, "bedside: {}\n", config.error().message), 2;
  Numerics n;
  n.heart_rate = 72.0F, n.spo2 = 97.0F, n.pulse = 72.0F, n.respiration = 14.0F, n.celsius1 = 36.8F, n.celsius2 = 36.1F;
  n.pressure = BloodPressure{118, 90, 76, 72};
  const Patient patient{"DEMO|0001", "Example^&~", "Alex\r\nOBX|evil", "19640229", "U", Age::adult};  // separators and line ends must not break out
  fmt::print("{}", observation_message(*config, patient, n, std::chrono::system_clock::time_point{} + std::chrono::hours(24 * 365 * 31)));
  return 0;
}

}  // namespace bedside
