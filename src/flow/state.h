// What is known at one point of a run: registers and memory, copied cheaply where paths part and joined where they meet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flow/values.h"

namespace flow {

// A symbolic value in memory: `size` bytes from `pos` in its page; a text cell has size 1 and ends its string.
struct Cell {
  std::uint8_t pos = 0, size = 0;
  Value value;
};

struct Page {
  std::uint64_t known = 0;     // bit i: byte i is bytes[i]
  std::uint64_t symbolic = 0;  // bit i: byte i belongs to a cell
  std::uint8_t bytes[64] = {};
  std::vector<Cell> cells;
  std::uint32_t refs = 0;
};

class PageStore {
 public:
  std::uint32_t add(Page page);
  Page& operator[](std::uint32_t i) { return pages_[i]; }
  const Page& operator[](std::uint32_t i) const { return pages_[i]; }
  void hold(std::uint32_t i) { ++pages_[i].refs; }
  void release(std::uint32_t i);
  std::size_t live() const { return pages_.size() - free_.size(); }

 private:
  std::vector<Page> pages_;
  std::vector<std::uint32_t> free_;
};

// Where memory is: base 0 is the program's address space, base n+1 what symbol n points at.
struct Place {
  std::uint32_t base = 0;
  std::uint64_t at = 0;
};

class State {
 public:
  explicit State(PageStore& store) : store_(&store) {}
  State(const State& other);
  State(State&& other) noexcept;
  State& operator=(const State& other);
  State& operator=(State&& other) noexcept;
  ~State();

  std::vector<Value> regs;              // by slot
  std::vector<std::uint64_t> tested;    // site << 32 | branch and direction; sorted: decided on every path here
  std::vector<std::uint32_t> passed;    // call sites on every path here, sorted
  std::uint64_t heap = 0;               // next free address
  bool from_start = false;              // memory is as the loader left it, plus what is stored here

  struct Ref {
    std::uint32_t base;
    std::uint32_t page;  // in the store
    std::uint64_t number;
  };
  const Page* find(Place p) const;
  Page& writable(Place p);
  void store_bytes(Place p, const std::uint8_t* bytes, std::size_t size);
  void store_value(Place p, const Value& v, std::uint8_t size, bool big);
  // A text cell at `p`; the string ends with it.
  void store_text(Place p, std::uint32_t text_id, std::uint16_t taint);
  void forget(Place p, std::size_t size);
  const std::vector<Ref>& refs() const { return refs_; }
  std::vector<Ref>& refs() { return refs_; }
  PageStore& store() { return *store_; }
  const PageStore& store() const { return *store_; }

 private:
  std::size_t index_of(std::uint32_t base, std::uint64_t number, bool& found) const;
  void drop_cells(Page& page, unsigned from, unsigned size);
  PageStore* store_;
  std::vector<Ref> refs_;  // by base, then number
};

}  // namespace flow
