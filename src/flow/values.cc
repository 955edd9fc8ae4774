// The tables behind Value: every set is kept once, in order of first use, so that ids repeat from run to run.
#include "flow/values.h"

#include <algorithm>

namespace flow {

Tables::Tables() {
  taints_.emplace_back();
  taint_ids_[{}] = 0;
  symbols_.push_back({Symbol::Kind::unknown, "unknown", "", 0, UINT32_MAX, UINT32_MAX});
  choices_.emplace_back();
  texts_.emplace_back();
}

std::uint32_t Tables::add_symbol(Symbol s) {
  symbols_.push_back(std::move(s));
  return static_cast<std::uint32_t>(symbols_.size() - 1);
}

Value Tables::derived(std::uint32_t key_op, const Value& a, const Value& b, Symbol::Kind kind, std::uint8_t size) {
  // What is only tested needs no identity, and an expression on an expression on an expression is just unknown.
  if (kind == Symbol::Kind::boolean || symbols_.size() > 300'000) return {0, 0, taint_union(a.taint, b.taint), Value::Kind::symbol, size};
  for (const auto* v : {&a, &b})
    if (v->kind == Value::Kind::symbol && (v->id == 0 || symbols_[v->id].depth >= deepest))
      return {0, 0, taint_union(a.taint, b.taint), Value::Kind::symbol, size};
  const auto code = [](const Value& v) { return v.id << 2 | static_cast<std::uint32_t>(v.kind); };
  const Key key{a.off, b.off, key_op << 8 | size, code(a), code(b)};
  auto it = derived_.find(key);
  if (it == derived_.end()) {
    Symbol s;
    s.kind = kind;
    s.origin = "unknown";
    for (const auto* v : {&a, &b})
      if (v->kind == Value::Kind::symbol) {
        const auto& from = symbols_[v->id];
        s.origin = from.origin, s.site = from.site, s.parent = v->id, s.depth = static_cast<std::uint8_t>(from.depth + 1);
        if (from.kind == Symbol::Kind::import) s.origin = "unknown";
        break;
      }
    it = derived_.emplace(key, add_symbol(std::move(s))).first;
  }
  return {0, it->second, taint_union(a.taint, b.taint), Value::Kind::symbol, size};
}

Value Tables::memory_symbol(std::uint32_t base, std::uint64_t off, std::uint8_t size, std::uint16_t taint) {
  Value a, b;
  a.kind = Value::Kind::symbol, a.id = base, b.off = off;
  Value v = derived(0x10000, a, b, Symbol::Kind::memory, size);
  if (v.id == 0) {
    v.taint = taint;
    return v;
  }
  auto& s = symbols_[v.id];
  const auto& parent = symbols_[base];
  if (parent.origin == "argv") s.origin = "argv[" + std::to_string(off / size) + "]";
  v.taint = taint;
  return v;
}

Value Tables::keyed(const std::string& key, Symbol s, std::uint8_t size) {
  auto it = keyed_.find(key);
  if (it == keyed_.end()) it = keyed_.emplace(key, add_symbol(std::move(s))).first;
  return {0, it->second, 0, Value::Kind::symbol, size};
}

Value Tables::choice(std::vector<Value> parts, std::uint8_t size, std::size_t limit) {
  std::vector<Value> flat;
  std::uint16_t taint = 0;
  for (const auto& p : parts) {
    taint = taint_union(taint, p.taint);
    if (p.kind == Value::Kind::choice) flat.insert(flat.end(), choices_[p.id].begin(), choices_[p.id].end());
    else flat.push_back(p);
  }
  std::sort(flat.begin(), flat.end(), [](const Value& x, const Value& y) {
    return std::tie(x.kind, x.id, x.off) < std::tie(y.kind, y.id, y.off);
  });
  flat.erase(std::unique(flat.begin(), flat.end(), [](const Value& x, const Value& y) { return x.same(y); }), flat.end());
  if (flat.size() == 1) {
    flat[0].taint = taint, flat[0].size = size;
    return flat[0];
  }
  if (flat.size() > limit || flat.empty()) return {0, 0, taint, Value::Kind::symbol, size};
  choices_.push_back(std::move(flat));
  return {0, static_cast<std::uint32_t>(choices_.size() - 1), taint, Value::Kind::choice, size};
}

std::uint32_t Tables::text(std::vector<Text> alternatives) {
  std::sort(alternatives.begin(), alternatives.end());
  alternatives.erase(std::unique(alternatives.begin(), alternatives.end()), alternatives.end());
  if (alternatives.size() > 8) alternatives.resize(8);
  texts_.push_back(std::move(alternatives));
  return static_cast<std::uint32_t>(texts_.size() - 1);
}

std::uint16_t Tables::taint_set(std::vector<std::uint32_t> sites) {
  constexpr std::size_t most = 128;
  if (sites.size() > most) sites.erase(sites.begin(), sites.end() - most);  // the latest say most of a value
  const auto it = taint_ids_.find(sites);
  if (it != taint_ids_.end()) return it->second;
  if (taints_.size() >= 65535) return 0;
  const auto id = static_cast<std::uint16_t>(taints_.size());
  taint_ids_.emplace(sites, id);
  taints_.push_back(std::move(sites));
  return id;
}

std::uint16_t Tables::taint_of(std::uint32_t site) { return taint_set({site}); }

std::uint16_t Tables::without_global(std::uint16_t taint) {
  if (taints_[taint].empty() || taints_[taint].back() != global_mark) return taint;
  auto sites = taints_[taint];
  sites.pop_back();
  return taint_set(std::move(sites));
}

std::uint16_t Tables::taint_union(std::uint16_t a, std::uint16_t b) {
  if (a == b || b == 0) return a;
  if (a == 0) return b;
  if (a > b) std::swap(a, b);
  const std::uint32_t key = static_cast<std::uint32_t>(a) << 16 | b;
  const auto it = unions_.find(key);
  if (it != unions_.end()) return it->second;
  std::vector<std::uint32_t> all;
  std::set_union(taints_[a].begin(), taints_[a].end(), taints_[b].begin(), taints_[b].end(), std::back_inserter(all));
  const auto id = taint_set(std::move(all));
  unions_.emplace(key, id);
  return id;
}

}  // namespace flow
