// The dissectors: bytes of one protocol into facts told to the World. Each is exact about its own
// specification, bounded, and gives up without harm on anything else. Inside the folder only.
#pragma once

#include "witness/world.h"

namespace witness {

// ---- what a stream is ----

// Decides from the first bytes of both directions; Protocol::undecided asks for more (at most kIdentifyBytes
// a direction).
Protocol identify(const Conversation& conversation, ByteView from_client, ByteView from_server, bool closing);
inline constexpr std::size_t kIdentifyBytes = 96;

// Sets the state that `protocol` starts with.
State fresh_state(Protocol protocol);

// Reads one step of a stream. consumed == 0 means: not enough yet.
Progress read_stream(World& world, Conversation& conversation, int direction, const View& view);

// After a gap in a stream: does `view` begin at a message of the conversation's protocol?
bool begins_message(const Conversation& conversation, ByteView view);

// Bytes are missing. For protocols that count bytes.
void pass_gap(World& world, Conversation& conversation, int direction, std::uint64_t bytes);

// The connection is over: what was being put together is told.
void end_conversation(World& world, Conversation& conversation, std::uint64_t time);

// ---- one datagram ----
void read_datagram(World& world, Conversation& conversation, int direction, const View& view);
void read_arp(World& world, ByteView bytes, std::uint64_t frame, std::uint64_t time);

// ---- each protocol (its file names its specification) ----
Progress read_raw(World&, Conversation&, int direction, const View&);
Progress read_tls(World&, Conversation&, int direction, const View&);
Progress read_http(World&, Conversation&, int direction, const View&);
Progress read_ftp(World&, Conversation&, int direction, const View&);
Progress read_ftp_data(World&, Conversation&, int direction, const View&);
Progress read_telnet(World&, Conversation&, int direction, const View&);
Progress read_rpc_stream(World&, Conversation&, int direction, const View&);
Progress read_smb(World&, Conversation&, int direction, const View&);
Progress read_lpd(World&, Conversation&, int direction, const View&);
Progress read_dicom(World&, Conversation&, int direction, const View&);
Progress read_mqtt(World&, Conversation&, int direction, const View&);
Progress read_rsh(World&, Conversation&, int direction, const View&);
Progress read_cms(World&, Conversation&, int direction, const View&);
Progress read_dns_stream(World&, Conversation&, int direction, const View&);

void end_http(World&, Conversation&, std::uint64_t time);
void end_ftp_data(World&, Conversation&, std::uint64_t time);
void end_raw(World&, Conversation&, std::uint64_t time);

bool read_dns(World&, const Conversation&, int direction, const View&);
bool read_dhcp(World&, const Conversation&, int direction, const View&);
bool read_dhcpv6(World&, const Conversation&, int direction, const View&);
bool read_tftp(World&, const Conversation&, int direction, const View&);
bool read_ntp(World&, const Conversation&, int direction, const View&);
bool read_syslog(World&, const Conversation&, int direction, const View&);
bool read_discovery(World&, const Conversation&, int direction, const View&);
// One RPC message without its record mark. False when it is none.
bool plausible_rpc_reply(ByteView message);  // accepted or denied, with a verifier of a known flavour
bool read_rpc(World&, Conversation&, int direction, const View&);
void conclude_rpc(World&);
void conclude_tftp(World&);

// HL7 v2 in any bytes; returns how many were consumed. `side` carries what spans calls.
std::size_t scan_hl7(World&, const Conversation&, const View&, Hl7Side& side);

// ---- probes: no, maybe (more bytes needed), yes ----
enum class Probe : std::uint8_t { no, maybe, yes };
Probe probe_tls(ByteView);
Probe probe_http(ByteView);
Probe probe_rpc(ByteView);  // with a record mark
Probe probe_smb(ByteView);
Probe probe_dicom(ByteView);
Probe probe_mqtt(ByteView);
Probe probe_cms(ByteView);
Probe probe_lpd(ByteView);

// Who speaks these first bytes: +1 a client, -1 a server, 0 nobody can say.
int speaker(ByteView payload, bool tcp);

// ---- small helps ----
inline bool is_printable(char c) { return c >= 0x20 && c < 0x7F; }
// `text` is a prefix of `whole` or the other way round.
Probe probe_text(ByteView bytes, std::string_view whole);

}  // namespace witness
