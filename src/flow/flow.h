// A program's code in, what it asks of the outside world out: functions, call sites, the values they pass, their order.
// Code is run, as p-code, on what is known of its memory; where a branch depends on something unknown both ways are taken.
// Deterministic: equal bytes, models and budget give equal results. Every limit that was met is named in Stats.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "elf/elf.h"

namespace flow {

// A value passed to a call. In a text, what is unknown is written ${origin}; origins are:
//   arg:N (parameter N of the function), argv[N], env:NAME, ret:FUNCTION, read:PATH (content of a file), input (typed or
//   received), global:ADDRESS, param (a pointer's target), unknown.
struct ArgValue {
  enum class Kind { text, number, buffer, unknown };
  Kind kind = Kind::unknown;
  std::vector<std::string> values;    // alternatives, at most 8, sorted; raw bytes. For unknown: its origins
  std::vector<std::int64_t> numbers;  // alternatives, at most 8, sorted
  std::string buffer_id;              // "stack:…", "heap:…", "global:ADDRESS": equal ids name the same memory in one run
};

// A sockaddr read back.
struct Endpoint {
  std::string address;      // numeric text; "${origin}" when not known
  std::uint16_t port = 0;
  std::string family;       // "inet", "inet6", "unix" (address is the path), "packet", "netlink"
  bool port_known = false;
};

// One call that a model knows, in one calling context: a wrapper called from three places gives three.
struct CallSite {
  std::string function;                // the function that holds the call
  std::uint64_t function_address = 0;
  std::uint64_t site = 0;              // address of the call instruction
  std::string callee;                  // the model's name: "system", "connect"
  std::vector<ArgValue> args;          // as the model lists them; variable arguments follow
  std::optional<Endpoint> endpoint;    // connect, bind, sendto, accept...: what the sockaddr says
  std::string result_id;               // identity of the result: "ret:CALLEE@SITE"
  std::vector<std::string> reached_from;  // root kinds first ("main", "init", "signal:N", "thread", "timer", "exit",
                                          // "table", "exported", "address-taken", "unreached"), then the chain of
                                          // function names from the root to this one
  std::vector<std::uint32_t> feeds;    // call sites whose result, or what they wrote, flows into this one's arguments
  std::vector<std::uint32_t> guards;   // call sites whose result decides, on every path, whether this one is reached
  std::vector<std::uint32_t> precedes;  // call sites that have been passed on every path to this one
  bool resolved_all = false;           // no argument that the model asks about is unknown in any part
  bool raw = false;                    // a system call instruction, not a library function
  bool inferred = false;               // the callee was recognised by what it does, not by name
};

struct Function {
  std::string name;                // symbol, or sub_ADDRESS
  std::uint64_t address = 0;
  std::uint64_t end = 0;           // one past its last instruction
  bool thumb = false;
  bool named = false;              // by a symbol
  bool returns = true;
  bool lifted = false;
  std::uint32_t blocks = 0, instructions = 0;
  std::vector<std::uint64_t> calls;  // entries of functions called, sorted
  std::vector<std::pair<std::uint64_t, std::uint64_t>> parts;  // pieces that other functions lie before: what rarely runs, set apart
  std::string library;             // the library function that it was recognised as, or empty
};

struct Stats {
  std::uint64_t functions = 0, instructions = 0, lifted = 0, steps = 0;
  std::uint64_t arguments = 0, resolved = 0;
  bool budget_ran_out = false;
  std::vector<std::string> give_ups;  // "indirect-call sub_8490", sorted, at most 256
};

struct Program {
  std::vector<Function> functions;  // by address
  std::vector<CallSite> calls;      // by site, then context in order of discovery
  Stats stats;
  base::Doubts doubts;              // flow-budget, flow-no-machine, flow-bad-code
};

struct Budget {
  std::uint64_t steps = 8'000'000;   // p-code operations run, all together
  // Functions that are read by themselves besides: each that no root reached and that leads to a call with effects; every one; none.
  enum class Alone { unreached, every, none };
  Alone alone = Alone::unreached;
};

// `file` must be what `binary` was read from. Errors: unsupported (no table for this machine), unreadable (table missing).
base::Result<Program> analyse(const elf::Binary& binary, base::ByteView file, const Budget& budget = {});

// Text for `biopsy dump`. `where` names the file in each line; `pcode` takes a function's name or address (0x...).
std::string dump_functions(const Program& program);
std::string dump_calls_jsonl(const Program& program, std::string_view where);
base::Result<std::string> dump_pcode(const elf::Binary& binary, const Program& program, std::string_view function);

}  // namespace flow
