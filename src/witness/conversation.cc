// Segments into streams, streams into conversations: put in order, recognised, and read by their dissector.
#include <algorithm>

#include "witness/engine.h"

namespace witness {
namespace {

constexpr std::size_t kMaxPending = 5u << 20;
constexpr std::size_t kMaxTries = 1u << 20;

}  // namespace

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

}  // namespace witness
