// File systems into the one tree that the device sees.
#pragma once

#include "unpack/firmware.h"

namespace unpack {

// Chooses the root file system, places the others (see docs/formats.md, "Mount plan"), fills firmware.root, .mounts,
// .kernel_notes and the `inside` of each file system. What cannot be placed is mounted under /.partition-N, with the
// doubt `unplaced-file-system`.
void compose(Firmware& firmware);

}  // namespace unpack
