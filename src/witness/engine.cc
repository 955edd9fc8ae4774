// A capture file into a Capture: frames to packets, packets to flows, flows to streams, streams to the
// dissectors. One pass, one thread; memory is bounded by Options::max_live_flows and Options::max_buffered.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include <fmt/format.h>

#include "witness/defrag.h"
#include "witness/dissect.h"
#include "witness/flows.h"
#include "witness/source.h"

namespace witness {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::size_t kMaxPending = 5u << 20;
constexpr std::size_t kMaxTries = 1u << 20;
constexpr std::size_t kFirstFrames = 16;

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
  std::vector<std::uint64_t> exchange_frames;
};

struct DeviceCount {
  std::uint64_t first_frame = 0, first_time = 0, packets = 0, bytes = 0;
  std::array<std::uint8_t, 6> mac{};
  bool has_mac = false;
};

// A port that services listen on: the lower the rank, the surer.
int service_rank(std::uint16_t port) {
  static constexpr std::uint16_t kKnown[] = {80,   443,  2049, 22,   21,   23,   53,   67,    69,   111, 123,
                                             161,  502,  512,  513,  514,  515,  546,  547,   631,  104, 1883,
                                             2575, 3702, 5353, 5355, 6661, 8080, 8883, 11112, 1900, 547};
  if (std::find(std::begin(kKnown), std::end(kKnown), port) != std::end(kKnown)) return 0;
  return port < 1024 ? 1 : port < 32768 ? 2 : 3;
}
bool source_is_server(std::uint16_t source, std::uint16_t destination) {
  const int a = service_rank(source), b = service_rank(destination);
  return a != b ? a < b : false;
}

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

void Engine::run(Source& source) {
  const int link_type = source.link_type();
  if (!knows_link(link_type))
    world_.doubt("unknown-link-type", "capture", 0,
                 fmt::format("link type {} is not read: its frames are counted, nothing more", link_type));
  Source::Frame next;
  for (;;) {
    const Source::Next got = source.next(next);
    if (got == Source::Next::frame) {
      frame(link_type, next);
      continue;
    }
    if (got == Source::Next::cut)
      world_.doubt("capture-cut", "capture", frame_, "the file ends inside a record: " + source.problem());
    if (got == Source::Next::broken)
      world_.doubt("capture-broken", "capture", frame_, "libpcap reads no further: " + source.problem());
    break;
  }
  conclude_all();
}

void Engine::frame(int link_type, const Source::Frame& raw) {
  ++frame_;
  Stats& stats = capture_.stats;
  const double at = static_cast<double>(raw.time) / 1e9;
  if (stats.packets++ == 0) stats.first_time = stats.last_time = at;
  stats.first_time = std::min(stats.first_time, at);
  stats.last_time = std::max(stats.last_time, at);
  stats.bytes += raw.bytes.size();
  const LinkFrame link = decode_link(link_type, raw.bytes);
  if (link.ethertype == 0x0806) {
    if (options_.dissect) read_arp(world_, link.payload, frame_, raw.time);
    return;
  }
  const IpPacket ip = decode_ip(link.ethertype, link.payload);
  if (ip.ok)
    packet(ip, link, raw.time, 0);
  else if (link.ethertype == 0x0800 || link.ethertype == 0x86DD)
    world_.doubt("bad-ip-header", "capture", frame_, "an IP header that contradicts itself or is cut");
}

void Engine::packet(const IpPacket& ip, const LinkFrame& link, std::uint64_t time, int depth) {
  if (depth == 0) ++capture_.stats.ip_packets;
  if (ip.fragment) {
    const auto whole = defragmenter_.add(ip, frame_, time);
    if (!whole) return;
    IpPacket joined = ip;
    joined.fragment = false;
    joined.payload = whole->bytes;
    joined.payload_size = static_cast<std::uint32_t>(whole->bytes.size());
    Packet p{decode_segment(ip.protocol, joined.payload, joined.payload_size),
             &joined,
             frame_,
             time,
             &whole->frames,
             link.source_mac};
    if (p.segment.ok) segment(p);
    return;
  }
  if (ip.protocol == 4 || ip.protocol == 41) {  // IP in IP (RFC 2003, RFC 4213)
    const IpPacket inner = decode_ip(ip.protocol == 4 ? 0x0800 : 0x86DD, ip.payload);
    if (inner.ok && depth < 4) packet(inner, link, time, depth + 1);
    return;
  }
  const Packet p{
      decode_segment(ip.protocol, ip.payload, ip.payload_size), &ip, frame_, time, nullptr, link.source_mac};
  if (p.segment.ok) segment(p);
}

