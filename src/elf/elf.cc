// Headers, program headers and section headers; what memory looks like. Dynamic parts are in dynamic.cc.
#include "elf/elf.h"

#include <algorithm>

#include "elf/parts.h"

namespace elf {
namespace {

constexpr std::uint32_t pt_load = 1, pt_dynamic = 2, pt_interp = 3, pt_gnu_eh_frame = 0x6474E550;
constexpr std::uint32_t pt_arm_exidx = 0x70000001;
constexpr std::size_t max_headers = 4096;

Machine machine_of(std::uint16_t value, int bits) {
  switch (value) {
    case 3: return Machine::x86;
    case 8: return Machine::mips;
    case 20: return Machine::ppc;
    case 21: return Machine::ppc64;
    case 40: return Machine::arm;
    case 62: return bits == 64 ? Machine::x86_64 : Machine::other;
    case 183: return Machine::aarch64;
    case 243: return Machine::riscv;
    default: return Machine::other;
  }
}

struct Header {
  std::uint64_t phoff = 0, shoff = 0;
  std::uint16_t phentsize = 0, phnum = 0, shentsize = 0, shnum = 0, shstrndx = 0;
};

void read_segments(Binary& b, const Header& h, DynamicPlace& dynamic) {
  if (h.phnum == 0) return;
  const std::size_t need = b.bits == 64 ? 56 : 32;
  if (h.phentsize < need || h.phnum > max_headers) {
    base::add_doubt(b.doubts, {"elf-truncated", "", h.phoff, "The program header table is not as large as it says."});
    return;
  }
  for (std::uint16_t i = 0; i < h.phnum; ++i) {
    base::ByteReader r(b.file, b.order);
    r.seek(h.phoff);
    r.skip(std::uint64_t{i} * h.phentsize);
    std::uint64_t offset, address, filesz, memsz;
    std::uint32_t flags;
    const std::uint32_t type = r.u32();
    if (b.bits == 64) {
      flags = r.u32();
      offset = r.u64(), address = r.u64(), r.u64(), filesz = r.u64(), memsz = r.u64();
    } else {
      offset = r.u32(), address = r.u32(), r.u32(), filesz = r.u32(), memsz = r.u32();
      flags = r.u32();
    }
    if (!r.ok()) {
      base::add_doubt(b.doubts, {"elf-truncated", "", h.phoff, "A program header lies outside the file."});
      return;
    }
    const auto inside = base::clipped(b.file, offset, filesz);
    if (type == pt_load) {
      if (inside.size() < filesz)
        base::add_doubt(b.doubts, {"elf-truncated", "", offset, "A segment reaches past the end of the file."});
      if (memsz > (std::uint64_t{1} << 40)) memsz = inside.size();
      if (!base::checked_add(address, memsz)) continue;
      b.segments.push_back({address, std::max<std::uint64_t>(memsz, inside.size()), offset, inside.size(),
                            (flags & 4) != 0, (flags & 2) != 0, (flags & 1) != 0});
    } else if (type == pt_dynamic) {
      dynamic = {address, offset, inside.size()};
    } else if (type == pt_interp) {
      const auto text = base::as_text(inside);
      b.interpreter = std::string(text.substr(0, text.find('\0')));
    } else if (type == pt_gnu_eh_frame) {
      b.eh_frame_hdr = address, b.eh_frame_hdr_size = inside.size();
    } else if (type == pt_arm_exidx && b.machine == Machine::arm) {
      b.exidx = address, b.exidx_size = inside.size();
    }
  }
  std::stable_sort(b.segments.begin(), b.segments.end(),
                   [](const Segment& x, const Segment& y) { return x.address < y.address; });
}

void read_sections(Binary& b, const Header& h) {
  if (h.shnum == 0 || h.shoff == 0) return;
  const std::size_t need = b.bits == 64 ? 64 : 40;
  if (h.shentsize < need || h.shnum > max_headers * 4) return;
  struct Raw {
    std::uint32_t name, type, link, info;
    std::uint64_t flags, address, offset, size;
  };
  std::vector<Raw> raws;
  for (std::uint16_t i = 0; i < h.shnum; ++i) {
    base::ByteReader r(b.file, b.order);
    r.seek(h.shoff);
    r.skip(std::uint64_t{i} * h.shentsize);
    Raw s{};
    s.name = r.u32(), s.type = r.u32();
    if (b.bits == 64) {
      s.flags = r.u64(), s.address = r.u64(), s.offset = r.u64(), s.size = r.u64(), s.link = r.u32(), s.info = r.u32();
    } else {
      s.flags = r.u32(), s.address = r.u32(), s.offset = r.u32(), s.size = r.u32(), s.link = r.u32(), s.info = r.u32();
    }
    if (!r.ok()) {
      base::add_doubt(b.doubts, {"elf-bad-sections", "", h.shoff, "The section header table lies outside the file."});
      b.sections.clear();
      return;
    }
    raws.push_back(s);
  }
  base::ByteView names;
  if (h.shstrndx < raws.size()) names = base::clipped(b.file, raws[h.shstrndx].offset, raws[h.shstrndx].size);
  for (const auto& s : raws) {
    Section out;
    out.name = std::string(string_at(names, s.name));
    out.type = s.type, out.address = s.address, out.offset = s.offset, out.size = s.size;
    out.executable = (s.flags & 4) != 0;
    b.sections.push_back(std::move(out));
  }
  for (std::size_t i = 0; i < raws.size(); ++i) {
    if (raws[i].type != 2 || raws[i].link >= raws.size()) continue;  // SHT_SYMTAB
    const auto table = base::clipped(b.file, raws[i].offset, raws[i].size);
    const auto strings = base::clipped(b.file, raws[raws[i].link].offset, raws[raws[i].link].size);
    b.is_stripped = false;
    read_symbols(b, table, strings, false);
  }
}

// A relocatable object (kernel module) has no segments: its allocated sections are laid end to end from 0x10000.
void lay_out_relocatable(Binary& b) {
  std::uint64_t at = 0x10000;
  for (auto& s : b.sections) {
    if (s.type != 1 || s.size == 0) continue;  // SHT_PROGBITS
    const auto inside = base::clipped(b.file, s.offset, s.size);
    s.address = at;
    b.segments.push_back({at, inside.size(), s.offset, inside.size(), true, !s.executable, s.executable});
    at = base::align_up(at + inside.size(), 4096);
  }
}

}  // namespace

std::string_view name(Machine machine) {
  switch (machine) {
    case Machine::other: return "other";
    case Machine::arm: return "arm";
    case Machine::aarch64: return "aarch64";
    case Machine::mips: return "mips";
    case Machine::x86: return "x86";
    case Machine::x86_64: return "x86-64";
    case Machine::ppc: return "powerpc";
    case Machine::ppc64: return "powerpc64";
    case Machine::riscv: return "riscv";
  }
  return "other";
}

bool is_elf(base::ByteView file) {
  return file.size() >= 4 && file[0] == 0x7F && file[1] == 'E' && file[2] == 'L' && file[3] == 'F';
}

namespace {

// What the ELF header says, and where the tables are.
base::Result<Binary> begin(base::ByteView file, Header& h) {
  if (!is_elf(file)) return base::fail(base::Error::Kind::unsupported, "Not an ELF file.");
  if (file.size() < 52) return base::fail(base::Error::Kind::damaged, "The ELF header is cut off.");
  Binary b;
  b.file = file;
  b.is_stripped = true;
  if (file[4] != 1 && file[4] != 2) return base::fail(base::Error::Kind::unsupported, "Neither ELF32 nor ELF64.");
  if (file[5] != 1 && file[5] != 2) return base::fail(base::Error::Kind::unsupported, "The ELF byte order is unknown.");
  b.bits = file[4] == 2 ? 64 : 32;
  b.order = file[5] == 2 ? base::ByteOrder::big : base::ByteOrder::little;
  base::ByteReader r(file, b.order);
  r.seek(16);
  b.type = r.u16();
  b.e_machine = r.u16();
  r.u32();
  if (b.bits == 64) b.entry = r.u64(), h.phoff = r.u64(), h.shoff = r.u64();
  else b.entry = r.u32(), h.phoff = r.u32(), h.shoff = r.u32();
  b.flags = r.u32();
  r.u16();
  h.phentsize = r.u16(), h.phnum = r.u16(), h.shentsize = r.u16(), h.shnum = r.u16(), h.shstrndx = r.u16();
  if (!r.ok()) return base::fail(base::Error::Kind::damaged, "The ELF header is cut off.");
  if (b.type < 1 || b.type > 3)
    return base::fail(base::Error::Kind::unsupported, "Neither an executable, a shared object nor a relocatable ELF file.");
  b.machine = machine_of(b.e_machine, b.bits);
  if (b.machine == Machine::arm && (b.entry & 1) != 0) b.entry &= ~std::uint64_t{1}, b.thumb_entry = true;
  return b;
}

}  // namespace

base::Result<Binary> read_header(base::ByteView file) {
  Header h;
  return begin(file, h);
}

base::Result<Binary> read(base::ByteView file) {
  Header h;
  auto begun = begin(file, h);
  if (!begun) return begun;
  Binary& b = *begun;
  DynamicPlace dynamic;
  read_segments(b, h, dynamic);
  read_sections(b, h);
  if (b.type == 1) lay_out_relocatable(b);
  if (b.segments.empty())
    base::add_doubt(b.doubts, {"elf-no-segments", "", 0, "No loadable segment: nothing of this file would run."});
  if (dynamic.size != 0) read_dynamic(b, dynamic);
  b.is_static = b.interpreter.empty() && b.needed.empty();
  find_stubs(b);
  read_dwarf_names(b);
  sort_symbols(b);
  return begun;
}

const Segment* Binary::segment_of(std::uint64_t address) const {
  for (const auto& s : segments)
    if (address >= s.address && address - s.address < s.memory_size) return &s;
  return nullptr;
}

std::optional<std::uint64_t> Binary::file_offset(std::uint64_t address) const {
  for (const auto& s : segments)
    if (address >= s.address && address - s.address < s.file_size) return s.offset + (address - s.address);
  return std::nullopt;
}

base::ByteView Binary::from(std::uint64_t address) const {
  for (const auto& s : segments)
    if (address >= s.address && address - s.address < s.file_size) {
      const std::uint64_t skip = address - s.address;
      return base::clipped(file, s.offset + skip, s.file_size - skip);
    }
  return {};
}

base::ByteView Binary::view(std::uint64_t address, std::uint64_t length) const {
  const auto rest = from(address);
  return rest.size() >= length ? rest.subspan(0, length) : base::ByteView{};
}

bool Binary::is_code(std::uint64_t address) const {
  const auto* s = segment_of(address);
  if (!s || !s->executable || address - s->address >= s->file_size) return false;
  bool any = false;
  for (const auto& section : sections) {
    if (!section.executable || section.size == 0) continue;
    any = true;
    if (address >= section.address && address - section.address < section.size) return true;
  }
  return !any;
}

std::optional<std::uint64_t> Binary::word(std::uint64_t address) const {
  const std::uint64_t width = bits / 8;
  const auto bytes = view(address, width);
  if (bytes.empty()) {
    const auto* s = segment_of(address);
    if (s && s->memory_size >= width && address - s->address <= s->memory_size - width) return 0;
    return std::nullopt;
  }
  return bits == 64 ? base::load<std::uint64_t>(bytes, 0, order)
                    : std::optional<std::uint64_t>(*base::load<std::uint32_t>(bytes, 0, order));
}

std::optional<std::string_view> Binary::c_string(std::uint64_t address, std::size_t limit) const {
  const auto text = base::as_text(base::clipped(from(address), 0, limit));
  const auto end = text.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  return text.substr(0, end);
}

std::vector<Text> Binary::strings(std::size_t min_len) const {
  std::vector<Text> out;
  for (const auto& s : segments) {
    const auto text = base::as_text(base::clipped(file, s.offset, s.file_size));
    std::size_t start = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      if ((c >= 0x20 && c < 0x7F) || c == '\t' || c == '\n' || c == '\r') continue;
      if (c == 0 && i - start >= min_len) out.push_back({s.address + start, text.substr(start, i - start)});
      start = i + 1;
    }
  }
  return out;
}

const Symbol* Binary::function_at(std::uint64_t address) const {
  auto it = std::lower_bound(symbols.begin(), symbols.end(), address,
                             [](const Symbol& s, std::uint64_t a) { return s.address < a; });
  const Symbol* best = nullptr;
  for (; it != symbols.end() && it->address == address; ++it) {
    if (!it->defined || it->kind != Symbol::Kind::function || it->name.empty()) continue;
    if (!best || (it->global && !best->global) ||
        (it->global == best->global && !it->weak && best->weak)) best = &*it;
  }
  return best;
}

bool Binary::has_import(std::string_view wanted) const {
  const auto it = std::lower_bound(imports.begin(), imports.end(), wanted,
                                   [](const Import& i, std::string_view n) { return i.name < n; });
  return it != imports.end() && it->name == wanted;
}

}  // namespace elf
