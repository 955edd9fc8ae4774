// What the command line of `biopsy scan` says, checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "result/result.h"

namespace app {

// Exit status of every sub-command.
inline constexpr int kFine = 0, kFound = 1, kUsage = 2, kUnreadable = 3, kNotEvaluated = 4;

struct ScanOptions {
  std::vector<std::string> inputs;
  bool device = false;                  // all inputs are partitions of one device
  std::string format = "text";
  std::vector<std::string> outputs;     // files; "-" is standard output
  std::string fail_on = "high";
  bool strict = false;
  std::string accept;
  std::vector<std::string> captures;    // of the scanned device
  std::vector<std::string> declared;    // what the maker declares: MUD files, lists, manuals
  bool scan_carried = false;            // of a capture
  std::vector<std::string> canaries;    // strings planted at the device, to be looked for in its traffic
  unsigned jobs = 2;
  bool cache = true, quiet = false, show_secrets = false;
  std::string date;
  std::string publisher;                // file that names who publishes the exports
  std::uint64_t steps = 200'000'000;  // of the code analysis, all programs of an image together
};

}  // namespace app
