// What a register or a piece of memory may hold, and the tables that the ids in it point to.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace flow {

// A value of up to 8 bytes: a constant, an unknown plus a distance, or one of a few alternatives.
struct Value {
  enum class Kind : std::uint8_t { constant, symbol, choice, text };
  std::uint64_t off = 0;    // the constant, or the distance from the symbol
  std::uint32_t id = 0;     // symbol, choice or text
  std::uint16_t taint = 0;  // which call sites it depends on (Tables::taints)
  Kind kind = Kind::constant;
  std::uint8_t size = 8;    // bytes that were written
  bool is_const() const { return kind == Kind::constant; }
  bool same(const Value& o) const { return kind == o.kind && off == o.off && id == o.id; }
};

inline Value constant(std::uint64_t v, std::uint8_t size = 8, std::uint16_t taint = 0) {
  return {v, 0, taint, Value::Kind::constant, size};
}

inline std::uint64_t mask_of(unsigned size) { return size >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << size * 8) - 1; }

// An unknown: where it comes from.
struct Symbol {
  enum class Kind : std::uint8_t { unknown, param, result, import, index, memory, boolean, stack };
  Kind kind = Kind::unknown;
  std::string origin{};          // as documented in flow.h, or an import's name
  std::string path{};            // of a descriptor: what was opened
  std::uint64_t stride = 0;      // of an index: what it is multiplied by; 0 not known
  std::uint32_t site = UINT32_MAX;  // call site that made it
  std::uint32_t parent = UINT32_MAX;
  std::uint8_t depth = 0;        // how many operations lie between it and where it came from
  std::uint64_t bound = 0;       // it was asked whether it is less; 0 not known
  // Of a value loaded from a table at an unknown index: scale * entry, entries of table_size bytes from table_base on.
  std::uint64_t table_base = 0, table_scale = 1;
  std::uint8_t table_size = 0;
  bool table_signed = false;
};

// A text as far as it is known; unknown parts stand as ${origin}.
struct Text {
  std::string text;
  bool whole = true;
  std::uint16_t taint = 0;
  auto operator<=>(const Text&) const = default;
};

class Tables {
 public:
  std::uint8_t deepest = 5;  // an expression of more operations than this is just unknown
  Tables();
  std::uint32_t add_symbol(Symbol s);
  // One symbol per key, so that equal expressions are equal values.
  Value derived(std::uint32_t key_op, const Value& a, const Value& b, Symbol::Kind kind, std::uint8_t size);
  Value memory_symbol(std::uint32_t base, std::uint64_t off, std::uint8_t size, std::uint16_t taint);
  Value keyed(const std::string& key, Symbol s, std::uint8_t size = 8);
  Value choice(std::vector<Value> parts, std::uint8_t size, std::size_t limit = 64);  // a constant or symbol when one is left
  std::uint32_t text(std::vector<Text> alternatives);

  std::uint16_t taint_of(std::uint32_t site);
  std::uint16_t taint_union(std::uint16_t a, std::uint16_t b);
  std::uint16_t without_global(std::uint16_t taint);
  std::uint16_t taint_set(std::vector<std::uint32_t> sites);

  const Symbol& symbol(std::uint32_t id) const { return symbols_[id]; }
  Symbol& symbol(std::uint32_t id) { return symbols_[id]; }
  const std::vector<Value>& parts(std::uint32_t id) const { return choices_[id]; }
  const std::vector<Text>& texts(std::uint32_t id) const { return texts_[id]; }
  const std::vector<std::uint32_t>& sites(std::uint16_t taint) const { return taints_[taint]; }
  std::size_t symbol_count() const { return symbols_.size(); }

 private:
  std::vector<Symbol> symbols_;
  std::vector<std::vector<Value>> choices_;
  std::vector<std::vector<Text>> texts_;
  std::vector<std::vector<std::uint32_t>> taints_;
  std::map<std::vector<std::uint32_t>, std::uint16_t> taint_ids_;
  std::unordered_map<std::uint32_t, std::uint16_t> unions_;
  std::map<std::string, std::uint32_t> keyed_;
  struct Key {
    std::uint64_t a, b;
    std::uint32_t op, ia, ib;
    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, std::uint32_t> derived_;
};

// In a taint set: a writable global's initial value, which something unseen may have changed.
inline constexpr std::uint32_t global_mark = 0xFFFFFFF0;

}  // namespace flow
