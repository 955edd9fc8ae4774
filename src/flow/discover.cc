// Where functions begin, and the blocks of each: a light run that visits every instruction once, with whatever values
// arrive there first, so that jump tables, position-independent calls and code pointers come out.
#include <algorithm>

#include <fmt/format.h>

#include "flow/engine.h"

namespace flow {

bool Engine::code_target(std::uint64_t address) const {
  if (machine_.mode_switch) address &= ~std::uint64_t{1};
  if (address % machine_.alignment != 0) return false;
  if (elf_.machine == elf::Machine::ppc && elf::ppc_pic_stub(elf_, address)) return false;
  return elf_.is_code(address) && !stubs_.contains(address);
}

std::optional<std::string> Engine::import_called(const State& s, std::uint64_t address) const {
  if (table_pointer_.size != 0 && table_pointer_.slot < s.regs.size() && s.regs[table_pointer_.slot].is_const())
    if (const auto offset = elf::ppc_pic_stub(elf_, address)) {
      const auto slot = slots_.find((s.regs[table_pointer_.slot].off + *offset) & 0xFFFFFFFF);
      if (slot != slots_.end() && slot->second.import) return slot->second.name;
    }
  return import_at(address);
}

std::optional<std::string> Engine::import_at(std::uint64_t address) const {
  const auto it = stubs_.find(machine_.mode_switch ? address & ~std::uint64_t{1} : address);
  if (it == stubs_.end()) return std::nullopt;
  return it->second;
}

std::string Engine::function_name(std::uint64_t address) const {
  if (const auto* s = elf_.function_at(address)) return s->name;
  return fmt::format("sub_{:x}", address);
}

void Engine::add_start(std::uint64_t address, bool thumb) {
  if (machine_.mode_switch && (address & 1) != 0) thumb = true, address &= ~std::uint64_t{1};
  if (!code_target(address) || (thumb && all_arm_)) return;
  if (machine_.alignment == 2 && machine_.mode_switch && !thumb && address % 4 != 0) return;
  if (starts_.emplace(address, thumb).second) queue_.push_back(address);
}

// Whether an ARM program has no Thumb code, page by page: in ARM code most words are executed always (the upper four bits are 14), in
// Thumb code one halfword in twenty or so begins a call. Without this, texts and numbers that are odd would be Thumb functions.
bool Engine::is_all_arm() const {
  if (elf_.machine != elf::Machine::arm || elf_.thumb_entry) return false;
  if (std::ranges::any_of(elf_.symbols, [](const elf::Symbol& s) { return s.defined && s.thumb; })) return false;
  constexpr std::uint64_t page = 4096;
  std::uint64_t arm = 0, thumb = 0;
  for (const auto& s : elf_.segments) {
    if (!s.executable) continue;
    const auto code = base::clipped(elf_.file, s.offset, s.file_size);
    for (std::uint64_t from = 0; from + page <= code.size(); from += page) {
      std::uint64_t always = 0, calls = 0;
      for (std::uint64_t at = from; at < from + page; at += 4) {
        const std::uint32_t w = *base::load_le32(code, at);
        always += w >> 28 == 14;
        const std::uint32_t across = *base::load_le32(code, std::min(at + 2, from + page - 4));
        for (const auto pair : {w, across}) calls += (pair & 0xF800) == 0xF000 && (pair >> 28 == 15 || pair >> 28 == 13);
      }
      arm += always > page / 4 / 2;
      thumb += always < page / 4 / 4 && calls > page / 2 / 40;
    }
  }
  return arm > 0 && thumb * 30 < arm;
}

// Whether a word of the data may be a function's address: an odd one is Thumb's only where the program starts in Thumb or the code
// there begins as its functions do, and on other machines it does not follow straight code. Texts lie in executable segments, too, and their addresses are odd as often as not.
bool Engine::data_may_call(std::uint64_t v) const {
  if (!code_target(v)) return false;
  if (elf_.machine != elf::Machine::arm) return prologue_at(v, false) || behind_an_end(v);
  if ((v & 1) == 0 || elf_.thumb_entry) return true;
  return prologue_at(v & ~std::uint64_t{1}, true);
}

// Whether what stands before an address leads elsewhere: a return, a jump, a call (it may not return), or nothing at all. In the middle of
// straight code no function begins, whatever number in the data says so.
bool Engine::behind_an_end(std::uint64_t address) const {
  const auto before = [&](std::uint64_t distance) { return base::load<std::uint32_t>(elf_.view(address - distance, 4), 0, elf_.order).value_or(0); };
  const std::uint32_t last = before(4);
  if (last == 0) return true;
  switch (elf_.machine) {
    case elf::Machine::ppc: return (last & 0xFC000000) == 0x48000000 || (last & 0xFFFFFBFE) == 0x4E800020 || last == 0x60000000;
    case elf::Machine::aarch64: return (last & 0x7C000000) == 0x14000000 || (last & 0xFE000000) == 0xD6000000 || last == 0xD503201F;
    case elf::Machine::mips: {
      const std::uint32_t jump = before(8);  // the last is in its delay slot
      const bool by_register = (jump & 0xFC00003E) == 0x00000008;  // jr, jalr
      return by_register || jump >> 26 == 2 || jump >> 26 == 3 || (jump & 0xFFFF0000) == 0x10000000 || (jump & 0xFFFF0000) == 0x04110000;
    }
    default: return true;
  }
}

void Engine::find_starts() {
  all_arm_ = is_all_arm();
  for (const auto& i : elf_.imports)
    if (i.stub != 0) {
      stubs_.emplace(i.stub & ~std::uint64_t{1}, i.name);
      for (const auto more : i.more_stubs) stubs_.emplace(more, i.name);
      // Thumb callers of an ARM stub enter four bytes before it: bx pc; nop
      const auto before = elf_.view((i.stub & ~std::uint64_t{1}) - 4, 4);
      if (machine_.mode_switch && !before.empty() && before[0] == 0x78 && before[1] == 0x47)
        stubs_.emplace((i.stub & ~std::uint64_t{1}) - 4, i.name);
    }
  for (const auto& r : elf_.relocations) {
    Slot slot;
    if (!r.symbol.empty() && r.value == 0) {
      slot.import = true, slot.name = r.symbol;
      const bool copy = elf_.segment_of(r.address) && elf_.view(r.address, word_).empty();
      if (copy && r.type != 0x10000) slot.name = r.symbol;
    } else {
      slot.value = (r.symbol.empty() ? 0 : r.value) + static_cast<std::uint64_t>(r.implicit && !r.symbol.empty() ? 0 : r.addend);
      slot.value &= mask_of(word_);
    }
    slots_.emplace(r.address, std::move(slot));  // what the start filled in stays
  }
  for (const auto& s : elf_.symbols)
    if (s.defined && s.kind == elf::Symbol::Kind::function) add_start(s.address, s.thumb);
  add_start(elf_.entry, elf_.thumb_entry);
  for (const auto f : elf_.init_functions) add_start(f, false);
  for (const auto f : elf_.fini_functions) add_start(f, false);
  for (const auto& [at, slot] : std::map<std::uint64_t, Slot>(slots_.begin(), slots_.end()))
    if (!slot.import && data_may_call(slot.value)) {
      add_start(slot.value, false);
      address_taken_.insert(slot.value & ~std::uint64_t{machine_.mode_switch ? 1u : 0u});
    }
  if (elf_.type == 2)  // fixed addresses: code pointers in data are plain words
    for (const auto& s : elf_.segments) {
      if (s.executable || !s.writable) continue;
      const auto bytes = base::clipped(elf_.file, s.offset, s.file_size);
      for (std::uint64_t at = (word_ - s.address % word_) % word_; at + word_ <= bytes.size(); at += word_) {
        const auto v = elf_.word(s.address + at).value_or(0);
        if (v == 0 || !data_may_call(v)) continue;
        add_start(v, false);
        address_taken_.insert(v & ~std::uint64_t{machine_.mode_switch ? 1u : 0u});
      }
    }
  if (elf_.type == 2) virtual_tables();
}

// Tables of virtual functions in memory that is only read, as the Itanium C++ ABI (2.5.2, 2.9.5) lays them out: the distance to the
// object's top, the type's description (its own table and its name), then functions.
void Engine::virtual_tables() {
  const auto code_at = [&](std::uint64_t at) -> std::uint64_t {
    const auto v = elf_.word(at).value_or(0);
    return v != 0 && code_target(v) ? v : 0;
  };
  const auto describes_type = [&](std::uint64_t at) {
    const auto name = elf_.word(at + word_).value_or(0);
    const auto text = name == 0 ? std::nullopt : elf_.c_string(name, 512);
    return text && text->size() > 1 && (((*text)[0] >= '1' && (*text)[0] <= '9') || (*text)[0] == 'N' || (*text)[0] == 'S' || (*text)[0] == '*');
  };
  for (const auto& s : elf_.segments) {
    if (s.writable) continue;
    const std::uint64_t end = s.address + s.file_size;
    for (std::uint64_t at = base::align_up(s.address, word_); at + 3u * word_ <= end; at += word_) {
      if (elf_.word(at) != 0u || code_at(at + 2u * word_) == 0) continue;
      const auto type = elf_.word(at + word_).value_or(0);
      if (type == 0 || !describes_type(type)) continue;
      auto& table = virtual_tables_[at + 2u * word_];
      for (at += 2u * word_; at + word_ <= end; at += word_) {
        const auto function = code_at(at);
        if (function == 0) break;
        add_start(function, false);
        address_taken_.insert(function & ~std::uint64_t{machine_.mode_switch ? 1u : 0u});
        table.push_back(function & ~std::uint64_t{machine_.mode_switch ? 1u : 0u});
      }
      at -= word_;
    }
  }
}

void Engine::scan_calls() {
  std::map<std::uint64_t, std::pair<int, int>> counted;  // target -> votes for ARM, for Thumb
  const bool thumb_seen = !all_arm_ && std::any_of(starts_.begin(), starts_.end(), [](const auto& s) { return s.second; });
  const bool arm_seen = std::any_of(starts_.begin(), starts_.end(), [](const auto& s) { return !s.second; });
  for (const auto& s : elf_.segments) {
    if (!s.executable) continue;
    const auto code = base::clipped(elf_.file, s.offset, s.file_size);
    const auto word_order = elf_.machine == elf::Machine::arm && machine_.table == "ARM7_le" ? base::ByteOrder::little : elf_.order;
    const auto votes = [&](std::uint64_t target, bool thumb) {
      if (code_target(target)) ++(thumb ? counted[target].second : counted[target].first);
    };
    switch (elf_.machine) {
      case elf::Machine::arm:
        if (thumb_seen)
          for (std::uint64_t at = 0; at + 4 <= code.size(); at += 2) {
            const std::uint32_t a = *base::load<std::uint16_t>(code, at, word_order), b = *base::load<std::uint16_t>(code, at + 2, word_order);
            if ((a & 0xF800) != 0xF000 || ((b & 0xD000) != 0xD000 && (b & 0xD001) != 0xC000)) continue;
            if (!elf_.is_code(s.address + at)) continue;
            const std::uint32_t sign = a >> 10 & 1, j1 = b >> 13 & 1, j2 = b >> 11 & 1;
            std::uint32_t d = sign << 24 | (~(j1 ^ sign) & 1) << 23 | (~(j2 ^ sign) & 1) << 22 | (a & 0x3FF) << 12 | (b & 0x7FF) << 1;
            if (sign != 0) d |= 0xFE000000;
            const bool to_arm = (b & 0x1000) == 0;
            std::uint32_t target = static_cast<std::uint32_t>(s.address + at + 4) + d;
            if (to_arm) target &= ~3u;
            votes(target, !to_arm);
          }
        if (arm_seen && !thumb_seen)
          for (std::uint64_t at = 0; at + 4 <= code.size(); at += 4) {
            const std::uint32_t w = *base::load<std::uint32_t>(code, at, word_order);
            if (w >> 24 != 0xEB) continue;  // conditional ones look like text
            votes((s.address + at + 8 + static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(w << 8) >> 6))) & 0xFFFFFFFF, false);
          }
        break;
      case elf::Machine::aarch64:
        for (std::uint64_t at = 0; at + 4 <= code.size(); at += 4) {
          const std::uint32_t w = *base::load_le32(code, at);
          if ((w & 0xFC000000) == 0x94000000) votes(s.address + at + static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(w << 6) >> 4)), false);
        }
        break;
      case elf::Machine::mips:
        for (std::uint64_t at = 0; at + 4 <= code.size(); at += 4) {
          const std::uint32_t w = *base::load<std::uint32_t>(code, at, elf_.order);
          if (w >> 26 == 3) votes(((s.address + at + 4) & 0xF0000000) | (w & 0x3FFFFFF) << 2, false);
          else if ((w & 0xFFFF0000) == 0x04110000)
            votes(s.address + at + 4 + static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int16_t>(w)) * 4), false);
        }
        break;
      case elf::Machine::ppc:
        for (std::uint64_t at = 0; at + 4 <= code.size(); at += 4) {
          const std::uint32_t w = *base::load<std::uint32_t>(code, at, elf_.order);
          if ((w & 0xFC000003) == 0x48000001) {
            const std::uint64_t target = (s.address + at + static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>((w & 0x03FFFFFC) << 6) >> 6))) & 0xFFFFFFFF;
            if (target != s.address + at + 4) votes(target, false);  // bcl to the next instruction only reads the address
          }
        }
        break;
      default: break;  // variable-length code: calls are found by lifting
    }
  }
  // Data look like a call now and then; what is called once and has no prologue is found when its caller is read.
  for (const auto& [target, count] : counted) {
    const bool thumb = count.second > count.first;
    if (count.first + count.second > 1 || prologue_at(target, thumb)) add_start(target, thumb);
  }
}