void Engine::note_device(const Packet& p) {
  const std::string_view scope = scope_of(p.ip->source);
  if (scope == "public" || scope == "multicast" || scope == "unspecified") return;
  if (devices_.size() >= options_.max_flows && !devices_.contains(p.ip->source)) return;
  const auto [at, fresh] = devices_.try_emplace(p.ip->source);
  DeviceCount& device = at->second;
  if (!fresh) return;
  device.first_frame = p.frame;
  device.first_time = p.time;
  if (p.mac.size() == 6) {
    std::copy(p.mac.begin(), p.mac.end(), device.mac.begin());
    device.has_mac = true;
  }
}

std::uint32_t Engine::begin_flow(const Packet& p, const FlowKey& key, std::uint64_t hash, bool from_low) {
  if (table_.full()) {
    ++capture_.stats.evicted_flows;
    conclude(table_.victim());
  }
  const std::uint32_t index = table_.add(key, hash);
  FlowState& flow = table_[index];
  flow.id = ++next_id_;
  const Segment& s = p.segment;
  bool from_client = true;
  if (s.tcp && (s.flags & kSyn))
    from_client = !(s.flags & kAck);
  else {
    flow.guessed = true;
    from_client = !source_is_server(s.source_port, s.destination_port);
  }
  flow.client_is_low = from_client == from_low;
  ++capture_.stats.flows;
  capture_.stats.live_flows_most = std::max<std::uint64_t>(capture_.stats.live_flows_most, table_.live());
  set_row(flow, p);
  note_device(p);
  return index;
}

void Engine::set_row(FlowState& flow, const Packet& p) {
  const RowKey key{flow.client_is_low ? flow.key.low : flow.key.high,
                   flow.client_is_low ? flow.key.high : flow.key.low,
                   flow.client_is_low ? flow.key.high_port : flow.key.low_port, p.segment.tcp};
  const auto known = row_index_.find(key);
  if (known != row_index_.end()) {
    flow.row = known->second;
  } else if (rows_.size() < options_.max_flows) {
    flow.row = static_cast<std::uint32_t>(rows_.size());
    row_index_.emplace(key, flow.row);
    Row& row = rows_.emplace_back();
    row.key = key;
    row.first_frame = p.frame;
    row.first_time = row.last_time = p.time;
  } else {
    ++rows_lost_;
    flow.row = UINT32_MAX;
    return;
  }
  ++rows_[flow.row].connections;
}

// What the flow counted goes to its row.
void Engine::add_up(FlowState& flow) {
  if (flow.row == UINT32_MAX) return;
  Row& row = rows_[flow.row];
  row.packets += flow.packets;
  row.bytes += flow.bytes;
  for (const int side : {kFromClient, kFromServer}) row.payload[side] += flow.payload[side];
  row.last_frame = std::max(row.last_frame, flow.last_frame);
  row.last_time = std::max(row.last_time, flow.last_time);
  flow.packets = 0;
  flow.bytes = flow.payload[0] = flow.payload[1] = 0;
}

// A late SYN shows that the guess at who is the client was wrong, before anything was read.
void Engine::flip(FlowState& flow, const Packet& p) {
  flow.guessed = false;
  if (flow.row != UINT32_MAX) --rows_[flow.row].connections;
  std::swap(flow.payload[0], flow.payload[1]);
  flow.client_is_low = !flow.client_is_low;
  std::swap(flow.seq_known[0], flow.seq_known[1]);
  std::swap(flow.next_seq[0], flow.next_seq[1]);
  std::swap(flow.fin[0], flow.fin[1]);
  std::swap(flow.fin_seq[0], flow.fin_seq[1]);
  set_row(flow, p);
  if (!flow.conversation) return;
  std::swap(flow.conversation->streams[0], flow.conversation->streams[1]);
  fill(*flow.conversation, flow);
}

