// What the readers in this folder share; not for other folders.
#pragma once

#include "elf/elf.h"

namespace elf {

struct DynamicPlace {
  std::uint64_t address = 0, offset = 0, size = 0;
};

// The NUL-terminated text at `offset` of a string table; empty when outside.
std::string_view string_at(base::ByteView table, std::uint64_t offset);

void read_symbols(Binary& b, base::ByteView table, base::ByteView strings, bool dynamic);
void read_dynamic(Binary& b, const DynamicPlace& place);
void find_stubs(Binary& b);        // fills Import::stub by matching PLT code against GOT slots
void read_dwarf_names(Binary& b);  // compile-unit and sub-program names
void sort_symbols(Binary& b);

}  // namespace elf