// What most functions of a machine begin with: the link register saved, room on the stack, the global pointer loaded.
bool Engine::prologue_at(std::uint64_t address, bool thumb) const {
  const auto w = base::load<std::uint32_t>(elf_.view(address, 4), 0, elf_.machine == elf::Machine::arm ? base::ByteOrder::little : elf_.order);
  if (!w) return false;
  switch (elf_.machine) {
    case elf::Machine::arm:
      if (thumb) return (*w & 0xFF00) == 0xB500 || (*w & 0xFFFF) == 0xE92D;
      return address % 4 == 0 && ((*w & 0xFFFF4000) == 0xE92D4000 || *w == 0xE52DE004);
    case elf::Machine::aarch64: return (*w & 0xFFC07FFF) == 0xA9807BFD || *w == 0xD503233F;
    case elf::Machine::mips: return (*w & 0xFFFF8000) == 0x27BD8000 || (*w & 0xFFFF0000) == 0x3C1C0000;
    case elf::Machine::ppc: return (*w & 0xFFFF8000) == 0x94218000;
    case elf::Machine::x86: return (*w & 0xFFFFFF) == 0xE58955 || *w == 0xFB1E0FF3;
    case elf::Machine::x86_64: return *w == 0xE5894855 || *w == 0xFA1E0FF3;
    default: return false;
  }
}

