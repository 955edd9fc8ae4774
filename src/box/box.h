// A root file system in, what its programs did in a closed box out: every program runs emulated, without privilege, in
// namespaces of its own, where each address answers and nothing leads out. docs/box.md has the picture and its limits.
//
// Who is who: the *keeper* is a child of the caller and watches the clock. The *supervisor* is process 1 of the box: it
// owns the far end of the only network, the canaries and the record, and has no privilege once the box is built. The
// *payload* is everything of the firmware: a second process namespace within the box, its own root, no capability, a
// seccomp allow-list. The filter and the namespaces are the fence; the supervisor's answers are for seeing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "unpack/firmware.h"

namespace box {

struct Limits {
  unsigned wall_seconds = 20;        // of the payload; then everything is killed
  unsigned cpu_seconds = 60;         // of each process
  unsigned processes = 128;          // all processes and threads of the payload
  unsigned open_files = 256;         // of each process
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;  // resident, all processes together; and data of each one
  std::uint64_t disk_bytes = std::uint64_t{512} << 20;  // the box's file system, in memory
  std::uint64_t files = 200'000;
  std::uint64_t capture_bytes = std::uint64_t{32} << 20;
  std::uint64_t output_bytes = std::uint64_t{256} << 10;  // of what the payload prints
  std::uint64_t notified_calls = 2'000'000;               // then the box ends
};

struct Plan {
  std::string program;                 // path inside the root; empty: the boot (init, or the first init script there is)
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // NAME=VALUE; PATH and TERM are given anyway
  std::string input;                   // typed at the start, as it stands
  std::vector<std::string> share_names;  // what a remote share seems to hold, beside the names of the image's programs
  unsigned speed = 100;                // sleeps and waits are divided by this; 1: as they are
  unsigned linger_ms = 500;            // how long others go on after the started program ended
  std::string secret;                  // hex digits of this run that no payload can guess; empty: drawn at random
  Limits limits;
};

// One thing that the payload did or tried, as the supervisor saw it. Equal ones are one event with a count.
struct Event {
  std::string call;      // mount, umount, connect, send, listen, execute, module, reboot, interface, ioctl, signal
  std::string program;   // the path of the program that made the call
  std::string actor;     // the nearest program above it that is no shell and no applet: whose doing it is
  std::string object;    // source of a mount, path of a program, module, interface or request
  std::string target;    // mount point, arguments
  std::string address;   // numeric; of connect, send, listen
  std::uint16_t port = 0;
  std::string protocol;  // tcp, udp, unix, or the file system's type
  std::string answer;    // how it was answered: answered, continued, skipped, refused, missing, canary
  std::uint32_t pid = 0;
  std::uint64_t first_ms = 0;  // since the payload started
  std::uint64_t count = 1;
};

// A file that holds a canary after the run, and was not put there by the supervisor.
struct Landing {
  std::string path;    // in the root
  std::string canary;  // the name under which it was planted or served: "/mnt/monitor", "http"
  bool replaced = false;  // the image had a file at this path
};

struct Record {
  std::string started;     // words of what was started
  std::string ended;       // exited, killed, wall-clock, memory, rebooted, calls, idle
  int status = 0;          // of the started program, where it exited
  bool boot = false;
  std::string secret;      // of Plan
  std::uint64_t run_ms = 0, notified_calls = 0, supervisor_us = 0;  // supervisor_us: in all notified calls together
  std::vector<Event> events;      // by first_ms
  std::vector<Landing> landings;  // by path
  std::map<std::string, std::uint64_t> unanswered;  // calls and ioctls that the box does not know, and how often
  std::vector<std::string> missing;  // libraries and programs that were asked for and are not in the root
  std::string output;      // what the payload printed, cut at the limit
  base::Bytes capture;     // pcap of the only network
  base::Doubts doubts;     // `emulator-missing`, `capture-cut`, `proc-missing`, ...
};

// The machines that can be emulated: name as in a Debian architecture, and the emulator's file name.
struct Abi {
  const char* name;
  const char* emulator;
  std::uint8_t bits;       // EI_CLASS: 1 or 2
  std::uint8_t order;      // EI_DATA: 1 little, 2 big
  std::uint16_t machine;   // e_machine
};
const std::vector<Abi>& abis();

// One clear sentence when no box can be made here (namespaces, binfmt_misc or seccomp are not allowed); empty when it can.
// Tries it, in a child; takes milliseconds.
std::string unavailable();

// Runs the composed root of `firmware` in a fresh box. Nothing of it outlives the call; nothing is written to the disk.
// Errors: unsupported (no box can be made here), unreadable (the program is not in the root), internal.
base::Result<Record> run(const unpack::Firmware& firmware, const Plan& plan);

// 32 hex digits at random.
std::string draw_secret();

// The words that are typed to admit a patient under canary names, and the canaries to look for.
struct Patient {
  std::vector<std::string> lines;
  std::vector<std::string> canaries;
};
Patient canary_patient(std::string_view secret);

// The text that every canary of a run holds.
std::string canary_text(std::string_view secret);

}  // namespace box
