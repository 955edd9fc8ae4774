// A program's calls in, the doors that it keeps for whoever knows out: commands of a peer that reach a shell, a shell on the
// connection itself, and what is asked for before. A constant that is compared with what was received is a magic word; a value that is read from settings
// is the owner's, and what stands behind it is no door.
#pragma once

#include <string>
#include <vector>

#include "elf/elf.h"
#include "flow/flow.h"

namespace derive {

struct Door {
  std::uint32_t call = 0;      // the command that is run, or the comparison where no command was reached
  std::uint32_t compare = 0;   // the comparison with a constant; `call` where there is none
  std::string secret;          // the constant; empty when nothing at all is asked for
  std::string found_in;        // the header of the request that is compared; empty when not known
  bool opens_shell = false;
  bool on_connection = false;  // a shell whose input and output are the connection
  bool key_assumed = false;    // what is compared is computed; `secret` is the one key that the program holds and hands to nobody
  std::uint16_t port = 0;      // that it listens on; 0: not known
  std::string protocol;        // "tcp", "udp"
};

// Doors of a program that waits for peers beyond the device itself. A comparison that is not followed to a command counts
// only where it asks a header that identifies the sender.
// `binary`, where given, is asked for the program's texts.
std::vector<Door> find_doors(const flow::Program& program, const elf::Binary* binary = nullptr);

}  // namespace derive
