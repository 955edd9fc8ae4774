// Server-side pages in, what they do with requests and which command lines they write into scripts out.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "derive/facts.h"
#include "unpack/firmware.h"

namespace derive {

// `is_program` tells whether the firmware holds a program of that base name.
ProgramFacts facts_of_page(std::string_view text, std::string_view path, const std::function<bool(std::string_view)>& is_program, const Models& models);

// Text files of the firmware that hold server-side code (<? ... ?> or <% ... %>).
std::vector<ProgramFacts> facts_of_pages(const unpack::Firmware& firmware, const Models& models);

}  // namespace derive