// Variable arguments are pushed before the link register, and compilers begin with loads that take long.
std::uint64_t Engine::before_prologue(std::uint64_t address, bool thumb, const std::function<bool(std::uint64_t)>& inside) const {
  if (elf_.machine == elf::Machine::mips) {  // the global pointer is loaded first, perhaps a way out without a frame follows
    constexpr std::uint32_t jr_ra = 0x03E00008;
    for (std::uint64_t back = 4; back <= 32 && !inside(address - back); back += 4) {
      const auto w = base::load<std::uint32_t>(elf_.view(address - back, 4), 0, elf_.order);
      if (!w || *w == jr_ra) break;
      if (*w >> 16 == 0x3C1C) return address - back;
    }
    return address;
  }
  if (elf_.machine != elf::Machine::arm) return address;
  if (thumb) {
    const auto half = [&](std::uint64_t at) { return base::load_le16(elf_.view(at, 2), 0).value_or(0); };
    const auto ends = [&](std::uint64_t at) {  // bx lr, pop {..., pc}, b
      return inside(at) || pool_.contains(at & ~std::uint64_t{3}) || half(at) == 0x4770 || (half(at) & 0xFF00) == 0xBD00 || (half(at) & 0xF800) == 0xE000;
    };
    for (std::uint64_t start = address; start + 8 >= address; start -= 2)
      if (ends(start - 2)) return start;
    return (half(address - 2) & 0xFFF0) == 0xB400 ? address - 2 : address;
  }
  for (int k = 0; k < 5; ++k) {
    const auto w = base::load_le32(elf_.view(address - 4, 4), 0);
    if (!w || inside(address - 4) || pool_.contains(address - 4)) break;
    const bool pushes = (*w & 0xFFFFFFF0) == 0xE92D0000, loads = (*w & 0xFF7F0000) == 0xE51F0000, counts = (*w & 0xFC000000) == 0xE0000000;
    if (!pushes && !loads && !counts) break;
    address -= 4;
  }
  return address;
}

