// The pass over a capture: frames to packets, packets to flows, flows to streams, streams to the dissectors.
// One thread; memory is bounded by Options::max_live_flows and Options::max_buffered. Its parts: engine.cc
// (packets and flows), conversation.cc (streams and dissectors), summary.cc (what the Capture says in the
// end).
#pragma once

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "witness/defrag.h"
#include "witness/dissect.h"
#include "witness/flows.h"
#include "witness/source.h"

namespace witness {

struct RowKey {
  Address client, server;
  std::uint16_t port = 0;
  bool tcp = false;
  bool operator==(const RowKey&) const = default;
};
struct RowHash {
  std::size_t operator()(const RowKey& key) const {
    const AddressHash hash;
    return (hash(key.client) * 31 + hash(key.server)) * 0x9E3779B97F4A7C15ULL +
           (std::size_t{key.port} << 1 | key.tcp);
  }
};

// What Flow says, in numbers, while the capture is read.
struct Row {
  RowKey key;
  Protocol application = Protocol::undecided;
  std::uint64_t connections = 0, answered = 0, packets = 0, bytes = 0, payload[2] = {};
  std::uint64_t first_frame = 0, last_frame = 0, first_time = 0, last_time = 0;
  std::vector<std::uint64_t> first_frames;  // of the client, while nothing was answered
  bool began = false;                       // a SYN, or any datagram, was seen from the client
  // Starts of exchanges (Welford's running variance of their intervals).
  std::uint64_t exchanges = 0, last_exchange = 0;
  double mean = 0, square = 0;
};

struct DeviceCount {
  std::uint64_t first_frame = 0, first_time = 0, packets = 0, bytes = 0;
  std::array<std::uint8_t, 6> mac{};
  bool has_mac = false;
};

class Engine {
 public:
  Engine(const Options& options, Capture& capture)
      : options_(options), capture_(capture), world_(options, capture), table_(options.max_live_flows) {
    rows_.reserve(options.max_flows);
  }

  void run(Source& source);

 private:
  struct Packet {
    Segment segment;
    const IpPacket* ip = nullptr;
    std::uint64_t frame = 0, time = 0;
    const std::vector<std::uint64_t>* all_frames = nullptr;  // of a datagram that came in fragments
    ByteView mac;
  };
  struct Sink {
    Engine& engine;
    Conversation& conversation;
    int direction;
    std::uint64_t time;
    void data(ByteView bytes, std::uint64_t frame) {
      engine.on_data(conversation, direction, bytes, frame, time);
    }
    void gap(std::uint64_t bytes) { engine.on_gap(conversation, direction, bytes, time); }
  };

  void frame(int link_type, const Source::Frame& frame);
  void packet(const IpPacket& ip, const LinkFrame& link, std::uint64_t time, int depth);
  void segment(const Packet& packet);
  std::uint32_t flow_of(const Packet& packet, bool& from_low);
  std::uint32_t begin_flow(const Packet& packet, const FlowKey& key, std::uint64_t hash, bool from_low);
  void set_row(FlowState& flow, const Packet& packet);
  void add_up(FlowState& flow);
  void count(FlowState& flow, const Packet& packet, int direction);
  bool exchange_begins(const FlowState& flow, const Packet& packet, int direction) const;
  void note_exchange(Row& row, const Packet& packet);
  void flip(FlowState& flow, const Packet& packet);
  void tcp(FlowState& flow, const Packet& packet, int direction);
  void udp(FlowState& flow, const Packet& packet, int direction);
  Conversation& conversation_of(FlowState& flow);
  void fill(Conversation& conversation, const FlowState& flow);
  void on_data(Conversation& c, int direction, ByteView bytes, std::uint64_t frame, std::uint64_t time);
  void on_gap(Conversation& c, int direction, std::uint64_t bytes, std::uint64_t time);
  void decide(Conversation& c, std::uint64_t time, bool closing);
  std::size_t process(Conversation& c, int direction, ByteView bytes, const std::vector<View::Mark>& marks,
                      std::uint64_t time, bool closing);
  void process_pending(Conversation& c, int direction, std::uint64_t time, bool closing);
  void look_for_canaries(Conversation& c, int direction, ByteView bytes, std::uint64_t frame,
                         std::uint64_t time);
  void finish_conversation(FlowState& flow);
  void conclude(std::uint32_t index);
  void recount(Conversation& c);
  void relieve();
  void conclude_all();
  void write_rows();
  void write_devices();
  void note_device(const Packet& packet);

  const Options& options_;
  Capture& capture_;
  World world_;
  FlowTable table_;
  Defragmenter defragmenter_;
  std::vector<Row> rows_;
  std::unordered_map<RowKey, std::uint32_t, RowHash> row_index_;
  std::unordered_map<Address, DeviceCount, AddressHash> devices_;
  std::uint64_t frame_ = 0, next_id_ = 0, buffered_ = 0;
  std::uint64_t unread_links_ = 0, rows_lost_ = 0;
  std::vector<View::Mark> mark_;  // reused
};

}  // namespace witness
