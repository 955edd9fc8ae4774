// CSV signal files (a header line of names, then numbers) in, named columns out. Empty or unreadable cells become NaN.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bedside {

struct CsvColumns {
  std::vector<std::string> names;            // trimmed
  std::vector<std::vector<float>> columns;   // as many as names, all as long as the file has rows
  const std::vector<float>* find(std::string_view name) const;
};

// Errors: damaged (no header line), over_budget (more than 64 columns).
base::Result<CsvColumns> parse_csv(std::string_view text);

}  // namespace bedside
