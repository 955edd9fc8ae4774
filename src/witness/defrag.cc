// Fragments into datagrams.
#include "witness/defrag.h"

#include <algorithm>

namespace witness {

std::optional<Defragmenter::Datagram> Defragmenter::add(const IpPacket& fragment, std::uint64_t frame,
                                                        std::uint64_t nanoseconds) {
  const std::uint64_t end = std::uint64_t{fragment.fragment_offset} + fragment.payload_size;
  if (end > kMaxDatagram || fragment.payload.size() < fragment.payload_size || fragment.payload.empty()) {
    ++dropped_;
    return std::nullopt;
  }
  const Key key{fragment.source, fragment.destination, fragment.protocol, fragment.fragment_id};
  if (!open_.contains(key) && open_.size() >= kMaxDatagrams) {
    open_.erase(std::min_element(open_.begin(), open_.end(), [](const auto& a, const auto& b) {
      return a.second.order < b.second.order;
    }));
    ++dropped_;
  }
  Open& open = open_[key];
  if (open.frames.empty() || nanoseconds > open.begun + kMaxWait) {
    if (!open.frames.empty()) ++dropped_;
    open = Open{};
    open.begun = nanoseconds;
    open.order = ++order_;
  }
  if (open.bytes.size() < end) open.bytes.resize(end);
  open.present.resize(std::max<std::size_t>(open.present.size(), (end + 7) / 8));
  bool overlap = false;
  for (std::uint64_t at = fragment.fragment_offset; at < end; at += 8) {
    const std::uint64_t unit = at / 8, length = std::min<std::uint64_t>(8, end - at);
    if (open.present[unit]) {
      overlap = true;
      continue;
    }
    open.present[unit] = true;
    std::copy_n(fragment.payload.begin() + static_cast<std::ptrdiff_t>(at - fragment.fragment_offset), length,
                open.bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  if (overlap) ++overlaps_;
  if (open.frames.size() < 64) open.frames.push_back(frame);
  if (!fragment.more_fragments) open.size = static_cast<std::uint32_t>(end);
  const std::size_t units = (open.size + 7) / 8;
  if (open.size == 0 || open.present.size() < units ||
      !std::all_of(open.present.begin(), open.present.begin() + static_cast<std::ptrdiff_t>(units),
                   [](bool b) { return b; }))
    return std::nullopt;
  open.bytes.resize(open.size);
  Datagram out{std::move(open.bytes), std::move(open.frames)};
  open_.erase(key);
  return out;
}

}  // namespace witness
