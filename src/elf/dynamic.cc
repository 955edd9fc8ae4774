// PT_DYNAMIC in; needed libraries, dynamic symbols, relocations, the MIPS GOT, imports and initialisers out.
#include <algorithm>
#include <map>
#include <set>

#include "elf/parts.h"

namespace elf {
namespace {

constexpr std::size_t max_symbols = 1 << 20;

// Relocation numbers from each processor supplement.
struct RelocationTypes {
  std::uint32_t absolute, glob_dat, jump_slot, relative, irelative;
};

RelocationTypes types_of(Machine m, int bits) {
  switch (m) {
    case Machine::arm: return {2, 21, 22, 23, 160};
    case Machine::aarch64: return {257, 1025, 1026, 1027, 1032};
    case Machine::mips: return {3, 3, 127, 3, 0xFFFF};  // R_MIPS_REL32 serves for all
    case Machine::x86: return {1, 6, 7, 8, 42};
    case Machine::x86_64: return {1, 6, 7, 8, 37};
    case Machine::ppc:
    case Machine::ppc64: return {bits == 64 ? 38u : 1u, 20, 21, 22, 248};
    case Machine::riscv: return {bits == 64 ? 2u : 1u, bits == 64 ? 2u : 1u, 5, 3, 58};
    case Machine::other: return {1, 6, 7, 8, 42};
  }
  return {};
}

struct Tags {
  std::map<std::uint64_t, std::uint64_t> one;
  std::vector<std::uint64_t> needed;
  std::uint64_t get(std::uint64_t tag) const {
    const auto it = one.find(tag);
    return it == one.end() ? 0 : it->second;
  }
};

Tags read_tags(const Binary& b, const DynamicPlace& place) {
  Tags tags;
  base::ByteReader r(base::clipped(b.file, place.offset, place.size), b.order);
  while (!r.at_end()) {
    const std::uint64_t tag = b.bits == 64 ? r.u64() : r.u32();
    const std::uint64_t value = b.bits == 64 ? r.u64() : r.u32();
    if (!r.ok() || tag == 0) break;
    if (tag == 1) tags.needed.push_back(value);
    else tags.one.emplace(tag, value);
  }
  return tags;
}

// How many dynamic symbols there are: DT_MIPS_SYMTABNO, DT_HASH, DT_GNU_HASH, or up to the string table.
std::uint64_t symbol_count(const Binary& b, const Tags& tags, std::uint64_t entry_size) {
  if (const auto n = tags.get(0x70000011)) return n;
  if (const auto hash = tags.get(4)) {
    if (const auto n = base::load<std::uint32_t>(b.view(hash, 8), 4, b.order)) return *n;
  }
  if (const auto hash = tags.get(0x6FFFFEF5)) {
    const auto table = b.from(hash);
    const auto buckets = base::load<std::uint32_t>(table, 0, b.order);
    const auto first = base::load<std::uint32_t>(table, 4, b.order);
    const auto bloom = base::load<std::uint32_t>(table, 8, b.order);
    if (buckets && first && bloom) {
      const std::uint64_t bucket_at = 16 + std::uint64_t{*bloom} * (b.bits / 8);
      const std::uint64_t chain_at = bucket_at + std::uint64_t{*buckets} * 4;
      std::uint32_t last = 0;
      for (std::uint64_t i = 0; i < *buckets && i < max_symbols; ++i)
        last = std::max(last, base::load<std::uint32_t>(table, bucket_at + i * 4, b.order).value_or(0));
      // An empty hash (nothing exported) says nothing about how many undefined symbols there are.
      for (std::uint64_t i = last; last >= *first && i < max_symbols; ++i) {
        const auto link = base::load<std::uint32_t>(table, chain_at + (i - *first) * 4, b.order);
        if (!link) break;
        if ((*link & 1) != 0) return i + 1;
      }
    }
  }
  const auto symtab = tags.get(6), strtab = tags.get(5);
  return strtab > symtab ? (strtab - symtab) / entry_size : 0;
}

struct Table {
  std::vector<Symbol> symbols;  // dynamic symbols by index
};

Relocation decode(const Binary& b, const RelocationTypes& types, const Table& table, std::uint64_t offset,
                  std::uint64_t info, std::int64_t addend, bool implicit) {
  Relocation out;
  out.address = offset;
  std::uint64_t index = b.bits == 64 ? info >> 32 : info >> 8;
  out.type = static_cast<std::uint32_t>(b.bits == 64 ? info & 0xFFFFFFFF : info & 0xFF);
  out.addend = addend;
  out.implicit = implicit;
  if (index != 0 && index < table.symbols.size()) {
    const auto& s = table.symbols[index];
    out.symbol = s.name;
    out.value = s.defined ? s.address | (s.thumb ? 1u : 0u) : 0;
    out.function = s.kind == Symbol::Kind::function;
  }
  out.relative = out.symbol.empty() && (out.type == types.relative || out.type == types.irelative);
  return out;
}

void read_relocations(Binary& b, const Table& table, std::uint64_t address, std::uint64_t size, bool rela) {
  const auto types = types_of(b.machine, b.bits);
  auto bytes = base::clipped(b.from(address), 0, size);
  if (bytes.size() < size)
    base::add_doubt(b.doubts, {"elf-bad-dynamic", "", address, "A relocation table lies outside the file."});
  base::ByteReader r(bytes, b.order);
  const std::uint64_t width = b.bits / 8 * (rela ? 3 : 2);
  while (r.left() >= width && b.relocations.size() < max_symbols) {
    const std::uint64_t offset = b.bits == 64 ? r.u64() : r.u32();
    const std::uint64_t info = b.bits == 64 ? r.u64() : r.u32();
    std::int64_t addend = 0;
    if (rela) addend = b.bits == 64 ? static_cast<std::int64_t>(r.u64()) : static_cast<std::int32_t>(r.u32());
    auto reloc = decode(b, types, table, offset, info, addend, !rela);
    if (!rela) {
      const auto word = b.word(offset).value_or(0);
      reloc.addend = static_cast<std::int64_t>(word);
    }
    b.relocations.push_back(std::move(reloc));
  }
}

// MIPS ABI supplement, chapter 5: after DT_MIPS_LOCAL_GOTNO local entries the GOT has one entry for each dynamic symbol
// from DT_MIPS_GOTSYM on. They become relocations of type 0x10000 here, so that others need not know.
void read_mips_got(Binary& b, const Tags& tags, const Table& table) {
  const auto local = tags.get(0x7000000A), first = tags.get(0x70000013);
  const std::uint64_t width = b.bits / 8;
  if (b.got == 0 || first == 0 || local > max_symbols) return;
  b.got_end = b.got + local * width;
  for (std::uint64_t i = first; i < table.symbols.size(); ++i) {
    Relocation r;
    r.address = b.got + (local + i - first) * width;
    r.type = 0x10000;
    r.symbol = table.symbols[i].name;
    r.value = table.symbols[i].defined ? table.symbols[i].address : 0;
    r.function = table.symbols[i].kind == Symbol::Kind::function;
    b.relocations.push_back(std::move(r));
  }
}

void read_array(const Binary& b, std::uint64_t address, std::uint64_t size, std::vector<std::uint64_t>& out) {
  const std::uint64_t width = b.bits / 8;
  for (std::uint64_t at = 0; at + width <= size && at < 1 << 16; at += width) {
    std::uint64_t value = b.word(address + at).value_or(0);
    for (const auto& r : b.relocations)
      if (r.address == address + at) value = r.relative ? static_cast<std::uint64_t>(r.addend) : r.value;
    if (value != 0 && value != ~std::uint64_t{0} && value != 0xFFFFFFFF) out.push_back(value);
  }
}

void collect_imports(Binary& b, const Table& table) {
  std::map<std::string, Import> imports;
  for (const auto& s : table.symbols) {
    if (s.defined || s.name.empty()) continue;
    auto& import = imports[s.name];
    import.name = s.name;
    import.weak = s.weak;
    import.function |= s.kind == Symbol::Kind::function;
    if (s.address != 0) import.stub = s.address | (s.thumb ? 1u : 0u);
  }
  const auto types = types_of(b.machine, b.bits);
  for (const auto& r : b.relocations) {
    const auto it = imports.find(r.symbol);
    if (it == imports.end()) continue;
    if (it->second.slot == 0 || r.type == types.jump_slot) it->second.slot = r.address;
    if (r.type == types.jump_slot) it->second.function = true;
  }
  for (auto& [unused, import] : imports) b.imports.push_back(std::move(import));
}

}  // namespace

std::string_view string_at(base::ByteView table, std::uint64_t offset) {
  if (offset >= table.size()) return {};
  const auto text = base::as_text(table).substr(offset);
  const auto end = text.find('\0');
  return end == std::string_view::npos ? std::string_view{} : text.substr(0, end);
}

namespace {

Symbol decode_symbol(const Binary& b, base::ByteReader& r, base::ByteView strings, char& mapping) {
  std::uint32_t name;
  std::uint64_t value, size;
  std::uint8_t info;
  std::uint16_t section;
  if (b.bits == 64) {
    name = r.u32(), info = r.u8(), r.u8(), section = r.u16(), value = r.u64(), size = r.u64();
  } else {
    name = r.u32(), value = r.u32(), size = r.u32(), info = r.u8(), r.u8(), section = r.u16();
  }
  Symbol s;
  std::string_view text = string_at(strings, name);
  mapping = 0;
  if ((b.machine == Machine::arm || b.machine == Machine::aarch64) && text.size() >= 2 && text[0] == '$' &&
      (text.size() == 2 || text[2] == '.') && (text[1] == 'a' || text[1] == 't' || text[1] == 'd' || text[1] == 'x'))
    mapping = text[1] == 'x' ? 'a' : text[1];
  s.name = std::string(text.substr(0, text.find('@') == 0 ? std::string_view::npos : text.find('@')));
  s.address = value;
  s.size = size;
  switch (info & 15) {
    case 1: s.kind = Symbol::Kind::object; break;
    case 2:
    case 10: s.kind = Symbol::Kind::function; break;  // FUNC, GNU_IFUNC
    case 4: s.kind = Symbol::Kind::file; break;
    case 6: s.kind = Symbol::Kind::thread_local_object; break;
    case 13: s.kind = b.machine == Machine::arm ? Symbol::Kind::function : Symbol::Kind::other, s.thumb = true; break;
    default: break;
  }
  s.global = (info >> 4) != 0;
  s.weak = (info >> 4) == 2;
  s.defined = section != 0;
  if (b.machine == Machine::arm && s.kind == Symbol::Kind::function && (s.address & 1) != 0)
    s.address &= ~std::uint64_t{1}, s.thumb = true;
  if (b.machine == Machine::mips && s.kind == Symbol::Kind::function) s.address &= ~std::uint64_t{1};
  return s;
}

}  // namespace

void read_symbols(Binary& b, base::ByteView table, base::ByteView strings, bool dynamic) {
  const std::uint64_t width = b.bits == 64 ? 24 : 16;
  base::ByteReader r(table, b.order);
  while (r.left() >= width && b.symbols.size() < max_symbols) {
    char mapping = 0;
    Symbol s = decode_symbol(b, r, strings, mapping);
    if (mapping != 0) {
      b.mappings.push_back({s.address, mapping});
      continue;
    }
    if (s.name.empty() || s.kind == Symbol::Kind::file) continue;
    s.dynamic = dynamic;
    b.symbols.push_back(std::move(s));
  }
}

void read_dynamic(Binary& b, const DynamicPlace& place) {
  const Tags tags = read_tags(b, place);
  const std::uint64_t width = b.bits == 64 ? 24 : 16;
  const auto strings = base::clipped(b.from(tags.get(5)), 0, tags.get(10) != 0 ? tags.get(10) : ~std::uint64_t{0});
  for (const auto at : tags.needed) {
    const auto text = string_at(strings, at);
    if (!text.empty()) b.needed.emplace_back(text);
    else base::add_doubt(b.doubts, {"elf-bad-dynamic", "", place.offset, "A needed library has no readable name."});
  }
  if (tags.one.contains(14)) b.soname = std::string(string_at(strings, tags.get(14)));
  b.got = tags.get(3);
  if (b.machine == Machine::mips && b.got != 0) b.mips_gp = b.got + 0x7FF0;

  Table table;
  const auto symtab = b.from(tags.get(6));
  const std::uint64_t count = std::min<std::uint64_t>(symbol_count(b, tags, width), max_symbols);
  if (count > symtab.size() / width)
    base::add_doubt(b.doubts, {"elf-bad-symbols", "", place.offset, "The dynamic symbol table is not as large as it says."});
  base::ByteReader r(symtab, b.order);
  for (std::uint64_t i = 0; i < count && r.left() >= width; ++i) {
    char mapping = 0;
    table.symbols.push_back(decode_symbol(b, r, strings, mapping));
  }
  for (const auto& s : table.symbols)
    if (!s.name.empty()) {
      b.symbols.push_back(s);
      b.symbols.back().dynamic = true;
    }

  if (tags.get(7) != 0) read_relocations(b, table, tags.get(7), tags.get(8), true);
  if (tags.get(17) != 0) read_relocations(b, table, tags.get(17), tags.get(18), false);
  if (tags.get(23) != 0) {
    // PowerPC and some linkers let DT_JMPREL lie inside DT_RELA: the second reading is dropped below.
    read_relocations(b, table, tags.get(23), tags.get(2), tags.get(20) == 7);
  }
  if (b.machine == Machine::mips) read_mips_got(b, tags, table);
  std::stable_sort(b.relocations.begin(), b.relocations.end(),
                   [](const Relocation& x, const Relocation& y) { return x.address < y.address; });
  b.relocations.erase(std::unique(b.relocations.begin(), b.relocations.end(),
                                  [](const Relocation& x, const Relocation& y) {
                                    return x.address == y.address && x.type == y.type && x.symbol == y.symbol;
                                  }),
                      b.relocations.end());
  if (tags.get(12) != 0) b.init_functions.push_back(tags.get(12));
  if (tags.get(13) != 0) b.fini_functions.push_back(tags.get(13));
  read_array(b, tags.get(32), tags.get(33), b.init_functions);
  read_array(b, tags.get(25), tags.get(27), b.init_functions);
  read_array(b, tags.get(26), tags.get(28), b.fini_functions);
  collect_imports(b, table);
}

void sort_symbols(Binary& b) {
  std::stable_sort(b.symbols.begin(), b.symbols.end(), [](const Symbol& x, const Symbol& y) {
    return x.address != y.address ? x.address < y.address : x.name < y.name;
  });
  b.symbols.erase(std::unique(b.symbols.begin(), b.symbols.end(),
                              [](const Symbol& x, const Symbol& y) {
                                return x.address == y.address && x.name == y.name && x.kind == y.kind && x.defined == y.defined;
                              }),
                  b.symbols.end());
  std::stable_sort(b.mappings.begin(), b.mappings.end(),
                   [](const Mapping& x, const Mapping& y) { return x.address < y.address; });
}

}  // namespace elf
