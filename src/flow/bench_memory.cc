// Pages of a program's memory: filled from its file when first touched, copied when first written, dropped to go back.
#include <algorithm>

#include "base/bytes.h"
#include "flow/bench.h"

namespace flow {

BenchMemory::Page* BenchMemory::fresh(std::uint64_t number) {
  auto page = std::make_unique<Page>();
  page->fill(0);
  const std::uint64_t low = number * page_size;
  for (const auto& s : elf_.segments) {
    const std::uint64_t from = std::max(low, s.address), to = std::min(low + page_size, s.address + s.file_size);
    if (from >= to) continue;
    const auto bytes = base::clipped(elf_.file, s.offset + (from - s.address), to - from);
    std::copy(bytes.begin(), bytes.end(), page->begin() + static_cast<std::ptrdiff_t>(from - low));
  }
  auto* raw = page.get();
  base_.emplace(number, std::move(page));
  return raw;
}

std::uint8_t* BenchMemory::at(std::uint64_t address, bool to_write) {
  const std::uint64_t number = address / page_size;
  Entry& seen = seen_[number % seen_.size()];
  if (seen.number == number && (seen.writable || !to_write)) return seen.bytes + address % page_size;
  Page* page = nullptr;
  bool writable = false;
  if (const auto it = over_.find(number); it != over_.end()) {
    page = it->second.get(), writable = true;
  } else {
    bool known = false, may_write = false;
    for (const auto& r : ranges_)
      if (address >= r.low && address < r.high) known = may_write = true;
    if (!known)
      for (const auto& s : elf_.segments)
        if (number >= s.address / page_size && number * page_size < s.address + s.memory_size) known = true, may_write |= s.writable;
    if (!known || (to_write && !may_write)) return nullptr;
    const auto base = base_.find(number);
    page = base != base_.end() ? base->second.get() : fresh(number);
    if (to_write) {
      auto copy = std::make_unique<Page>(*page);
      page = copy.get();
      over_.emplace(number, std::move(copy));
      writable = true;
    }
  }
  seen = {number, page->data(), writable};
  return page->data() + address % page_size;
}

bool BenchMemory::read(std::uint64_t address, void* out, std::size_t n) {
  auto* to = static_cast<std::uint8_t*>(out);
  while (n > 0) {
    const auto* from = at(address, false);
    if (!from) return false;
    const std::size_t part = std::min<std::size_t>(n, page_size - address % page_size);
    std::memcpy(to, from, part);
    to += part, address += part, n -= part;
  }
  return true;
}

bool BenchMemory::write(std::uint64_t address, const void* from, std::size_t n) {
  const auto* bytes = static_cast<const std::uint8_t*>(from);
  while (n > 0) {
    auto* to = at(address, true);
    if (!to) return false;
    const std::size_t part = std::min<std::size_t>(n, page_size - address % page_size);
    std::memcpy(to, bytes, part);
    bytes += part, address += part, n -= part;
  }
  return true;
}

std::string BenchMemory::text(std::uint64_t address, std::size_t limit) {
  std::string out;
  for (; out.size() < limit; ++address) {
    const auto* b = at(address, false);
    if (!b || *b == 0) break;
    out += static_cast<char>(*b);
  }
  return out;
}

void BenchMemory::keep() {
  for (auto& [number, page] : over_) base_.insert_or_assign(number, std::move(page));
  over_.clear();
  forget();
}

std::vector<std::uint64_t> BenchMemory::changed() const {
  std::vector<std::uint64_t> out;
  for (const auto& [number, page] : over_) {
    const auto base = base_.find(number);
    if (base == base_.end() || *base->second != *page) out.push_back(number * page_size);
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool BenchMemory::same_as_base(std::uint64_t address, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t number = (address + i) / page_size;
    const auto over = over_.find(number);
    if (over == over_.end()) continue;
    const auto base = base_.find(number);
    if (base == base_.end() || (*base->second)[(address + i) % page_size] != (*over->second)[(address + i) % page_size]) return false;
  }
  return true;
}

}  // namespace flow
