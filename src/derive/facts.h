// What one program does, read by itself: the unit that a worker computes and that the cache keeps.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "derive/models.h"
#include "effects/effects.h"
#include "elf/elf.h"
#include "shell/shell.h"

namespace derive {

struct ProgramFacts {
  effects::Program program;
  std::vector<effects::Effect> effects;  // in program order where the order is known; `program` of each is not set yet
  std::vector<effects::Edge> edges;      // ids are indices into `effects`
  std::vector<std::string> give_ups;     // why something was not evaluated, one sentence each
  base::Doubts doubts;
  std::map<std::string, std::string> stats;
};

// Joins `more` to `facts`: what is known of one path becomes one program.
void add_facts(std::vector<ProgramFacts>& facts, std::vector<ProgramFacts> more);

std::string to_bytes(const ProgramFacts& facts);  // CBOR
base::Result<ProgramFacts> facts_from_bytes(std::string_view bytes);

// A script of the firmware. Never fails.
ProgramFacts facts_of_script(std::string_view text, std::string_view path, const shell::Environment& environment, const Models& models);

// Appends what a command line does (as system() would run it) to `facts`; `site` is where the command line stands.
// Returns the indices of the effects that came of it.
std::vector<std::uint32_t> add_command_line(ProgramFacts& facts, std::string_view line, const effects::Site& site,
                                            const std::vector<effects::Trigger>& triggers, const Models& models);

// A program or library. `steps` bounds the analysis; what it did not reach is in give_ups.
ProgramFacts facts_of_binary(base::ByteView bytes, std::string_view path, const Models& models, std::uint64_t steps);

// What the strings of a program say (binary_strings.cc); `unfinished`: its code was not read to the end.
void add_string_facts(ProgramFacts& facts, const elf::Binary& binary, const Models& models, bool unfinished);

// One model applied: the effects that `invocation` has. Shell texts and programs that it runs are given back for the caller.
struct Applied {
  std::vector<effects::Effect> effects;
  std::vector<effects::Text> shell_texts;
};
Applied apply_model(const CommandModel& model, const Invocation& invocation);

}  // namespace derive
