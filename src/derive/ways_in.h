// Words of pages and programs in, ways for new code to arrive that no followed code shows out: forms that upload firmware, remote
// management that downloads it. All of it is assumed, and says so.
#pragma once

#include <vector>

#include "derive/facts.h"
#include "unpack/firmware.h"

namespace derive {

// Web pages with a form for a file whose words say that it is firmware: the program that the form names takes it, and writes it to
// flash as far as its words go (the names of flash devices). A text with which such a program marks its images is no signature.
std::vector<ProgramFacts> facts_of_upload_forms(const unpack::Firmware& firmware);

// Clients of CWMP (TR-069) that know its Download method (Broadband Forum TR-069 amendment 6, A.4.1.5).
std::vector<ProgramFacts> facts_of_remote_management(const unpack::Firmware& firmware);

}  // namespace derive
