// The first byte picks a machine and how the program was linked, the rest are its code and its data: the engine ends within its budget and
// names only addresses that the program has.
#include <cstdlib>

#include "flow/flow.h"

namespace {
struct Choice {
  elf::Machine machine;
  base::ByteOrder order;
  std::uint8_t bits;
  bool thumb;
};
constexpr Choice choices[] = {
    {elf::Machine::arm, base::ByteOrder::little, 32, false},  {elf::Machine::arm, base::ByteOrder::little, 32, true},
    {elf::Machine::mips, base::ByteOrder::little, 32, false}, {elf::Machine::mips, base::ByteOrder::big, 32, false},
    {elf::Machine::aarch64, base::ByteOrder::little, 64, false}, {elf::Machine::x86, base::ByteOrder::little, 32, false},
    {elf::Machine::x86_64, base::ByteOrder::little, 64, false},  {elf::Machine::ppc, base::ByteOrder::big, 32, false},
};
constexpr std::uint64_t code_at = 0x10000, data_at = 0x40000;
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 9 || size > 0x8000) return 0;
  const auto& choice = choices[data[0] & 7];
  const bool stands_alone = (data[0] & 8) != 0, moves = (data[0] & 16) != 0;
  elf::Binary binary;
  binary.machine = choice.machine, binary.order = choice.order, binary.bits = choice.bits;
  binary.file = base::ByteView(data + 1, size - 1);
  binary.segments.push_back({code_at, size - 1, 0, size - 1, true, false, true});
  binary.segments.push_back({data_at, size + 0x100, 0, size - 1, true, true, false});
  binary.type = moves ? 3 : 2;
  binary.entry = code_at | (choice.thumb ? 1 : 0);
  binary.thumb_entry = choice.thumb;
  binary.is_stripped = true;
  binary.is_static = stands_alone;
  if (!stands_alone) {
    binary.interpreter = "/lib/ld.so";
    elf::Import import;
    import.name = "system", import.slot = data_at + size + 0x20, import.stub = code_at + ((size - 1) & ~std::size_t{7}) - 8, import.function = true;
    binary.imports.push_back(std::move(import));
  }
  flow::Budget budget;
  budget.alone = flow::Budget::Alone::every;
  budget.steps = 100'000;
  const auto program = flow::analyse(binary, binary.file, budget);
  if (!program) std::abort();
  for (const auto& f : program->functions)
    if (!binary.is_code(f.address)) std::abort();
  for (const auto& c : program->calls)
    if (!binary.is_code(c.site)) std::abort();
  return 0;
}
