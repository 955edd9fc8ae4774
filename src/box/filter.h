// The payload's seccomp filter: what may be called at all, and what the supervisor is asked about.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace box {

// Installs the filter in the calling process, for good and for its children; returns the notification descriptor.
// no_new_privs must be set. One filter serves every emulated machine, since it sees the emulator's own calls.
base::Result<int> enter_payload_filter();

// True for an ioctl(2) request that only asks, or changes nothing but the payload's own terminal or descriptor.
bool is_harmless_request(std::uint32_t request);

}  // namespace box
