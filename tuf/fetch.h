// A URL into bytes, with a limit on everything that the other side decides: length, time, rate, redirects.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tuf/result.h"

namespace tuf {

// Takes the next bytes; false ends the transfer (error: storage).
using Sink = std::function<bool(std::string_view)>;

class Fetcher {
 public:
  virtual ~Fetcher() = default;
  // Gives at most `limit` bytes to `sink`; too_long when there are more. Bytes given before an error are
  // worth nothing. not_found only when the other side clearly says that there is no such file.
  virtual Result<void> fetch(const std::string& url, std::uint64_t limit, const Sink& sink) = 0;
};

struct FetchLimits {
  long connect_ms = 10'000;
  long stall_seconds = 15;        // this long under `least_rate` is too slow
  long least_rate = 1'000;        // bytes a second
  long total_ms = 60'000;         // for the first megabyte
  long ms_per_megabyte = 60'000;  // added for each further megabyte of `limit`
  long redirects = 3;             // never from https to http
};

// http and https by libcurl, file:// by reading (regular files only): a USB stick or a card is a repository
// like any other. Not for use by several threads at once.
std::unique_ptr<Fetcher> make_fetcher(const FetchLimits& limits = {});

// fetch() into memory.
Result<std::string> fetch_all(Fetcher& fetcher, const std::string& url, std::uint64_t limit);

// Percent-encoding (RFC 3986): everything but letters, digits and "-._~" and the characters in `keep`.
std::string percent_encode(std::string_view text, std::string_view keep = "");

}  // namespace tuf
