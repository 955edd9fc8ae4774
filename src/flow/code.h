// P-code with its registers resolved to slots, and the functions and blocks that it forms.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "sleigh/sleigh.h"

namespace flow {

// Like sleigh::PcodeOp, but a register or temporary is a slot of 8 bytes and a shift inside it, in bytes from the least
// significant one. A wider one continues in the slots that follow.
enum class Where : std::uint8_t { none, constant, reg, temp, ram };
struct MicroOp {
  sleigh::Op op{};
  std::uint8_t inputs = 0;
  bool whole = false;  // the output is all of its register, or a temporary: nothing of the old value stays
  Where where[3] = {};
  std::uint8_t size[3] = {};
  std::uint8_t shift[3] = {};
  std::uint64_t at[3] = {};
};

struct Insn {
  std::uint64_t address = 0;
  std::uint32_t first_op = 0;
  std::uint16_t ops = 0;
  std::uint8_t length = 0;  // with a delay slot; 0: no instruction here
  std::uint8_t own = 0;     // without
  bool control = false;     // holds a branch, call or return
  bool falls = true;        // control can reach the next instruction
};

struct Block {
  std::uint64_t start = 0, end = 0;
  std::vector<std::uint32_t> insns;       // into CodeStore::insns
  std::vector<std::uint32_t> next;        // blocks of the same function
};

struct Body {  // a function's code
  std::uint64_t entry = 0, end = 0;
  bool thumb = false;
  std::vector<Block> blocks;              // in reverse post-order; the entry is first
  std::unordered_map<std::uint64_t, std::uint32_t> block_at;  // start -> index
  std::vector<std::uint64_t> calls;       // direct and resolved targets inside the program, sorted
  std::vector<std::string> imports;       // called by name, sorted
  std::vector<std::uint64_t> code_pointers;  // entries whose address it takes, sorted
  bool returns = true, building = false;
  bool unsure = false;                    // read while a function that it calls was itself being read: a circle of calls
  bool raw_syscall = false;
  std::uint64_t falls_into = 0;           // the function that its end runs into; 0: none
  bool names_texts = false;               // hands over texts of its own
  bool names_shell = false, names_option = false;  // hands over "/bin/sh", "-c"
  std::uint32_t insn_count = 0;
};

class CodeStore {
 public:
  CodeStore(sleigh::Translator& translator, const sleigh::Machine& machine);
  // The instruction at `address`, lifted once; its index, or UINT32_MAX when there is none.
  std::uint32_t insn_at(std::uint64_t address, bool thumb);
  // Whether an instruction there has been read before.
  bool has_read(std::uint64_t address, bool thumb) const {
    const auto known = by_address_.find(address << 1 | (thumb ? 1 : 0));
    return known != by_address_.end() && known->second != UINT32_MAX;
  }
  const Insn& insn(std::uint32_t i) const { return insns_[i]; }
  const MicroOp* ops(const Insn& i) const { return ops_.data() + i.first_op; }
  std::size_t slots() const { return next_slot_; }
  // Slot and size of a named register; size 0 when the machine has none of that name.
  struct Reg {
    std::uint32_t slot = 0;
    std::uint8_t size = 0;
  };
  Reg reg(std::string_view name);
  std::uint64_t lifted() const { return insns_.size(); }
  static constexpr std::uint32_t temp_slots = 1024;

 private:
  bool resolve_reg(std::uint64_t offset, unsigned size, std::uint64_t& slot, std::uint8_t& shift);  // true: all of it
  sleigh::Translator& translator_;
  bool big_;
  struct Group {
    std::uint64_t start, end;
    std::uint32_t slot = UINT32_MAX;
  };
  std::vector<Group> groups_;
  std::unordered_map<std::uint64_t, std::uint32_t> group_of_;
  std::uint32_t next_slot_ = 0;
  std::vector<Insn> insns_;
  std::vector<MicroOp> ops_;
  std::vector<sleigh::PcodeOp> scratch_;
  std::unordered_map<std::uint64_t, std::uint32_t> by_address_;
};

}  // namespace flow
