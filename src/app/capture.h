// A capture file in, its result out, read in a worker.
#pragma once

#include <string>

#include "app/options.h"
#include "base/result.h"
#include "result/result.h"

namespace app {

// Errors: unreadable (no such file, empty, neither pcap nor pcapng), over_budget, internal.
base::Result<result::Result> read_capture(const std::string& path, const ScanOptions& options);

}  // namespace app
