// The configuration in, the monitor's declaration out: an RFC 8520 MUD file that names the one peer, or says that there is none.
#pragma once

#include <string>

#include "device/central/config.h"

namespace bedside {

// JSON, two spaces; the same configuration always gives the same bytes. Allowed: TCP from the device to host:port and its answers.
std::string mud_file(const CentralConfig& config);

}  // namespace bedside
