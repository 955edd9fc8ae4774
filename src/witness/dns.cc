// DNS questions and answers into names looked up, and which address a name stood for. Sources: RFC 1035
// section 4, RFC 6762 (mDNS), RFC 4795 (LLMNR).
#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "witness/dissect.h"

namespace witness {
namespace {

using base::ByteOrder;
using base::ByteReader;

constexpr int kMaxJumps = 16;
constexpr std::size_t kMaxName = 255;
constexpr std::uint16_t kTypeA = 1, kTypeAaaa = 28;

std::string_view type_name(std::uint16_t type) {
  switch (type) {
    case 1:
      return "A";
    case 2:
      return "NS";
    case 5:
      return "CNAME";
    case 6:
      return "SOA";
    case 10:
      return "NULL";
    case 12:
      return "PTR";
    case 15:
      return "MX";
    case 16:
      return "TXT";
    case 28:
      return "AAAA";
    case 33:
      return "SRV";
    case 65:
      return "HTTPS";
    case 255:
      return "ANY";
    default:
      return "";
  }
}

// A domain name with compression (RFC 1035 4.1.4), without the final dot; `in` is left behind it. ok() fails
// on damage.
std::string read_name(ByteView message, ByteReader& in) {
  std::string out;
  std::uint64_t at = in.offset(), after = 0;
  for (int jumps = 0; jumps <= kMaxJumps;) {
    if (at >= message.size()) break;
    const std::uint8_t length = message[at];
    if (length >= 0xC0) {
      const auto pointer = base::load_be16(message, at);
      if (!pointer) break;
      if (!after) after = at + 2;
      at = *pointer & 0x3FFF;
      ++jumps;
      continue;
    }
    if (length > 63 || !base::in_bounds(at + 1, length, message.size()) || out.size() + length > kMaxName)
      break;
    ++at;
    if (length == 0) {
      in.seek(after ? after : at);
      return out;
    }
    if (!out.empty()) out += '.';
    out += base::as_text(message.subspan(at, length));
    at += length;
  }
  in.skip(~std::uint64_t{0});  // damaged
  return out;
}

}  // namespace

bool read_dns(World& world, const Conversation& c, int direction, const View& view) {
  (void)direction;
  ByteReader in(view.bytes, ByteOrder::big);
  in.u16();
  const std::uint16_t flags = in.u16();
  const std::uint16_t questions = in.u16(), answers = in.u16();
  in.skip(4);
  if (!in.ok() || (flags & 0x7800) > 0x2800 || questions > 32 || answers > 256) return false;
  const bool response = flags & 0x8000;
  const bool multicast = c.server_port == 5353 || c.server_port == 5355;
  std::string asked;
  for (std::uint16_t i = 0; i < questions; ++i) {
    const std::string name = read_name(view.bytes, in);
    const std::uint16_t type = in.u16();
    in.u16();
    if (!in.ok()) return i > 0;
    if (asked.empty()) asked = name;
    if (name.empty()) continue;
    const std::string_view known = type_name(type);
    world.tell(c, view, 0, view.bytes.size(),
               {.kind = Kind::lookup,
                .protocol = multicast ? "mdns" : "dns",
                .object = name,
                .words = known.empty() ? fmt::format("TYPE{}", type) : std::string(known),
                .answered = response});
  }
  if (!response) return true;
  for (std::uint16_t i = 0; i < answers; ++i) {
    const std::string owner = read_name(view.bytes, in);
    const std::uint16_t type = in.u16();
    in.skip(6);
    const ByteView data = in.take(in.u16());
    if (!in.ok()) break;
    // The name that was asked for, also where aliases lead on.
    const std::string& name = asked.empty() ? owner : asked;
    if (type == kTypeA && data.size() == 4) world.learn_name(c.client, address_v4(data), name);
    if (type == kTypeAaaa && data.size() == 16) world.learn_name(c.client, address_v6(data), name);
    if (multicast && type == kTypeA && data.size() == 4) world.learn_device(address_v4(data), owner, {}, {});
  }
  return true;
}

Progress read_dns_stream(World& world, Conversation& c, int direction, const View& view) {
  const auto size = base::load_be16(view.bytes, 0);  // RFC 1035 4.2.2
  if (!size) return {0, 2};
  if (view.bytes.size() < 2u + *size) return {0, 2u + *size};
  std::vector<View::Mark> marks;
  for (const std::uint64_t frame : view.frames(0, 2u + *size)) marks.push_back({*size, frame});
  read_dns(world, c, direction, View{view.bytes.subspan(2, *size), &marks, false, false, view.time});
  return {2u + *size, 0};
}

}  // namespace witness
