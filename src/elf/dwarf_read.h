// The encodings of .debug_info that both readers of it need (DWARF 2 to 5, section 7.5). Not for other folders.
#pragma once

#include <optional>

#include "elf/parts.h"

namespace elf {

struct DwarfSections {
  base::ByteView info, abbrev, str, line_str;
};
DwarfSections dwarf_sections(const Binary& b);

struct UnitHeader {
  std::uint64_t begin = 0, next = 0;     // offsets in .debug_info: of the unit, and one past it
  std::uint64_t entries = 0, abbrev = 0; // where its first entry stands; where its abbreviations stand
  int offset_size = 4, address_size = 4;
};
// Nothing when the header at `at` makes no sense.
std::optional<UnitHeader> unit_header(const DwarfSections& s, base::ByteOrder order, std::uint64_t at);

struct DwarfValue {
  std::string_view text;     // of a string form that is read
  std::uint64_t number = 0;  // of a constant, an address, a reference within the unit
};

std::uint64_t uleb(base::ByteReader& r);
// One attribute; nothing when the form is not known, so that the reader is lost. Indexed strings are skipped, not looked up.
std::optional<DwarfValue> dwarf_attribute(base::ByteReader& r, std::uint64_t form, const UnitHeader& unit, const DwarfSections& s);

}  // namespace elf
