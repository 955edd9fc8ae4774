// The owner's configuration (JSON) in, the one peer this monitor may talk to out. No file, or no "central": nothing is ever sent.
//
//   { "bed": "BED 1", "device": "bedside-0001",
//     "central": { "host": "central.example.org", "port": 2575, "interval": 30, "ca": "ca.pem", "certificate": "bed.pem", "key": "bed.key" } }
#pragma once

#include <string>

#include "base/result.h"

namespace bedside {

struct CentralConfig {
  std::string bed = "BED 1", device = "bedside-0001";
  std::string host;          // a name or an address; empty: no central station
  int port = 2575;
  int interval = 30;         // seconds between messages
  std::string ca, certificate, key;  // PEM files; relative paths are taken from the folder of the configuration
};

// Errors: unreadable, damaged (not JSON, a wrong type, an unknown key, a central station without certificates).
base::Result<CentralConfig> read_central_config(const std::string& path);
base::Result<CentralConfig> parse_central_config(std::string_view json, const std::string& folder);

}  // namespace bedside
