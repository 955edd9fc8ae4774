// Values that a program reads from a file, joined with the file that the image ships.
#pragma once

#include "derive/facts.h"
#include "shell/shell.h"

namespace derive {

// A peer whose name comes from a file of the image ("${read:/etc/agent.conf}") becomes what that file says, with the provenance
// *shipped default* and the file and key as its origin; where the file names no peer it stays a *setting*. Of several addresses
// in a file the one whose key speaks of a peer is taken and the effect is marked as assumed: which key is read is not followed.
// Files over 256 KiB and binary ones are left alone.
void join_shipped_defaults(ProgramFacts& facts, const shell::Environment& files);

}  // namespace derive
