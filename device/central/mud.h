// The configuration in, the monitor's declaration out: an RFC 8520 MUD file that names the peers that its owner set, or says that there is none.
#pragma once

#include <string>

#include "device/central/config.h"

namespace bedside {

// JSON, two spaces; the same configuration always gives the same bytes. Allowed: TCP from the device to the central station and to the update repository (an http or https
// address; a stick is none), and their answers.
std::string mud_file(const CentralConfig& config, const std::string& repository = "");

}  // namespace bedside
