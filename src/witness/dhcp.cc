// DHCP into what a device says of itself: its name, its maker's class, where its MUD file lies.
// Sources: RFC 2131, RFC 2132, RFC 8415 (DHCPv6), RFC 8520 section 10 (options 161 and 112).
#include "witness/dissect.h"

namespace witness {
namespace {

using base::ByteOrder;
using base::ByteReader;

constexpr std::uint32_t kCookie = 0x63825363;  // RFC 2132 section 2
constexpr std::uint8_t kRelayForward = 12, kRelayReply = 13;
constexpr int kMaxRelays = 8;

void tell_mud(World& world, const Conversation& c, const View& view, const Address& device, ByteView url,
              std::string_view protocol) {
  if (url.empty()) return;
  Conversation said = c;
  said.client = device;
  world.learn_device(device, {}, base::as_text(url), {});
  world.tell(said, view, 0, view.bytes.size(),
             {.kind = Kind::declaration_claim,
              .protocol = protocol,
              .object = std::string(base::as_text(url)),
              .answered = true,
              .field = "mud-url"});
}

void read_v6_options(World& world, const Conversation& c, const View& view, ByteView bytes, Address device,
                     int depth) {
  ByteReader in(bytes, ByteOrder::big);
  while (in.ok() && in.left() >= 4) {
    const std::uint16_t code = in.u16();
    const ByteView value = in.take(in.u16());
    if (!in.ok()) return;
    if (code == 112) tell_mud(world, c, view, device, value, "dhcpv6");
    if (code == 39 && value.size() > 2)
      world.learn_device(device, base::as_text(value.subspan(2)), {}, {});  // client FQDN
    if (code == 9 && depth < kMaxRelays && !value.empty()) {                // a relayed message
      const bool relay = value[0] == kRelayForward || value[0] == kRelayReply;
      const Address peer = relay && value.size() >= 34 ? address_v6(value.subspan(18, 16)) : device;
      read_v6_options(world, c, view, base::clipped(value, relay ? 34 : 4), peer, depth + 1);
    }
  }
}

}  // namespace

bool read_dhcp(World& world, const Conversation& c, int direction, const View& view) {
  const ByteView b = view.bytes;
  if (b.size() < 240 || (b[0] != 1 && b[0] != 2) || base::load_be32(b, 236) != kCookie) return false;
  const bool request = b[0] == 1;
  (void)direction;
  const Address ciaddr = address_v4(b.subspan(12, 4)), yiaddr = address_v4(b.subspan(16, 4));
  Address device = ciaddr.v4() ? ciaddr : yiaddr.v4() ? yiaddr : c.client;
  ByteView name, vendor, mud;
  ByteReader in(b.subspan(240), ByteOrder::big);
  while (in.ok() && in.left() > 0) {
    const std::uint8_t code = in.u8();
    if (code == 0) continue;
    if (code == 255) break;
    const ByteView value = in.take(in.u8());
    if (!in.ok()) break;
    if (code == 12) name = value;
    if (code == 60) vendor = value;
    if (code == 161) mud = value;
    if (code == 50 && value.size() == 4 && request && !ciaddr.v4()) device = address_v4(value);
  }
  if (!request) return true;
  if (!name.empty() || !vendor.empty()) {
    world.learn_device(device, base::as_text(name), {}, base::as_text(vendor));
    Conversation said = c;
    said.client = device;
    world.tell(said, view, 0, b.size(),
               {.kind = Kind::announce,
                .protocol = "dhcp",
                .object = std::string(base::as_text(name)),
                .words = std::string(base::as_text(vendor)),
                .answered = true});
  }
  tell_mud(world, c, view, device, mud, "dhcp");
  return true;
}

bool read_dhcpv6(World& world, const Conversation& c, int direction, const View& view) {
  (void)direction;
  const ByteView b = view.bytes;
  if (b.size() < 4 || b[0] == 0 || b[0] > 13) return false;
  const bool relay = b[0] == kRelayForward || b[0] == kRelayReply;
  const Address device = relay && b.size() >= 34 ? address_v6(b.subspan(18, 16)) : c.client;
  read_v6_options(world, c, view, base::clipped(b, relay ? 34 : 4), device, 0);
  return true;
}

}  // namespace witness