std::uint32_t Engine::flow_of(const Packet& p, bool& from_low) {
  const Segment& s = p.segment;
  FlowKey key;
  const auto from = p.ip->source.words(), to = p.ip->destination.words();
  from_low = from != to ? from < to : s.source_port <= s.destination_port;
  key.low = from_low ? p.ip->source : p.ip->destination;
  key.high = from_low ? p.ip->destination : p.ip->source;
  key.low_port = from_low ? s.source_port : s.destination_port;
  key.high_port = from_low ? s.destination_port : s.source_port;
  key.protocol = s.tcp ? kProtocolTcp : kProtocolUdp;
  const std::uint64_t hash = key.hash();
  std::uint32_t index = table_.find(key, hash);
  const bool opens = s.tcp && (s.flags & (kSyn | kAck)) == kSyn;
  if (index != UINT32_MAX && opens && table_[index].syn && table_[index].initial_seq != s.seq) {
    conclude(index);  // the ports are used again
    index = UINT32_MAX;
  }
  if (index == UINT32_MAX) index = begin_flow(p, key, hash, from_low);
  return index;
}

bool Engine::exchange_begins(const FlowState& flow, const Packet& p, int direction) const {
  if (direction != kFromClient) return false;
  const Segment& s = p.segment;
  if (flow.seen && p.time < flow.last_time + kSecond) {
    // Captured after the answer to it: it had not seen that answer when it was sent.
    const bool overtaken = flow.server_first && s.tcp && (s.flags & kAck) &&
                           Reassembler::distance(s.ack, flow.broke_silence) <= 0;
    if (!overtaken) return false;
  }
  if (!s.tcp || !flow.seen) return true;
  if (s.flags & (kSyn | kFin | kRst)) return false;
  const bool repeated = flow.seq_known[direction] && s.payload_size > 1 &&
                        Reassembler::distance(s.seq + s.payload_size, flow.next_seq[direction]) <= 0;
  return !repeated;
}

void Engine::note_exchange(Row& row, const Packet& p) {
  if (row.exchanges > 0 && p.time < row.last_exchange + kSecond) return;
  if (row.exchanges > 0) {
    const double interval = static_cast<double>(p.time - row.last_exchange) / 1e9;
    const double delta = interval - row.mean;
    row.mean += delta / static_cast<double>(row.exchanges);
    row.square += delta * (interval - row.mean);
  }
  ++row.exchanges;
  row.last_exchange = p.time;
  if (row.exchange_frames.size() < kFirstFrames) row.exchange_frames.push_back(p.frame);
}

void Engine::count(FlowState& flow, const Packet& p, int direction) {
  flow.recent = true;
  const Segment& s = p.segment;
  ++flow.packets;
  flow.bytes += p.ip->packet_size;
  flow.payload[direction] += s.payload_size;
  flow.last_frame = p.frame;
  if (flow.row != UINT32_MAX && !flow.answered) {
    Row& row = rows_[flow.row];
    row.first_time = std::min(row.first_time, p.time);
    if (direction == kFromClient && (!s.tcp || (s.flags & kSyn))) row.began = true;
    if (direction == kFromServer && !(s.tcp && (s.flags & kRst))) {
      flow.answered = true;
      ++row.answered;
    } else if (direction == kFromClient && row.answered == 0 && row.first_frames.size() < kFramesKept) {
      row.first_frames.push_back(p.frame);
    }
  }
  if (exchange_begins(flow, p, direction) && flow.row != UINT32_MAX) note_exchange(rows_[flow.row], p);
  if (direction == kFromClient) {
    flow.server_first = false;
  } else if (flow.seen && s.tcp && p.time >= flow.last_time + kSecond) {
    flow.server_first = true;
    flow.broke_silence = s.seq;
  }
  flow.seen = true;
  flow.last_time = std::max(flow.last_time, p.time);
  if (s.tcp) {
    const std::uint32_t end = s.seq + s.payload_size + ((s.flags & kSyn) ? 1 : 0);
    if (!flow.seq_known[direction] || Reassembler::distance(end, flow.next_seq[direction]) > 0)
      flow.next_seq[direction] = end;
    flow.seq_known[direction] = true;
  }
}

