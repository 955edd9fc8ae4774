// A finding and the firmware that it was found in, what the bytes show at each place of its proof out: for a script its lines; for a
// program the way from its start to the call, the call with its values, the texts that it uses with their addresses, and the code.
#pragma once

#include "report/explain.h"
#include "unpack/firmware.h"

namespace app {

// Lines of raw text by report::place_words(site). Places whose words are masked get none of their texts. Code is read in workers.
report::CloserLook look_closer(const unpack::Firmware& firmware, const result::Result& result, const result::Finding& finding);

}  // namespace app
