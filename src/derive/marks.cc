#include "derive/marks.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "base/text.h"

namespace derive {

namespace {

constexpr std::size_t kShortest = 16, kLongest = 128, kEnds = 2;

// A table of characters in whichever direction, or few of them again and again: the like is its own mirror by chance.
bool is_regular(std::string_view text) {
  constexpr std::size_t kFewest = 8;
  std::size_t next_to = 0;
  for (std::size_t i = 1; i < text.size(); ++i) next_to += std::abs(text[i] - text[i - 1]) <= 1 ? 1 : 0;
  return next_to * 2 > text.size() || std::set<char>(text.begin(), text.end()).size() < kFewest;
}

}  // namespace

std::optional<std::pair<Text, Text>> mirrored_marks(std::span<const Text> texts) {
  std::map<std::string, Text> seen;  // by the text without its ends
  for (const auto& each : texts) {
    const auto text = base::trim(each.text);
    if (text.size() < kShortest || text.size() > kLongest || text.find_first_of(" %/\t\n") != std::string_view::npos || is_regular(text)) continue;
    const std::string backwards(text.rbegin(), text.rend());
    for (std::size_t left = 0; left <= 2 * kEnds; ++left)
      for (std::size_t right = 0; right <= 2 * kEnds; ++right)
        if (const auto other = seen.find(backwards.substr(left, text.size() - left - right)); other != seen.end()) return std::pair(other->second, each);
    seen.emplace(text.substr(kEnds, text.size() - 2 * kEnds), each);
  }
  return std::nullopt;
}

}  // namespace derive
