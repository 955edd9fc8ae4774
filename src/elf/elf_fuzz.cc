// Any bytes in: whatever read() accepts stays inside the file, whoever asks.
#include <cstdlib>

#include "elf/elf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView file(data, size);
  const auto b = elf::read(file);
  if (!b) return 0;
  for (const auto& s : b->segments)
    if (!base::in_bounds(s.offset, s.file_size, size) && s.file_size != 0) std::abort();
  for (const auto& t : b->strings())
    if (t.text.data() < reinterpret_cast<const char*>(data) || t.text.data() + t.text.size() > reinterpret_cast<const char*>(data) + size)
      std::abort();
  for (const auto& s : b->symbols) b->view(s.address, s.size), b->c_string(s.address), b->is_code(s.address);
  for (const auto& r : b->relocations) b->word(r.address);
  elf::names_in_functions(*b);
  return 0;
}
