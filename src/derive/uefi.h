// UEFI modules in, what they hand to the operating system out.
#pragma once

#include <vector>

#include "derive/facts.h"
#include "unpack/firmware.h"

namespace derive {

// One program for each PE32 or PE32+ file of an EFI subsystem (Microsoft PE format; UEFI 2.10, 2.1.1). Its code is not read, and
// that is said. A module that installs a WPBT table (Windows Platform Binary Table) hands the operating system a program that is
// started at every boot: where that program names an address, and calls that download and start, both are assumed to happen.
std::vector<ProgramFacts> facts_of_uefi_modules(const unpack::Firmware& firmware);

// True for a PE image whose subsystem is one of EFI's.
bool is_uefi_module(base::ByteView bytes);

}  // namespace derive
