// What a capture or a run showed, as a result of its own, and joined with what was read in the firmware.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effects/effects.h"
#include "result/result.h"
#include "witness/capture.h"

namespace join {

// A capture as a result: devices as programs, observations as observed effects with their frames, verdicts as
// findings (rules "wire-..."), every peer that was reached as an endpoint. `name` is the capture's base name.
// At most kPeersTold public peers become findings; the rest are counted in a doubt.
result::Result result_of(const witness::Capture& capture, const std::string& name, base::ByteView file);
inline constexpr std::size_t kPeersTold = 200;

// What became of a derived effect while its device was watched.
enum class State : std::uint8_t {
  seen,                  // it happened
  attempted_unanswered,  // its peer was tried, and nobody answered
  not_exercised,         // neither; `proof`, where there is one, is another contact with its peer
};
std::string_view key(State state);  // as in Finding::wire

struct EffectVerdict {
  effects::EffectId effect;  // in `derived`
  State state = State::not_exercised;
  std::optional<std::size_t> proof;  // index into `observed`
};

// One verdict for every derived effect that names a peer; where `observed` holds effects of a run, also for
// every one that names no peer but an object or a target. Of an observed effect these count: kind, peer,
// object, target, data, and the notes
//   answered   "yes": the far end replied
//   seen-as    what a dissector recognised (witness/kinds.def); without it an effect of a capture is a row of
//   traffic sent, received   bytes of a row of traffic by         of a run: the program that acted; it shows
//   nothing about another's effects
// A run sets witness `run`, and "answered" to "yes" for what succeeded. Not seen is never absent.
std::vector<EffectVerdict> compare(const effects::Graph& derived,
                                   const std::vector<const effects::Effect*>& observed);

// Joins what was observed (a capture's result, or a result whose graph a run filled with effects of witness
// `run`) into what was derived. Of a capture, those devices count that are the scanned one: those that tried
// a derived peer, or the only one there is. After this
//   - every derived effect with a peer has the note "wire", and every finding with a peer has `wire`, with
//   the frames, or with
//     what would provoke it, in its evidence; what is seen is confirmed unless another link of it is assumed;
//   - the observed effects and wire findings of those devices stand in `scan`, and what was seen and not
//   derived (a peer, or
//     something grave done with a known one) is a finding "wire-not-derived": a gap in our reading.
void add_observed(result::Result& scan, const result::Result& observed);

}  // namespace join
