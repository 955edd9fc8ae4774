// What compare_two says beside the findings: components, and images that hold no file.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "compare/compare.h"

namespace comparison {

// By name, then path. `old_only`, `new_only`: images that the other side lacks.
std::vector<ComponentChange> compare_components(const result::Result& older, const result::Result& newer,
                                                const std::set<std::string>& old_only,
                                                const std::set<std::string>& new_only);

// Images of both sides, by name, whose bytes differ and in which neither side has a file (a kernel, a boot
// loader): what changed in them is not told. A device given as a single image has none.
std::vector<std::string> changed_images(const result::Result& older, const result::Result& newer);

}  // namespace comparison