void Engine::segment(const Packet& p) {
  (p.segment.tcp ? capture_.stats.tcp_packets : capture_.stats.udp_packets) += 1;
  bool from_low = false;
  const std::uint32_t index = flow_of(p, from_low);
  FlowState& flow = table_[index];
  const Segment& s = p.segment;
  const bool opposite_syn = s.tcp && (s.flags & kSyn) && flow.guessed &&
                            (from_low == flow.client_is_low) == ((s.flags & kAck) != 0);
  if (opposite_syn) {
    flip(flow, p);
  } else if (flow.guessed && !s.payload.empty() && !flow.conversation) {
    const int says = speaker(s.payload, s.tcp);
    if (says != 0 && (says > 0) != (from_low == flow.client_is_low)) flip(flow, p);
    if (says != 0 || s.tcp) flow.guessed = false;
  }
  const int direction = from_low == flow.client_is_low ? kFromClient : kFromServer;
  count(flow, p, direction);
  if (s.tcp) {
    if ((s.flags & (kSyn | kAck)) == kSyn && !flow.syn) {
      flow.syn = true;
      flow.initial_seq = s.seq;
    }
    if (s.flags & kFin) {
      flow.fin[direction] = true;
      flow.fin_seq[direction] = s.seq + s.payload_size;
    }
  }
  if (!options_.dissect) return;
  if (s.tcp)
    tcp(flow, p, direction);
  else
    udp(flow, p, direction);
}

void Engine::fill(Conversation& c, const FlowState& flow) {
  c.client = flow.client_is_low ? flow.key.low : flow.key.high;
  c.server = flow.client_is_low ? flow.key.high : flow.key.low;
  c.client_port = flow.client_is_low ? flow.key.low_port : flow.key.high_port;
  c.server_port = flow.client_is_low ? flow.key.high_port : flow.key.low_port;
  c.tcp = flow.key.protocol == kProtocolTcp;
  c.id = flow.id;
}

Conversation& Engine::conversation_of(FlowState& flow) {
  if (flow.conversation) return *flow.conversation;
  flow.conversation = std::make_unique<Conversation>();
  Conversation& c = *flow.conversation;
  fill(c, flow);
  for (const auto& [side, port] : {std::pair{c.server, c.server_port}, std::pair{c.client, c.client_port}})
    if (!world_.ftp_expected.empty() && world_.ftp_expected.contains({side, port})) {
      c.protocol = Protocol::ftp_data;
      c.state = FtpDataState{};
    }
  return c;
}

void Engine::tcp(FlowState& flow, const Packet& p, int direction) {
  const Segment& s = p.segment;
  if (flow.done || (s.payload_size == 0 && !(s.flags & (kSyn | kFin)))) return;
  if (s.payload_size == 0 && !flow.conversation && !(s.flags & kSyn)) return;
  Conversation& c = conversation_of(flow);
  Sink sink{*this, c, direction, p.time};
  Reassembler& reassembler = c.streams[direction].reassembler;
  if (s.flags & kSyn) reassembler.syn(s.seq, sink);
  if ((s.flags & (kSyn | kAck)) == (kSyn | kAck)) {  // it also says where the other side began
    Sink other{*this, c, 1 - direction, p.time};
    c.streams[1 - direction].reassembler.expect(s.ack, other);
  }
  const std::uint32_t seq = s.flags & kSyn ? s.seq + 1 : s.seq;
  // A keep-alive carries one octet that was sent before (RFC 9293 3.8.4): the first thing seen of a side, it
  // is no beginning of a stream.
  const bool keep_alive = s.payload_size == 1 && !reassembler.based() && reassembler.held() == 0 &&
                          s.payload.size() == 1 && s.payload[0] == 0;
  if (!keep_alive) {
    const Reassembler::Outcome outcome = reassembler.segment(seq, s.payload, s.payload_size, p.frame, sink);
    if (outcome != Reassembler::Outcome::fresh) ++capture_.stats.duplicate_segments;
    if (outcome == Reassembler::Outcome::conflict)
      world_.doubt("overlap-differs", world_.text(c.server), p.frame,
                   "two segments claim the same bytes with different contents; the first stands");
  }
  recount(c);
  if (flow.fin[0] && flow.fin[1]) {
    bool all = true;
    for (const int side : {0, 1}) {
      const Reassembler& one = c.streams[side].reassembler;
      all &= one.held() == 0 && (!one.based() || one.next() == flow.fin_seq[side]);
    }
    if (all) {
      finish_conversation(flow);
      flow.done = true;
    }
  }
  if (buffered_ > options_.max_buffered) relieve();
}

