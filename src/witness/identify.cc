// What a TCP connection is, by what it says first; a port only breaks ties. And the table from protocol to
// dissector.
#include <algorithm>

#include "witness/dissect.h"

namespace witness {
namespace {

constexpr std::size_t kCmsWait = 9000;  // two of its longest frames

struct Probed {
  Protocol protocol;
  Probe (*probe)(ByteView);
};
constexpr Probed kProbes[] = {
    {Protocol::tls, probe_tls},     {Protocol::http, probe_http},   {Protocol::rpc, probe_rpc},
    {Protocol::smb, probe_smb},     {Protocol::dicom, probe_dicom}, {Protocol::mqtt, probe_mqtt},
    {Protocol::cms8000, probe_cms},
};

Probe probe_ssh(ByteView bytes) { return probe_text(bytes, "SSH-"); }

// The commands of RFC 959 that a session begins with.
Probe probe_ftp_client(ByteView bytes) {
  Probe best = Probe::no;
  for (const std::string_view verb : {"USER ", "AUTH ", "FEAT\r", "user "})
    best = std::max(best, probe_text(bytes, verb));
  return best;
}

// rsh and rexec: a decimal port, NUL, then names and a command, each with its NUL.
Probe probe_rsh(ByteView bytes) {
  const std::string_view text = base::as_text(bytes);
  const std::size_t nul = text.find('\0');
  const std::string_view port = text.substr(0, nul);
  if (port.size() > 5 || !std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return Probe::no;
  if (nul == text.npos) return Probe::maybe;
  const std::string_view rest = text.substr(nul + 1);
  if (!std::all_of(rest.begin(), rest.end(),
                   [](char c) { return c == '\0' || c == '\t' || static_cast<unsigned char>(c) >= 0x20; }))
    return Probe::no;
  return std::count(rest.begin(), rest.end(), '\0') >= 3 ? Probe::yes : Probe::maybe;
}

// Tries what goes by port first, where the port is the usual one and the bytes agree.
Protocol by_port(const Conversation& c, ByteView client, ByteView server, bool& waiting) {
  const auto decide = [&](Probe probe, Protocol protocol) {
    waiting |= probe == Probe::maybe;
    return probe == Probe::yes ? protocol : Protocol::undecided;
  };
  const std::string_view banner = base::as_text(server);
  switch (c.server_port) {
    case 21:
      if (banner.starts_with("220") || banner.starts_with("120")) return Protocol::ftp;
      return decide(probe_ftp_client(client), Protocol::ftp);
    case 23:
      if (!client.empty() || !server.empty()) return Protocol::telnet;
      break;
    case 53:
      if (client.size() >= 14) return Protocol::dns;
      waiting |= client.size() > 0;
      break;
    case 512:
      return client.empty() ? Protocol::undecided : decide(probe_rsh(client), Protocol::rexec);
    case 513:
      if (!client.empty() && client[0] != 0) break;
      return decide(client.size() > 1 ? Probe::yes : Probe::maybe, Protocol::rlogin);
    case 514:
      return client.empty() ? Protocol::undecided : decide(probe_rsh(client), Protocol::rsh);
    case 515:
      return client.empty() ? Protocol::undecided : decide(probe_lpd(client), Protocol::lpd);
    default:
      break;
  }
  return Protocol::undecided;
}

}  // namespace

Protocol identify(const Conversation& c, ByteView client, ByteView server, bool closing) {
  bool waiting = false;
  // A CMS8000 frame on port 515 is looked for before a printer: its first octet can be a command of RFC 1179.
  for (const ByteView bytes : {client, server}) {
    if (bytes.empty()) continue;
    for (const Probed& one : kProbes) {
      const Probe probe = one.probe(bytes);
      if (probe == Probe::yes) return one.protocol;
      if (probe == Probe::maybe &&
          (one.protocol != Protocol::cms8000 ? bytes.size() < kIdentifyBytes : bytes.size() < kCmsWait))
        waiting = true;
    }
    if (const Probe probe = probe_ssh(bytes); probe == Probe::yes)
      return Protocol::ssh;
    else
      waiting |= probe == Probe::maybe;
  }
  if (waiting && !closing) return Protocol::undecided;
  if (const Protocol found = by_port(c, client, server, waiting); found != Protocol::undecided) return found;
  if (!client.empty()) {
    const Probe ftp = probe_ftp_client(client);
    if (ftp == Probe::yes && base::as_text(server).starts_with("220")) return Protocol::ftp;
    waiting |= ftp == Probe::maybe || (ftp == Probe::yes && server.empty());
  }
  if (client.empty() && base::as_text(server).starts_with("220") && !closing)
    return Protocol::undecided;  // FTP or mail: the client will say
  if (!client.empty() && client[0] == 0xFF && client.size() > 1 && client[1] >= 0xFB) return Protocol::telnet;
  if (!server.empty() && server[0] == 0xFF && server.size() > 1 && server[1] >= 0xFB && server[1] < 0xFF)
    return Protocol::telnet;
  if (closing) return Protocol::raw;
  if (waiting && client.size() < kIdentifyBytes && server.size() < kIdentifyBytes) return Protocol::undecided;
  return client.empty() && server.empty() ? Protocol::undecided : Protocol::raw;
}

int speaker(ByteView payload, bool tcp) {
  const ByteView rpc = base::clipped(payload, tcp ? 4 : 0);
  if (const auto type = base::load_be32(rpc, 4); (!tcp || probe_rpc(payload) == Probe::yes) && type) {
    if (*type == 0 && base::load_be32(rpc, 8) == 2u && base::load_be32(rpc, 12).value_or(0) >= 100000 &&
        base::load_be32(rpc, 16).value_or(~0u) < 16)
      return 1;
    if (*type == 1 && (tcp || plausible_rpc_reply(rpc))) return -1;
  }
  if (!tcp) return 0;
  if (probe_text(payload, "HTTP/1.") == Probe::yes) return -1;
  if (probe_http(payload) == Probe::yes || probe_mqtt(payload) == Probe::yes ||
      probe_dicom(payload) == Probe::yes)
    return 1;
  if (probe_tls(payload) == Probe::yes) return payload[5] == 1 ? 1 : -1;
  return 0;
}

State fresh_state(Protocol protocol) {
  switch (protocol) {
    case Protocol::http:
      return HttpState{};
    case Protocol::ftp:
      return FtpState{};
    case Protocol::ftp_data:
      return FtpDataState{};
    case Protocol::lpd:
      return LpdState{};
    case Protocol::raw:
    case Protocol::hl7:
      return RawState{};
    case Protocol::rsh:
    case Protocol::rexec:
    case Protocol::rlogin:
      return RshState{};
    case Protocol::telnet:
      return TelnetState{};
    case Protocol::tls:
      return TlsState{};
    case Protocol::dicom:
      return DicomState{};
    case Protocol::mqtt:
      return MqttState{};
    case Protocol::cms8000:
      return CmsState{};
    case Protocol::undecided:
    case Protocol::opaque:
    case Protocol::ssh:
    case Protocol::rpc:
    case Protocol::smb:
    case Protocol::dns:
    case Protocol::dhcp:
    case Protocol::tftp:
    case Protocol::ntp:
    case Protocol::syslog:
    case Protocol::wsd:
      return std::monostate{};
  }
  return std::monostate{};
}

Progress read_stream(World& world, Conversation& c, int direction, const View& view) {
  switch (c.protocol) {
    case Protocol::raw:
    case Protocol::hl7:
      return read_raw(world, c, direction, view);
    case Protocol::tls:
      return read_tls(world, c, direction, view);
    case Protocol::http:
      return read_http(world, c, direction, view);
    case Protocol::ftp:
      return read_ftp(world, c, direction, view);
    case Protocol::ftp_data:
      return read_ftp_data(world, c, direction, view);
    case Protocol::telnet:
      return read_telnet(world, c, direction, view);
    case Protocol::rpc:
      return read_rpc_stream(world, c, direction, view);
    case Protocol::smb:
      return read_smb(world, c, direction, view);
    case Protocol::lpd:
      return read_lpd(world, c, direction, view);
    case Protocol::dicom:
      return read_dicom(world, c, direction, view);
    case Protocol::mqtt:
      return read_mqtt(world, c, direction, view);
    case Protocol::rsh:
    case Protocol::rexec:
    case Protocol::rlogin:
      return read_rsh(world, c, direction, view);
    case Protocol::cms8000:
      return read_cms(world, c, direction, view);
    case Protocol::dns:
      return read_dns_stream(world, c, direction, view);
    case Protocol::undecided:
    case Protocol::opaque:
    case Protocol::ssh:
    case Protocol::dhcp:
    case Protocol::tftp:
    case Protocol::ntp:
    case Protocol::syslog:
    case Protocol::wsd:
      return {view.bytes.size(), 0};
  }
  return {view.bytes.size(), 0};
}

bool begins_message(const Conversation& c, ByteView view) {
  switch (c.protocol) {
    case Protocol::http:
      return probe_http(view) == Probe::yes;
    case Protocol::rpc:
      return probe_rpc(view) == Probe::yes;
    case Protocol::smb:
      return probe_smb(view) == Probe::yes;
    case Protocol::dicom:
      return view.size() >= 6 && view[0] >= 1 && view[0] <= 7 && view[1] == 0 &&
             base::load_be32(view, 2).value_or(~0u) < (1u << 20);
    case Protocol::mqtt: {
      // A whole packet of a known type that ends with the segment.
      return view.size() >= 2 && view[0] >> 4 != 0 && view[1] < 0x80 && view.size() == 2u + view[1];
    }
    default:
      return true;
  }
}

void pass_gap(World& world, Conversation& c, int direction, std::uint64_t bytes) {
  (void)world;
  Stream& stream = c.streams[direction];
  if (auto* http = std::get_if<HttpState>(&c.state)) {
    HttpMessage& message = http->side[direction];
    const bool counted = message.part == HttpMessage::Part::sized || message.part == HttpMessage::Part::chunk;
    if (message.part == HttpMessage::Part::until_close) {
      http->body[direction].gap = true;
    } else if (counted && message.left > bytes) {
      message.left -= bytes;
      http->body[direction].gap = true;
    } else {
      http->body[direction] = {};
      message = {};
      stream.lost = true;
    }
    return;
  }
  if (auto* lpd = std::get_if<LpdState>(&c.state)) {
    if (direction != kFromClient) return;
    if (lpd->part == LpdState::Part::data && lpd->left > bytes) {
      lpd->left -= bytes;
    } else {
      c.protocol = Protocol::raw;
      c.state = RawState{};
    }
    return;
  }
  if (c.protocol == Protocol::rpc || c.protocol == Protocol::smb || c.protocol == Protocol::dicom ||
      c.protocol == Protocol::mqtt)
    stream.lost = true;
}

void end_conversation(World& world, Conversation& c, std::uint64_t time) {
  if (std::holds_alternative<HttpState>(c.state))
    end_http(world, c, time);
  else if (std::holds_alternative<FtpDataState>(c.state))
    end_ftp_data(world, c, time);
  else if (std::holds_alternative<RawState>(c.state))
    end_raw(world, c, time);
}

}  // namespace witness
