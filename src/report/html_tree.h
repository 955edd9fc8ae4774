// The files of a firmware as folders that unfold, each file with how far it was read.
#pragma once

#include <string>
#include <vector>

#include "result/result.h"

namespace report {

// Escaped HTML. Deeper than 40 folders, the rest of a path is one name: a hostile path costs no stack.
std::string html_tree(const std::vector<result::FileEntry>& files);

}  // namespace report