// The address of the constant that an ARM instruction loads relative to itself: no code lies there.
std::optional<std::uint64_t> Engine::literal_at(std::uint64_t address, bool thumb) const {
  if (elf_.machine != elf::Machine::arm) return std::nullopt;
  const auto w = base::load_le32(elf_.view(address, 4), 0);
  const std::uint64_t here = (address + (thumb ? 4 : 8)) & ~std::uint64_t{3};
  if (!thumb) {
    if (!w || (*w & 0x0F7F0000) != 0x051F0000) return std::nullopt;
    return (*w & 0x00800000) != 0 ? here + (*w & 0xFFF) : here - (*w & 0xFFF);
  }
  const auto half = base::load_le16(elf_.view(address, 2), 0);
  if (half && (*half & 0xF800) == 0x4800) return here + (*half & 0xFFu) * 4;
  if (!w || (*w & 0xFF7F) != 0xF85F) return std::nullopt;
  return (*w & 0x80) != 0 ? here + (*w >> 16 & 0xFFF) : here - (*w >> 16 & 0xFFF);
}

// An instruction that is there to stop the program: udf, brk, ud2, hlt, break, trap.
bool Engine::traps_at(std::uint64_t address, bool thumb) const {
  const auto half = base::load_le16(elf_.view(address, 2), 0);
  const auto w = base::load<std::uint32_t>(elf_.view(address, 4), 0, elf_.machine == elf::Machine::arm ? base::ByteOrder::little : elf_.order);
  switch (elf_.machine) {
    case elf::Machine::arm: return thumb ? half && *half >> 8 == 0xDE : w && (*w & 0xFFF000F0) == 0xE7F000F0;
    case elf::Machine::aarch64: return w && (*w & 0xFFE0001F) == 0xD4200000;
    case elf::Machine::mips: return w && (*w & 0xFC00003F) == 0x0000000D;
    case elf::Machine::ppc: return w && *w == 0x7FE00008;
    case elf::Machine::x86:
    case elf::Machine::x86_64: return half && (*half == 0x0B0F || (*half & 0xFF) == 0xF4);
    default: return false;
  }
}

// The register that an ARM instruction leaves a sum with its own address in, as position-independent code does for an address.
std::optional<std::uint32_t> Engine::adds_to_pc(std::uint64_t address, bool thumb) {
  if (elf_.machine == elf::Machine::x86 || elf_.machine == elf::Machine::x86_64) {  // lea with a distance of 32 bits
    static constexpr const char* names[] = {"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI"};
    const bool wide = elf_.machine == elf::Machine::x86_64;
    const auto bytes = elf_.view(address, wide ? 7 : 6);
    if (bytes.empty() || (wide && (bytes[0] & 0xF8) != 0x48)) return std::nullopt;
    const auto opcode = bytes[wide ? 1 : 0], modrm = bytes[wide ? 2 : 1];
    if (opcode != 0x8D || (modrm & 0xC7) == 0x84 || (wide ? (modrm & 0xC7) != 0x05 : (modrm & 0xC0) != 0x80)) return std::nullopt;
    const unsigned number = modrm >> 3 & 7u;
    return code_.reg(wide && (bytes[0] & 4) != 0 ? "R" + std::to_string(number + 8) : (wide ? "R" : "E") + std::string(names[number])).slot;
  }
  if (elf_.machine != elf::Machine::arm || elf_.type != 3) return std::nullopt;
  unsigned number = 0;
  if (thumb) {
    const auto half = base::load_le16(elf_.view(address, 2), 0);
    if (!half || (*half & 0xFF78) != 0x4478) return std::nullopt;
    number = (*half & 7) | (*half >> 4 & 8);
  } else {
    const auto w = base::load_le32(elf_.view(address, 4), 0);
    if (!w || (*w & 0x0FFF0FF0) != 0x008F0000) return std::nullopt;
    number = *w >> 12 & 15;
  }
  return code_.reg(number == 13 ? "sp" : number == 14 ? "lr" : number == 15 ? "pc" : "r" + std::to_string(number)).slot;
}

// x86: what an assembler fills up with between functions is skipped; the function behind it begins at a multiple of 16. 0: none.
std::uint64_t Engine::behind_padding(std::uint64_t from, std::uint64_t to) {
  while (from < to && from % 16 != 0) {
    const auto index = code_.insn_at(from, false);
    if (index == UINT32_MAX || !elf_.is_code(from)) return 0;
    const auto& insn = code_.insn(index);
    const auto bytes = elf_.view(from, insn.length);
    // nop in all lengths, lea and xchg of a register with itself, int3, and the second half of a nop that ends in zeros
    const bool filler = !bytes.empty() && !insn.control && (bytes[0] == 0x90 || bytes[0] == 0x66 || bytes[0] == 0x2E || (bytes[0] == 0x0F && bytes.size() > 2 && bytes[1] == 0x1F) || bytes[0] == 0x8D);
    if (!filler && (bytes.empty() || bytes[0] != 0xCC)) return 0;
    from += insn.length;
  }
  return from < to && elf_.is_code(from) && from % 16 == 0 ? from : 0;
}

// Beginnings that nothing calls by name: a prologue right where no known function reaches.
void Engine::scan_prologues() {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> covered;
  for (const auto& [entry, body] : bodies_)
    for (const auto& b : body->blocks) covered.emplace_back(b.start, b.end);
  std::sort(covered.begin(), covered.end());
  const auto inside = [&](std::uint64_t a) {
    auto it = std::upper_bound(covered.begin(), covered.end(), std::pair(a, ~std::uint64_t{0}));
    return it != covered.begin() && a < std::prev(it)->second;
  };
  if (elf_.machine == elf::Machine::x86 || elf_.machine == elf::Machine::x86_64) {
    std::uint64_t end = 0;
    for (const auto& [start, stop] : covered) {
      if (const auto first = end != 0 && start > end ? behind_padding(end, start) : 0; first != 0) add_start(first, false), doubtful_.insert(first);
      end = std::max(end, stop);
    }
    return;
  }
  const bool thumb = !all_arm_ && std::any_of(starts_.begin(), starts_.end(), [](const auto& s) { return s.second; });
  for (const auto& s : elf_.segments) {
    if (!s.executable) continue;
    const auto code = base::clipped(elf_.file, s.offset, s.file_size);
    for (std::uint64_t at = 0; at + 8 <= code.size(); at += machine_.alignment) {
      const std::uint64_t address = s.address + at;
      if (prologue_at(address, thumb) && !inside(address) && elf_.is_code(address)) add_start(before_prologue(address, thumb, inside), thumb);
    }
  }
}

