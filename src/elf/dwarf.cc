// .debug_info, .debug_abbrev and the string sections in, the names of compile units out (DWARF 2 to 5, section 7.5).
// Only the first entry of each unit is read: it says from which source file the code came. Function names come from symbols.
#include <algorithm>

#include "elf/parts.h"

namespace elf {
namespace {

std::uint64_t uleb(base::ByteReader& r) {
  std::uint64_t value = 0;
  for (int shift = 0; r.ok(); shift += 7) {
    const std::uint8_t byte = r.u8();
    if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) break;
  }
  return value;
}

struct Sections {
  base::ByteView info, abbrev, str, line_str;
};

// Reads or skips one attribute; true while the reader knows where the next begins.
bool attribute(base::ByteReader& r, std::uint64_t form, int offset_size, int address_size, const Sections& s,
               std::string_view* text) {
  const auto offset = [&] { return offset_size == 8 ? r.u64() : r.u32(); };
  std::string_view found;
  switch (form) {
    case 0x01: r.skip(address_size); break;
    case 0x05: case 0x12: r.skip(2); break;
    case 0x06: case 0x13: case 0x1C: r.skip(4); break;
    case 0x07: case 0x14: case 0x20: r.skip(8); break;
    case 0x08: {
      std::string_view rest = base::as_text(r.take(r.left()));
      const auto end = rest.find('\0');
      if (end == std::string_view::npos) return false;
      found = rest.substr(0, end);
      r.seek(r.offset() - (rest.size() - end - 1));
      break;
    }
    case 0x0B: case 0x0C: case 0x11: case 0x25: case 0x29: r.skip(1); break;
    case 0x0D: case 0x0F: case 0x15: case 0x1A: case 0x1B: case 0x22: case 0x23: uleb(r); break;
    case 0x0E: found = string_at(s.str, offset()); break;
    case 0x1F: found = string_at(s.line_str, offset()); break;
    case 0x10: case 0x17: offset(); break;
    case 0x19: break;
    case 0x1E: r.skip(16); break;
    case 0x26: case 0x2A: r.skip(2); break;
    case 0x28: case 0x2C: r.skip(4); break;
    default: return false;
  }
  if (text) *text = found;
  return r.ok();
}

std::string_view unit_name(base::ByteReader& r, base::ByteReader abbrev, int offset_size, int address_size,
                           const Sections& s) {
  const std::uint64_t code = uleb(r);
  const std::uint64_t wanted = code;
  while (abbrev.ok() && !abbrev.at_end()) {
    const std::uint64_t have = uleb(abbrev);
    if (have == 0) return {};
    uleb(abbrev), abbrev.u8();
    for (;;) {
      const std::uint64_t name = uleb(abbrev), form = uleb(abbrev);
      if (!abbrev.ok()) return {};
      if (form == 0x21) uleb(abbrev);  // DW_FORM_implicit_const keeps its value here
      if (name == 0 && form == 0) break;
      if (have != wanted || form == 0x21) continue;
      std::string_view text;
      if (!attribute(r, form, offset_size, address_size, s, &text)) return {};
      if (name == 0x03) return text;  // DW_AT_name
    }
    if (have == wanted) return {};
  }
  return {};
}

}  // namespace

void read_dwarf_names(Binary& b) {
  Sections s;
  for (const auto& section : b.sections) {
    const auto bytes = section.type == 8 ? base::ByteView{} : base::clipped(b.file, section.offset, section.size);
    if (section.name == ".debug_info") s.info = bytes;
    else if (section.name == ".debug_abbrev") s.abbrev = bytes;
    else if (section.name == ".debug_str") s.str = bytes;
    else if (section.name == ".debug_line_str") s.line_str = bytes;
  }
  std::uint64_t at = 0;
  while (at < s.info.size() && b.compile_units.size() < 65536) {
    base::ByteReader r(s.info, b.order);
    r.seek(at);
    std::uint64_t length = r.u32();
    int offset_size = 4;
    if (length == 0xFFFFFFFF) length = r.u64(), offset_size = 8;
    const auto next = base::checked_add(r.offset(), length);
    const std::uint16_t version = r.u16();
    if (!r.ok() || !next || length == 0 || version < 2 || version > 5) {
      base::add_doubt(b.doubts, {"elf-bad-dwarf", "", at, "A compile unit's header makes no sense."});
      break;
    }
    std::uint64_t abbrev_at;
    int address_size;
    if (version == 5) {
      const std::uint8_t unit_type = r.u8();
      address_size = r.u8();
      abbrev_at = offset_size == 8 ? r.u64() : r.u32();
      if (unit_type == 4 || unit_type == 5) r.skip(8);
      if (unit_type == 2 || unit_type == 6) r.skip(8), offset_size == 8 ? r.u64() : r.u32();
    } else {
      abbrev_at = offset_size == 8 ? r.u64() : r.u32();
      address_size = r.u8();
    }
    base::ByteReader abbrev(base::clipped(s.abbrev, abbrev_at), b.order);
    const auto name = unit_name(r, abbrev, offset_size, address_size, s);
    if (!name.empty()) b.compile_units.emplace_back(name);
    at = *next;
  }
  std::sort(b.compile_units.begin(), b.compile_units.end());
  b.compile_units.erase(std::unique(b.compile_units.begin(), b.compile_units.end()), b.compile_units.end());
}

}  // namespace elf
