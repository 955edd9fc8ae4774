// Programs in, what each does out: scripts and binaries read in worker processes, binaries through the cache.
#pragma once

#include <vector>

#include "app/pipeline.h"
#include "derive/facts.h"
#include "derive/programs.h"
#include "shell/boot.h"

namespace app {

// In the order of `programs`. A program whose worker died has no effects and says so in its depth and in `out.doubts`.
std::vector<derive::ProgramFacts> analyse_programs(const std::vector<derive::ProgramFile>& programs, const shell::Tree& files, const ScanOptions& options,
                                                   const Progress& progress, result::Result& out);

}  // namespace app
