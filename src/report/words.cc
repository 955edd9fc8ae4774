// Keys and numbers of a result to words for people.
#include "report/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace report {

using result::Finding;
using result::Severity;

std::string headline(const result::Result& result) {
  const auto weighs = [](const Finding& f) { return f.severity >= Severity::high && f.accepted.empty(); };
  const auto grave = std::ranges::count_if(result.findings, weighs);
  if (result.coverage.verdict == "unknown")
    return "Nothing in this input was recognised, so nothing can be said about it. This is not a clean "
           "result.";
  if (grave == 0 && is_capture(result))
    return "Nothing at high or above was seen in this traffic. A capture shows its own time only.";
  if (grave == 0)
    return result.coverage.verdict == "partial" ? "Nothing at high or above was found in what could be read. "
                                                  "Parts were not read; they are named below."
                                                : "Nothing at high or above was found.";
  const auto first = std::ranges::find_if(result.findings, weighs);
  return fmt::format("{} finding{} at high or above. First: {}", grave, grave == 1 ? "" : "s", first->says);
}

std::string size_words(std::uint64_t bytes) {
  return bytes < 100'000 ? fmt::format("{} byte{}", bytes, bytes == 1 ? "" : "s")
                         : fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string place_words(const effects::Site& site) {
  std::string out = site.file;
  if (site.line) out += fmt::format(":{}", site.line);
  if (site.address) out += fmt::format(" at 0x{:x}", *site.address);
  if (!site.function.empty()) out += " in " + site.function;
  if (!site.frames.empty()) out += fmt::format(" frame {}", site.frames.front());
  return out;
}

std::string cwe_words(const std::vector<int>& cwe, const std::vector<int>& ours) {
  std::string out;
  for (const int number : cwe) out += fmt::format("{}CWE-{}{}", out.empty() ? "" : ", ", number, std::ranges::find(ours, number) != ours.end() ? " (ours)" : "");
  return out;
}

std::string endpoint_words(const effects::Endpoint& peer) {
  std::string out = peer.protocol;
  if (!peer.name().empty()) out += (out.empty() ? "" : " ") + peer.name();
  if (peer.port) out += fmt::format("{}port {}", out.empty() ? "" : " ", peer.port);
  return out;
}

std::string_view provenance_words(effects::Provenance provenance) {
  using enum effects::Provenance;
  switch (provenance) {
    case literal:
      return "fixed in the code";
    case shipped_default:
      return "fixed in a file that is shipped";
    case setting:
      return "set by the owner";
    case input:
      return "typed or received";
    case unknown:
      break;
  }
  return "not known";
}

std::string_view scope_words(effects::Scope scope) {
  using enum effects::Scope;
  switch (scope) {
    case public_:
      return "public";
    case private_:
      return "private network";
    case link_local:
      return "same link";
    case loopback:
      return "the device itself";
    case multicast:
      return "multicast";
    case unspecified:
      return "any address";
    case unknown:
      break;
  }
  return "not known";
}

std::string_view confidence_words(const result::Finding& finding) {
  using enum result::Confidence;
  if (is_of_traffic(finding)) return "firm: it stands in the frames that are named";
  switch (finding.confidence) {
    case confirmed:
      return "confirmed: read in the firmware and seen happening";
    case firm:
      return "firm: every step of the proof was read in the firmware";
    case tentative:
      break;
  }
  return "tentative: a step of the proof is assumed; it is marked";
}

bool is_capture(const result::Result& result) {
  return !result.images.empty() &&
         std::ranges::all_of(result.images, [](const auto& image) { return image.format == "capture"; });
}

bool is_of_traffic(const result::Finding& finding) { return finding.rule.starts_with("wire-"); }

std::string_view limb_words(std::string_view limb) {
  if (limb == "not-documented") return "it is not documented";
  if (limb == "not-in-specification") return "it is not in the specification";
  if (limb == "not-reachable-obviously") return "no obvious control of the device starts it";
  return limb;
}

std::string_view state_words(result::Limb state) {
  return state == result::Limb::holds           ? "holds"
         : state == result::Limb::does_not_hold ? "does not hold"
                                                : "not evaluated";
}

std::string_view wire_words(std::string_view wire) {
  if (wire == "seen") return "seen in the capture";
  if (wire == "attempted-unanswered") return "attempted in the capture, unanswered";
  if (wire == "not-exercised") return "not exercised in the capture, which does not mean absent";
  return wire;
}

std::string depth_words(std::string_view depth) {
  if (depth == "modelled") return "read in full";
  if (depth == "lifted") return "code read, values not followed";
  if (depth == "disassembled") return "code listed, not followed";
  if (depth == "recognised") return "recognised, code not read";
  if (depth == "unread") return "not read";
  return std::string(depth);
}

std::string property_words(std::string_view key) {
  std::string out(key);
  std::ranges::replace(out, '-', ' ');
  return out;
}

std::string property_state_words(std::string_view state) {
  if (state == "fake") return "only pretended";
  return property_words(state);
}

std::string rests_on(const result::Property& property) {
  return property.follows.empty() ? "" : ", with " + property_words(property.follows);
}

std::vector<Gap> gaps(const result::Coverage& coverage) {
  std::vector<Gap> out;
  std::map<std::string_view, std::size_t> place;
  for (const auto& item : coverage.not_evaluated) {
    const auto [at, fresh] = place.try_emplace(item.why, out.size());
    if (fresh) out.push_back({item.why, {}});
    out[at->second].what.push_back(item.count > 1 ? fmt::format("{} ({} times)", item.what, item.count)
                                                  : item.what);
  }
  return out;
}

std::string words_of(const result::Evidence& evidence, bool show_secrets) {
  if (show_secrets && !evidence.secret_words.empty()) return evidence.secret_words;
  return evidence.site ? evidence.site->words : std::string();
}

bool says_assumed(const result::Evidence& evidence) {
  return evidence.says.find("assumed") != std::string::npos;
}

}  // namespace report
