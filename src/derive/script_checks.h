// What a script compares and shows before it goes on: tests of one file's content against another's, and words put before a person.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "effects/effects.h"
#include "shell/shell.h"

namespace derive {

// Effects to be added at commands: compare-version for an order (-gt, -lt, ...) and compare-device for equality, where both sides come
// from files, compare-constant where one does, and the test decides about a later command; print for words that hold a file's content, where the script asks a person.
// The note `offered` is a file that was read, `installed` another one.
std::vector<std::pair<std::uint32_t, effects::Effect>> checks_of(const shell::Script& script);

}  // namespace derive
