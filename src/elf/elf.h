// An ELF file in, what a loader and a linker know about it out: segments, imports, symbols, relocations, GOT and PLT.
// Program headers and PT_DYNAMIC come first, since firmware often has no section headers; sections only add to that.
// Sources: System V gABI (chapters 4 and 5) and the processor supplements for ARM, AArch64, MIPS, i386, amd64,
// PowerPC and RISC-V; DWARF 2 to 5 for names.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace elf {

enum class Machine : std::uint8_t { other, arm, aarch64, mips, x86, x86_64, ppc, ppc64, riscv };

std::string_view name(Machine machine);

struct Segment {
  std::uint64_t address = 0, memory_size = 0;  // bytes in memory; past file_size they are zero
  std::uint64_t offset = 0, file_size = 0;     // bytes in the file; always inside it
  bool readable = false, writable = false, executable = false;
};

struct Section {
  std::string name;
  std::uint32_t type = 0;
  std::uint64_t address = 0, offset = 0, size = 0;
  bool executable = false;
};

struct Symbol {
  std::string name;          // without a version suffix
  std::uint64_t address = 0;  // bit 0 clear on ARM; see thumb
  std::uint64_t size = 0;
  enum class Kind : std::uint8_t { other, function, object, thread_local_object, file } kind = Kind::other;
  bool defined = false, global = false, weak = false, dynamic = false;
  bool thumb = false;         // ARM: the function's code is Thumb
};

// ARM mapping symbols ($a, $t, $d): what starts at `address` in the same section.
struct Mapping {
  std::uint64_t address = 0;
  char kind = 'a';  // 'a', 't' or 'd'
};

struct Relocation {
  std::uint64_t address = 0;
  std::uint32_t type = 0;
  std::int64_t addend = 0;    // 0 when the addend stands in the word itself (see implicit)
  std::string symbol;         // empty: relative
  std::uint64_t value = 0;    // the symbol's address when it is defined here
  bool implicit = false, relative = false, function = false;  // function: the symbol is a function
};

struct Import {
  std::string name;
  std::uint64_t slot = 0;     // the GOT word that holds its address; 0 when none is known
  std::uint64_t stub = 0;     // its PLT or MIPS stub, when found; 0 otherwise
  std::vector<std::uint64_t> more_stubs;  // PowerPC: those of further objects
  bool function = false, weak = false;
};

struct Text {
  std::uint64_t address = 0;
  std::string_view text;      // a view into the file
};

struct Binary {
  Machine machine = Machine::other;
  base::ByteOrder order = base::ByteOrder::little;
  std::uint8_t bits = 32;
  std::uint16_t e_machine = 0, type = 0;  // gABI values; type 2 EXEC, 3 DYN, 1 REL (kernel modules)
  std::uint32_t flags = 0;
  std::uint64_t entry = 0;
  bool is_static = false;    // no PT_INTERP and nothing NEEDED
  bool is_stripped = false;  // no .symtab
  bool thumb_entry = false;
  std::string interpreter, soname;

  std::vector<Segment> segments;      // PT_LOAD only, by address; for REL, one pseudo segment per section
  std::vector<Section> sections;      // may be empty
  std::vector<Symbol> symbols;        // both tables, by address then name
  std::vector<Mapping> mappings;      // by address
  std::vector<Relocation> relocations;
  std::vector<Import> imports;        // by name
  std::vector<std::string> needed;
  std::vector<std::uint64_t> init_functions, fini_functions;  // DT_INIT, arrays; relocated; ARM bit 0 kept
  std::uint64_t got = 0;              // DT_PLTGOT
  std::uint64_t got_end = 0;          // of MIPS, where nothing but the loader writes; 0 where it is not known
  std::uint64_t mips_gp = 0;          // DT_PLTGOT + 0x7FF0, or what .reginfo says
  std::uint64_t exidx = 0, exidx_size = 0;        // PT_ARM_EXIDX
  std::uint64_t eh_frame_hdr = 0, eh_frame_hdr_size = 0;
  std::vector<std::string> compile_units;         // DWARF names, sorted
  base::Doubts doubts;

  base::ByteView file;                // what was read; must outlive the Binary

  std::optional<std::uint64_t> file_offset(std::uint64_t address) const;
  // `length` bytes of memory at `address`; empty when they do not all lie in file-backed parts of one segment.
  base::ByteView view(std::uint64_t address, std::uint64_t length) const;
  // From `address` to the end of its segment's file-backed part.
  base::ByteView from(std::uint64_t address) const;
  const Segment* segment_of(std::uint64_t address) const;  // memory range, zero tail included
  bool is_code(std::uint64_t address) const;               // in an executable segment (and section, if known), file-backed
  std::optional<std::uint64_t> word(std::uint64_t address) const;  // a pointer-sized word; zero tail reads as 0
  // The NUL-terminated text at `address`, at most `limit` bytes; nothing when unterminated within it.
  std::optional<std::string_view> c_string(std::uint64_t address, std::size_t limit = 4096) const;
  // Printable NUL-terminated runs (0x20..0x7E, tab, LF, CR) of at least `min_len` in file-backed memory, by address.
  std::vector<Text> strings(std::size_t min_len = 4) const;
  const Symbol* function_at(std::uint64_t address) const;  // the best-named function symbol starting there
  bool has_import(std::string_view name) const;
};

// PowerPC, position-independent: the stub at `address` (lwz r11, off(r30); mtctr r11; bctr, or with addis r11, r30, ha before) jumps to
// what the slot at r30 + the result holds, r30 being its caller's. Nothing when there is no such stub.
std::optional<std::uint32_t> ppc_pic_stub(const Binary& b, std::uint64_t address);

// True when the bytes begin like an ELF file.
bool is_elf(base::ByteView file);

// Errors: damaged (headers lie outside the file), unsupported (not ELF32/64 executable, shared object or relocatable).
// A segment that reaches past the end is cut there and noted: doubts elf-truncated, elf-no-segments,
// elf-bad-dynamic, elf-bad-symbols, elf-bad-sections, elf-bad-dwarf.
base::Result<Binary> read(base::ByteView file);
// By the address of each function that debug information describes: the names of its parameters and variables, and of the members of
// the structures that these are or point to, sorted. Empty without debug information; read when asked for, not by read().
std::map<std::uint64_t, std::vector<std::string>> names_in_functions(const Binary& b);

// The header alone: machine, byte order, type, flags, entry. 64 bytes of the file are enough. Errors: as read.
base::Result<Binary> read_header(base::ByteView file);

}  // namespace elf
