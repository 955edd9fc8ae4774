// Loads and stores, tables indexed by something unknown, and C strings as far as they are known.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "flow/engine.h"

namespace flow {

std::optional<Place> Engine::place_of(const Value& v) const {
  if (v.is_const()) return Place{0, v.off};
  if (v.kind == Value::Kind::symbol && v.id != 0) return Place{v.id + 1, v.off};
  return std::nullopt;
}

std::optional<std::uint8_t> Engine::byte_at(const State& s, Place p) const {
  if (const Page* page = s.find(p)) {
    const auto bit = std::uint64_t{1} << (p.at & 63);
    if ((page->known & bit) != 0) return page->bytes[p.at & 63];
    if ((page->symbolic & bit) != 0) return std::nullopt;
  }
  if (p.base != 0) return std::nullopt;
  const auto bytes = elf_.view(p.at, 1);
  if (!bytes.empty()) {
    if (slots_.contains(p.at & ~std::uint64_t{word_ - 1u})) return std::nullopt;
    return bytes[0];
  }
  if (s.from_start && elf_.segment_of(p.at)) return 0;
  return std::nullopt;
}

bool Engine::defined(const State& s, Place p) const {
  const Page* page = s.find(p);
  return page && ((page->known | page->symbolic) >> (p.at & 63) & 1) != 0;
}

Value Engine::load_at(State& s, Place p, std::uint8_t size) {
  const unsigned from = p.at & 63;
  const Page* page = s.find(p);
  const bool one_page = from + size <= 64;
  const std::uint64_t bits = (size >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << size) - 1) << from;
  if (page && one_page && (page->known & bits) == bits) {
    std::uint64_t v = 0;
    for (unsigned i = 0; i < size; ++i) v = v << 8 | page->bytes[from + (big_ ? i : size - 1 - i)];
    return constant(v, size);
  }
  if (page && one_page && (page->symbolic & bits) != 0) {
    std::uint16_t taint = 0;
    for (const auto& c : page->cells) {
      if (c.pos >= from + size || from >= static_cast<unsigned>(c.pos) + c.size) continue;
      if (c.pos == from && c.size == size && c.value.kind != Value::Kind::text) return c.value;
      if (c.pos <= from && from + size <= static_cast<unsigned>(c.pos) + c.size && c.value.kind != Value::Kind::text) {
        const unsigned low = big_ ? c.pos + c.size - (from + size) : from - c.pos;
        return tables_.derived(0x25000u + low, c.value, constant(size), Symbol::Kind::unknown, size);
      }
      if (c.value.kind == Value::Kind::text) {
        Value v = tables_.keyed(fmt::format("character of {}", c.value.id), {Symbol::Kind::unknown, "unknown"}, size);
        const auto& texts = tables_.texts(c.value.id);
        if (!texts.empty()) {
          const auto open = texts[0].text.find("${");
          if (open != std::string::npos) tables_.symbol(v.id).origin = texts[0].text.substr(open + 2, texts[0].text.find('}', open) - open - 2);
        }
        v.taint = c.value.taint;
        return v;
      }
      taint = tables_.taint_union(taint, c.value.taint);
    }
    Value v{0, 0, taint, Value::Kind::symbol, size};
    return v;
  }
  if (p.base != 0) {
    const auto id = p.base - 1;
    return tables_.memory_symbol(id, p.at, size, 0);
  }
  const bool any = page && one_page && (page->known & bits) != 0;
  if (!any && size == word_) {
    const auto it = slots_.find(p.at);
    if (it != slots_.end()) {
      if (!it->second.import) return constant(it->second.value, size);
      return tables_.keyed("import " + it->second.name, {Symbol::Kind::import, it->second.name}, size);
    }
  }
  const auto* segment = elf_.segment_of(p.at);
  // Where an object is linked at nought, a null pointer's members would be read from the ELF header: the pointer was not null.
  if (segment && !any && p.at < 0x100 && segment->address == 0)
    return tables_.keyed(fmt::format("memory {:x} {}", p.at, size), {Symbol::Kind::unknown, "unknown"}, size);
  if (!segment && !any) {
    if (!one_page) {  // an unaligned load over two pages
      std::uint64_t v = 0;
      for (unsigned i = 0; i < size; ++i) {
        const auto b = byte_at(s, {p.base, p.at + (big_ ? i : size - 1 - i)});
        if (!b) return {0, 0, 0, Value::Kind::symbol, size};
        v = v << 8 | *b;
      }
      return constant(v, size);
    }
    return tables_.keyed(fmt::format("memory {:x} {}", p.at, size), {Symbol::Kind::unknown, "unknown"}, size);
  }
  std::uint64_t v = 0;
  for (unsigned i = 0; i < size; ++i) {
    const auto b = byte_at(s, {0, p.at + (big_ ? i : size - 1 - i)});
    if (!b) {
      Symbol global{Symbol::Kind::memory, fmt::format("global:{:x}", p.at)};
      if (const auto slot = slots_.find(p.at); slot != slots_.end() && slot->second.import) global.origin = "global:" + slot->second.name;
      return tables_.keyed(fmt::format("global {:x} {}", p.at, size), global, size);
    }
    v = v << 8 | *b;
  }
  Value out = constant(v, size);
  const bool loaders = p.at >= elf_.got && p.at < elf_.got_end;
  if (segment && segment->writable && !loaders && !any && size >= 4) out.taint = tables_.taint_of(global_mark);
  // Of a function that is read by itself it is not known when it runs: a variable may hold anything, a pointer's first value is one of them.
  if (alone_ && segment && segment->writable && !loaders && !any && !(size == word_ && v >= 0x1000 && elf_.segment_of(v) && !code_target(v)))
    return tables_.keyed(fmt::format("global {:x} {}", p.at, size), {Symbol::Kind::memory, fmt::format("global:{:x}", p.at)}, size);
  return out;
}

