// Test support: flash and a log file whose power can be cut between any two operations, with every way in
// which the writes that were not yet flushed may have fared: lost, whole, or torn, each for itself and in any
// order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "device/update/audit.h"
#include "device/update/flash.h"

namespace update::sim {

struct PowerCut {};  // thrown through the code under test: after it, nothing of that run goes on

inline constexpr std::uint64_t sector = 512;  // bytes; what the device writes at once, if it is lucky

// Counts operations of everything in it, and cuts the power before operation `cut_at` has returned.
struct World {
  int operations = 0;
  int cut_at = -1;
  void step() {
    if (operations++ == cut_at) throw PowerCut{};
  }
};

struct Pending {
  std::uint64_t offset = 0;
  base::Bytes bytes;
};

class SimFlash final : public Flash {
 public:
  SimFlash(World& world, std::uint64_t size) : world_(&world), durable_(size, 0xFF), seen_(durable_) {}
  std::uint64_t size() const override { return durable_.size(); }
  base::Result<base::Bytes> read(std::uint64_t offset, std::uint64_t length) override {
    if (broken_) return base::fail(base::Error::Kind::unreadable, "read error");
    if (!base::in_bounds(offset, length, seen_.size()))
      return base::fail(base::Error::Kind::internal, "outside");
    const auto at = seen_.begin() + static_cast<std::ptrdiff_t>(offset);
    return base::Bytes(at, at + static_cast<std::ptrdiff_t>(length));
  }
  base::Result<void> write(std::uint64_t offset, base::ByteView bytes) override {
    if (!base::in_bounds(offset, bytes.size(), seen_.size()))
      return base::fail(base::Error::Kind::internal, "outside");
    for (std::uint64_t at = 0; at < bytes.size(); at += sector) {
      const auto part = base::clipped(bytes, at, sector);
      pending_.push_back({offset + at, base::Bytes(part.begin(), part.end())});
      std::ranges::copy(part, seen_.begin() + static_cast<std::ptrdiff_t>(offset + at));
    }
    world_->step();  // cut here: the writes are under way
    return {};
  }
  base::Result<void> flush() override {
    world_->step();  // cut here: nothing is certain yet
    durable_ = seen_;
    pending_.clear();
    return {};
  }
  std::size_t pending() const { return pending_.size(); }
  // After a cut: fate 0 lost, 1 whole, 2 torn in the middle, one digit to the base of 3 for each pending
  // write.
  void settle(std::uint64_t fates) {
    for (const Pending& write : pending_) {
      const auto fate = fates % 3;
      fates /= 3;
      const std::size_t length = fate == 0 ? 0 : fate == 1 ? write.bytes.size() : write.bytes.size() / 2;
      std::copy_n(write.bytes.begin(), length, durable_.begin() + static_cast<std::ptrdiff_t>(write.offset));
    }
    pending_.clear();
    seen_ = durable_;
  }
  void rebind(World& world) { world_ = &world; }
  void break_reads(bool broken) { broken_ = broken; }

 private:
  World* world_;
  base::Bytes durable_;
  base::Bytes seen_;
  std::vector<Pending> pending_;
  bool broken_ = false;
};

class SimLog final : public LogFile {
 public:
  explicit SimLog(World& world) : world_(&world) {}
  base::Result<std::string> read_all() override { return seen_; }
  base::Result<void> append(std::string_view bytes) override {
    if (full_) return base::fail(base::Error::Kind::unreadable, "no space left");
    seen_ += bytes;
    world_->step();
    return {};
  }
  base::Result<void> flush() override {
    world_->step();
    durable_ = seen_;
    return {};
  }
  base::Result<void> truncate(std::uint64_t length) override {
    world_->step();
    seen_.resize(length);
    durable_ = seen_;
    return {};
  }
  std::size_t pending() const { return seen_.size() > durable_.size() ? 1 : 0; }
  // Fate 0 lost, 1 whole, 2 torn; 3: the file has grown, but the bytes never came.
  void settle(std::uint64_t fate) {
    const std::size_t grown = seen_.size() - std::min(seen_.size(), durable_.size());
    if (fate == 1) durable_ = seen_;
    if (fate == 2) durable_ = seen_.substr(0, durable_.size() + grown / 2);
    if (fate == 3) durable_.append(grown, '\0');
    seen_ = durable_;
  }
  void rebind(World& world) { world_ = &world; }
  void fill(bool full) { full_ = full; }
  std::string& bytes() { return seen_; }

 private:
  World* world_;
  std::string durable_;
  std::string seen_;
  bool full_ = false;
};

}  // namespace update::sim
