// The table of live flows: one entry a connection, found by its addresses and ports in one probe, bounded,
// the least recently used concluded first (by a clock hand, so that a packet touches no list). Inside the
// folder only.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "witness/packet.h"
#include "witness/world.h"

namespace witness {

// The two ends in a fixed order, so that both directions are one key.
struct FlowKey {
  Address low, high;
  std::uint16_t low_port = 0, high_port = 0;
  std::uint8_t protocol = 0;
  bool operator==(const FlowKey& other) const = default;
  std::uint64_t hash() const;
};

struct FlowState {
  FlowKey key;
  std::uint32_t next_in_bucket = UINT32_MAX;
  std::uint32_t row = UINT32_MAX;  // of the summary that it counts towards
  bool used = false;
  bool recent = false;
  bool client_is_low = true;
  bool syn = false, syn_ack = false, closed = false;
  bool seen = false;  // a packet was counted
  bool answered = false;
  bool guessed = false;  // who is the client was guessed by ports
  bool done = false;     // both sides finished, and all they said was read
  bool fin[2] = {};      // by the client, by the server
  bool seq_known[2] = {};
  std::uint32_t next_seq[2] = {};  // highest sequence number seen
  std::uint32_t fin_seq[2] = {};
  std::uint32_t initial_seq = 0;
  std::uint32_t broke_silence = 0;  // sequence number of the server's segment that came first after a silence
  bool server_first = false;        // there was one, and the client has sent nothing since
  // Counted here and added to the row when the flow ends or its client changes: a packet touches one place.
  std::uint32_t packets = 0;
  std::uint64_t bytes = 0, payload[2] = {};
  std::uint64_t last_frame = 0;
  std::uint64_t last_time = 0;  // of either side
  std::uint64_t id = 0;
  std::unique_ptr<Conversation> conversation;
};

class FlowTable {
 public:
  explicit FlowTable(std::uint32_t most);

  // The flow of `key`, or UINT32_MAX.
  std::uint32_t find(const FlowKey& key, std::uint64_t hash) const;
  // A new flow; the caller made room (see full()).
  std::uint32_t add(const FlowKey& key, std::uint64_t hash);
  void remove(std::uint32_t index);
  // The next flow that has not been touched since the hand last passed.
  std::uint32_t victim();

  bool full() const { return live_ >= most_; }
  std::uint32_t live() const { return live_; }
  FlowState& operator[](std::uint32_t index) { return flows_[index]; }
  std::uint32_t slots() const { return static_cast<std::uint32_t>(flows_.size()); }

 private:
  std::uint32_t most_, live_ = 0, hand_ = 0;
  std::vector<FlowState> flows_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> buckets_;
  std::uint64_t mask_;
};

}  // namespace witness
