// Analysed programs kept between scans, under $XDG_CACHE_HOME/biopsy (or ~/.cache/biopsy).
#pragma once

#include <optional>
#include <string>

#include "app/options.h"
#include "derive/facts.h"
#include "derive/programs.h"

namespace app {

// Keys: the program's content hash, the tool's build, its models, and the budget. What cannot be read is not there; what
// cannot be written is not kept: the cache never makes a scan fail.
class Cache {
 public:
  explicit Cache(const ScanOptions& options);
  std::optional<derive::ProgramFacts> find(const derive::ProgramFile& file, std::uint64_t steps) const;
  void store(const derive::ProgramFile& file, std::uint64_t steps, const derive::ProgramFacts& facts) const;

 private:
  std::string entry(const derive::ProgramFile& file, std::uint64_t steps) const;
  std::string directory_;  // empty: no cache
  std::string key_;        // of tool and models
};

}  // namespace app