// Entries of an array of addresses when the index is not known: everything from the base on that looks like one.
Value Engine::table(State& s, const Value& address, std::uint8_t size) {
  const auto& symbol = tables_.symbol(address.id);
  const std::uint64_t base = address.off;
  const auto* segment = elf_.segment_of(base);
  const bool image = segment && !(elf_.segments.empty()) && base >= elf_.segments.front().address + 0x100;
  if ((!image && !is_stack(base)) || size != word_) return {0, 0, address.taint, Value::Kind::symbol, size};
  if (symbol.kind == Symbol::Kind::import || symbol.kind == Symbol::Kind::param || symbol.kind == Symbol::Kind::result)
    return {0, 0, address.taint, Value::Kind::symbol, size};
  std::uint64_t stride = symbol.stride;
  if (stride < size || stride > 1024) stride = size;
  std::vector<Value> parts;
  int misses = 0;
  const std::size_t most = alone_ ? 256 : 64;
  for (std::uint64_t at = base; parts.size() < most; at += stride) {
    if (alone_ && at != base && at - image_low_ < named_.size() && named_[at - image_low_]) break;  // the next table
    if (!image && !defined(s, {0, at})) break;
    if (image && elf_.view(at, size).empty() && !defined(s, {0, at})) break;
    Value v = load_at(s, {0, at}, size);
    if (v.is_const()) {
      const bool code = code_target(v.off);
      const bool text = !code && elf_.segment_of(v.off) && v.off >= elf_.segments.front().address + 0x100 && elf_.c_string(v.off);
      if (!code && !text) {
        if (v.off == 0 && stride > size && ++misses < 3) continue;  // a hole in a table of structures
        break;
      }
      misses = 0;
      v.taint = address.taint;
      parts.push_back(v);
    } else if (v.kind == Value::Kind::symbol && v.id != 0 && tables_.symbol(v.id).kind == Symbol::Kind::import) {
      parts.push_back(v);
    } else {
      break;
    }
  }
  if (parts.empty()) return {0, 0, address.taint, Value::Kind::symbol, size};
  return tables_.choice(std::move(parts), size, most);
}

Value Engine::load(State& s, const Value& address, std::uint8_t size) {
  if (address.is_const()) return load_at(s, {0, address.off}, size);
  if (address.kind == Value::Kind::choice) {
    std::vector<Value> parts;
    for (const auto& p : std::vector<Value>(tables_.parts(address.id))) parts.push_back(load(s, p, size));
    Value v = tables_.choice(std::move(parts), size);
    v.taint = tables_.taint_union(v.taint, address.taint);
    return v;
  }
  // While a function's shape is being found, what is read from an unknown address has a name, so that an index keeps its bound.
  if (light_ && address.kind == Value::Kind::symbol && address.id == 0) return tables_.derived(0x20000, constant(next_insn_), constant(0), Symbol::Kind::memory, size);
  if (address.kind != Value::Kind::symbol || address.id == 0) return {0, 0, address.taint, Value::Kind::symbol, size};
  const Place p{address.id + 1, address.off};
  if (!defined(s, p)) {
    // A variable of a library, through the word that the loader fills in.
    if (const auto& symbol = tables_.symbol(address.id); symbol.kind == Symbol::Kind::import && address.off == 0 && size == word_) {
      const std::string name = symbol.origin;
      return tables_.keyed(fmt::format("imported {}", name), {Symbol::Kind::memory, "global:" + name}, size);
    }
    const Value v = table(s, address, size);
    if (v.kind != Value::Kind::symbol || v.id != 0) return v;
    const auto kind = tables_.symbol(address.id).kind;
    if (kind != Symbol::Kind::import && elf_.segment_of(address.off) && address.off >= elf_.segments.front().address + 0x100) {
      Symbol entry{Symbol::Kind::memory, "unknown"};
      entry.table_base = address.off, entry.table_size = size, entry.stride = tables_.symbol(address.id).stride;
      for (auto id = address.id; id != UINT32_MAX && entry.bound == 0; id = tables_.symbol(id).parent) entry.bound = tables_.symbol(id).bound;
      Value e = tables_.keyed(fmt::format("table {:x} {} {} {}", address.off, size, entry.stride, entry.bound), entry, size);
      e.taint = address.taint;
      return e;
    }
  }
  Value v = load_at(s, p, size);
  v.taint = tables_.taint_union(v.taint, address.taint);
  return v;
}

