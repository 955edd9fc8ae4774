// A packet capture into the facts that it proves: devices, peers, and observations with the frames that show
// them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace witness {

// The far end of an observation.
struct Peer {
  std::string address;  // numeric; empty when only a name is known
  std::uint16_t port = 0;
  std::string protocol;  // "tcp", "udp", or empty where ports do not apply
  std::string host;   // by an earlier DNS answer to the same device, or by server name indication; else empty
  std::string scope;  // public|private|loopback|link-local|multicast|unspecified
  bool looked_up = false;  // a DNS answer that the device got earlier in this capture named this address
};

// One fact on the wire. Repeats of the same fact (kind, device, peer, object, field) are one observation with
// a count.
struct Observation {
  enum class Kind : std::uint8_t {
#define WITNESS_KIND(name, text, meaning) name,
#include "witness/kinds.def"
#undef WITNESS_KIND
  };
  Kind kind = Kind::connect;
  std::string protocol;  // lower case: "dns", "nfs3", "hl7", "cms8000", ...
  std::string device;    // the inside address that the fact is about
  Peer peer;
  std::string object;                 // path, export, query, topic, ...; raw bytes from the wire
  std::vector<std::uint64_t> frames;  // 1-based, as tshark counts; ascending; at most kFramesKept
  double first_time = 0;              // seconds since the epoch
  std::string words;                  // what was said, raw bytes; masked where `masked`
  bool masked = false;
  bool answered = false;   // the far end replied in kind
  bool inbound = false;    // the peer began it: the device was asked
  bool clear = true;       // readable by anyone on the path
  std::string data_class;  // identity, vital-signs, waveform, credential, code, archive, ...; empty when none
  std::string field;       // PID-5, OBX-5, 0x3E.name, ...
  std::uint64_t count = 1;  // how often it was seen
};
inline constexpr std::size_t kFramesKept = 64;

std::string_view to_text(Observation::Kind kind);  // kebab-case, from kinds.def

// Every address that sent something from inside, with what it said of itself.
struct Device {
  std::string address;
  std::string mac;                    // of the first frame that it sent; may be a router's
  std::vector<std::string> names;     // host names, from DHCP, DNS, SMB ...; raw bytes, sorted
  std::vector<std::string> mud_urls;  // claims, raw bytes
  std::string vendor_class;
  std::uint64_t first_frame = 0;
  double first_time = 0;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

// All connections from one client to one port of one server.
struct Flow {
  std::string client;
  std::string server;
  std::uint16_t port = 0;
  std::string protocol;     // "tcp", "udp"
  std::string application;  // the dissector that recognised it; empty when none
  std::string host;
  std::string client_scope;
  std::string server_scope;
  bool looked_up = false;
  std::uint64_t connections = 0;
  std::uint64_t answered = 0;  // connections in which the server sent something other than a reset
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;  // of IP packets, both ways
  std::uint64_t client_payload = 0;
  std::uint64_t server_payload = 0;
  std::uint64_t first_frame = 0;
  std::uint64_t last_frame = 0;
  double first_time = 0;
  double last_time = 0;
  // Starts of exchanges by the client, retransmissions removed: how regular they are.
  std::uint64_t exchanges = 0;
  double interval_mean = 0;  // seconds
  double interval_cv = 0;    // coefficient of variation; meaningful from three intervals on
};

// Bytes that a transfer carried, put together again.
struct Object {
  std::string name;  // path or file name on the wire; raw bytes; may be empty
  std::string type;  // elf, script, gzip, ...; "data" when unknown
  std::string sha256;
  std::string protocol;
  std::string device;
  Peer peer;
  std::uint64_t size = 0;             // bytes carried; `bytes` may hold fewer
  bool complete = false;              // no gap, and not cut by a budget
  std::vector<std::uint64_t> frames;  // at most kFramesKept
  base::Bytes bytes;                  // empty when Options::keep_objects is off
};

struct Stats {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;  // captured
  std::uint64_t ip_packets = 0;
  std::uint64_t tcp_packets = 0;
  std::uint64_t udp_packets = 0;
  std::uint64_t flows = 0;  // connections, all told
  std::uint64_t live_flows_most = 0;
  std::uint64_t evicted_flows = 0;
  std::uint64_t stream_gaps = 0;
  std::uint64_t duplicate_segments = 0;
  double first_time = 0;
  double last_time = 0;
};

struct Options {
  bool show_secrets = false;  // quote patient data and passwords as they are
  bool dissect = true;        // off: flows and peers only
  bool keep_objects = true;
  std::uint32_t max_live_flows = 1u << 18;  // the least recently used is concluded when one more comes
  std::uint64_t max_buffered = std::uint64_t{256} << 20;  // bytes held for reassembly, all flows together
  std::uint64_t max_object = std::uint64_t{16} << 20;     // bytes of one carved object
  std::uint64_t max_objects = std::uint64_t{128} << 20;   // bytes of all carved objects
  std::uint32_t max_flows = 200'000;                      // rows of Capture::flows
  std::uint32_t max_observations = 100'000;  // of which half for patient data, shells, mounts, carried code
  std::vector<std::string> canaries;         // byte strings to look for in every stream, whatever the framing
};

struct Capture {
  std::vector<Device> devices;            // by address
  std::vector<Flow> flows;                // by first frame
  std::vector<Observation> observations;  // by first frame, then in a fixed order of their fields
  std::vector<Object> objects;            // by first frame
  base::Doubts doubts;
  Stats stats;
};

// Reads pcap or pcapng, gzip-compressed or not, to its end. Errors: unreadable (no such file, empty), damaged
// (neither format). A file that is cut or breaks later is a doubt (`capture-cut`, `capture-broken`), and what
// came before counts.
base::Result<Capture> read(const std::string& path, const Options& options = {});

// The same over bytes in memory.
base::Result<Capture> read(base::ByteView file, const Options& options = {});

}  // namespace witness
