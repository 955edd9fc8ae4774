// One line of progress on a terminal, for work that takes over a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace app {

class ProgressLine {
 public:
  explicit ProgressLine(bool on) : on_(on), start_(std::chrono::steady_clock::now()) {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  void show(std::string_view stage, std::uint64_t done, std::uint64_t total);
  void clear();

 private:
  bool on_, shown_ = false;
  std::chrono::steady_clock::time_point start_, last_{};
};

}  // namespace app
