// A capture file in, its result out, read in a worker.
#pragma once

#include <string>
#include <vector>

#include "app/options.h"
#include "base/result.h"
#include "result/result.h"

namespace app {

struct CaptureRead {
  result::Result result;
  std::vector<result::Result> carried;  // scans of what was carried in clear, with --scan-carried
};

// Errors: unreadable (no such file, empty, neither pcap nor pcapng), over_budget, internal.
base::Result<CaptureRead> read_capture(const std::string& path, const ScanOptions& options);

}  // namespace app
