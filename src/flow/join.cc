// Two states where paths meet. Numbers become alternatives, or an unknown where a loop changes them; strings that differ
// become alternative texts; what decided between the paths taints what differs.
#include <algorithm>

#include <fmt/format.h>

#include "flow/engine.h"

namespace flow {
namespace {

// The cell that covers `pos`; `near` is where the last one stood: cells lie mostly in order.
const Cell* cell_at(const Page& page, unsigned pos, std::size_t& near) {
  const auto count = page.cells.size();
  if (near >= count) near = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = near + i < count ? near + i : near + i - count;
    const Cell& c = page.cells[at];
    if (pos >= c.pos && pos < static_cast<unsigned>(c.pos) + c.size) {
      near = at;
      return &c;
    }
  }
  return nullptr;
}

}  // namespace

Value Engine::join(const Value& a, const Value& b, std::uint16_t taint, bool loop, std::uint64_t key) {
  if (a.same(b)) {
    Value v = a;
    v.taint = tables_.taint_union(a.taint, b.taint);
    v.size = std::max(a.size, b.size);
    return v;
  }
  const std::uint16_t all = tables_.taint_union(tables_.taint_union(a.taint, b.taint), taint);
  const auto size = std::max(a.size, b.size);
  const auto pointer = [&](const Value& v) {
    return v.is_const() && v.off >= 0x1000 && (elf_.segment_of(v.off) || is_stack(v.off) || is_heap(v.off));
  };
  const auto unknown = [&](const Value& v) { return v.kind == Value::Kind::symbol && v.id == 0; };
  if (unknown(a) || unknown(b)) return {0, 0, all, Value::Kind::symbol, size};
  if (loop && (a.kind != Value::Kind::choice || b.kind != Value::Kind::choice)) {
    // What a loop changes: a counter, or a pointer that walks over a table.
    if (a.is_const() && b.is_const()) {
      const std::uint64_t low = std::min(a.off, b.off), step = std::max(a.off, b.off) - low;
      // A text that was read from a table stands near the next one, and is no pointer that walks.
      const auto text = [&](const Value& v) {
        const auto t = elf_.c_string(v.off, 64);
        const auto before = elf_.view(v.off - 1, 1);
        return t && t->size() > 1 && !before.empty() && before[0] == 0 && std::all_of(t->begin(), t->end(), [](char c) { return c >= 32 && c < 127; });
      };
      const bool texts = alone_ && pointer(a) && pointer(b) && text(a) && text(b);
      const bool walks = pointer(a) && pointer(b) && step <= 1024 && !texts;
      if (!texts && (walks || (!pointer(a) && !pointer(b)))) {
        Value v = tables_.keyed(fmt::format("loop {:x} {:x} {}", key, walks ? low : 0, step), {Symbol::Kind::index, "unknown", "", walks ? step : 1}, size);
        v.off = walks ? low : 0;
        v.taint = all;
        return v;
      }
    }
    if (a.kind == Value::Kind::symbol && b.kind == Value::Kind::symbol && a.id == b.id) {
      const std::uint64_t step = a.off < b.off ? b.off - a.off : a.off - b.off;
      Value v = tables_.keyed(fmt::format("loop {:x} s{} {}", key, a.id, step), {Symbol::Kind::index, origin_of(a), "", step}, size);
      v.taint = all;
      return v;
    }
  }
  // Of a function that is read by itself all texts are wanted, but not all numbers.
  const auto first = [&](const Value& v) { return v.kind == Value::Kind::choice ? tables_.parts(v.id).front() : v; };
  const bool many = alone_ && first(a).off >= image_low_ && first(a).off < image_high_ && first(b).off >= image_low_ && first(b).off < image_high_;
  Value v = tables_.choice({a, b}, size, many ? 256 : alone_ ? 4 : 8);
  v.taint = all;
  if (v.kind == Value::Kind::symbol && v.id == 0)
    v = tables_.keyed(fmt::format("join {:x}", key), {Symbol::Kind::unknown, "unknown"}, size), v.taint = all;
  return v;
}

