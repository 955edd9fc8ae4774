// One captured frame into an IP packet and its transport header. Pure: no state, no allocation.
// Sources: LINKTYPE registry (tcpdump.org), IEEE 802.1Q/ad, RFC 2516 (PPPoE), RFC 791, RFC 8200, RFC 9293,
// RFC 768, IEEE 802.11-2020 9.2, radiotap.org.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "witness/address.h"

namespace witness {

// What a frame carries above its link layer.
struct LinkFrame {
  std::uint16_t ethertype = 0;  // 0: nothing that we read (encrypted 802.11, control frames, unknown)
  base::ByteView payload;
  base::ByteView source_mac;  // empty or six bytes
};

// `link_type` is a DLT_ value of libpcap. Returns ethertype 0 for what it does not know.
LinkFrame decode_link(int link_type, base::ByteView frame);
bool knows_link(int link_type);

struct IpPacket {
  bool ok = false;
  Address source, destination;
  std::uint8_t protocol = 0;       // of the last header
  base::ByteView payload;          // captured part
  std::uint32_t payload_size = 0;  // on the wire, as the header says
  std::uint32_t packet_size = 0;   // IP packet on the wire
  bool fragment = false;
  std::uint32_t fragment_id = 0;
  std::uint32_t fragment_offset = 0;  // bytes
  bool more_fragments = false;
};

// `ethertype` 0x0800 or 0x86DD.
IpPacket decode_ip(std::uint16_t ethertype, base::ByteView bytes);

struct Segment {  // TCP or UDP
  bool ok = false;
  bool tcp = false;
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint32_t seq = 0, ack = 0;
  std::uint8_t flags = 0;
  base::ByteView payload;          // captured part
  std::uint32_t payload_size = 0;  // on the wire
};
inline constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;
inline constexpr std::uint8_t kProtocolTcp = 6, kProtocolUdp = 17;

Segment decode_segment(std::uint8_t protocol, base::ByteView payload, std::uint32_t size_on_wire);

}  // namespace witness
