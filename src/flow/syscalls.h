// System call numbers of Linux, for the calls that a model knows.
#pragma once

#include <cstdint>
#include <string>

#include "elf/elf.h"

namespace flow {

// The name of a system call, as libc spells it; empty when it is not one that we know.
std::string syscall_name(elf::Machine machine, std::uint32_t number);

}  // namespace flow