void Engine::udp(FlowState& flow, const Packet& p, int direction) {
  if (p.segment.payload.empty()) return;
  Conversation c;
  fill(c, flow);
  mark_.clear();
  if (p.all_frames) {
    for (const std::uint64_t frame : *p.all_frames) mark_.push_back({p.segment.payload.size(), frame});
    for (std::size_t i = 0; i < mark_.size(); ++i)
      mark_[i].end = p.segment.payload.size() * (i + 1) / mark_.size();
  } else {
    mark_.push_back({p.segment.payload.size(), p.frame});
  }
  if (!options_.canaries.empty()) look_for_canaries(c, direction, p.segment.payload, p.frame, p.time);
  read_datagram(world_, c, direction, View{.bytes = p.segment.payload, .marks = &mark_, .time = p.time});
  if (c.protocol != Protocol::undecided && flow.row != UINT32_MAX) rows_[flow.row].application = c.protocol;
}

void Engine::look_for_canaries(Conversation& c, int direction, ByteView bytes, std::uint64_t frame,
                               std::uint64_t time) {
  std::string& tail = c.streams[direction].canary_tail;
  std::string text = tail + std::string(base::as_text(bytes));
  std::size_t longest = 0;
  for (const std::string& canary : options_.canaries) {
    if (canary.empty()) continue;
    longest = std::max(longest, canary.size());
    if (text.find(canary) != text.npos)
      world_.tell(c, {frame}, time,
                  {.kind = Kind::canary,
                   .protocol = to_text(c.protocol),
                   .object = canary,
                   .answered = true,
                   .data_class = "identity"});
  }
  // What may be the beginning of one stays; a whole one does not stay whole.
  tail = longest > 1 && text.size() >= longest ? text.substr(text.size() - (longest - 1)) : text;
}

std::size_t Engine::process(Conversation& c, int direction, ByteView bytes,
                            const std::vector<View::Mark>& marks, std::uint64_t time, bool closing) {
  Stream& stream = c.streams[direction];
  std::size_t at = 0;
  stream.need = 0;
  for (std::size_t tries = 0; at < bytes.size() && tries < kMaxTries; ++tries) {
    View view{.bytes = bytes.subspan(at),
              .marks = &marks,
              .closing = closing,
              .gap_before = stream.gap,
              .time = time,
              .origin = at};
    const Protocol before = c.protocol;
    const Progress progress = read_stream(world_, c, direction, view);
    if (progress.consumed > 0) stream.gap = false;
    at += std::min(progress.consumed, view.bytes.size());
    if (stream.lost) return bytes.size();
    if (progress.consumed == 0 && c.protocol == before) {
      stream.need = progress.need;
      break;
    }
  }
  return at;
}

