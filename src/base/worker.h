// A function over untrusted bytes in, its result out, with a process boundary between: decoders and analysers run here.
//
// A worker is a forked child of this process. It sees the caller's memory as it was at the fork (so inputs need no
// copying), has no file descriptors but one pipe, its own limits, and a seccomp filter that leaves memory, time and that
// pipe: no open, no socket, no exec, no signal to others. What the function returns comes back through the pipe.
// A crash, a kill or a limit costs that one function and comes back as an Error; the caller goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace base {

// Limits hold for each function. Zero means no limit.
struct WorkerLimits {
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;  // address space beyond what the parent had at the fork
  unsigned cpu_seconds = 60;                            // processor time, user and system: the limit that repeats
  unsigned wall_seconds = 300;                          // last net: silence on the pipe for this long kills the worker
};

using WorkerFunction = std::function<Bytes()>;

// Runs `function` in a worker. Errors: internal (crash, forbidden call, exception), over_budget (memory or time); the
// message says which in one sentence. An Error that the function itself wants to return is part of its bytes.
Result<Bytes> run_worker(const WorkerLimits& limits, const WorkerFunction& function);

// Runs all functions in at most `jobs` workers at a time and returns their results in the order of `functions`.
// A worker takes one function after the other, so that tiny ones cost no fork; when one dies, only the function that it
// was in fails, and a fresh worker goes on with the rest. `done` (may be empty) is called in the parent after each
// result with the number of results so far. Functions must not rely on what an earlier one changed.
std::vector<Result<Bytes>> run_workers(const WorkerLimits& limits, unsigned jobs,
                                       const std::vector<WorkerFunction>& functions,
                                       const std::function<void(std::size_t)>& done = {});

}  // namespace base
