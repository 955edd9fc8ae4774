// What a program compares before it installs: calls whose outcome decides whether content that it brought in is put in place.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "derive/facts.h"
#include "flow/flow.h"

namespace derive {

// Effects to be added at calls of the program: check-hash, compare-version, compare-device, compare-constant, and print where a
// person is shown what was brought in. `effects_of` holds the effects of `facts` at each call. Only calls that decide about an
// effect which installs are told; a comparison of something else is nobody's check.
std::vector<std::pair<std::uint32_t, effects::Effect>> checks_of(const ProgramFacts& facts, const flow::Program& program,
                                                                 const std::vector<std::vector<std::uint32_t>>& effects_of);

// The calls that feed a hash which is taken at `call`: those that gave it its bytes.
std::vector<std::uint32_t> hashed_by(const flow::Program& program, std::uint32_t call);

}  // namespace derive
