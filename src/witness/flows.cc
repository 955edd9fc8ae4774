// The flow table.
#include "witness/flows.h"

#include <algorithm>
#include <bit>

namespace witness {

std::uint64_t FlowKey::hash() const {
  const auto mix = [](std::uint64_t a, std::uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  const std::uint64_t ports = std::uint64_t{low_port} << 32 | std::uint64_t{high_port} << 8 | protocol;
  const auto [low_a, low_b] = low.words();
  const auto [high_a, high_b] = high.words();
  std::uint64_t h = mix(low_b ^ 0x9E3779B97F4A7C15ULL, high_b ^ 0xD6E8FEB86659FD93ULL);
  h = mix(h ^ low_a, ports ^ 0xA0761D6478BD642FULL);
  return mix(h ^ high_a, 0xE7037ED1A0B428DBULL);
}

FlowTable::FlowTable(std::uint32_t most)
    : most_(std::max<std::uint32_t>(most, 16)),
      buckets_(std::bit_ceil(std::uint64_t{most_} * 2), UINT32_MAX),
      mask_(buckets_.size() - 1) {
  flows_.reserve(most_);  // address space; pages are taken as flows come
}

std::uint32_t FlowTable::find(const FlowKey& key, std::uint64_t hash) const {
  for (std::uint32_t at = buckets_[hash & mask_]; at != UINT32_MAX; at = flows_[at].next_in_bucket)
    if (flows_[at].key == key) return at;
  return UINT32_MAX;
}

std::uint32_t FlowTable::add(const FlowKey& key, std::uint64_t hash) {
  std::uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(flows_.size());
    flows_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  FlowState& flow = flows_[index];
  flow.key = key;
  flow.used = flow.recent = true;
  flow.next_in_bucket = buckets_[hash & mask_];
  buckets_[hash & mask_] = index;
  ++live_;
  return index;
}

void FlowTable::remove(std::uint32_t index) {
  std::uint32_t* link = &buckets_[flows_[index].key.hash() & mask_];
  while (*link != index) link = &flows_[*link].next_in_bucket;
  *link = flows_[index].next_in_bucket;
  flows_[index] = FlowState{};
  free_.push_back(index);
  --live_;
}

std::uint32_t FlowTable::victim() {
  for (;;) {
    if (++hand_ >= flows_.size()) hand_ = 0;
    FlowState& flow = flows_[hand_];
    if (!flow.used) continue;
    if (!flow.recent) return hand_;
    flow.recent = false;
  }
}

}  // namespace witness
