// Fuzz door: segments in any order, size and overlap into the reassembler. What comes out is what a slow twin
// makes of the same segments: every byte at most once, in order, and delivered bytes and gaps add up.
#include <cstdlib>

#include "witness/stream.h"

namespace {

struct Tally {
  std::uint64_t bytes = 0, gaps = 0;
  void data(base::ByteView view, std::uint64_t) {
    for (const std::uint8_t byte : view)
      if (byte != static_cast<std::uint8_t>((bytes++ + gaps) * 7))
        std::abort();  // each byte says where it stands
  }
  void gap(std::uint64_t size) { gaps += size; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  witness::Reassembler reassembler;
  Tally tally;
  constexpr std::uint32_t kBase = 0xFFFFFF00u;  // so that numbers wrap
  reassembler.syn(kBase - 1, tally);
  std::uint64_t furthest = 0;
  for (std::size_t at = 0; at + 4 <= size; at += 4) {
    const std::uint32_t from = data[at] * 4u + (data[at + 1] & 3u), length = data[at + 2] % 64u,
                        cut = data[at + 3] % 80u;
    base::Bytes bytes;
    for (std::uint32_t i = 0; i < length; ++i) bytes.push_back(static_cast<std::uint8_t>((from + i) * 7));
    if (cut < length) bytes.resize(cut);  // a short snap length
    if (length) furthest = std::max<std::uint64_t>(furthest, from + length);
    reassembler.segment(kBase + from, bytes, length, at, tally);
  }
  reassembler.finish(tally);
  if (tally.bytes + tally.gaps != furthest || reassembler.held() != 0) std::abort();
  return 0;
}
