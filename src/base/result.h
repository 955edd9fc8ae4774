// The project's three voices: Error (*I could not*), Doubt (*I could, but note this*), assert (*our bug*).
// Nothing throws across a folder.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>
#include <vector>

namespace base {

// Why something could not be done. `message` is one clear sentence for a person, without a trailing newline.
struct Error {
  enum class Kind {
    unreadable,   // the input could not be opened or read, or is empty
    damaged,      // the bytes contradict their own format
    unsupported,  // well-formed, but a variant that we do not read
    over_budget,  // a limit of ours ended the work
    internal,     // a worker died or a library failed
  };
  Kind kind = Kind::damaged;
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Error::Kind kind, std::string message) {
  return std::unexpected(Error{kind, std::move(message)});
}

// Something odd that did not stop the work: named (kebab-case, from a closed set per folder), located and counted.
// Doubts end up in the report; equal (name, where) pairs are merged by adding their counts.
struct Doubt {
  std::string name;          // e.g. "bad-checksum"
  std::string where;         // path inside the firmware or blob name; escaped only when rendered
  std::uint64_t offset = 0;  // bytes from the start of `where`
  std::string detail;        // one sentence
  std::uint64_t count = 1;
};

using Doubts = std::vector<Doubt>;

// Adds `doubt`, or raises the count of an equal (name, where) that is already there.
inline void add_doubt(Doubts& doubts, Doubt doubt) {
  for (auto& known : doubts)
    if (known.name == doubt.name && known.where == doubt.where) {
      known.count += doubt.count;
      return;
    }
  doubts.push_back(std::move(doubt));
}

}  // namespace base