void Engine::store(State& s, const Value& address, const Value& value, std::uint8_t size, bool weak) {
  Value v = value;
  if (alone_ && address.is_const() && v.is_const() && size == word_ && address.off >= image_low_ && address.off < image_high_ && code_target(v.off))
    kept_functions_[address.off].insert(machine_.mode_switch ? v.off & ~std::uint64_t{1} : v.off);
  if (address.kind == Value::Kind::choice) {
    for (const auto& p : std::vector<Value>(tables_.parts(address.id))) store(s, p, v, size, true);
    return;
  }
  const auto p = place_of(address);
  if (!p) return;
  if (p->base != 0 && v.is_const() && tables_.symbol(p->base - 1).path.starts_with("@")) {
    // Bytes stored at buf + strlen(buf), the length not being known: an append, as compilers make of strcat.
    const std::uint64_t start = std::strtoull(tables_.symbol(p->base - 1).path.c_str() + 1, nullptr, 16);
    if (p->at >= start && p->at - start < 256) {
      std::string more;
      for (unsigned i = 0; i < size; ++i) {
        const auto c = static_cast<char>(v.off >> (big_ ? size - 1 - i : i) * 8);
        if (c == 0) break;
        more += c;
      }
      if (!more.empty()) {
        auto texts = texts_at(s, constant(start, word_));
        for (auto& t : texts) t.text += more;
        write_texts(s, constant(start, word_), std::move(texts));
      }
      return;
    }
  }
  if (v.kind == Value::Kind::text) v = {0, 0, v.taint, Value::Kind::symbol, size};
  if (weak) v = join(load_at(s, *p, size), v, 0, false, p->at);
  if (building_ && v.is_const() && v.off != next_insn_ && (p->base == 0 || virtual_tables_.contains(v.off))) note_code_pointer(*building_, v);
  if (p->base == 0 && !is_stack(p->at) && !is_heap(p->at) && !elf_.segment_of(p->at)) return;
  s.store_value(*p, v, size, big_);
}

std::string Engine::origin_of(const Value& v) const {
  switch (v.kind) {
    case Value::Kind::constant: {
      return v.off == 0 ? "null" : fmt::format("global:{:x}", v.off);
    }
    case Value::Kind::symbol: return tables_.symbol(v.id).kind == Symbol::Kind::import ? "unknown" : tables_.symbol(v.id).origin;
    case Value::Kind::choice: return origin_of(tables_.parts(v.id).front());
    case Value::Kind::text: return "unknown";
  }
  return "unknown";
}

std::string Engine::buffer_id(const Value& v) const {
  if (v.is_const()) {
    if (is_stack(v.off)) return fmt::format("stack:{:x}", v.off);
    if (is_heap(v.off)) return fmt::format("heap:{:x}", v.off);
    return fmt::format("global:{:x}", v.off);
  }
  if (v.kind == Value::Kind::symbol && v.id != 0) return fmt::format("{}+{:x}", origin_of(v), v.off);
  return {};
}

namespace {

void append(Text& t, const Text& more, Tables& tables) {
  t.text += more.text;
  t.whole &= more.whole;
  t.taint = tables.taint_union(t.taint, more.taint);
}

}  // namespace