void Engine::process_pending(Conversation& c, int direction, std::uint64_t time, bool closing) {
  Stream& stream = c.streams[direction];
  if (stream.pending.empty()) return;
  const std::size_t used = process(c, direction, stream.pending, stream.marks, time, closing);
  if (closing || used == stream.pending.size()) {
    stream.pending.clear();
    stream.marks.clear();
    if (stream.pending.capacity() > 4096) base::Bytes().swap(stream.pending);
    return;
  }
  if (used == 0) return;
  stream.pending.erase(stream.pending.begin(), stream.pending.begin() + static_cast<std::ptrdiff_t>(used));
  std::vector<View::Mark> kept;
  for (const View::Mark& mark : stream.marks)
    if (mark.end > used) kept.push_back({mark.end - used, mark.frame});
  stream.marks = std::move(kept);
}

void Engine::decide(Conversation& c, std::uint64_t time, bool closing) {
  // One side may still be held back while the other is read: both say what the conversation is.
  for (const int side : {kFromClient, kFromServer})
    if (!closing && c.streams[side].reassembler.held() > 0 && c.streams[side].pending.empty() &&
        c.streams[1 - side].pending.size() < Reassembler::kHoldBytes)
      return;
  const Protocol found = identify(c, c.streams[0].pending, c.streams[1].pending, closing);
  if (found == Protocol::undecided) return;
  c.protocol = found;
  c.state = fresh_state(found);
  for (const int direction : {kFromClient, kFromServer}) process_pending(c, direction, time, false);
}

void Engine::on_data(Conversation& c, int direction, ByteView bytes, std::uint64_t frame,
                     std::uint64_t time) {
  Stream& stream = c.streams[direction];
  if (!options_.canaries.empty()) look_for_canaries(c, direction, bytes, frame, time);
  if (stream.lost) {
    if (!begins_message(c, bytes)) return;
    stream.lost = false;
    stream.gap = false;
  }
  const bool decided = c.protocol != Protocol::undecided;
  if (decided && stream.pending.empty()) {
    std::vector<View::Mark> marks{{bytes.size(), frame}};
    const std::size_t used = process(c, direction, bytes, marks, time, false);
    if (used == bytes.size()) return;
    stream.pending.assign(bytes.begin() + static_cast<std::ptrdiff_t>(used), bytes.end());
    stream.marks.assign(1, {bytes.size() - used, frame});
    return;
  }
  stream.pending.insert(stream.pending.end(), bytes.begin(), bytes.end());
  stream.marks.push_back({stream.pending.size(), frame});
  if (!decided) {
    decide(c, time, false);
  } else if (stream.pending.size() >= stream.need) {
    process_pending(c, direction, time, false);
  }
  if (stream.pending.size() > kMaxPending) {
    world_.doubt("message-too-long", world_.text(c.server), frame,
                 "a message longer than we hold; its stream is read on from the next message");
    base::Bytes().swap(stream.pending);
    stream.marks.clear();
    stream.lost = true;
  }
}

void Engine::on_gap(Conversation& c, int direction, std::uint64_t bytes, std::uint64_t time) {
  ++capture_.stats.stream_gaps;
  Stream& stream = c.streams[direction];
  if (c.protocol == Protocol::undecided && !stream.pending.empty()) {
    decide(c, time, true);
    if (c.protocol == Protocol::undecided) c.protocol = Protocol::raw, c.state = RawState{};
  }
  const bool text =
      c.protocol == Protocol::raw || c.protocol == Protocol::hl7 || c.protocol == Protocol::cms8000;
  if (text) process_pending(c, direction, time, true);
  stream.pending.clear();
  stream.marks.clear();
  stream.need = 0;
  stream.gap = true;
  stream.canary_tail.clear();
  pass_gap(world_, c, direction, bytes);
}

void Engine::recount(Conversation& c) {
  std::uint64_t held = 0;
  for (const Stream& stream : c.streams) held += stream.reassembler.held() + stream.pending.size();
  buffered_ += held - c.held;
  c.held = held;
}

// Too much waits: conversations are read as far as they go, those without recent packets first.
void Engine::relieve() {
  world_.doubt("buffers-relieved", "capture", frame_,
               "more waited for reassembly than the cap allows; gaps were skipped early");
  for (std::uint32_t tries = 0;
       buffered_ > options_.max_buffered - options_.max_buffered / 8 && tries < 4 * table_.slots(); ++tries) {
    FlowState& flow = table_[table_.victim()];
    flow.recent = true;
    if (flow.conversation && flow.conversation->held > 0) finish_conversation(flow);
  }
}