State Engine::fresh_state(const Body* body) {
  State s(pages_);
  s.regs.assign(std::max<std::size_t>(code_.slots(), 64), {0, 0, 0, Value::Kind::symbol, 8});
  s.heap = heap_low_;
  const auto set = [&](const CodeStore::Reg& r, Value v) {
    if (r.size == 0) return;
    if (r.slot >= s.regs.size()) s.regs.resize(r.slot + 1, {0, 0, 0, Value::Kind::symbol, 8});
    v.size = r.size;
    s.regs[r.slot] = v;
  };
  set(stack_, constant(stack_top_, word_));
  for (std::size_t i = 0; i < arg_regs_.size(); ++i)
    set(arg_regs_[i], tables_.keyed(fmt::format("arg {}", i), {Symbol::Kind::param, fmt::format("arg:{}", i)}, word_));
  if (alone_ || light_) {
    const auto spare = spare_registers();
    for (std::size_t i = 0; i < spare.size(); ++i)
      set(spare[i], tables_.keyed(fmt::format("arg {}", arguments_seen + i), {Symbol::Kind::param, fmt::format("arg:{}", arguments_seen + i)}, word_));
  }
  if (machine_.link.empty()) s.store_value({0, stack_top_}, constant(0xFFFF0, word_), word_, big_);
  else set(link_, constant(0xFFFF0, word_));
  if (arg_regs_.empty() || alone_)
    for (std::uint64_t i = arg_regs_.size(); i < arguments_seen; ++i)
      s.store_value({0, stack_top_ + machine_.stack_arguments + (i - arg_regs_.size()) * word_},
                    tables_.keyed(fmt::format("arg {}", i), {Symbol::Kind::param, fmt::format("arg:{}", i)}, word_), word_, big_);
  if (mode_.size != 0 && body) set(mode_, constant(body->thumb ? 1 : 0, 1));
  if (t9_.size != 0 && body) set(t9_, constant(body->entry, word_));
  if (global_.size != 0 && global_value_ != 0) set(global_, constant(global_value_, word_));
  // x86: the direction flag is clear, as the ABIs ask.
  for (const auto* flag : {"DF", "xer_so"}) {  // and PowerPC's sticky overflow is not set
    const auto r = code_.reg(flag);
    if (r.size != 0) set(r, constant(0, 1));
  }
  return s;
}

// ARM's switch without a table in data: add pc, pc, rN, lsl #2, and a branch for each case two words behind.
std::vector<std::uint64_t> Engine::branch_table(std::uint64_t address, bool thumb) const {
  std::vector<std::uint64_t> out;
  if (elf_.machine != elf::Machine::arm || thumb) return out;
  const auto word = [&](std::uint64_t at) { return base::load<std::uint32_t>(elf_.view(at, 4), 0, machine_.table == "ARM7_le" ? base::ByteOrder::little : elf_.order).value_or(0); };
  if ((word(address) & 0x0FFFFFF0) != 0x008FF100) return out;
  for (std::uint64_t at = address + 8; out.size() < 1024 && (word(at) & 0xFF000000) == 0xEA000000; at += 4) out.push_back(at);
  return out;
}

// The upper part that adrp, lui and lis load before the lower one is added. One function in 4096 begins at such an address.
static bool half_of_address(elf::Machine machine, std::uint64_t a) {
  if (machine == elf::Machine::aarch64) return (a & 0xFFF) == 0;
  return (machine == elf::Machine::mips || machine == elf::Machine::ppc) && (a & 0xFFFF) == 0;
}

// In a program whose base is zero a number may look like an address. No function's, it seems: nothing adds the program counter to it (ARM, x86),
// or it is small or round (MIPS, PowerPC), and what lies there is no prologue.
bool Engine::perhaps_number(std::uint64_t target) const {
  if (elf_.type != 3) return false;
  const bool marked = machine_.mode_switch && (target & 1) != 0;
  const std::uint64_t at = marked ? target - 1 : target;
  switch (elf_.machine) {
    case elf::Machine::arm: return !relative_.contains(target) && !prologue_at(at, marked);
    case elf::Machine::mips:
    case elf::Machine::ppc: return (at < 0x10000 || at % 256 == 0) && !prologue_at(at, false);
    case elf::Machine::x86:
    case elf::Machine::x86_64: return !relative_.contains(target);
    default: return false;
  }
}

