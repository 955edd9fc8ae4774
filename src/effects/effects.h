// The one vocabulary that all witnesses speak: what a program can do to the world outside itself.
// Effects are nodes, edges say how they hang together, programs are who acts. Knows no file format and no machine.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace effects {

enum class Kind : std::uint8_t {
#define EFFECT(name, key, title) name,
#include "effects/kinds.def"
#undef EFFECT
};
std::string_view key(Kind kind);    // "mount-remote"
std::string_view title(Kind kind);  // "mounts a remote share"
std::optional<Kind> kind_from_key(std::string_view key);
std::vector<Kind> all_kinds();

// Where a value comes from. fixed() means that the owner of the device has no say in it.
enum class Provenance : std::uint8_t {
  unknown,
  literal,          // in code or script
  shipped_default,  // a value in a file of the image
  setting,          // read from a key that is absent or empty in the image
  input,            // typed or received
};
std::string_view key(Provenance provenance);
inline bool fixed(Provenance p) { return p == Provenance::literal || p == Provenance::shipped_default; }

// How far away a peer is. Everything that is not one of the others is public, documentation ranges included.
enum class Scope : std::uint8_t { unknown, public_, private_, link_local, loopback, multicast, unspecified };
std::string_view key(Scope scope);
Scope scope_of_address(std::string_view address);  // IPv4 or IPv6 text; unknown when it is neither
Scope scope_of_host(std::string_view host);        // a name: public unless single-label, .local or .lan; an address: its scope

// Text as recovered: unknown parts are written ${...}.
struct Text {
  std::string value;
  bool resolved = true;
  Provenance provenance = Provenance::literal;
  std::string origin;  // "" or where it was read: "/etc/config/update: server"
  bool empty() const { return value.empty(); }
};

struct Endpoint {
  std::string address;  // numeric, or empty
  std::string host;     // name, or empty
  std::uint16_t port = 0;  // 0: not known
  std::string protocol;    // nfs, http, https, tftp, ftp, tcp, udp, ...; empty: not known
  Scope scope = Scope::unknown;
  Provenance provenance = Provenance::unknown;
  bool looked_up = false;  // reached through a host name
  std::string origin;
  std::string name() const { return address.empty() ? host : address; }
};
// An endpoint from "198.51.100.7" or "updates.example"; scope and looked_up are filled in.
Endpoint endpoint_from_name(std::string_view name, Provenance provenance);

// Where in the firmware, and the words that stand there (raw bytes; escaped only by a renderer).
struct Site {
  std::string file;
  std::uint32_t line = 0;                // 1-based; 0 in a binary
  std::optional<std::uint64_t> address;  // virtual address in a binary
  std::string function;
  std::string words;
  std::vector<std::uint64_t> frames;     // of a capture, 1-based
};

// What sets a program or a function going.
struct Trigger {
  enum class Kind : std::uint8_t { unknown, boot, timer, hotplug, media, network_up, signal, network_input, login, key, menu, user } kind = Kind::unknown;
  std::string detail;  // "/etc/inittab:3 respawn", "called by main"
  auto operator<=>(const Trigger&) const = default;
};
std::string_view key(Trigger::Kind kind);
// True when a person at the device asked for it: key, menu, user.
bool started_by_user(Trigger::Kind kind);

enum class Witness : std::uint8_t { derived, observed, run };
std::string_view key(Witness witness);

struct Effect;
struct Program;
using EffectId = base::Id<Effect>;
using ProgramId = base::Id<Program>;

struct Effect {
  Kind kind{};
  ProgramId program;
  Site site;
  std::optional<Endpoint> peer;
  Text object;  // what it is done to: export, remote path, source path, command, user name
  Text target;  // where it goes: mount point, local path, overwritten program
  std::vector<Trigger> triggers;  // own triggers; empty: those of the program
  Witness witness = Witness::derived;
  std::vector<std::string> data;             // data classes that it carries: identity, vital-signs, credential, ...
  std::map<std::string, std::string> notes;  // what the vocabulary has no field for; keys are named in models/*.yaml and derive/
  std::vector<std::string> replaced;         // programs of the image that its target covers; sorted
  bool assumed = false;                      // it is not shown that the site is reached or that the string is used
  std::string assumption;                    // the assumed link, in words
};

enum class EdgeKind : std::uint8_t { feeds, guards, precedes, same_path, starts };
std::string_view key(EdgeKind kind);

struct Edge {
  EffectId from, to;
  EdgeKind kind{};
  bool assumed = false;  // an assumed edge makes every finding that needs it tentative
  std::string why;       // one phrase: "/mnt is the mount point"
};

// A program, script, library or init table of the firmware: something that can act.
struct Program {
  std::string path;    // inside the firmware; the capture's device address for an observed one
  std::string sha256;  // lower-case hex; empty when not from a file
  enum class Kind : std::uint8_t { script, binary, library, table, device } kind = Kind::script;
  std::vector<Trigger> triggers;        // what starts it
  std::vector<ProgramId> started_by;    // other programs that run it
  enum class Depth : std::uint8_t { unread, recognised, disassembled, lifted, modelled } depth = Depth::unread;
  std::string depth_reason;             // why it was not read deeper
};
std::string_view key(Program::Kind kind);
std::string_view key(Program::Depth depth);

struct Graph {
  base::Store<Program, ProgramId> programs;
  base::Store<Effect, EffectId> effects;
  std::vector<Edge> edges;
};

}  // namespace effects
