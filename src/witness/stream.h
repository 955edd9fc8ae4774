// TCP segments of one direction, in any order, into its bytes in order, with the gaps named.
//
// Duplicates are dropped, overlaps trimmed (what came first stands), segments ahead of their turn wait. A gap
// is skipped when too much waits behind it or the connection ends. Without a SYN, bytes are held until it is
// plain where the stream begins, so that a capture that starts in the middle, or shuffled, is read from its
// lowest sequence number.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace witness {

class Reassembler {
 public:
  // Limits on what waits, a direction.
  static constexpr std::size_t kMaxWaitingBytes = 1u << 20;
  static constexpr std::size_t kMaxWaitingPieces = 16384;
  static constexpr std::size_t kHoldBytes = 32u << 10;  // without a SYN
  static constexpr std::size_t kHoldPieces = 4096;

  enum class Outcome : std::uint8_t { fresh, duplicate, conflict };

  // `Sink` has data(ByteView, frame) and gap(bytes).
  template <class Sink>
  void syn(std::uint32_t initial, Sink& sink) {
    if (based_) return;
    next_ = initial + 1;
    based_ = true;
    drain(sink, false);
  }

  // The other side says that this one begins at `first` (its SYN was not captured). Taken only once a segment
  // begins there, so that a false word hides nothing.
  template <class Sink>
  void expect(std::uint32_t first, Sink& sink) {
    hint_ = first;
    hinted_ = true;
    if (!based_ && !waiting_.empty() && waiting_.front().seq == hint_) start(sink);
  }

  // `size` is what the segment had on the wire; `bytes` may be shorter (snap length).
  template <class Sink>
  Outcome segment(std::uint32_t seq, base::ByteView bytes, std::uint32_t size, std::uint64_t frame,
                  Sink& sink) {
    if (size == 0) return Outcome::fresh;
    if (!based_) {
      const Outcome outcome = wait(seq, bytes, size, frame);
      const bool begins = hinted_ && waiting_.front().seq == hint_;
      if (begins || waiting_bytes_ > kHoldBytes || waiting_.size() > kHoldPieces) start(sink);
      return outcome;
    }
    const std::int32_t ahead = distance(seq, next_);
    if (ahead > 0) {
      const Outcome outcome = wait(seq, bytes, size, frame);
      if (waiting_bytes_ > kMaxWaitingBytes || waiting_.size() > kMaxWaitingPieces) drain(sink, true);
      return outcome;
    }
    const std::uint32_t behind = static_cast<std::uint32_t>(-static_cast<std::int64_t>(ahead));
    if (behind >= size) return Outcome::duplicate;
    deliver(base::clipped(bytes, behind), size - behind, frame, sink);
    if (!waiting_.empty()) drain(sink, false);
    return Outcome::fresh;
  }

  // Delivers all that waits, with its gaps.
  template <class Sink>
  void finish(Sink& sink) {
    if (!based_) start(sink);
    while (!waiting_.empty()) drain(sink, true);
  }

  bool based() const { return based_; }
  std::uint32_t next() const { return next_; }
  std::size_t held() const { return waiting_bytes_; }

  // a - b in sequence space (RFC 9293 3.4).
  static std::int32_t distance(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b); }

 private:
  struct Piece {
    std::uint32_t seq;
    std::uint32_t size;
    std::uint64_t frame;
    base::Bytes bytes;
  };

  Outcome wait(std::uint32_t seq, base::ByteView bytes, std::uint32_t size, std::uint64_t frame) {
    // Pieces mostly come in order: look from the back.
    auto at = waiting_.end();
    while (at != waiting_.begin() && distance(std::prev(at)->seq, seq) > 0) --at;
    if (at != waiting_.begin()) {
      const Piece& before = *std::prev(at);
      if (before.seq == seq && before.size >= size) {
        const std::size_t shared = std::min(before.bytes.size(), bytes.size());
        const bool same = std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(shared),
                                     before.bytes.begin());
        return same ? Outcome::duplicate : Outcome::conflict;
      }
    }
    waiting_bytes_ += bytes.size() + sizeof(Piece);
    waiting_.insert(at, Piece{seq, size, frame, base::Bytes(bytes.begin(), bytes.end())});
    return Outcome::fresh;
  }

  template <class Sink>
  void start(Sink& sink) {
    based_ = true;
    if (waiting_.empty()) return;
    next_ = waiting_.front().seq;
    drain(sink, false);
  }

  template <class Sink>
  void deliver(base::ByteView bytes, std::uint32_t size, std::uint64_t frame, Sink& sink) {
    next_ += size;
    if (!bytes.empty()) sink.data(bytes, frame);
    if (bytes.size() < size) sink.gap(size - bytes.size());
  }

  // Delivers what has become due; with `skip` the first gap is passed over.
  template <class Sink>
  void drain(Sink& sink, bool skip) {
    std::size_t done = 0;
    for (; done < waiting_.size(); ++done) {
      Piece& piece = waiting_[done];
      std::int32_t ahead = distance(piece.seq, next_);
      if (ahead > 0) {
        if (!skip) break;
        skip = false;
        sink.gap(static_cast<std::uint32_t>(ahead));
        next_ = piece.seq;
        ahead = 0;
      }
      waiting_bytes_ -= piece.bytes.size() + sizeof(Piece);
      const std::uint32_t behind = static_cast<std::uint32_t>(-static_cast<std::int64_t>(ahead));
      if (behind < piece.size)
        deliver(base::clipped(piece.bytes, behind), piece.size - behind, piece.frame, sink);
    }
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(done));
  }

  std::vector<Piece> waiting_;  // by sequence number
  std::size_t waiting_bytes_ = 0;
  std::uint32_t next_ = 0;
  std::uint32_t hint_ = 0;
  bool based_ = false, hinted_ = false;
};

}  // namespace witness
