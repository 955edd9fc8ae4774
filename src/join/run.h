// What a program did in the closed box, as a result: the supervisor's record and the traffic that it kept.
#pragma once

#include <string>

#include "box/box.h"
#include "result/result.h"
#include "witness/capture.h"

namespace join {

// The traffic as result_of() tells it, without what a shortened clock makes false (regular contact), and the record's events
// as effects of witness `run`: of each program that acted, under "PATH in the closed box", with the notes
//   answered   "yes": the box answered as a willing peer or a real system would
//   count      how often, where more than once
// Findings: `run-canary-in-program` (what a peer or medium gave replaced a program), `run-canary-executed`.
// What was not reached stands in coverage.not_evaluated, each with why. Not reached is never absent.
result::Result result_of_run(const box::Record& record, const witness::Capture& capture, const std::string& name);

// Appends what another run showed.
void merge_run(result::Result& into, const result::Result& other);

// Adds to every finding of `scan` that has targets where the canaries of these runs ended up, or that they did not.
void add_landings(result::Result& scan, const std::vector<box::Record>& records);

}  // namespace join
