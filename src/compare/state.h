// What a finding needs in order to happen, and how that differs between two results.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "result/result.h"

namespace comparison {

// Sentences that say how the newer firmware stands in the way of `after`, which is `before` with the same
// effects: triggers that fell away, a check put before it, an interface that is no longer up at start. Only
// what the firmware can undo by itself: for an interface, that the acting program raises it. Empty: nothing
// stands in the way.
std::vector<std::string> hindrances(const result::Finding& before, const result::Result& older,
                                    const result::Finding& after, const result::Result& newer);

// Whether the newer result still holds every effect that `before` was made of, by the same program. A finding
// about a fixed peer is gone when the owner sets every peer of that program, and unclear when a peer's origin
// is not known.
enum class Remains : std::uint8_t { gone, unclear, remain };
Remains effects_remain(const result::Finding& before, const result::Result& older,
                       const result::Result& newer);

// Whether a signature check guards one of those effects in `newer`.
bool verified_now(const result::Finding& before, const result::Result& older, const result::Result& newer);

}  // namespace comparison