void Engine::finish_conversation(FlowState& flow) {
  if (!flow.conversation) return;
  Conversation& c = *flow.conversation;
  const std::uint64_t time = flow.last_time;
  for (const int direction : {kFromClient, kFromServer}) {
    Sink sink{*this, c, direction, time};
    c.streams[direction].reassembler.finish(sink);
  }
  if (c.protocol == Protocol::undecided && (!c.streams[0].pending.empty() || !c.streams[1].pending.empty()))
    decide(c, time, true);
  for (const int direction : {kFromClient, kFromServer}) process_pending(c, direction, time, true);
  end_conversation(world_, c, time);
  if (flow.row != UINT32_MAX && c.protocol != Protocol::undecided &&
      (c.protocol != Protocol::raw || rows_[flow.row].application == Protocol::undecided))
    rows_[flow.row].application = c.protocol;
  buffered_ -= std::min(buffered_, c.held);
  flow.conversation.reset();
}

void Engine::conclude(std::uint32_t index) {
  finish_conversation(table_[index]);
  add_up(table_[index]);
  table_.remove(index);
}

void Engine::conclude_all() {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> open;
  for (std::uint32_t i = 0; i < table_.slots(); ++i)
    if (table_[i].used && table_[i].conversation) open.emplace_back(table_[i].id, i);
  std::sort(open.begin(), open.end());
  for (const auto& [id, index] : open) finish_conversation(table_[index]);
  for (std::uint32_t i = 0; i < table_.slots(); ++i)
    if (table_[i].used) add_up(table_[i]);
  if (options_.dissect) {
    conclude_rpc(world_);
    conclude_tftp(world_);
  }
  world_.conclude();
  if (rows_lost_)
    world_.doubt("flows-beyond-cap", "capture", 0,
                 fmt::format("{} connections are not in the list of flows", rows_lost_));
  if (capture_.stats.evicted_flows)
    world_.doubt("live-flows-beyond-cap", "capture", 0,
                 fmt::format("{} connections were concluded early", capture_.stats.evicted_flows));
  if (defragmenter_.dropped())
    world_.doubt("datagram-incomplete", "capture", 0,
                 fmt::format("{} fragmented datagrams never became whole", defragmenter_.dropped()));
  if (defragmenter_.overlaps())
    world_.doubt("fragments-overlap", "capture", 0,
                 fmt::format("{} fragments overlap others; the first stands", defragmenter_.overlaps()));
  write_rows();
  write_devices();
  std::vector<Observation>& all = capture_.observations;
  for (Observation& one : all) {
    std::sort(one.frames.begin(), one.frames.end());
    one.frames.erase(std::unique(one.frames.begin(), one.frames.end()), one.frames.end());
  }
  // Observations are large: their order is found first, then each is moved once.
  std::vector<std::uint32_t> order(all.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t i, std::uint32_t j) {
    const Observation &a = all[i], &b = all[j];
    const std::uint64_t x = a.frames.empty() ? 0 : a.frames.front(),
                        y = b.frames.empty() ? 0 : b.frames.front();
    if (x != y) return x < y;
    return std::tie(a.kind, a.protocol, a.device, a.peer.address, a.peer.port, a.object, a.field) <
           std::tie(b.kind, b.protocol, b.device, b.peer.address, b.peer.port, b.object, b.field);
  });
  std::vector<Observation> sorted;
  sorted.reserve(all.size());
  for (const std::uint32_t i : order) sorted.push_back(std::move(all[i]));
  all = std::move(sorted);
  std::stable_sort(capture_.objects.begin(), capture_.objects.end(), [](const Object& a, const Object& b) {
    return (a.frames.empty() ? 0 : a.frames.front()) < (b.frames.empty() ? 0 : b.frames.front());
  });
}

