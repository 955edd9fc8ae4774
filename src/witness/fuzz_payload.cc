// Fuzz door: the first bytes choose ports, transport and segment size, the rest is what the two sides say.
// Every stream and datagram dissector is reached this way without a capture's checksum of headers in between.
// What a stream yields must not depend on how it was cut: a TCP input is read twice, in whole and in small
// segments.
#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

#include "witness/verdict.h"
#include "witness/wire_builder.h"

namespace {

constexpr std::uint16_t kPorts[] = {80,  21,  23,  53,  67,  69,   104,  111,  123,  443,  445, 512,
                                    513, 514, 515, 547, 631, 1883, 2049, 2575, 3702, 5353, 7001};

witness::Options small() {
  witness::Options options;
  options.max_live_flows = 16;  // one is needed; tables for many are slow to make
  options.max_flows = 16;
  return options;
}

witness::Capture said(std::uint16_t port, std::string_view client, std::string_view server,
                      std::size_t segment) {
  witness::wire::Talk talk{{0x0A000005, 40000}, {0xCB007109, port}};
  talk.open();
  talk.say(true, client, segment);
  talk.say(false, server, segment);
  talk.close();
  auto capture = witness::read(witness::wire::pcap(talk.frames), small());
  if (!capture) std::abort();
  return std::move(*capture);
}

std::multiset<std::string> patient_fields(const witness::Capture& capture) {
  std::multiset<std::string> out;
  for (const auto& o : capture.observations)
    if (o.kind == witness::Observation::Kind::patient_data && o.protocol != "dicom")
      out.insert(o.field + o.words);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3 || size > 1u << 14) return 0;
  const std::uint16_t port = kPorts[data[0] % std::size(kPorts)];
  const std::string_view body = base::as_text({data + 3, size - 3});
  const std::size_t split = body.size() * data[2] / 255;
  if (data[1] & 1) {
    const witness::wire::End client{0x0A000005, static_cast<std::uint16_t>(port == 67 ? 68 : 40000)},
        server{0xCB007109, port};
    std::vector<witness::wire::Frame> frames;
    frames.push_back({1, witness::wire::ethernet(witness::wire::ipv4(
                             client.address, server.address, 17,
                             witness::wire::udp(client, server, body.substr(0, split))))});
    frames.push_back({2, witness::wire::ethernet(
                             witness::wire::ipv4(server.address, client.address, 17,
                                                 witness::wire::udp(server, client, body.substr(split))))});
    if (!witness::read(witness::wire::pcap(frames), small())) std::abort();
    return 0;
  }
  const auto whole = said(port, body.substr(0, split), body.substr(split), 1u << 15);
  const auto small = said(port, body.substr(0, split), body.substr(split), 1 + (data[1] >> 1) % 16);
  // Only the streams that no protocol claims: others may rightly differ in how repeats are merged.
  if (whole.flows.at(0).application == "hl7" && small.flows.at(0).application == "hl7" &&
      patient_fields(whole) != patient_fields(small))
    std::abort();
  return 0;
}
