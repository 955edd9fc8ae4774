// IP fragments into datagrams (RFC 791 3.2, RFC 8200 4.5). Bounded; overlapping bytes: what came first
// stands.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "witness/packet.h"

namespace witness {

class Defragmenter {
 public:
  static constexpr std::size_t kMaxDatagrams = 1024;         // the oldest is dropped when one more begins
  static constexpr std::uint32_t kMaxDatagram = 65535;       // bytes of payload
  static constexpr std::uint64_t kMaxWait = 60'000'000'000;  // nanoseconds; RFC 8200 4.5

  struct Datagram {
    base::Bytes bytes;
    std::vector<std::uint64_t> frames;
  };

  // Takes one fragment; returns the whole payload when this one completes it.
  std::optional<Datagram> add(const IpPacket& fragment, std::uint64_t frame, std::uint64_t nanoseconds);

  std::uint64_t dropped() const { return dropped_ + open_.size(); }  // datagrams never completed
  std::uint64_t overlaps() const { return overlaps_; }

 private:
  struct Key {
    Address source, destination;
    std::uint8_t protocol;
    std::uint32_t id;
    auto operator<=>(const Key&) const = default;
  };
  struct Open {
    base::Bytes bytes;
    std::vector<bool> present;  // by unit of 8 bytes
    std::vector<std::uint64_t> frames;
    std::uint32_t size = 0;  // known once the last fragment came
    std::uint64_t begun = 0;
    std::uint64_t order = 0;
  };
  std::map<Key, Open> open_;
  std::uint64_t order_ = 0, dropped_ = 0, overlaps_ = 0;
};

}  // namespace witness
