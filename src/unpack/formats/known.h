// What is known by its first bytes, and not read: so that a report says what the bytes are.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace unpack {

struct Known {
  std::string_view magic;
  std::uint64_t at = 0;  // from the start of a blob
  std::string_view name;
  bool whole = true;     // the blob is this; else only its first bytes are, and the rest is looked at for itself
};

// By reason: encrypted, a maker's own packing, a general-purpose file system, an archive or text of another field.
std::span<const Known> known_encrypted();
std::span<const Known> known_packed();
std::span<const Known> known_file_systems();
std::span<const Known> known_others();

}  // namespace unpack
