// .debug_info, .debug_abbrev and the string sections in, the names of compile units out (DWARF 2 to 5, section 7.5).
// Only the first entry of each unit is read: it says from which source file the code came. Function names come from symbols.
#include <algorithm>

#include "elf/dwarf_read.h"

namespace elf {

std::uint64_t uleb(base::ByteReader& r) {
  std::uint64_t value = 0;
  for (int shift = 0; r.ok(); shift += 7) {
    const std::uint8_t byte = r.u8();
    if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) break;
  }
  return value;
}

std::optional<DwarfValue> dwarf_attribute(base::ByteReader& r, std::uint64_t form, const UnitHeader& unit, const DwarfSections& s) {
  const auto offset = [&] { return unit.offset_size == 8 ? r.u64() : r.u32(); };
  DwarfValue found;
  switch (form) {
    case 0x01: found.number = unit.address_size == 8 ? r.u64() : r.u32(); break;
    case 0x03: r.skip(r.u16()); break;
    case 0x04: r.skip(r.u32()); break;
    case 0x05: case 0x12: found.number = r.u16(); break;
    case 0x06: case 0x13: found.number = r.u32(); break;
    case 0x1C: r.skip(4); break;
    case 0x07: case 0x14: found.number = r.u64(); break;
    case 0x20: r.skip(8); break;
    case 0x08: {
      std::string_view rest = base::as_text(r.take(r.left()));
      const auto end = rest.find('\0');
      if (end == std::string_view::npos) return std::nullopt;
      found.text = rest.substr(0, end);
      r.seek(r.offset() - (rest.size() - end - 1));
      break;
    }
    case 0x09: case 0x18: r.skip(uleb(r)); break;
    case 0x0A: r.skip(r.u8()); break;
    case 0x0B: case 0x0C: case 0x11: found.number = r.u8(); break;
    case 0x25: case 0x29: r.skip(1); break;
    case 0x0D: case 0x0F: case 0x15: found.number = uleb(r); break;
    case 0x1A: case 0x1B: case 0x22: case 0x23: uleb(r); break;
    case 0x0E: found.text = string_at(s.str, offset()); break;
    case 0x1F: found.text = string_at(s.line_str, offset()); break;
    case 0x10: case 0x17: case 0x1D: case 0x1F20: case 0x1F21: offset(); break;
    case 0x19: case 0x21: break;
    case 0x1E: r.skip(16); break;
    case 0x26: case 0x2A: r.skip(2); break;
    case 0x28: case 0x2C: r.skip(4); break;
    default: return std::nullopt;
  }
  if (!r.ok()) return std::nullopt;
  return found;
}

DwarfSections dwarf_sections(const Binary& b) {
  DwarfSections s;
  for (const auto& section : b.sections) {
    const auto bytes = section.type == 8 ? base::ByteView{} : base::clipped(b.file, section.offset, section.size);
    if (section.name == ".debug_info") s.info = bytes;
    else if (section.name == ".debug_abbrev") s.abbrev = bytes;
    else if (section.name == ".debug_str") s.str = bytes;
    else if (section.name == ".debug_line_str") s.line_str = bytes;
  }
  return s;
}

std::optional<UnitHeader> unit_header(const DwarfSections& s, base::ByteOrder order, std::uint64_t at) {
  UnitHeader unit;
  unit.begin = at;
  base::ByteReader r(s.info, order);
  r.seek(at);
  std::uint64_t length = r.u32();
  if (length == 0xFFFFFFFF) length = r.u64(), unit.offset_size = 8;
  const auto next = base::checked_add(r.offset(), length);
  const std::uint16_t version = r.u16();
  if (!r.ok() || !next || length == 0 || version < 2 || version > 5) return std::nullopt;
  unit.next = *next;
  if (version == 5) {
    const std::uint8_t unit_type = r.u8();
    unit.address_size = r.u8();
    unit.abbrev = unit.offset_size == 8 ? r.u64() : r.u32();
    if (unit_type == 4 || unit_type == 5) r.skip(8);
    if (unit_type == 2 || unit_type == 6) r.skip(8), unit.offset_size == 8 ? r.u64() : r.u32();
  } else {
    unit.abbrev = unit.offset_size == 8 ? r.u64() : r.u32();
    unit.address_size = r.u8();
  }
  unit.entries = r.offset();
  return unit;
}

namespace {

std::string_view unit_name(base::ByteReader& r, base::ByteReader abbrev, const UnitHeader& unit, const DwarfSections& s) {
  const std::uint64_t wanted = uleb(r);
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
      const auto value = dwarf_attribute(r, form, unit, s);
      if (!value) return {};
      if (name == 0x03) return value->text;  // DW_AT_name
    }
    if (have == wanted) return {};
  }
  return {};
}

}  // namespace

void read_dwarf_names(Binary& b) {
  const DwarfSections s = dwarf_sections(b);
  for (std::uint64_t at = 0; at < s.info.size() && b.compile_units.size() < 65536;) {
    const auto unit = unit_header(s, b.order, at);
    if (!unit) {
      base::add_doubt(b.doubts, {"elf-bad-dwarf", "", at, "A compile unit's header makes no sense."});
      break;
    }
    base::ByteReader r(s.info, b.order);
    r.seek(unit->entries);
    const auto name = unit_name(r, base::ByteReader(base::clipped(s.abbrev, unit->abbrev), b.order), *unit, s);
    if (!name.empty()) b.compile_units.emplace_back(name);
    at = unit->next;
  }
  std::sort(b.compile_units.begin(), b.compile_units.end());
  b.compile_units.erase(std::unique(b.compile_units.begin(), b.compile_units.end()), b.compile_units.end());
}

}  // namespace elf
