// Captures made in memory, for tests, fuzz corpora and the bench: Ethernet, IPv4 or IPv6, TCP or UDP,
// little-endian pcap.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace witness::wire {

using base::Bytes;

inline void put8(Bytes& out, std::uint64_t value) { out.push_back(static_cast<std::uint8_t>(value)); }
inline void put16(Bytes& out, std::uint64_t value) { put8(out, value >> 8), put8(out, value); }
inline void put32(Bytes& out, std::uint64_t value) { put16(out, value >> 16), put16(out, value); }
inline void put64(Bytes& out, std::uint64_t value) { put32(out, value >> 32), put32(out, value); }
inline void put16_le(Bytes& out, std::uint64_t value) { put8(out, value), put8(out, value >> 8); }
inline void put32_le(Bytes& out, std::uint64_t value) { put16_le(out, value), put16_le(out, value >> 16); }
inline void put(Bytes& out, std::string_view text) { out.insert(out.end(), text.begin(), text.end()); }
inline void put(Bytes& out, const Bytes& bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

constexpr std::uint32_t ip(unsigned a, unsigned b, unsigned c, unsigned d) {
  return a << 24 | b << 16 | c << 8 | d;
}

struct End {
  std::uint32_t address;
  std::uint16_t port;
};

// The IPv4 packet around `payload`. `fragment` is the second word of flags and offset.
inline Bytes ipv4(std::uint32_t source, std::uint32_t destination, std::uint8_t protocol,
                  const Bytes& payload, std::uint16_t fragment = 0, std::uint16_t id = 1) {
  Bytes out;
  put16(out, 0x4500);
  put16(out, 20 + payload.size());
  put16(out, id);
  put16(out, fragment);
  put8(out, 64);
  put8(out, protocol);
  put16(out, 0);
  put32(out, source);
  put32(out, destination);
  put(out, payload);
  return out;
}

inline Bytes tcp(End from, End to, std::uint32_t seq, std::uint8_t flags, std::string_view payload,
                 std::uint32_t ack = 1) {
  Bytes out;
  put16(out, from.port);
  put16(out, to.port);
  put32(out, seq);
  put32(out, ack);
  put8(out, 0x50);
  put8(out, flags);
  put16(out, 65535);
  put32(out, 0);
  put(out, payload);
  return out;
}

inline Bytes udp(End from, End to, std::string_view payload) {
  Bytes out;
  put16(out, from.port);
  put16(out, to.port);
  put16(out, 8 + payload.size());
  put16(out, 0);
  put(out, payload);
  return out;
}

inline Bytes ethernet(const Bytes& packet, std::uint16_t type = 0x0800) {
  Bytes out{0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2};
  put16(out, type);
  put(out, packet);
  return out;
}

struct Frame {
  std::uint64_t microseconds;
  Bytes bytes;
};

inline Bytes pcap(const std::vector<Frame>& frames, std::uint32_t link_type = 1) {
  Bytes out;
  put32_le(out, 0xA1B2C3D4);
  put16_le(out, 2);
  put16_le(out, 4);
  put32_le(out, 0);
  put32_le(out, 0);
  put32_le(out, 262144);
  put32_le(out, link_type);
  for (const Frame& frame : frames) {
    put32_le(out, frame.microseconds / 1'000'000);
    put32_le(out, frame.microseconds % 1'000'000);
    put32_le(out, frame.bytes.size());
    put32_le(out, frame.bytes.size());
    put(out, frame.bytes);
  }
  return out;
}

// One TCP conversation as it is said; render() makes frames of it.
struct Talk {
  End client, server;
  std::uint32_t client_seq = 1000, server_seq = 9000;
  std::uint64_t clock = 1'000'000;
  std::vector<Frame> frames = {};

  void add(bool from_client, std::uint8_t flags, std::string_view payload) {
    std::uint32_t& seq = from_client ? client_seq : server_seq;
    const End &from = from_client ? client : server, &to = from_client ? server : client;
    frames.push_back({clock += 1000, ethernet(ipv4(from.address, to.address, 6,
                                                   tcp(from, to, seq, flags, payload,
                                                       from_client ? server_seq : client_seq)))});
    seq += static_cast<std::uint32_t>(payload.size()) + ((flags & 3) ? 1 : 0);
  }
  void open() { add(true, 0x02, ""), add(false, 0x12, ""), add(true, 0x10, ""); }
  void say(bool from_client, std::string_view text, std::size_t segment = 1400) {
    for (std::size_t at = 0; at < text.size(); at += segment)
      add(from_client, 0x18, text.substr(at, segment));
  }
  void close() { add(true, 0x11, ""), add(false, 0x11, ""); }
};

}  // namespace witness::wire
