// What a call of a program sends, prints, logs or stores: classes of data, by the text itself or by the names around it.
#pragma once

#include <string>
#include <vector>

#include "flow/flow.h"

namespace derive {

struct Carried {
  std::vector<std::string> classes;  // sorted
  std::string by_names;              // functions whose names say so; empty when the text itself does
};

// `argument`: which argument holds what leaves the program.
class DataReader {
 public:
  explicit DataReader(const flow::Program& program);
  Carried carried_by(const flow::CallSite& call, std::size_t argument) const;

 private:
  const flow::Program& program_;
};

}  // namespace derive
