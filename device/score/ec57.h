// Two lists of beats in, the counts of ANSI/AAMI EC57:2012 §4.3 beat-by-beat comparison out (QRS detection only).
//
// The rule, as WFDB's `bxb` applies it with its defaults:
// - Beats are the annotation codes 1-13 (N L R a V F J A S E j / Q), 25 (B), 30 (?), 31 (!), 34 (e), 35 (n), 38 (f), 41 (r);
//   everything else is not a beat.
// - The comparison starts at 5:00 and ends with the record. A reference beat before 5:00 is no part of it.
// - A reference and a test beat match when they lie within 150 ms of each other and neither has a better partner next to it:
//   walking both lists in time, the earlier of the two current beats is paired if the other lies within the window and is
//   nearer than the next beat of the earlier beat's rival list; otherwise the earlier beat is counted alone.
// - An unmatched reference beat is a false negative. An unmatched test beat is a false positive, except between a reference
//   `[` and `]` (ventricular fibrillation or flutter), where test beats are not counted; reference beats there are not read.
//   Beats in a stretch that the reference marks unreadable are counted as any others.
// - Gross figures are taken over the summed counts, not averaged over records.
// Source: ANSI/AAMI EC57:2012; G. Moody, WFDB Applications Guide, bxb(1).
#pragma once

#include <cstdint>
#include <vector>

#include "device/wave/wfdb.h"

namespace bedside {

bool is_beat(std::uint8_t code);

struct BeatScore {
  std::uint64_t matched = 0;
  std::uint64_t missed = 0;
  std::uint64_t extra = 0;
  std::vector<std::int64_t> missed_at;  // samples
  std::vector<std::int64_t> extra_at;   // samples

  double sensitivity() const;            // percent; 100 when there was nothing to find
  double positive_predictivity() const;  // percent; 100 when nothing was found
};

void add(BeatScore& sum, const BeatScore& one);  // counts only

// `length` in samples (0: unknown, up to the last reference beat), `frequency` in Hz. Both lists in order of time.
BeatScore compare_beats(const std::vector<Annotation>& reference, const std::vector<Annotation>& test, double frequency,
                        std::int64_t length, double start_seconds = 300, double window_seconds = 0.15);

}  // namespace bedside
