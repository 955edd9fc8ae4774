// A boot loader's environment and command strings in, what it does before any kernel runs out.
#pragma once

#include <vector>

#include "derive/facts.h"
#include "unpack/firmware.h"

namespace derive {

// One table for each blob that holds an environment (U-Boot: NUL-ended NAME=VALUE, doc/usage/environment) with `bootcmd`.
// What `bootcmd` leads to starts at boot; other variables are commands that a person types. Command strings outside the
// environment are assumed to run.
std::vector<ProgramFacts> facts_of_boot_loaders(const unpack::Firmware& firmware);

}  // namespace derive
