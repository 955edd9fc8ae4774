// --accept: findings that someone decided to live with. They stay visible and stop failing the run, until they expire.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "result/result.h"

namespace app {

struct Acceptance {
  std::string id, reason, person, expires;  // expires: YYYY-MM-DD, the last day on which it counts
};

// A YAML list of maps with exactly these four keys. An empty path gives an empty list. Errors: unreadable, damaged.
base::Result<std::vector<Acceptance>> read_acceptances(const std::string& path);

// Marks what is accepted on the result's date (today when it has none). Expired and unmatched entries become doubts.
void apply_acceptances(const std::vector<Acceptance>& acceptances, result::Result& result);

}  // namespace app
