// Frames into packets, packets into flows: who speaks to whom, how much and how regularly.
#include "witness/engine.h"

#include <algorithm>

#include <fmt/format.h>

namespace witness {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

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

}  // namespace

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

namespace {

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
