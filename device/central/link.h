// Messages in, a central station told of them: MLLP over TLS 1.2 or later in which both sides show a certificate. Only to the configured host and port.
//
// One thread, one connection, a queue of `queue_limit` messages from which the oldest go first when the station is away: memory is bounded, and the newest
// state gets through. Reconnects after 1, 2, 4 ... 60 s. Every wait has a time limit of 5 s.
#pragma once

#include <memory>
#include <string>

#include "device/central/config.h"
#include "device/central/hl7.h"

namespace bedside {

class CentralLink {
 public:
  static constexpr std::size_t queue_limit = 120;
  explicit CentralLink(CentralConfig config);
  ~CentralLink();
  CentralLink(const CentralLink&) = delete;
  CentralLink& operator=(const CentralLink&) = delete;

  void offer(std::string message);
  bool lost() const;               // no acknowledgement for the last message tried
  std::uint64_t delivered() const;
  std::uint64_t dropped() const;
  std::string last_problem() const;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace bedside
