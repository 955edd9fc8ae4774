// The first byte picks a machine, the rest are its code: every answer is inside the input or a refusal.
#include <cstdlib>

#include "sleigh/sleigh.h"

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
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto& choice = choices[data[0] % std::size(choices)];
  elf::Binary binary;
  binary.machine = choice.machine, binary.order = choice.order, binary.bits = choice.bits;
  binary.file = base::ByteView(data + 1, size - 1);
  binary.segments.push_back({0x10000, size - 1, 0, size - 1, true, false, true});
  const auto machine = sleigh::machine_for(binary);
  auto translator = sleigh::Translator::open(*machine, binary);
  if (!translator) std::abort();
  std::vector<sleigh::PcodeOp> ops;
  for (std::uint64_t at = 0x10000; at < 0x10000 + size - 1 && ops.size() < 100000;) {
    const auto length = (*translator)->lift(at, choice.thumb, ops);
    if (length > 32) std::abort();
    at += length == 0 ? machine->alignment : (*translator)->last_length();
  }
  return 0;
}
