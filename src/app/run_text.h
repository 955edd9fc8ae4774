// A run of the closed box as text for a terminal.
#pragma once

#include <string>

#include "box/box.h"

namespace app {

// What was started, what it did, where canaries and patient data ended up, what was missing, how it ended. `canaries`: the
// admitted patient's words, looked for in the capture.
std::string run_text(const box::Record& record, const std::vector<std::string>& canaries);

}  // namespace app
