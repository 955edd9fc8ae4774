// Executable bytes in, the PLT stub of every import out: code that loads a GOT slot and jumps to what it holds.
// Found by shape, not by section name, since firmware often has no section headers.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "elf/parts.h"

namespace elf {
namespace {

using Slots = std::unordered_map<std::uint64_t, std::size_t>;  // GOT slot -> import index

void note(Binary& b, const Slots& slots, std::uint64_t slot, std::uint64_t stub) {
  const auto it = slots.find(slot);
  if (it == slots.end()) return;
  auto& import = b.imports[it->second];
  if (import.stub == 0 || import.stub > stub) import.stub = stub;
  import.function = true;
}

std::uint32_t rotated(std::uint32_t word) {  // an ARM data-processing immediate
  const std::uint32_t value = word & 0xFF, turn = (word >> 8 & 15) * 2;
  return turn == 0 ? value : value >> turn | value << (32 - turn);
}

// add ip, pc, #x; add ip, ip, #y ...; ldr pc, [ip, #z]!
void arm(Binary& b, const Slots& slots, base::ByteView code, std::uint64_t address, base::ByteOrder order) {
  for (std::uint64_t at = 0; at + 12 <= code.size(); at += 4) {
    const std::uint32_t first = *base::load<std::uint32_t>(code, at, order);
    if ((first & 0xFFFFF000) != 0xE28FC000) continue;
    std::uint32_t value = static_cast<std::uint32_t>(address + at + 8) + rotated(first);
    std::uint64_t next = at + 4;
    for (int i = 0; i < 3 && next + 4 <= code.size(); ++i, next += 4) {
      const std::uint32_t word = *base::load<std::uint32_t>(code, next, order);
      if ((word & 0xFFFFF000) == 0xE28CC000) value += rotated(word);
      else if ((word & 0xFFFFF000) == 0xE5BCF000) {
        note(b, slots, value + (word & 0xFFF), address + at);
        break;
      } else break;
    }
  }
}

// adrp x16, page; ldr x17, [x16, #x]; add x16, x16, #x; br x17 (possibly after bti c)
void aarch64(Binary& b, const Slots& slots, base::ByteView code, std::uint64_t address) {
  for (std::uint64_t at = 0; at + 8 <= code.size(); at += 4) {
    const std::uint32_t adrp = *base::load_le32(code, at), ldr = *base::load_le32(code, at + 4);
    if ((adrp & 0x9F00001F) != 0x90000010 || (ldr & 0xFFC003FF) != 0xF9400211) continue;
    std::int64_t page = static_cast<std::int64_t>((adrp >> 5 & 0x7FFFF) << 2 | (adrp >> 29 & 3));
    if ((page & 0x100000) != 0) page -= 0x200000;
    const std::uint64_t slot = ((address + at) & ~std::uint64_t{0xFFF}) + (static_cast<std::uint64_t>(page) << 12) +
                               (ldr >> 10 & 0xFFF) * 8;
    const bool bti = at >= 4 && *base::load_le32(code, at - 4) == 0xD503245F;
    note(b, slots, slot, address + at - (bti ? 4 : 0));
  }
}

// x86-64: ff 25 rel32. i386: ff 25 abs32, or ff a3 disp32 from the GOT. Possibly after endbr (f3 0f 1e fa/fb) and bnd (f2).
void x86(Binary& b, const Slots& slots, base::ByteView code, std::uint64_t address) {
  for (std::uint64_t at = 0; at + 6 <= code.size(); ++at) {
    if (code[at] != 0xFF || (code[at + 1] != 0x25 && code[at + 1] != 0xA3)) continue;
    const auto disp = static_cast<std::int32_t>(*base::load_le32(code, at + 2));
    std::uint64_t slot;
    if (b.machine == Machine::x86_64) {
      if (code[at + 1] != 0x25) continue;
      slot = address + at + 6 + static_cast<std::uint64_t>(static_cast<std::int64_t>(disp));
    } else if (code[at + 1] == 0x25) {
      slot = static_cast<std::uint32_t>(disp);
    } else {
      slot = static_cast<std::uint32_t>(b.got + static_cast<std::uint32_t>(disp));
    }
    std::uint64_t start = at;
    if (start >= 1 && code[start - 1] == 0xF2) --start;
    if (start >= 4 && code[start - 4] == 0xF3 && code[start - 3] == 0x0F && code[start - 2] == 0x1E) start -= 4;
    note(b, slots, slot, address + start);
  }
}

// lui t7, hi; lw t9, lo(t7); (addiu t8, t7, lo; jr t9 in either order)
void mips(Binary& b, const Slots& slots, base::ByteView code, std::uint64_t address) {
  for (std::uint64_t at = 0; at + 16 <= code.size(); at += 4) {
    const std::uint32_t lui = *base::load<std::uint32_t>(code, at, b.order);
    const std::uint32_t lw = *base::load<std::uint32_t>(code, at + 4, b.order);
    if ((lui & 0xFFFF0000) != 0x3C0F0000 || (lw & 0xFFFF0000) != 0x8DF90000) continue;
    const std::uint32_t slot = (lui << 16) + static_cast<std::uint32_t>(static_cast<std::int16_t>(lw & 0xFFFF));
    note(b, slots, slot, address + at);
  }
}

// lis r11, ha; lwz r11, lo(r11); mtctr r11; bctr
void ppc(Binary& b, const Slots& slots, base::ByteView code, std::uint64_t address) {
  for (std::uint64_t at = 0; at + 16 <= code.size(); at += 4) {
    const std::uint32_t lis = *base::load<std::uint32_t>(code, at, b.order);
    const std::uint32_t lwz = *base::load<std::uint32_t>(code, at + 4, b.order);
    if ((lis & 0xFFFF0000) != 0x3D600000 || (lwz & 0xFFFF0000) != 0x816B0000) continue;
    const std::uint32_t slot = (lis << 16) + static_cast<std::uint32_t>(static_cast<std::int16_t>(lwz & 0xFFFF));
    note(b, slots, slot, address + at);
  }
}

// The value that position-independent code gives r30 from `at` on: bcl 20,31,.+4; mflr r30; addis r30, r30, ha; addi r30, r30, lo.
std::optional<std::uint32_t> ppc_table_pointer(const Binary& b, base::ByteView code, std::uint64_t address, std::uint64_t at) {
  if (*base::load<std::uint32_t>(code, at, b.order) != 0x429F0005) return std::nullopt;
  auto value = static_cast<std::uint32_t>(address + at + 4);
  bool high = false;
  for (std::uint64_t next = at + 4; next < at + 64; next += 4) {
    const auto word = base::load<std::uint32_t>(code, next, b.order);
    if (!word) break;
    if (!high && (*word & 0xFFFF0000) == 0x3FDE0000) value += *word << 16, high = true;
    else if ((*word & 0xFFFF0000) == 0x3BDE0000 && high) return value + static_cast<std::uint32_t>(static_cast<std::int16_t>(*word & 0xFFFF));
  }
  return std::nullopt;
}

// Objects may have given r30 different values, and each has stubs of its own. An object's code lies together: the value at a call is the
// one that was made last before it. Most calls of a stub decide; the flow engine, which knows r30 exactly, asks ppc_pic_stub itself.
void ppc_pic(Binary& b, const Slots& slots, base::ByteView code, std::uint64_t address) {
  std::map<std::uint64_t, std::map<std::uint32_t, int>> votes;  // stub -> slot -> calls
  std::uint32_t pointer = 0;
  for (std::uint64_t at = 0; at + 4 <= code.size(); at += 4) {
    if (const auto made = ppc_table_pointer(b, code, address, at)) pointer = *made;
    const auto word = *base::load<std::uint32_t>(code, at, b.order);
    if (pointer == 0 || (word & 0xFC000003) != 0x48000001) continue;
    const auto distance = static_cast<std::int32_t>((word & 0x03FFFFFC) << 6) >> 6;
    const auto target = (address + at + static_cast<std::uint64_t>(static_cast<std::int64_t>(distance))) & 0xFFFFFFFF;
    const auto offset = ppc_pic_stub(b, target);
    if (offset && slots.contains(pointer + *offset)) ++votes[target][pointer + *offset];
  }
  for (const auto& [stub, of] : votes) {
    const auto slot = std::max_element(of.begin(), of.end(), [](const auto& x, const auto& y) { return x.second < y.second; })->first;
    auto& import = b.imports[slots.at(slot)];
    if (import.stub != 0) import.more_stubs.push_back(stub);
    note(b, slots, slot, stub);
  }
}

// auipc t3, hi; l[wd] t3, lo(t3); jalr t1, t3; nop
void riscv(Binary& b, const Slots& slots, base::ByteView code, std::uint64_t address) {
  for (std::uint64_t at = 0; at + 12 <= code.size(); at += 4) {
    const std::uint32_t auipc = *base::load_le32(code, at), load = *base::load_le32(code, at + 4);
    if ((auipc & 0xFFF) != 0xE17 || (load & 0xFFFFF) != (b.bits == 64 ? 0xE3E03u : 0xE2E03u)) continue;
    const auto hi = static_cast<std::int32_t>(auipc & 0xFFFFF000), lo = static_cast<std::int32_t>(load) >> 20;
    note(b, slots, address + at + static_cast<std::uint64_t>(static_cast<std::int64_t>(hi) + lo), address + at);
  }
}

}  // namespace

std::optional<std::uint32_t> ppc_pic_stub(const Binary& b, std::uint64_t address) {
  std::uint32_t high = 0;
  auto word = base::load<std::uint32_t>(b.view(address, 4), 0, b.order);
  if (!word) return std::nullopt;
  if ((*word & 0xFFFF0000) == 0x3D7E0000) {
    high = *word << 16;
    address += 4;
    word = base::load<std::uint32_t>(b.view(address, 4), 0, b.order);
    if (!word || (*word & 0xFFFF0000) != 0x816B0000) return std::nullopt;
  } else if ((*word & 0xFFFF0000) != 0x817E0000) {
    return std::nullopt;
  }
  const auto behind = b.view(address + 4, 8);
  if (base::load<std::uint32_t>(behind, 0, b.order) != 0x7D6903A6u || base::load<std::uint32_t>(behind, 4, b.order) != 0x4E800420u) return std::nullopt;
  return high + static_cast<std::uint32_t>(static_cast<std::int16_t>(*word & 0xFFFF));
}

void find_stubs(Binary& b) {
  Slots slots;
  for (const auto& r : b.relocations) {
    if (r.symbol.empty()) continue;
    const auto it = std::lower_bound(b.imports.begin(), b.imports.end(), r.symbol,
                                     [](const Import& i, const std::string& n) { return i.name < n; });
    if (it != b.imports.end() && it->name == r.symbol) slots.emplace(r.address, it - b.imports.begin());
  }
  if (slots.empty()) return;
  for (const auto& s : b.segments) {
    if (!s.executable) continue;
    const auto code = base::clipped(b.file, s.offset, s.file_size);
    switch (b.machine) {
      case Machine::arm: {
        const bool be8 = b.order == base::ByteOrder::big && (b.flags & 0x00800000) != 0;  // EF_ARM_BE8
        arm(b, slots, code, s.address, be8 ? base::ByteOrder::little : b.order);
        break;
      }
      case Machine::aarch64: aarch64(b, slots, code, s.address); break;
      case Machine::x86:
      case Machine::x86_64: x86(b, slots, code, s.address); break;
      case Machine::mips: mips(b, slots, code, s.address); break;
      case Machine::ppc:
      case Machine::ppc64:
        ppc(b, slots, code, s.address);
        ppc_pic(b, slots, code, s.address);
        break;
      case Machine::riscv: riscv(b, slots, code, s.address); break;
      case Machine::other: break;
    }
  }
}

}  // namespace elf
