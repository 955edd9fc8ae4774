// Link, network and transport headers.
#include "witness/packet.h"

#include <pcap/dlt.h>

#include <algorithm>

namespace witness {
namespace {

using base::ByteOrder;
using base::ByteReader;
using base::ByteView;

constexpr std::uint16_t kIpv4 = 0x0800, kIpv6 = 0x86DD, kPppoeSession = 0x8864, kMpls = 0x8847;
constexpr int kTagsRead = 8;  // stacked VLAN tags and the like

std::uint16_t by_version_nibble(ByteView payload) {
  if (payload.empty()) return 0;
  const int version = payload[0] >> 4;
  return version == 4 ? kIpv4 : version == 6 ? kIpv6 : 0;
}

// RFC 1661 protocol numbers; the first octet of the number may be compressed away (RFC 1661 6.5).
LinkFrame decode_ppp(ByteView bytes) {
  LinkFrame out;
  if (bytes.size() >= 2 && bytes[0] == 0xFF && bytes[1] == 0x03) bytes = bytes.subspan(2);
  if (bytes.empty()) return out;
  const bool compressed = bytes[0] & 1;
  const std::uint16_t protocol = compressed ? bytes[0] : base::load_be16(bytes, 0).value_or(0);
  out.payload = base::clipped(bytes, compressed ? 1 : 2);
  out.ethertype = protocol == 0x0021 ? kIpv4 : protocol == 0x0057 ? kIpv6 : 0;
  return out;
}

// Strips what may stand between an ethertype and the packet: VLAN tags, PPPoE, LLC/SNAP, MPLS.
LinkFrame untag(std::uint16_t type, ByteView payload, ByteView mac) {
  for (int i = 0; i < kTagsRead; ++i) {
    if (type == 0x8100 || type == 0x88A8 || type == 0x9100 || type == 0x9200) {
      type = base::load_be16(payload, 2).value_or(0);
      payload = base::clipped(payload, 4);
    } else if (type == kPppoeSession) {
      const LinkFrame inner = decode_ppp(base::clipped(payload, 6));
      return {inner.ethertype, inner.payload, mac};
    } else if (type == kMpls) {
      const bool bottom = payload.size() >= 4 && (payload[2] & 1);
      payload = base::clipped(payload, 4);
      if (bottom)
        type = by_version_nibble(payload);
      else if (payload.empty())
        type = 0;
    } else if (type != 0 && type <= 1500) {  // IEEE 802.3: a length, then LLC
      const bool snap = payload.size() >= 8 && payload[0] == 0xAA && payload[1] == 0xAA && payload[2] == 0x03;
      type = snap ? base::load_be16(payload, 6).value_or(0) : 0;
      payload = base::clipped(payload, 8);
    } else {
      break;
    }
  }
  return {type, payload, mac};
}

LinkFrame decode_80211(ByteView bytes, bool padded) {
  LinkFrame out;
  if (bytes.size() < 24) return out;
  const int type = (bytes[0] >> 2) & 3, subtype = bytes[0] >> 4;
  const bool to_ds = bytes[1] & 1, from_ds = bytes[1] & 2, protected_frame = bytes[1] & 0x40,
             order = bytes[1] & 0x80;
  if (type != 2 || (subtype & 4) || protected_frame) return out;  // data with a body, in clear
  std::size_t header = 24;
  if (to_ds && from_ds) header += 6;
  if (subtype & 8) {
    if (bytes.size() < header + 2 || (bytes[header] & 0x80)) return out;  // an A-MSDU is not read
    header += 2 + (order ? 4 : 0);
  }
  if (padded) header = base::align_up(header, 4);
  const ByteView source = bytes.subspan(from_ds && !to_ds ? 16 : 10, 6);
  const ByteView llc = base::clipped(bytes, header);
  if (llc.size() < 8 || llc[0] != 0xAA || llc[1] != 0xAA) return out;
  return untag(base::load_be16(llc, 6).value_or(0), llc.subspan(8), source);
}

LinkFrame decode_radiotap(ByteView bytes) {
  const auto length = base::load_le16(bytes, 2);
  if (!length || *length > bytes.size() || *length < 8) return {};
  std::size_t at = 4;
  const std::uint32_t present = base::load_le32(bytes, at).value_or(0);
  for (std::uint32_t word = present; (word & 0x80000000u) && at + 8 <= *length;) {
    at += 4;
    word = base::load_le32(bytes, at).value_or(0);
  }
  at += 4;
  if (present & 1) at = base::align_up(at, 8) + 8;  // TSFT
  const std::uint8_t flags = (present & 2) && at < *length ? bytes[at] : 0;
  ByteView body = bytes.subspan(*length);
  if ((flags & 0x10) && body.size() >= 4) body = body.first(body.size() - 4);  // frame check sequence
  return decode_80211(body, flags & 0x20);
}

LinkFrame decode_null(ByteView bytes) {
  // A 4-byte address family in the byte order of the capturing host, or of the network (DLT_LOOP).
  if (bytes.size() < 4) return {};
  return {by_version_nibble(bytes.subspan(4)), bytes.subspan(4), {}};
}

bool steps_over(std::uint8_t header) {  // IPv6 extension headers of the common form
  return header == 0 || header == 43 || header == 60 || header == 135 || header == 139 || header == 140;
}

IpPacket decode_v4(ByteView bytes) {
  IpPacket out;
  if (bytes.size() < 20 || bytes[0] >> 4 != 4) return out;
  const std::uint32_t header = (bytes[0] & 0xFu) * 4;
  std::uint32_t total = base::load_be16(bytes, 2).value_or(0);
  if (total == 0) total = static_cast<std::uint32_t>(bytes.size());  // segmentation offload
  if (header < 20 || total < header || header > bytes.size()) return out;
  const std::uint16_t fragment = base::load_be16(bytes, 6).value_or(0);
  out.source = address_v4(bytes.subspan(12, 4));
  out.destination = address_v4(bytes.subspan(16, 4));
  out.protocol = bytes[9];
  out.payload = base::clipped(bytes, header, total - header);
  out.payload_size = total - header;
  out.packet_size = total;
  out.fragment_offset = (fragment & 0x1FFFu) * 8;
  out.more_fragments = fragment & 0x2000;
  out.fragment = out.more_fragments || out.fragment_offset != 0;
  out.fragment_id = base::load_be16(bytes, 4).value_or(0);
  out.ok = true;
  return out;
}

IpPacket decode_v6(ByteView bytes) {
  IpPacket out;
  if (bytes.size() < 40 || bytes[0] >> 4 != 6) return out;
  std::uint32_t left = base::load_be16(bytes, 4).value_or(0);
  ByteView rest = bytes.subspan(40);
  if (left == 0) left = static_cast<std::uint32_t>(std::min<std::size_t>(rest.size(), 0xFFFFFF));
  out.packet_size = left + 40;
  out.source = address_v6(bytes.subspan(8, 16));
  out.destination = address_v6(bytes.subspan(24, 16));
  rest = base::clipped(rest, 0, left);
  std::uint8_t next = bytes[6];
  for (int i = 0; i < 16; ++i) {
    std::uint32_t size = 0;
    std::uint8_t after = rest.empty() ? 59 : rest[0];
    if (steps_over(next) && rest.size() >= 2) {
      size = (rest[1] + 1u) * 8;
    } else if (next == 51 && rest.size() >= 2) {  // authentication header, RFC 4302
      size = (rest[1] + 2u) * 4;
    } else if (next == 44 && rest.size() >= 8) {  // fragment header
      const std::uint16_t where = base::load_be16(rest, 2).value_or(0);
      out.fragment_offset = where & 0xFFF8u;
      out.more_fragments = where & 1;
      out.fragment = out.more_fragments || out.fragment_offset != 0;
      out.fragment_id = base::load_be32(rest, 4).value_or(0);
      size = 8;
    } else {
      break;
    }
    if (size > rest.size() || size > left) return out;
    rest = rest.subspan(size);
    left -= size;
    next = after;
    if (out.fragment) break;
  }
  out.protocol = next;
  out.payload = rest;
  out.payload_size = left;
  out.ok = true;
  return out;
}

}  // namespace

LinkFrame decode_link(int link_type, ByteView frame) {
  switch (link_type) {
    case DLT_EN10MB:
      if (frame.size() < 14) return {};
      return untag(base::load_be16(frame, 12).value_or(0), frame.subspan(14), frame.subspan(6, 6));
    case DLT_LINUX_SLL:
      if (frame.size() < 16) return {};
      return untag(base::load_be16(frame, 14).value_or(0), frame.subspan(16),
                   base::load_be16(frame, 4) == 6 ? frame.subspan(6, 6) : ByteView{});
    case DLT_LINUX_SLL2:
      if (frame.size() < 20) return {};
      return untag(base::load_be16(frame, 0).value_or(0), frame.subspan(20),
                   frame[11] == 6 ? frame.subspan(12, 6) : ByteView{});
    case DLT_NULL:
    case DLT_LOOP:
      return decode_null(frame);
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
      return {by_version_nibble(frame), frame, {}};
    case DLT_PPP:
    case DLT_PPP_SERIAL:
      return decode_ppp(frame);
    case DLT_PPP_ETHER: {
      const LinkFrame inner = decode_ppp(base::clipped(frame, 6));
      return inner;
    }
    case DLT_IEEE802_11:
      return decode_80211(frame, false);
    case DLT_IEEE802_11_RADIO:
      return decode_radiotap(frame);
    default:
      return {};
  }
}

bool knows_link(int link_type) {
  switch (link_type) {
    case DLT_EN10MB:
    case DLT_LINUX_SLL:
    case DLT_LINUX_SLL2:
    case DLT_NULL:
    case DLT_LOOP:
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
    case DLT_PPP:
    case DLT_PPP_SERIAL:
    case DLT_PPP_ETHER:
    case DLT_IEEE802_11:
    case DLT_IEEE802_11_RADIO:
      return true;
    default:
      return false;
  }
}

IpPacket decode_ip(std::uint16_t ethertype, ByteView bytes) {
  return ethertype == kIpv4 ? decode_v4(bytes) : ethertype == kIpv6 ? decode_v6(bytes) : IpPacket{};
}

Segment decode_segment(std::uint8_t protocol, ByteView payload, std::uint32_t size_on_wire) {
  Segment out;
  if (payload.size() < 4) return out;
  out.source_port = base::load_be16(payload, 0).value_or(0);
  out.destination_port = base::load_be16(payload, 2).value_or(0);
  if (protocol == kProtocolUdp) {
    if (payload.size() < 8) return out;
    const std::uint16_t length = base::load_be16(payload, 4).value_or(0);
    const std::uint32_t size = length >= 8 && length <= size_on_wire ? length : size_on_wire;
    if (size < 8) return out;
    out.payload = base::clipped(payload, 8, size - 8);
    out.payload_size = size - 8;
    out.ok = true;
    return out;
  }
  if (protocol != kProtocolTcp || payload.size() < 14) return out;
  out.tcp = true;
  out.seq = base::load_be32(payload, 4).value_or(0);
  out.ack = base::load_be32(payload, 8).value_or(0);
  const std::uint32_t header = (payload[12] >> 4) * 4u;
  out.flags = payload[13];
  if (header < 20 || header > size_on_wire) return out;
  out.payload = base::clipped(payload, header, size_on_wire - header);
  out.payload_size = size_on_wire - header;
  out.ok = true;
  return out;
}

}  // namespace witness
