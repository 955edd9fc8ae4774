// Streams of no protocol that we know: HL7 wherever it begins, and a program or archive that the stream
// itself is.
#include "witness/dissect.h"

namespace witness {

Progress read_raw(World& world, Conversation& c, int direction, const View& view) {
  RawState& state = std::get<RawState>(c.state);
  Carving& carving = state.carving[direction];
  if (!state.begun[direction]) {
    if (view.bytes.size() < 8 && !view.closing) return {0, 8};
    state.begun[direction] = true;
    state.carve[direction] = !view.gap_before && !code_type(view.bytes).empty();
    state.hl7[direction].hunting = view.gap_before;
  }
  const std::size_t consumed = scan_hl7(world, c, view, state.hl7[direction]);
  if (state.hl7[direction].inside || !state.hl7[direction].type.empty()) c.protocol = Protocol::hl7;
  if (state.carve[direction] && consumed > 0) {
    if (view.gap_before && carving.size) carving.gap = true;
    world.carve(carving, view.bytes.first(consumed), view.frames(0, consumed));
  }
  return {consumed, consumed == 0 ? view.bytes.size() + 1 : 0};
}

void end_raw(World& world, Conversation& c, std::uint64_t time) {
  RawState& state = std::get<RawState>(c.state);
  for (const int direction : {kFromClient, kFromServer})
    if (state.carve[direction])
      world.object(c, "", c.tcp ? "tcp" : "udp", std::move(state.carving[direction]), time);
}

}  // namespace witness
