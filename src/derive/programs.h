// A firmware's tree in, the files that can act out: scripts, programs, libraries, and the tables that start or admit.
#pragma once

#include <string>
#include <vector>

#include "effects/effects.h"
#include "unpack/firmware.h"

namespace derive {

struct ProgramFile {
  std::string path;
  effects::Program::Kind kind{};
  base::ByteView bytes;
  std::string not_read;  // why its text cannot be read as it stands; empty when it can
};

// Sorted by path. A file with several names counts once a name, a symbolic link not at all.
std::vector<ProgramFile> find_programs(const unpack::Firmware& firmware);

}  // namespace derive
