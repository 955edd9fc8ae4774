// What the user named, into the first blobs of a Firmware (and, for a directory, its file system).
#pragma once

#include <string>
#include <vector>

#include "unpack/unpack.h"

namespace unpack {

// Errors: unreadable (missing, no permission, empty, no regular file or directory), one sentence with the path.
base::Result<Firmware> read_inputs(const std::vector<std::string>& inputs, const Options& options);

void add_input(Firmware& firmware, base::Bytes bytes, const std::string& name);

}  // namespace unpack
