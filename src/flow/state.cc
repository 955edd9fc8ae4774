// Pages of 64 bytes, shared between states until one of them writes.
#include "flow/state.h"

#include <algorithm>

namespace flow {

std::uint32_t PageStore::add(Page page) {
  page.refs = 1;
  if (!free_.empty()) {
    const auto i = free_.back();
    free_.pop_back();
    pages_[i] = std::move(page);
    return i;
  }
  pages_.push_back(std::move(page));
  return static_cast<std::uint32_t>(pages_.size() - 1);
}

void PageStore::release(std::uint32_t i) {
  if (--pages_[i].refs != 0) return;
  pages_[i].cells.clear();
  free_.push_back(i);
}

State::State(const State& o)
    : regs(o.regs), tested(o.tested), passed(o.passed), heap(o.heap), from_start(o.from_start), store_(o.store_),
      refs_(o.refs_) {
  for (const auto& r : refs_) store_->hold(r.page);
}

State::State(State&& o) noexcept
    : regs(std::move(o.regs)), tested(std::move(o.tested)), passed(std::move(o.passed)), heap(o.heap),
      from_start(o.from_start), store_(o.store_), refs_(std::move(o.refs_)) {
  o.refs_.clear();
}

State& State::operator=(const State& o) {
  if (this != &o) {
    State copy(o);
    *this = std::move(copy);
  }
  return *this;
}

State& State::operator=(State&& o) noexcept {
  if (this == &o) return *this;
  for (const auto& r : refs_) store_->release(r.page);
  regs = std::move(o.regs), tested = std::move(o.tested), passed = std::move(o.passed);
  heap = o.heap, from_start = o.from_start, store_ = o.store_;
  refs_ = std::move(o.refs_);
  o.refs_.clear();
  return *this;
}

State::~State() {
  for (const auto& r : refs_) store_->release(r.page);
}

std::size_t State::index_of(std::uint32_t base, std::uint64_t number, bool& found) const {
  const auto it = std::lower_bound(refs_.begin(), refs_.end(), std::pair(base, number), [](const Ref& r, const auto& key) {
    return std::pair(r.base, r.number) < key;
  });
  found = it != refs_.end() && it->base == base && it->number == number;
  return static_cast<std::size_t>(it - refs_.begin());
}

const Page* State::find(Place p) const {
  bool found = false;
  const auto i = index_of(p.base, p.at >> 6, found);
  return found ? &(*store_)[refs_[i].page] : nullptr;
}

Page& State::writable(Place p) {
  bool found = false;
  const auto i = index_of(p.base, p.at >> 6, found);
  if (!found) {
    const auto page = store_->add({});
    refs_.insert(refs_.begin() + static_cast<std::ptrdiff_t>(i), {p.base, page, p.at >> 6});
    return (*store_)[page];
  }
  if ((*store_)[refs_[i].page].refs > 1) {
    Page copy = (*store_)[refs_[i].page];
    store_->release(refs_[i].page);
    refs_[i].page = store_->add(std::move(copy));
  }
  return (*store_)[refs_[i].page];
}

void State::drop_cells(Page& page, unsigned from, unsigned size) {
  const std::uint64_t bits = (size >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << size) - 1) << from;
  if ((page.symbolic & bits) == 0) return;
  for (auto it = page.cells.begin(); it != page.cells.end();) {
    if (it->pos < from + size && from < static_cast<unsigned>(it->pos) + it->size) {
      page.symbolic &= ~(((std::uint64_t{1} << it->size) - 1) << it->pos);
      it = page.cells.erase(it);
    } else {
      ++it;
    }
  }
}

void State::store_bytes(Place p, const std::uint8_t* bytes, std::size_t size) {
  while (size > 0) {
    const auto from = static_cast<unsigned>(p.at & 63);
    const auto n = static_cast<unsigned>(std::min<std::size_t>(64 - from, size));
    Page& page = writable(p);
    drop_cells(page, from, n);
    std::copy(bytes, bytes + n, page.bytes + from);
    page.known |= (n >= 64 ? ~std::uint64_t{0} : ((std::uint64_t{1} << n) - 1)) << from;
    bytes += n, size -= n, p.at += n;
  }
}

void State::store_value(Place p, const Value& v, std::uint8_t size, bool big) {
  if (v.is_const()) {
    std::uint8_t bytes[8];
    for (unsigned i = 0; i < size && i < 8; ++i) bytes[big ? size - 1 - i : i] = static_cast<std::uint8_t>(v.off >> i * 8);
    store_bytes(p, bytes, std::min<std::size_t>(size, 8));
    return;
  }
  const auto from = static_cast<unsigned>(p.at & 63);
  if (from + size > 64) {  // an unaligned unknown across pages: only that it is not known
    forget(p, size);
    return;
  }
  Page& page = writable(p);
  drop_cells(page, from, size);
  const std::uint64_t bits = ((std::uint64_t{1} << size) - 1) << from;
  page.known &= ~bits;
  page.symbolic |= bits;
  Value copy = v;
  copy.size = size;
  page.cells.push_back({static_cast<std::uint8_t>(from), size, copy});
}

void State::store_text(Place p, std::uint32_t text_id, std::uint16_t taint) {
  store_value(p, {0, text_id, taint, Value::Kind::text, 1}, 1, false);
}

void State::forget(Place p, std::size_t size) {
  while (size > 0) {
    const auto from = static_cast<unsigned>(p.at & 63);
    const auto n = static_cast<unsigned>(std::min<std::size_t>(64 - from, size));
    Page& page = writable(p);
    drop_cells(page, from, n);
    const std::uint64_t bits = (n >= 64 ? ~std::uint64_t{0} : ((std::uint64_t{1} << n) - 1)) << from;
    page.known &= ~bits;
    for (unsigned i = 0; i < n; ++i) page.cells.push_back({static_cast<std::uint8_t>(from + i), 1, {0, 0, 0, Value::Kind::symbol, 1}});
    page.symbolic |= bits;
    size -= n, p.at += n;
  }
}

}  // namespace flow
