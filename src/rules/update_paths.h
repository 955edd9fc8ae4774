// The graph in, every way that new code can arrive out, graded line by line (update_properties.yaml).
//
// A way in begins at an effect that brings content from outside (a mounted share or card, a fetch, an upload, a serial line) and
// ends where that content replaces programs, is written to flash or is run. Ways of one program from one source are one entry.
// A property is *present* only where every end of the entry has it; *absent* says that it was looked for in code that was read to
// the end, *not-evaluated* that it was not; *fake* is a check against a constant that passes for one of content.
#pragma once

#include <string>
#include <vector>

#include "effects/effects.h"
#include "result/result.h"

namespace rules {

struct UpdateProperty {
  std::string key, asks;
};
// As in update_properties.yaml, in its order.
const std::vector<UpdateProperty>& update_properties();

// Sorted by program, then source. Every entry has every property, once, in the order above.
std::vector<result::UpdatePath> update_paths(const effects::Graph& graph);

}  // namespace rules
