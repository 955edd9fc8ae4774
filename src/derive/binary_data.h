// What a call of a program sends, prints, logs or stores: classes of data, by the text itself or by the names around it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "elf/elf.h"
#include "flow/flow.h"

namespace derive {

struct Carried {
  std::vector<std::string> classes;  // sorted
  std::string by_names;              // functions, or variables and fields in them, whose names say so; empty when the text itself does
};

// `argument`: which argument holds what leaves the program.
class DataReader {
 public:
  DataReader(const flow::Program& program, const elf::Binary& binary);
  Carried carried_by(const flow::CallSite& call, std::size_t argument) const;

 private:
  const std::map<std::uint64_t, std::vector<std::string>>& fields() const;

  const flow::Program& program_;
  const elf::Binary& binary_;
  mutable std::optional<std::map<std::uint64_t, std::vector<std::string>>> fields_;  // read when first asked for
};

}  // namespace derive
