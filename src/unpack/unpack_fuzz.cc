// Bytes through the whole of open(), without processes. What must hold: the extents of every blob are sorted, without
// gaps, and sum to its size; the tree's paths are normal.
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "unpack/unpack.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  unpack::Options options;
  options.workers = false;
  options.budgets.bytes = 32 << 20;
  options.budgets.files = 5000;
  options.budgets.depth = 5;
  const auto firmware = unpack::open_bytes(base::Bytes(data, data + size), "input", options);
  for (const auto& blob : firmware.blobs) {
    std::uint64_t at = 0;
    for (const auto& extent : blob.extents) {
      if (extent.offset != at || extent.size == 0) std::abort();
      at += extent.size;
    }
    if (at != blob.bytes.size()) std::abort();
  }
  for (const auto& node : firmware.root.nodes())
    if (base::normal_path(node.path) != node.path) std::abort();
  return 0;
}
