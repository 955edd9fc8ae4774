// Code bytes in, p-code out: one machine instruction becomes a few simple operations on registers and memory.
// The only folder that includes SLEIGH (Ghidra's translator; the operations are described in its P-Code Reference Manual).
// A Translator belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "elf/elf.h"

namespace sleigh {

enum class Space : std::uint8_t { none, constant, reg, unique, ram };

// Numbers as in SLEIGH's opcodes.hh, so that a dump can be compared with other tools.
enum class Op : std::uint8_t {
#define PCODE(name, number) name = number,
#include "sleigh/ops.def"
#undef PCODE
};
std::string_view name(Op op);

struct Varnode {
  Space space = Space::none;
  std::uint8_t size = 0;     // bytes
  std::uint64_t offset = 0;  // value for a constant, address in its space otherwise
  bool operator==(const Varnode&) const = default;
};

// Index 0 is the output (Space::none when there is none), 1 and 2 the inputs. The space operand of LOAD and STORE is left
// out: LOAD reads memory at in 1, STORE writes in 2 to memory at in 1. BRANCH, CBRANCH, CALL: in 1 is the target, a ram
// address, or a constant: a distance in operations inside the instruction. CBRANCH: in 2 is the condition.
// CALLOTHER: in 1 is the number of the user operation, in 2 its first argument.
struct PcodeOp {
  Op op{};
  std::uint8_t inputs = 0;
  Space space[3] = {};
  std::uint8_t size[3] = {};
  std::uint64_t at[3] = {};
  Varnode part(int i) const { return {space[i], size[i], at[i]}; }
};

// Which specification reads a binary, and how its programs pass values. Data for machines; see machines.cc.
struct Machine {
  std::string_view table;               // the .sla file without its ending
  bool mode_switch = false;             // bit 0 of a code address selects Thumb
  bool delay_slots = false;
  std::uint8_t word = 4;                // bytes of a pointer
  base::ByteOrder order = base::ByteOrder::little;
  std::uint8_t alignment = 4;           // of instructions
  std::vector<std::string_view> arguments;  // registers, in order
  std::string_view result, stack, link, global;  // link empty: the return address is pushed
  std::uint8_t stack_arguments = 0;     // offset from the stack pointer at entry to the first argument on the stack
  std::string_view syscall_number;
  std::vector<std::string_view> syscall_arguments;
  std::vector<std::string_view> syscall_ops;      // user operations that enter the kernel
  std::vector<std::string_view> preserved;        // registers that a call keeps
};

// The machine for a binary, or nothing when we have no table for it.
std::optional<Machine> machine_for(const elf::Binary& binary);

class Translator {
 public:
  // Opens the table of `machine`. Errors: unreadable (the .sla file is not where tables_directory() says), internal.
  static base::Result<std::unique_ptr<Translator>> open(const Machine& machine, const elf::Binary& binary);
  ~Translator();

  // Appends the operations of the instruction at `address`; its length in bytes with any delay slot, or 0 when the bytes
  // are no instruction or lie outside the binary's memory.
  std::uint32_t lift(std::uint64_t address, bool thumb, std::vector<PcodeOp>& out);
  // Length of the instruction alone, without a delay slot, after a successful lift.
  std::uint32_t last_length() const;

  Varnode reg(std::string_view name) const;                // Space::none when there is no such register
  std::string register_name(const Varnode& varnode) const;  // empty when it is none
  std::vector<Varnode> registers() const;                  // all of them, overlapping ones too
  bool big_endian() const;                                 // of the register space
  std::string_view user_op(std::uint64_t number) const;
  std::string disassemble(std::uint64_t address, bool thumb);

  struct Parts;  // of sleigh.cc

 private:
  explicit Translator(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// Reads the table of `machine` ahead of time. A process that may not open files (a worker) inherits what its parent prepared;
// Translator::open uses it. Errors: as Translator::open.
base::Result<void> prepare(const Machine& machine);

// Where the .sla files are: $BIOPSY_SLEIGH if set, ../share/biopsy/sleigh or share/biopsy/sleigh above or beside the executable.
std::string tables_directory();

}  // namespace sleigh
