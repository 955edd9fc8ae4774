// Two or more results in, finding by finding out: was it fixed?
//
// Findings are matched by id, those of one id by peer, what is left by what they do at another path. The
// words are careful in one direction: where it is not shown that an effect is gone, it is never called fixed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "result/result.h"

// Not `compare`: fmt 9 calls a friend of that name unqualified, and a namespace would hide it.
namespace comparison {

enum class Verdict : std::uint8_t {
  still_there,  // the same effects by the same program
  masked,  // the effects remain; a trigger, a guard or a needed state changed, and the code can restore that
           // state
  moved,   // the same effects at another path
  new_,    // only in the newer one
  fixed,   // the effects are gone, or a verification guards them now
  not_compared,  // one side lacks the partition, or was read less deeply, or did not evaluate the rule
};
std::string_view key(Verdict verdict);
std::string_view words(Verdict verdict);  // for people: "still there"

struct Change {
  Verdict verdict = Verdict::still_there;
  std::string id;  // in the older result; in the newer one where it is new
  std::string rule, title, program;
  result::Severity before = result::Severity::info,
                   after = result::Severity::info;  // equal where one side lacks it
  std::vector<std::string> because;                 // sentences
};

struct FileChange {
  std::string path;
  std::string change;  // "added", "removed", "changed", "not-compared"
};

struct ComponentChange {
  std::string name, kind, path;  // of the newer side where it has it
  std::string before, after;     // versions; empty: unknown, or that side lacks it
  std::string change;  // "added", "removed", "version", "rebuilt" (other bytes of one version), "moved",
                       // "not-compared"
};

struct Grade {  // one property of one way in which code arrives
  std::string path, property;
  std::string before, after;  // states; empty where a side lacks the way
};

struct Step {  // the first version against one later
  std::string from, to;
  std::vector<Change> changes;  // gravest first
  std::vector<Grade> grades;    // only those that differ
  std::vector<FileChange> files;
  std::vector<std::string> not_compared;  // images that one side lacks
  std::vector<ComponentChange> components;
  std::vector<std::string> opaque;  // images that differ and hold no file
};

struct Row {  // one finding over all versions
  std::string id, title, program;
  std::vector<std::string>
      cells;  // one a version: a verdict's key, "there" for where it begins, "" where it is absent
};

struct Comparison {
  std::vector<std::string> versions;
  std::vector<Step> steps;  // versions[0] against each of the others
  std::vector<Row> rows;
};

// `older` and `newer` as scanned or read back. Same results, same comparison.
Step compare_two(const result::Result& older, const result::Result& newer);
// At least two results; the first is the one that the others are measured by.
Comparison compare_all(const std::vector<result::Result>& results);

// Schema: {"comparison": 1, "versions": [...], "steps": [...], "matrix": [...]}; text escaped as in a result.
std::string to_json(const Comparison& comparison);

}  // namespace comparison