Text Engine::read_text(State& s, Place p, std::size_t limit, std::vector<Text>& others) {
  Text out;
  for (std::size_t n = 0; n < limit; ++n, ++p.at) {
    const Page* page = s.find(p);
    const auto bit = std::uint64_t{1} << (p.at & 63);
    if (page && (page->known & bit) != 0) {
      if (page->bytes[p.at & 63] == 0) return out;
      out.text += static_cast<char>(page->bytes[p.at & 63]);
      continue;
    }
    if (page && (page->symbolic & bit) != 0) {
      for (const auto& c : page->cells) {
        if (p.at % 64 < c.pos || p.at % 64 >= static_cast<unsigned>(c.pos) + c.size) continue;
        if (c.value.kind == Value::Kind::text) {
          const auto texts = tables_.texts(c.value.id);
          const Text prefix = out;
          for (std::size_t k = 0; k < texts.size(); ++k) {
            Text t = prefix;
            append(t, texts[k], tables_);
            t.taint = tables_.taint_union(t.taint, c.value.taint);
            if (k == 0) out = t;
            else others.push_back(t);
          }
          return out;
        }
        out.taint = tables_.taint_union(out.taint, c.value.taint);
        const std::string part = "${" + origin_of(c.value) + "}";
        if (!out.text.ends_with(part)) out.text += part;
        out.whole = false;
        break;
      }
      if (out.text.size() > limit) return out;
      continue;
    }
    if (p.base == 0) {
      const auto b = elf_.view(p.at, 1);
      if (!b.empty()) {
        if (b[0] == 0) {
          const auto* segment = elf_.segment_of(p.at);
          if (out.text.empty() && n == 0 && segment && segment->writable && !page) break;  // filled by something unseen
          return out;
        }
        out.text += static_cast<char>(b[0]);
        continue;
      }
      if (n > 0 && (elf_.segment_of(p.at) || is_stack(p.at) || is_heap(p.at)) && out.whole) return out;
    }
    break;
  }
  if (p.base == 0 && out.text.empty() && elf_.segment_of(p.at)) {
    out.text = fmt::format("${{global:{:x}}}", p.at);
    out.whole = false;
  } else if (out.text.empty() || out.whole) {
    out.text += p.base == 0 ? "${unknown}" : "${" + (tables_.symbol(p.base - 1).kind == Symbol::Kind::import ? "unknown" : tables_.symbol(p.base - 1).origin) + "}";
    out.whole = false;
  }
  return out;
}

std::vector<Text> Engine::texts_at(State& s, const Value& pointer, std::size_t limit) {
  std::vector<Text> out;
  if (pointer.kind == Value::Kind::choice) {
    for (const auto& p : std::vector<Value>(tables_.parts(pointer.id))) {
      for (auto& t : texts_at(s, p, limit)) out.push_back(std::move(t));
      if (out.size() >= (alone_ ? 256u : 8u)) break;
    }
  } else if (pointer.is_const() && pointer.off < 0x40) {
    const auto& marks = tables_.sites(pointer.taint);
    out.push_back({marks.empty() || marks.back() != global_mark ? "${null}" : "${unknown}", false, 0});
  } else if (const auto p = place_of(pointer); p && (p->base == 0 || defined(s, *p))) {
    std::vector<Text> others;
    out.push_back(read_text(s, *p, limit, others));
    for (auto& t : others) out.push_back(std::move(t));
  } else {
    out.push_back({"${" + origin_of(pointer) + "}", false, 0});
  }
  const auto taint = tables_.without_global(pointer.taint);
  for (auto& t : out) t.taint = tables_.taint_union(t.taint, taint);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (const std::size_t most = alone_ ? 256 : 8; out.size() > most) out.resize(most);
  return out;
}

void Engine::write_texts(State& s, const Value& pointer, std::vector<Text> texts) {
  if (pointer.kind == Value::Kind::choice) {
    for (const auto& p : std::vector<Value>(tables_.parts(pointer.id))) write_texts(s, p, texts);
    return;
  }
  auto p = place_of(pointer);
  if (!p || texts.empty()) return;
  if (p->base != 0) {  // buf + strlen(buf) where the length is not known: an append
    const auto& symbol = tables_.symbol(p->base - 1);
    std::uint64_t measured = 0;
    if (symbol.path.size() > 1 && symbol.path[0] == '@') std::from_chars(symbol.path.data() + 1, symbol.path.data() + symbol.path.size(), measured, 16);
    // The text measured is the one that stands there, or a copy of it.
    if (measured != 0 && (measured == p->at || texts_at(s, constant(measured, word_)) == texts_at(s, constant(p->at, word_)))) {
      auto before = texts_at(s, constant(p->at, word_));
      std::vector<Text> all;
      for (const auto& b : before)
        for (const auto& t : texts) {
          Text sum = b;
          append(sum, t, tables_);
          all.push_back(std::move(sum));
        }
      write_texts(s, constant(p->at, word_), std::move(all));
      return;
    }
  }
  if (p->base == 0 && !is_stack(p->at) && !is_heap(p->at) && !elf_.segment_of(p->at)) return;
  for (auto& t : texts)
    if (t.text.size() > 4096) t.text.resize(4096);
  if (texts.size() == 1 && texts[0].whole && texts[0].taint == 0) {
    auto bytes = texts[0].text;
    bytes += '\0';
    const auto view = base::as_bytes(bytes);
    s.store_bytes(*p, view.data(), view.size());
    return;
  }
  std::uint16_t taint = 0;
  for (const auto& t : texts) taint = tables_.taint_union(taint, t.taint);
  s.store_text(*p, tables_.text(std::move(texts)), taint);
}

}  // namespace flow
