// Images in, which of them share programs, strings and functions with the first one out: is this a device
// that is known under another name?
//
// What everybody has tells nothing and is left out: components that models/components.yaml names, the C
// library and its like as files, and their texts where they are linked into a program
// (models/public_strings.txt). Of the rest, each program is set beside the one that is most like it: equal
// bytes; texts and functions in common; and the similarity digest of ssdeep (Kornblum, Identifying almost
// identical files using context triggered piecewise hashing, 2006). Machine code is compared where both are
// for one machine, by the shape of its functions. Of a statically linked program the texts alone count: its
// code is mostly a library's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "unpack/firmware.h"

namespace comparison {

struct Traits {  // of one program or script
  std::string path, sha256;
  std::string digest;   // of ssdeep; empty where the file is too small or too large for one
  std::string machine;  // "script" for scripts
  bool is_static = false;
  std::vector<std::string> strings;  // sorted, each once; of a script, its lines
  std::vector<std::string>
      functions;  // "blocks/instructions/calls" of those that are not small, sorted, each once
};

struct Sketch {
  std::string device;
  std::vector<Traits> programs;       // by path; public components are left out
  std::uint64_t components = 0;       // programs left out
  std::uint64_t public_strings = 0;   // texts left out
  std::vector<std::string> not_read;  // path: why; their strings and functions are missing
};

// Reads every program in workers.
Sketch sketch(const unpack::Firmware& firmware, const std::string& device, unsigned jobs);

struct Shared {              // two programs that are more alike than by chance
  std::string known, other;  // paths
  int likeness = 0;          // 0 to 100
  bool identical = false;
  int digest = 0;                                 // ssdeep's figure, 0 to 100
  std::uint64_t strings = 0, of_strings = 0;      // in common, of both together
  std::uint64_t functions = 0, of_functions = 0;  // of_functions 0: not compared
  std::vector<std::string> such_as;               // a few of the strings in common, the longest first
};

struct Likeness {
  std::string known, other;
  bool evaluated = false;  // false: one side has no program of its own that could be read
  int likeness = 0;        // 0 to 100, over all programs of both, each as heavy as it has texts
  bool alike = false;      // at least kAlike
  bool by_scripts =
      false;  // neither has code of its own, so that scripts decide; else they are shown and do not count
  std::vector<Shared> programs;  // most alike first
};

// Between the relabelled twins and the strangers of tests/alike_test.py; docs/decisions/0007 says how far
// from either.
inline constexpr int kAlike = 35;

// The first against each of the others, in their order. Each answer is that of the two alone.
std::vector<Likeness> liken(const std::vector<Sketch>& sketches);

// Schema: {"alike": 1, "known": ..., "others": [...]}; text escaped as in a result.
std::string to_json(const std::vector<Likeness>& list);

}  // namespace comparison
