// What a capture or a run showed, as a result of its own, and joined with what was read in the firmware.
#pragma once

#include <string>
#include <string_view>

#include "result/result.h"
#include "witness/capture.h"

namespace join {

// A capture as a result: devices as programs, observations as observed effects with their frames, verdicts as findings
// (rules "wire-..."), every peer that was reached as an endpoint. `name` is the capture's base name.
// At most kPeersTold public peers become findings; the rest are counted in a doubt.
result::Result result_of(const witness::Capture& capture, const std::string& name, base::ByteView file);
inline constexpr std::size_t kPeersTold = 200;

// Joins what was observed into what was derived, for the devices in `observed` that are the scanned one: those that tried a
// derived peer, or the only one there is. After this
//   - every derived finding with a peer has `wire`: "seen" (then it is confirmed, with the frames in its evidence),
//     "attempted-unanswered", or "not-exercised" with what would provoke it;
//   - the observed effects and wire findings of those devices stand in `scan`, and a peer on the wire that no derived effect
//     names is a finding "wire-not-derived": a gap in our reading.
void add_observed(result::Result& scan, const result::Result& observed);

}  // namespace join