void Engine::join(State& a, State&& b, bool loop, std::uint64_t key) {
  // Tests that went one way in one state and not in the other decided which of the two it is.
  std::vector<std::uint64_t> differ;
  std::set_symmetric_difference(a.tested.begin(), a.tested.end(), b.tested.begin(), b.tested.end(), std::back_inserter(differ));
  std::vector<std::uint32_t> sites;
  for (const auto d : differ) sites.push_back(static_cast<std::uint32_t>(d >> 32));
  std::sort(sites.begin(), sites.end());
  sites.erase(std::unique(sites.begin(), sites.end()), sites.end());
  const std::uint16_t taint = sites.empty() ? 0 : tables_.taint_set(sites);

  std::vector<std::uint64_t> tested;
  std::set_intersection(a.tested.begin(), a.tested.end(), b.tested.begin(), b.tested.end(), std::back_inserter(tested));
  a.tested = std::move(tested);
  std::vector<std::uint32_t> passed;
  std::set_intersection(a.passed.begin(), a.passed.end(), b.passed.begin(), b.passed.end(), std::back_inserter(passed));
  a.passed = std::move(passed);
  a.heap = std::max(a.heap, b.heap);
  a.from_start &= b.from_start;

  const std::size_t slots = std::max(a.regs.size(), b.regs.size());
  const Value none{0, 0, 0, Value::Kind::symbol, 8};
  a.regs.resize(slots, none), b.regs.resize(slots, none);
  for (std::size_t i = 0; i < slots; ++i) {
    if (a.regs[i].same(b.regs[i]) && a.regs[i].taint == b.regs[i].taint) continue;
    if (alone_ && i == stack_.slot && a.regs[i].is_const()) continue;  // a compiler's stack is as deep on every way; what differs is a callee not followed
    a.regs[i] = join(a.regs[i], b.regs[i], taint, loop, key << 12 | i);
  }

  auto& left = a.refs();
  const auto right = b.refs();
  std::size_t li = 0;
  for (const auto& r : right) {
    while (li < left.size() && std::pair(left[li].base, left[li].number) < std::pair(r.base, r.number)) ++li;
    if (li == left.size() || left[li].base != r.base || left[li].number != r.number) {
      left.insert(left.begin() + static_cast<std::ptrdiff_t>(li), r);  // written on one path only
      pages_.hold(r.page);
      continue;
    }
    if (left[li].page == r.page) continue;
    const Page& pb = pages_[r.page];
    {
      const Page& pa = pages_[left[li].page];
      if (pa.known == pb.known && pa.symbolic == pb.symbolic &&
          std::ranges::equal(pa.cells, pb.cells, [](const Cell& x, const Cell& y) { return x.pos == y.pos && x.size == y.size && x.value.same(y.value) && x.value.taint == y.value.taint; }) &&
          std::equal(pa.bytes, pa.bytes + 64, pb.bytes, [&, i = 0](std::uint8_t x, std::uint8_t y) mutable {
            const bool matters = (pa.known >> i++ & 1) != 0;
            return !matters || x == y;
          }))
        continue;
    }
    const std::uint64_t start = r.number << 6;
    steps_ += 32;  // a page is looked at byte for byte: the budget is to bound time
    std::size_t near_a = 0, near_b = 0;
    for (unsigned pos = 0; pos < 64;) {
      const Place p{r.base, start + pos};
      const Page* pa = &pages_[left[li].page];  // anew: what is stored below may move pages
      const Page* pbn = &pages_[r.page];
      const auto bit = std::uint64_t{1} << pos;
      const bool da = ((pa->known | pa->symbolic) & bit) != 0, db = ((pbn->known | pbn->symbolic) & bit) != 0;
      if (!db) { ++pos; continue; }
      const Cell* cb = (pbn->symbolic & bit) != 0 ? cell_at(*pbn, pos, near_b) : nullptr;
      const Cell* ca = (pa->symbolic & bit) != 0 ? cell_at(*pa, pos, near_a) : nullptr;
      if (!da) {  // only the other path wrote it
        if (cb) {
          const Cell c = *cb;
          if (c.pos == pos) a.store_value(p, c.value, c.size, big_);
          pos = std::max(pos + 1, static_cast<unsigned>(c.pos) + c.size);
        } else {
          const std::uint8_t byte = pbn->bytes[pos];
          a.store_bytes(p, &byte, 1);
          ++pos;
        }
        continue;
      }
      if (!ca && !cb) {
        if (pa->bytes[pos] == pbn->bytes[pos]) { ++pos; continue; }
        // Constants that differ: a word if it is a small number or an address in both, else a string.
        const unsigned width = word_;
        const unsigned at = pos / width * width;
        const std::uint64_t word_bits = ((std::uint64_t{1} << width) - 1) << at;
        const Place wp{r.base, start + at};
        const bool whole = (pa->known & word_bits) == word_bits && (pbn->known & word_bits) == word_bits;
        const Value va = whole ? load_at(a, wp, static_cast<std::uint8_t>(width)) : Value{};
        const Value vb = whole ? load_at(b, wp, static_cast<std::uint8_t>(width)) : Value{};
        const auto wordy = [&](const Value& v) {
          const auto n = v.off;
          return n < 0x1000 || n > mask_of(word_) - 0x1000 || elf_.segment_of(n) || is_stack(n) || is_heap(n);
        };
        if (whole && wordy(va) && wordy(vb)) {
          a.store_value(wp, join(va, vb, taint, loop, key << 12 | (start + at)), static_cast<std::uint8_t>(width), big_);
          pos = at + width;
          continue;
        }
        std::vector<Text> others;
        std::vector<Text> all = {read_text(a, p, 1024, others), read_text(b, p, 1024, others)};
        const std::size_t longest = std::max(all[0].text.size(), all[1].text.size());
        for (auto& t : others) all.push_back(std::move(t));
        const bool printable = std::all_of(all.begin(), all.end(), [](const Text& t) {
          return std::all_of(t.text.begin(), t.text.end(), [](char c) { return c >= 9 && c < 127; });
        });
        if (printable && !loop) {
          for (auto& t : all) t.taint = tables_.taint_union(t.taint, taint);
          a.forget(p, std::min<std::size_t>(longest + 1, 64 - pos));
          a.store_text(p, tables_.text(std::move(all)), taint);
          pos += static_cast<unsigned>(std::min<std::size_t>(longest + 1, 64));
        } else {
          a.store_value(p, {0, 0, taint, Value::Kind::symbol, 1}, 1, big_);
          ++pos;
        }
        continue;
      }
      if (ca && cb && ca->pos == cb->pos && ca->size == cb->size) {
        const Cell c = *ca, d = *cb;
        if (!c.value.same(d.value)) {
          if (c.value.kind == Value::Kind::text && d.value.kind == Value::Kind::text) {
            auto all = tables_.texts(c.value.id);
            for (const auto& t : tables_.texts(d.value.id)) all.push_back(t);
            const auto mix = tables_.taint_union(c.value.taint, d.value.taint);
            a.store_text(p, tables_.text(std::move(all)), mix);
          } else {
            a.store_value({r.base, start + c.pos}, join(c.value, d.value, taint, loop, key << 12 | (start + pos)), c.size, big_);
          }
        }
        pos = static_cast<unsigned>(c.pos) + c.size;
        continue;
      }
      if ((ca && ca->value.kind == Value::Kind::text) || (cb && cb->value.kind == Value::Kind::text)) {
        std::vector<Text> others;
        std::vector<Text> all = {read_text(a, p, 1024, others), read_text(b, p, 1024, others)};
        for (auto& t : others) all.push_back(std::move(t));
        std::uint16_t mix = taint;
        for (const auto& t : all) mix = tables_.taint_union(mix, t.taint);
        a.store_text(p, tables_.text(std::move(all)), mix);
        ++pos;
        continue;
      }
      const auto width = static_cast<unsigned>(ca ? ca->size : cb->size);
      const unsigned at = ca ? ca->pos : cb->pos;
      const Value va = load_at(a, {r.base, start + at}, static_cast<std::uint8_t>(width));
      const Value vb = load_at(b, {r.base, start + at}, static_cast<std::uint8_t>(width));
      a.store_value({r.base, start + at}, join(va, vb, taint, loop, key << 12 | (start + at)), static_cast<std::uint8_t>(width), big_);
      pos = at + width;
    }
  }
}

}  // namespace flow