void Engine::write_rows() {
  std::stable_sort(rows_.begin(), rows_.end(),
                   [](const Row& a, const Row& b) { return a.first_frame < b.first_frame; });
  capture_.flows.reserve(rows_.size());
  for (Row& row : rows_) {
    if (row.connections == 0) continue;  // a wrong guess, corrected
    Conversation c;
    c.client = row.key.client;
    c.server = row.key.server;
    c.server_port = row.key.port;
    c.tcp = row.key.tcp;
    bool inbound = false;
    std::string device;
    const Peer peer = world_.peer_of(c, inbound, device);
    Flow flow;
    flow.client = world_.text(row.key.client);
    flow.server = world_.text(row.key.server);
    flow.port = row.key.port;
    flow.protocol = row.key.tcp ? "tcp" : "udp";
    flow.application = to_text(row.application);
    flow.host = inbound ? "" : peer.host;
    flow.looked_up = !inbound && peer.looked_up;
    flow.client_scope = scope_of(row.key.client);
    flow.server_scope = scope_of(row.key.server);
    flow.connections = row.connections;
    flow.answered = row.answered;
    flow.packets = row.packets;
    flow.bytes = row.bytes;
    flow.client_payload = row.payload[kFromClient];
    flow.server_payload = row.payload[kFromServer];
    flow.first_frame = row.first_frame;
    flow.last_frame = row.last_frame;
    flow.first_time = static_cast<double>(row.first_time) / 1e9;
    flow.last_time = static_cast<double>(row.last_time) / 1e9;
    flow.exchanges = row.exchanges;
    flow.interval_mean = row.mean;
    if (row.exchanges > 2 && row.mean > 0)
      flow.interval_cv = std::sqrt(row.square / static_cast<double>(row.exchanges - 2)) / row.mean;
    if (options_.dissect) {
      const bool silent = row.answered == 0;
      if (row.key.tcp && silent && row.began)
        world_.tell(c, row.first_frames, row.first_time,
                    {.kind = Kind::attempt,
                     .protocol = "tcp",
                     .words = fmt::format("{} connections", row.connections)});
      else if (row.key.tcp || row.answered > 0)
        world_.tell(c, {row.first_frame}, row.first_time,
                    {.kind = Kind::connect,
                     .protocol = flow.application.empty() ? flow.protocol : flow.application,
                     .answered = row.answered > 0});
    }
    capture_.flows.push_back(std::move(flow));
  }
}

void Engine::write_devices() {
  for (const auto& [address, note] : world_.notes) devices_.try_emplace(address);
  for (const Row& row : rows_) {
    if (const auto at = devices_.find(row.key.client); at != devices_.end()) {
      at->second.packets += row.packets;
      at->second.bytes += row.bytes;
    }
    if (const auto at = devices_.find(row.key.server); at != devices_.end()) {
      at->second.packets += row.packets;
      at->second.bytes += row.bytes;
    }
  }
  std::vector<std::pair<Address, DeviceCount>> order(devices_.begin(), devices_.end());
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [address, count] : order) {
    Device device;
    device.address = world_.text(address);
    if (count.has_mac) device.mac = mac_text(count.mac);
    device.first_frame = count.first_frame;
    device.first_time = static_cast<double>(count.first_time) / 1e9;
    device.packets = count.packets;
    device.bytes = count.bytes;
    if (const auto note = world_.notes.find(address); note != world_.notes.end()) {
      device.names = note->second.names;
      std::sort(device.names.begin(), device.names.end());
      device.mud_urls = note->second.mud_urls;
      device.vendor_class = note->second.vendor;
    }
    capture_.devices.push_back(std::move(device));
  }
}

base::Result<Capture> read_source(base::Result<Source> source, const Options& options) {
  if (!source) return std::unexpected(source.error());
  Capture capture;
  Engine(options, capture).run(*source);
  return capture;
}

}  // namespace

base::Result<Capture> read(const std::string& path, const Options& options) {
  return read_source(Source::open(path), options);
}

base::Result<Capture> read(base::ByteView file, const Options& options) {
  return read_source(Source::open(file), options);
}

}  // namespace witness
