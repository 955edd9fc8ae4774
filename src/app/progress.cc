#include "app/progress.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/escape.h"

namespace app {

void ProgressLine::show(std::string_view stage, std::uint64_t done, std::uint64_t total) {
  using namespace std::chrono_literals;
  const auto now = std::chrono::steady_clock::now();
  if (!on_ || now - start_ < 1s || now - last_ < 100ms) return;
  last_ = now;
  shown_ = true;
  fmt::print(stderr, "\r\x1b[K{} {}/{}", base::escape_terminal(stage), done, total);
  std::fflush(stderr);
}

void ProgressLine::clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace app
