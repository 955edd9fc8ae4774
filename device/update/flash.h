// The storage under an update, as pessimistic as real flash: a write may be lost, torn or overtaken by a
// later one until flush() has returned. Injected, so that a test can cut the power between any two of its
// operations.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"

namespace update {

class Flash {
 public:
  virtual ~Flash() = default;
  virtual std::uint64_t size() const = 0;  // bytes
  virtual base::Result<base::Bytes> read(std::uint64_t offset, std::uint64_t length) = 0;
  virtual base::Result<void> write(std::uint64_t offset, base::ByteView bytes) = 0;
  virtual base::Result<void> flush() = 0;
};

// A block device, or a regular file in its place. The file must exist.
base::Result<std::unique_ptr<Flash>> open_flash(const std::string& path);

}  // namespace update
