// Where bytes from outside go through path names, within a program in its order and from one program to another.
#pragma once

#include "effects/effects.h"

namespace derive {

// Adds `feeds` edges from effects that bring bytes in (mounts, fetches) to those that read, copy, run or flash them.
void follow_paths(effects::Graph& graph);

// The path that an effect reads, and those that it writes; globs at the end are taken off. Empty when it has none.
std::string path_read(const effects::Effect& effect);
std::vector<std::string> paths_written(const effects::Effect& effect);

}  // namespace derive
