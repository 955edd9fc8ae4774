// `mtdparts=` of a kernel command line into partitions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace unpack {

// Offsets and sizes in bytes. Source: Linux drivers/mtd/parsers/cmdlinepart.c.
struct MtdPart {
  unsigned number = 0;
  std::string name;
  std::uint64_t offset = 0, size = 0;
};

// From the first of `notes` that holds a well-formed mtdparts; partitions of several chips are numbered on. Empty when
// there is none.
std::vector<MtdPart> parse_mtdparts(const std::vector<std::string>& notes);

}  // namespace unpack
