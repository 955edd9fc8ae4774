// A device in, what there is to say about it out. The stages of a scan, in order; each says what has become true.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/options.h"
#include "base/bytes.h"
#include "base/result.h"
#include "result/result.h"

namespace app {

using Progress = std::function<void(std::string_view stage, std::uint64_t done, std::uint64_t total)>;

// One device: one input, or several partitions of it. Error: unreadable, one sentence.
base::Result<result::Result> scan_device(const std::vector<std::string>& inputs, const ScanOptions& options, const Progress& progress);

// The same from bytes in memory, of which `name` says what they are called.
result::Result scan_bytes(base::Bytes bytes, const std::string& name, const ScanOptions& options);

}  // namespace app
