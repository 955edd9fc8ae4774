// From an accepted offer and its downloaded package to a slot that starts next, with every step in the audit
// log first.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "device/update/audit.h"
#include "device/update/boot.h"
#include "device/update/policy.h"

namespace update {

// Writes the package's image into slot `slot` (0 or 1). SWUpdate on a device, a copy loop in a power-cut
// test.
using Writer = std::function<base::Result<void>(std::uint8_t slot)>;

// Refusals are recorded, and leave everything as it was. After success the next choose() starts the new
// release.
base::Result<void> install(const Storage& storage, AuditLog& log, const std::string& hardware,
                           const Offer& offer, const Consent& consent, const Ward& ward, const Writer& write);

// At every start of the system, with what the loader chose: records it, and settles an installation that an
// interruption left open, by what the boot record says.
base::Result<void> record_start(const Storage& storage, AuditLog& log, const BootChoice& choice);

// After the self-test of a release on trial; nothing to do otherwise.
base::Result<void> record_confirmed(const Storage& storage, AuditLog& log);

}  // namespace update
