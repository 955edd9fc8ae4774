// What two sides say, out of a few bytes: the form of the inputs of witness_fuzz_payload and its corpus.
// Byte 0 chooses the server's port; byte 1 UDP (odd) or the size of TCP segments; bytes 2 and 3
// (little-endian) how much of the rest the client says.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

#include "witness/wire_builder.h"

namespace witness::wire {

inline constexpr std::uint16_t kSaidPorts[] = {80,  21,   23,   53,   67,   69,   104, 111,
                                               123, 443,  445,  512,  513,  514,  515, 547,
                                               631, 1883, 2049, 2575, 3702, 5353, 7001};

struct Said {
  std::uint16_t port = 0;
  bool udp = false;
  std::size_t segment = 1;
  std::string_view client, server;
};

inline std::optional<Said> said(base::ByteView input) {
  if (input.size() < 4) return std::nullopt;
  const std::string_view body = base::as_text(input.subspan(4));
  const std::size_t split = std::min<std::size_t>(*base::load_le16(input, 2), body.size());
  return Said{kSaidPorts[input[0] % std::size(kSaidPorts)], (input[1] & 1) != 0, 1u + (input[1] >> 1) % 16,
              body.substr(0, split), body.substr(split)};
}

inline Bytes capture_of(const Said& what, std::size_t segment) {
  const End client{ip(10, 0, 0, 5), static_cast<std::uint16_t>(what.port == 67 ? 68 : 40000)},
      server{ip(203, 0, 113, 9), what.port};
  if (what.udp)
    return pcap({{1, ethernet(ipv4(client.address, server.address, 17, udp(client, server, what.client)))},
                 {2, ethernet(ipv4(server.address, client.address, 17, udp(server, client, what.server)))}});
  Talk talk{client, server};
  talk.open();
  talk.say(true, what.client, segment);
  talk.say(false, what.server, segment);
  talk.close();
  return pcap(talk.frames);
}

}  // namespace witness::wire
