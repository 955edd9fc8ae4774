// Strings of a program in, out the two that mark the head and the tail of a file that it takes: one is the other backwards.
// Whoever makes such a file can write both, so they show where it comes from to nobody.
#pragma once

#include <optional>
#include <span>
#include <utility>

#include "elf/elf.h"

namespace derive {

using elf::Text;

// The first such pair. Up to two characters at either end may differ: where a string in a program begins is a guess.
std::optional<std::pair<Text, Text>> mirrored_marks(std::span<const Text> texts);

}  // namespace derive
