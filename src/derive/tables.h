// Files that are no programs and still say what the device does: inittab, crontabs, passwd, shadow, keys.
#pragma once

#include <vector>

#include "derive/facts.h"
#include "shell/boot.h"
#include "unpack/firmware.h"

namespace derive {

// Accounts with their hashes tried against the published defaults in models/passwords.yaml; private keys; authorized_keys.
std::vector<ProgramFacts> facts_of_tables(const unpack::Firmware& firmware);

// The command lines that init, cron and hotplug tables start, as effects of these tables.
std::vector<ProgramFacts> facts_of_starts(const std::vector<shell::Start>& starts, const Models& models);

}  // namespace derive
