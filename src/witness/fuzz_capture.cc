// Fuzz door: any bytes as a capture file, through every layer. Ends on what must hold of any Capture.
#include <cstdlib>

#include "witness/verdict.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  witness::Options options;
  options.max_live_flows = 64;
  options.max_flows = 256;
  options.max_buffered = 1u << 20;
  options.max_objects = 1u << 20;
  const auto capture = witness::read(base::ByteView(data, size), options);
  if (!capture) return 0;
  for (const auto& observation : capture->observations) {
    if (observation.device.empty() || observation.frames.size() > witness::kFramesKept) std::abort();
    for (const auto frame : observation.frames)
      if (frame == 0 || frame > capture->stats.packets) std::abort();
  }
  for (const auto& verdict : witness::judge(*capture))
    if (verdict.title.empty() || verdict.severity.empty()) std::abort();
  return 0;
}
