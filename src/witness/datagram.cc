// One UDP datagram, or one ARP packet, to the dissector that knows it; the small ones are here.
// Sources: RFC 826 (ARP), RFC 5905 (NTP), RFC 3164 and RFC 5424 (syslog), OASIS WS-Discovery 1.1 and IEEE
// 11073-20702 (MDPWS).
#include <algorithm>

#include "base/text.h"
#include "witness/dissect.h"

namespace witness {
namespace {

// The text of the first element whose local name is `name`; empty when there is none. Enough for one SOAP
// envelope.
std::string_view element_text(std::string_view xml, std::string_view name) {
  for (std::size_t at = xml.find(name); at != xml.npos; at = xml.find(name, at + 1)) {
    if (at == 0 || (xml[at - 1] != ':' && xml[at - 1] != '<')) continue;
    const std::size_t open = xml.find('>', at), close = open == xml.npos ? open : xml.find('<', open);
    if (close == xml.npos || xml[open - 1] == '/') return {};
    const char after = xml[at + name.size()];
    if (after != '>' && after != ' ') continue;
    return base::trim(xml.substr(open + 1, close - open - 1));
  }
  return {};
}

void read_unknown(World& world, Conversation& c, int direction, const View& view) {
  (void)direction;
  Hl7Side side;
  View whole = view;
  whole.closing = true;
  scan_hl7(world, c, whole, side);
  if (side.inside) c.protocol = Protocol::hl7;
  const std::string_view type = code_type(view.bytes);
  if (type.empty()) return;
  Carving carving;
  world.carve(carving, view.bytes, view.frames(0, view.bytes.size()));
  world.object(c, "", "udp", std::move(carving), view.time);
}

}  // namespace

bool read_ntp(World& world, const Conversation& c, int direction, const View& view) {
  if (view.bytes.size() < 48) return false;
  const int version = view.bytes[0] >> 3 & 7, mode = view.bytes[0] & 7;
  if (version < 1 || version > 4 || mode == 0 || mode > 5) return false;
  world.tell(c, view, 0, view.bytes.size(),
             {.kind = Kind::time, .protocol = "ntp", .answered = direction == kFromServer});
  return true;
}

bool read_syslog(World& world, const Conversation& c, int direction, const View& view) {
  (void)direction;
  const std::string_view text = base::as_text(view.bytes);
  if (text.size() < 4 || text[0] != '<') return false;
  const std::size_t end = text.find('>');
  if (end == text.npos || end < 2 || end > 4) return false;
  int priority = 0;
  for (const char ch : text.substr(1, end - 1)) {
    if (ch < '0' || ch > '9') return false;
    priority = priority * 10 + (ch - '0');
  }
  if (priority > 191) return false;
  world.tell(c, view, 0, view.bytes.size(),
             {.kind = Kind::message,
              .protocol = "syslog",
              .object = "<" + std::to_string(priority) + ">",
              .answered = true});
  Hl7Side side;
  View whole = view;
  whole.closing = true;
  scan_hl7(world, c, whole, side);
  return true;
}

bool read_discovery(World& world, const Conversation& c, int direction, const View& view) {
  (void)direction;
  const std::string_view text = base::as_text(view.bytes);
  if (text.find("ws/2005/04/discovery") == text.npos && text.find("ws-dd/ns/discovery") == text.npos)
    return false;
  std::string_view action = element_text(text, "Action");
  action = action.substr(action.rfind('/') + 1);
  const std::string_view types = element_text(text, "Types");
  const bool medical = text.find("11073") != text.npos || types.find("MedicalDevice") != types.npos;
  world.tell(c, view, 0, view.bytes.size(),
             {.kind = medical ? Kind::association : Kind::announce,
              .protocol = medical ? "ieee11073" : "ws-discovery",
              .object = std::string(types),
              .words = std::string(action),
              .answered = action == "ProbeMatches" || action == "ResolveMatches" || action == "Hello"});
  return true;
}

void read_arp(World& world, ByteView bytes, std::uint64_t frame, std::uint64_t time) {
  (void)frame;
  (void)time;
  if (bytes.size() < 28 || base::load_be16(bytes, 2) != 0x0800 || bytes[4] != 6 || bytes[5] != 4) return;
  const Address sender = address_v4(bytes.subspan(14, 4));
  if (sender.v4() != 0) world.learn_device(sender, {}, {}, {});
}

void read_datagram(World& world, Conversation& c, int direction, const View& view) {
  if (view.bytes.empty()) return;
  const auto either = [&](std::uint16_t port) { return c.server_port == port || c.client_port == port; };
  const auto became = [&](bool did, Protocol protocol) {
    if (did) c.protocol = protocol;
    return did;
  };
  if ((either(53) || either(5353) || either(5355)) &&
      became(read_dns(world, c, direction, view), Protocol::dns))
    return;
  if ((either(67) || either(68)) && became(read_dhcp(world, c, direction, view), Protocol::dhcp)) return;
  if ((either(546) || either(547)) && became(read_dhcpv6(world, c, direction, view), Protocol::dhcp)) return;
  if (either(123) && became(read_ntp(world, c, direction, view), Protocol::ntp)) return;
  if ((c.server_port == 69 || !world.tftp.empty()) &&
      became(read_tftp(world, c, direction, view), Protocol::tftp))
    return;
  if (either(514) && became(read_syslog(world, c, direction, view), Protocol::syslog)) return;
  if (became(read_rpc(world, c, direction, view), Protocol::rpc)) return;
  if (view.bytes[0] == '<' && became(read_discovery(world, c, direction, view), Protocol::wsd)) return;
  if (view.bytes[0] == '<' && became(read_syslog(world, c, direction, view), Protocol::syslog)) return;
  read_unknown(world, c, direction, view);
}

}  // namespace witness
