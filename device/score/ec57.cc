// Implements ec57.h.
#include "device/score/ec57.h"

#include <cmath>
#include <cstdlib>
#include <limits>

namespace bedside {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max() / 4;

struct Span {
  std::int64_t from, to;
};

struct Beats {
  std::vector<std::int64_t> times;
  std::vector<Span> fibrillation;
  std::int64_t at(std::size_t i) const { return i < times.size() ? times[i] : never; }
};

Beats beats_outside_fibrillation(const std::vector<Annotation>& annotations) {
  constexpr std::uint8_t fibrillation_on = 32, fibrillation_off = 33;
  Beats out;
  bool inside = false;
  for (const auto& a : annotations) {
    if (inside) {
      if (a.code != fibrillation_off) continue;
      out.fibrillation.back().to = a.time;
      inside = false;
    } else if (a.code == fibrillation_on) {
      out.fibrillation.push_back({a.time, never});
      inside = true;
    } else if (is_beat(a.code)) {
      out.times.push_back(a.time);
    }
  }
  return out;
}

bool within(const std::vector<Span>& spans, std::int64_t time) {
  for (const auto& span : spans)
    if (span.from <= time && time <= span.to) return true;
  return false;
}

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 100.0;
}

std::size_t first_from(const std::vector<std::int64_t>& times, std::int64_t start) {
  std::size_t i = 0;
  while (i < times.size() && times[i] < start) ++i;
  return i;
}

}  // namespace

bool is_beat(std::uint8_t code) {
  return (code >= 1 && code <= 13) || code == 25 || code == 30 || code == 31 || code == 34 || code == 35 || code == 38 ||
         code == 41;
}

double BeatScore::sensitivity() const { return percent(matched, matched + missed); }
double BeatScore::positive_predictivity() const { return percent(matched, matched + extra); }

void add(BeatScore& sum, const BeatScore& one) {
  sum.matched += one.matched;
  sum.missed += one.missed;
  sum.extra += one.extra;
}

BeatScore compare_beats(const std::vector<Annotation>& reference, const std::vector<Annotation>& test, double frequency,
                        std::int64_t length, double start_seconds, double window_seconds) {
  const auto start = static_cast<std::int64_t>(std::llround(start_seconds * frequency));
  const auto window = static_cast<std::int64_t>(window_seconds * frequency);
  const Beats ref = beats_outside_fibrillation(reference);
  Beats found;
  for (const auto& a : test)
    if (is_beat(a.code)) found.times.push_back(a.time);
  const std::int64_t end = length > 0 ? length : (ref.times.empty() ? 0 : ref.times.back());

  BeatScore score;
  std::size_t r = first_from(ref.times, start);
  std::size_t t = first_from(found.times, start);

  // The edge at 5:00: a test beat just before it may be the one that belongs to the first reference beat, and a test beat
  // just after it may belong to a reference beat before it.
  const std::int64_t before = t > 0 ? found.times[t - 1] : -never;
  if (ref.at(r) - before <= window && ref.at(r) - before < std::llabs(ref.at(r) - found.at(t))) {
    ++score.matched;
    ++r;
  } else if (found.at(t) - start <= window && std::llabs(ref.at(r) - found.at(t + 1)) < std::llabs(ref.at(r) - found.at(t))) {
    ++t;
  }

  while (ref.at(r) <= end || found.at(t) <= end) {
    const std::int64_t rt = ref.at(r), ft = found.at(t);
    const bool test_first = ft < rt;
    const std::int64_t gap = std::llabs(rt - ft);
    const std::int64_t rival = test_first ? std::llabs(rt - found.at(t + 1)) : std::llabs(ft - ref.at(r + 1));
    if (gap <= window && gap < rival) {
      ++score.matched;
      ++r, ++t;
    } else if (test_first) {
      if (!within(ref.fibrillation, ft)) {
        ++score.extra;
        score.extra_at.push_back(ft);
      }
      ++t;
    } else {
      ++score.missed;
      score.missed_at.push_back(rt);
      ++r;
    }
  }
  return score;
}

}  // namespace bedside
