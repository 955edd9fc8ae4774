// What single programs do, made one graph: who starts whom, what flows where through paths, which programs are replaced.
#pragma once

#include <functional>
#include <string_view>

#include "derive/facts.h"
#include "shell/boot.h"
#include "unpack/firmware.h"

namespace derive {

struct Linked {
  effects::Graph graph;
  std::vector<std::string> give_ups;
};

// The content of a file of `tree`.
using ReadFile = std::function<std::string_view(const unpack::Node& node)>;

// `facts` in the order of their paths; `starts` from the boot plan of `tree`.
Linked link(std::vector<ProgramFacts> facts, const unpack::Tree& tree, const std::vector<shell::Start>& starts, const ReadFile& read = {});

}  // namespace derive