void Engine::note_code_pointer(Body& body, const Value& v) {
  // What makes an object may have its functions called.
  if (const auto table = virtual_tables_.find(v.off); table != virtual_tables_.end()) {
    body.code_pointers.insert(body.code_pointers.end(), table->second.begin(), table->second.end());
    return;
  }
  if (elf_.is_static && v.off >= 0x1000) {
    const auto text = elf_.view(v.off, 8);
    if (const auto all = elf_.c_string(v.off, 256); !body.names_texts && all && all->size() >= 4 && !elf_.is_code(v.off))
      body.names_texts = *all != "/bin/sh" && std::all_of(all->begin(), all->end(), [](char c) { return (c >= 32 && c < 127) || c == '\n'; });
    if (!text.empty()) {
      body.names_shell |= base::as_text(text) == std::string_view("/bin/sh\0", 8);
      body.names_option |= base::as_text(text).substr(0, 3) == std::string_view("-c\0", 3);
    }
  }
  const std::uint64_t a = machine_.mode_switch ? v.off & ~std::uint64_t{1} : v.off;
  if (a == body.entry || !code_target(v.off) || switch_bases_.contains(a) || a < elf_.segments.front().address + 0x100) return;
  if (!starts_.contains(a)) {
    if (half_of_address(elf_.machine, a)) return;
    if (elf_.machine == elf::Machine::x86 || elf_.machine == elf::Machine::x86_64) {
      const auto first = elf_.view(a, 4);
      const bool looks = !first.empty() && (relative_.contains(v.off) || first[0] == 0x55 || first[0] == 0xF3 || first[0] == 0x53 || a % 16 == 0);
      if (!looks || perhaps_number(v.off)) return;
    } else if (elf_.machine != elf::Machine::arm && perhaps_number(v.off)) {
      return;
    } else if (elf_.machine == elf::Machine::arm && !prologue_at(a, (v.off & 1) != 0)) {
      if (pool_.contains(a) || perhaps_number(v.off)) return;
      if (elf_.type != 3 && a > body.entry && a < body.entry + 0x4000 && (v.off & 1) == 0) return;  // a label of this function
    }
    if (!prologue_at(a, machine_.mode_switch && (v.off & 1) != 0)) doubtful_.insert(a);
    add_start(v.off, false);
  }
  if (!starts_.contains(a)) return;
  address_taken_.insert(a);
  body.code_pointers.push_back(a);
}

Body* Engine::body_at(std::uint64_t address, bool thumb) {
  if (machine_.mode_switch && (address & 1) != 0) thumb = true, address &= ~std::uint64_t{1};
  const auto it = bodies_.find(address);
  if (it != bodies_.end()) return it->second.get();
  if (const auto s = starts_.find(address); s != starts_.end()) thumb = s->second;
  if (!code_target(address)) return nullptr;
  auto body = std::make_unique<Body>();
  body->entry = address, body->thumb = thumb;
  auto* raw = body.get();
  bodies_.emplace(address, std::move(body));
  starts_.emplace(address, thumb);
  static thread_local int depth = 0;
  ++depth;
  build(*raw, depth);
  --depth;
  return raw;
}

// In a circle of calls the first to be read was taken as one that returns. Who took it so is read again, and who calls one that then
// turns out not to return.
void Engine::settle_returns() {
  std::map<std::uint64_t, std::vector<std::uint64_t>> callers;
  std::vector<std::uint64_t> todo;
  for (const auto& [entry, body] : bodies_) {
    for (const auto c : body->calls) callers[c].push_back(entry);
    if (body->unsure) todo.push_back(entry);
  }
  for (int left = 4000; !todo.empty() && left > 0 && !out_of_budget_; --left) {
    Body& body = *bodies_.at(todo.back());
    todo.pop_back();
    const bool returned = body.returns;
    Body again;
    again.entry = body.entry, again.thumb = body.thumb;
    body = std::move(again);
    build(body, 1);
    if (const auto who = callers.find(body.entry); returned && !body.returns && who != callers.end()) todo.insert(todo.end(), who->second.begin(), who->second.end());
  }
}

