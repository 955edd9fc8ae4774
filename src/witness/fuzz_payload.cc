// Fuzz door: what two sides say (said.h), by TCP or UDP, on one of the usual ports.
// Every stream and datagram dissector is reached this way without a capture's checksum of headers in between.
// What a stream yields must not depend on how it was cut: a TCP input is read twice, in whole and in small
// segments.
#include <cstdlib>
#include <set>
#include <string>

#include "witness/said.h"
#include "witness/verdict.h"

namespace {

witness::Options small() {
  witness::Options options;
  options.max_live_flows = 16;  // one is needed; tables for many are slow to make
  options.max_flows = 16;
  return options;
}

witness::Capture read(const witness::wire::Said& what, std::size_t segment) {
  auto capture = witness::read(witness::wire::capture_of(what, segment), small());
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
  if (size > 1u << 14) return 0;
  const auto what = witness::wire::said({data, size});
  if (!what) return 0;
  const auto whole = read(*what, 1u << 15);
  if (what->udp) return 0;
  const auto cut = read(*what, what->segment);
  // Only the streams that no protocol claims: others may rightly differ in how repeats are merged.
  if (whole.flows.at(0).application == "hl7" && cut.flows.at(0).application == "hl7" &&
      patient_fields(whole) != patient_fields(cut))
    std::abort();
  return 0;
}
