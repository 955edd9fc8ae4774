// What the parts of the library models share. Not for other folders.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flow/values.h"

namespace flow {

// Dotted decimal, and nothing else, into its four bytes.
inline bool literal_address(const std::string& text, std::uint8_t (&out)[4]) {
  unsigned parts[4] = {};
  int n = 0, digits = 0;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      parts[n] = parts[n] * 10 + static_cast<unsigned>(c - '0');
      if (++digits > 3 || parts[n] > 255) return false;
    } else if (c == '.' && digits > 0 && n < 3) {
      ++n, digits = 0;
    } else {
      return false;
    }
  }
  if (n != 3 || digits == 0) return false;
  for (int i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(parts[i]);
  return true;
}

// ${x} -> x, so that origins do not nest.
inline std::string bare_origin(const std::string& text) {
  const auto open = text.find("${");
  if (open == std::string::npos) return "unknown";
  const auto close = text.find('}', open);
  return close == std::string::npos ? "unknown" : text.substr(open + 2, close - open - 2);
}

inline void add_feeds(const Tables& tables, std::uint16_t taint, std::vector<std::uint32_t>& feeds) {
  for (const auto site : tables.sites(taint))
    if (site < global_mark) feeds.push_back(site);
}

inline std::int64_t signed_of(std::uint64_t v, std::uint8_t word) {
  return word == 4 ? static_cast<std::int32_t>(v) : static_cast<std::int64_t>(v);
}

}  // namespace flow