void Engine::build(Body& body, int depth) {
  body.building = true;
  const bool was_light = light_;
  Body* was_building = building_;
  const auto saved_temps = temps_;
  light_ = true, building_ = &body;
  const auto was_deepest = std::exchange(tables_.deepest, std::uint8_t{12});  // a switch's index may be long in the making
  bool returns = false;

  std::map<std::uint64_t, std::uint32_t> seen;                 // address -> insn
  std::map<std::uint64_t, std::vector<std::uint64_t>> edges;   // address of the last instruction -> targets
  std::set<std::uint64_t> leaders = {body.entry};
  std::set<std::uint64_t> calls, pointers;
  std::set<std::string> imports;
  std::vector<std::pair<std::uint64_t, State>> todo;
  todo.emplace_back(body.entry, fresh_state(&body));
  Frame frame;
  frame.body = &body;
  const std::uint64_t far = 0x80000;
  std::vector<Exit> exits;
  constexpr std::size_t limit = 60000;

  const auto after_call = [&](State& s) {
    if (mode_.size != 0 && mode_.slot < s.regs.size()) s.regs[mode_.slot] = constant(body.thumb ? 1 : 0, 1);
    set_result(s, tables_.keyed("result", {Symbol::Kind::result, "unknown"}, word_));
  };
  const auto call_target = [&](State& s, const Value& target) -> bool {  // false: never returns
    bool back = true;
    for (const auto& r : arg_regs_)
      if (r.size != 0 && r.slot < s.regs.size() && s.regs[r.slot].is_const()) note_code_pointer(body, s.regs[r.slot]);
    std::vector<Value> targets = target.kind == Value::Kind::choice ? tables_.parts(target.id) : std::vector<Value>{target};
    for (const auto& t : targets) {
      std::optional<std::string> import;
      if (t.is_const()) import = import_called(s, t.off);
      else if (t.kind == Value::Kind::symbol && tables_.symbol(t.id).kind == Symbol::Kind::import) import = tables_.symbol(t.id).origin;
      if (import) {
        imports.insert(*import);
        std::vector<int> skip;
        const auto* m = model_for(*import, skip);
        if (m && m->does == Does::no_return) back = false;
        continue;
      }
      if (!t.is_const() || !code_target(t.off)) continue;
      const std::uint64_t entry = machine_.mode_switch ? t.off & ~std::uint64_t{1} : t.off;
      calls.insert(entry);
      bool thumb = body.thumb;
      if (mode_.size != 0 && mode_.slot < s.regs.size() && s.regs[mode_.slot].is_const()) thumb = (s.regs[mode_.slot].off & 1) != 0;
      if (machine_.mode_switch && t.kind == Value::Kind::constant && (t.off & 1) != 0) thumb = true;
      if (const auto known = starts_.find(entry); known != starts_.end()) thumb = known->second;
      add_start(entry, thumb);
      std::vector<int> skip;
      if (const auto* symbol = elf_.function_at(entry)) {
        const auto* m = model_for(symbol->name, skip);
        if (m && m->does == Does::no_return) {
          back = false;
          continue;
        }
      }
      if (depth < 160) {  // an unread callee counts as one that returns
        const auto* callee = body_at(entry, thumb);
        if (callee && !callee->building && !callee->returns) back = false;
        body.unsure |= callee && callee->building;
      }
    }
    return back;
  };

  while (!todo.empty() && seen.size() < limit && !out_of_budget_) {
    auto [address, state] = std::move(todo.back());
    todo.pop_back();
    leaders.insert(address);
    State s = std::move(state);
    bool called = false;  // the instruction before was a call
    bool met = true;  // went on until instructions that have been read
    while (!seen.contains(address) && seen.size() < limit) {
      met = false;
      if (address != body.entry && is_start(address)) {  // fell into the next function
        calls.insert(address);
        body.falls_into = address;
        returns = true;
        break;
      }
      // Behind a call: the constants that this function loads, or the next one's prologue. The call does not return.
      if (pool_.contains(address) || (called && prologue_at(address, body.thumb))) {
        if (called && !pool_.contains(address)) add_start(address, body.thumb);
        break;
      }
      const auto index = code_.insn_at(address, body.thumb);
      if (index == UINT32_MAX || !elf_.is_code(address)) break;
      if (traps_at(address, body.thumb)) break;
      const Insn insn = code_.insn(index);
      seen.emplace(address, index);
      if (const auto constant = literal_at(address, body.thumb)) pool_.insert(*constant);
      called = false;
      exits.clear();
      exec(std::move(s), insn, frame, exits);
      if (const auto slot = adds_to_pc(address, body.thumb); slot && !exits.empty() && *slot < exits[0].state.regs.size() && exits[0].state.regs[*slot].is_const()) {
        const Value made = exits[0].state.regs[*slot];
        relative_.insert(made.off);
        // x86: several may go to memory in one store of a vector, which is not followed.
        if (elf_.machine != elf::Machine::arm && elf_.is_code(made.off)) note_code_pointer(body, made);
      }
      const std::uint64_t next = address + insn.length;
      std::optional<State> fall;
      bool split = false;
      for (auto& e : exits) {
        switch (e.kind) {
          case Exit::Kind::next:
            if (!fall) fall.emplace(std::move(e.state));
            break;
          case Exit::Kind::ret: returns = true, split = true; break;
          case Exit::Kind::call:
          case Exit::Kind::indirect_call: {
            split = true;
            if (e.target.is_const() && e.target.off == next) {  // call the next instruction: reading the program counter
              if (!fall) fall.emplace(std::move(e.state));
              break;
            }
            called = true;
            // Read where the program keeps something else.
            if (e.kind == Exit::Kind::indirect_call && e.target.is_const() && !is_start(e.target.off & ~std::uint64_t{machine_.mode_switch}) && !import_at(e.target.off) && perhaps_number(e.target.off))
              e.target = {0, 0, 0, Value::Kind::symbol, e.target.size};
            if (!call_target(e.state, e.target)) break;
            // A call to a small thunk that reads the program counter must be run, not skipped.
            const auto* callee = e.target.is_const() ? body_at(e.target.off, body.thumb) : nullptr;
            State after = std::move(e.state);
            if (machine_.link.empty()) {
              Value& sp = after.regs[stack_.slot];
              const Value ret = load(after, sp, word_);
              if (callee && callee->insn_count <= 2 && !callee->blocks.empty() && callee->blocks.size() == 1) {
                std::vector<Exit> inner;
                State in = std::move(after);
                Frame f2;
                f2.body = callee;
                for (const auto i : callee->blocks[0].insns) {
                  inner.clear();
                  exec(std::move(in), code_.insn(i), f2, inner);
                  if (inner.empty()) break;
                  in = std::move(inner[0].state);
                }
                after = std::move(in);
              } else {
                sp = binary(sleigh::Op::INT_ADD, sp, constant(word_, word_), word_, word_);
                after_call(after);
              }
              (void)ret;
            } else {
              after_call(after);
            }
            if (!fall) fall.emplace(std::move(after));
            break;
          }
          case Exit::Kind::jump: {
            split = true;
            const std::uint64_t target = machine_.mode_switch ? e.target.off & ~std::uint64_t{1} : e.target.off;
            const std::uint64_t distance = target < body.entry ? body.entry - target : target - body.entry;
            const bool elsewhere = distance > far && code_target(e.target.off);  // no function is that long: a tail call
            // With the stack as it was at the start, before the start or beyond another function's: a tail call as well.
            const Value& sp = e.state.regs[stack_.slot];
            const bool leaves = sp.is_const() && !doubtful_.contains(body.entry) && sp.off == stack_top_ && target != body.entry && code_target(target) && !seen.contains(target) &&
                                (target < body.entry || starts_.upper_bound(body.entry) != starts_.upper_bound(target));
            if ((is_start(target) && target != body.entry) || import_called(e.state, target) || elsewhere || leaves) {
              if (call_target(e.state, constant(target | (machine_.mode_switch && e.target.off & 1), word_))) returns = true;
              break;
            }
            returns |= elf_.machine == elf::Machine::arm && target >= 0xFFFF0F00;  // the kernel's helpers
            if (!code_target(target) || distance > far) break;
            edges[address].push_back(target);
            if (!seen.contains(target)) todo.emplace_back(target, std::move(e.state));
            leaders.insert(target);
            break;
          }
          case Exit::Kind::indirect_jump: {
            split = true;
            std::vector<std::uint64_t> targets;
            if (e.target.kind == Value::Kind::symbol && e.target.off > body.entry && e.target.off - body.entry < far) switch_bases_.insert(e.target.off);
            if (e.target.is_const()) {
              // Back to the caller, or into memory that is not the program's: the kernel's helpers on old ARM.
              if (e.target.off == 0xFFFF0 || (!elf_.segment_of(e.target.off) && !import_at(e.target.off))) { returns = true; break; }
              targets.push_back(e.target.off);
            } else if (e.target.kind == Value::Kind::choice) {
              std::uint64_t limit_entries = 64;
              for (const auto& p : tables_.parts(e.target.id))
                if (p.is_const() && targets.size() < limit_entries) targets.push_back(p.off);
            } else if (tables_.symbol(e.target.id).kind == Symbol::Kind::import) {
              if (call_target(e.state, e.target)) returns = true;
              break;
            } else if (const auto ways = branch_table(address, body.thumb); !ways.empty()) {
              targets = ways;
            } else if (tables_.symbol(e.target.id).table_size != 0) {
              const Symbol entry = tables_.symbol(e.target.id);
              const std::uint64_t stride = entry.stride >= entry.table_size && entry.stride <= 16 ? entry.stride : entry.table_size;
              const std::uint64_t count = entry.bound != 0 ? std::min<std::uint64_t>(entry.bound, 1024) : entry.table_size >= 4 ? 256 : 0;
              for (std::uint64_t k = 0; k < count; ++k) {
                const Value v = load_at(e.state, {0, entry.table_base + k * stride}, entry.table_size);
                if (!v.is_const()) break;
                std::uint64_t raw = v.off;
                if (entry.table_signed && entry.table_size < 8 && (raw >> (entry.table_size * 8 - 1) & 1) != 0) raw |= ~mask_of(entry.table_size);
                const std::uint64_t t = (raw * entry.table_scale + e.target.off) & mask_of(word_);
                const std::uint64_t d = t < body.entry ? body.entry - t : t - body.entry;
                if (!code_target(t) || d > far) break;
                targets.push_back(t);
              }
            }
            if (targets.empty()) returns = true;  // where it goes is not known: perhaps a tail call
            for (auto t : targets) {
              if (machine_.mode_switch) t &= ~std::uint64_t{1};
              if ((is_start(t) && t != body.entry) || import_at(t)) {
                if (call_target(e.state, constant(t, word_))) returns = true;
                continue;
              }
              if (!code_target(t) || (t < body.entry ? body.entry - t : t - body.entry) > far) continue;
              edges[address].push_back(t);
              leaders.insert(t);
              if (!seen.contains(t)) todo.emplace_back(t, e.state);
            }
            break;
          }
        }
      }
      if (!fall) {
        if (edges[address].empty()) edges[address];
        break;
      }
      if (split) {
        edges[address].push_back(next);
        leaders.insert(next);
      }
      s = std::move(*fall);
      address = next;
      met = true;
    }
    if (met && seen.contains(address)) leaders.insert(address);
  }

  // Instructions into blocks.
  std::map<std::uint64_t, Block> blocks;
  Block* current = nullptr;
  std::uint64_t expected = 0;
  for (const auto& [address, index] : seen) {
    if (!current || leaders.contains(address) || address != expected) {
      current = &blocks[address];
      current->start = address;
    }
    current->insns.push_back(index);
    const auto& insn = code_.insn(index);
    expected = address + insn.length;
    current->end = expected;
    body.end = std::max(body.end, expected);
    if (edges.contains(address)) current = nullptr;
  }
  std::map<std::uint64_t, std::vector<std::uint64_t>> next;
  for (auto& [start, b] : blocks) {
    const auto last = code_.insn(b.insns.back()).address;
    const auto e = edges.find(last);
    auto& out = next[start];
    if (e != edges.end()) out = e->second;
    else out.push_back(b.end);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    std::erase_if(out, [&](std::uint64_t t) { return !blocks.contains(t); });
  }
  // Reverse post-order from the entry.
  std::vector<std::uint64_t> order;
  std::set<std::uint64_t> visited;
  std::vector<std::pair<std::uint64_t, std::size_t>> stack;
  if (blocks.contains(body.entry)) stack.emplace_back(body.entry, 0), visited.insert(body.entry);
  while (!stack.empty()) {
    auto& [at, i] = stack.back();
    const auto& out = next[at];
    if (i < out.size()) {
      // The later address first, so that loop bodies come before what follows them in the final order.
      const auto t = out[out.size() - 1 - i++];
      if (visited.insert(t).second) stack.emplace_back(t, 0);
    } else {
      order.push_back(at);
      stack.pop_back();
    }
  }
  std::reverse(order.begin(), order.end());
  for (std::uint32_t i = 0; i < order.size(); ++i) body.block_at.emplace(order[i], i);
  for (const auto at : order) {
    Block b = std::move(blocks[at]);
    for (const auto t : next[at])
      if (const auto it = body.block_at.find(t); it != body.block_at.end()) b.next.push_back(it->second);
    body.insn_count += static_cast<std::uint32_t>(b.insns.size());
    body.blocks.push_back(std::move(b));
  }
  body.calls.assign(calls.begin(), calls.end());
  body.imports.assign(imports.begin(), imports.end());
  std::sort(body.code_pointers.begin(), body.code_pointers.end());
  body.code_pointers.erase(std::unique(body.code_pointers.begin(), body.code_pointers.end()), body.code_pointers.end());
  body.returns = returns;
  body.building = false;
  light_ = was_light, building_ = was_building;
  tables_.deepest = was_deepest;
  temps_ = saved_temps;
}

}  // namespace flow
