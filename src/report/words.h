// The words that every rendering for people shares: one place decides how a size, a place or a degree of
// certainty is said. All of them return text that may hold raw bytes of a firmware: the renderer escapes it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "result/result.h"

namespace report {

// The first sentence of a report: what matters most, or that nothing can be said.
std::string headline(const result::Result& result);

std::string size_words(std::uint64_t bytes);                // "412 bytes", "4.6 MB"
std::string place_words(const effects::Site& site);         // "/opt/bin/x at 0x120 in main", "/etc/rcS:4"
// "CWE-494 (ours), CWE-912": `ours` stand in no published advisory
std::string cwe_words(const std::vector<int>& cwe, const std::vector<int>& ours = {});
std::string endpoint_words(const effects::Endpoint& peer);  // "nfs 198.51.100.7 port 2049"
std::string_view provenance_words(effects::Provenance provenance);
std::string_view scope_words(effects::Scope scope);
bool is_capture(const result::Result& result);       // nothing but captures was read
bool is_of_traffic(const result::Finding& finding);  // a finding of a capture alone
std::string_view confidence_words(const result::Finding& finding);
std::string_view limb_words(std::string_view limb);  // CWE-912's limb, in words
std::string_view state_words(result::Limb state);
std::string_view wire_words(std::string_view wire);
std::string depth_words(
    std::string_view depth);  // how far a program was read; the key itself where it is not known
std::string property_words(std::string_view key);  // "signed-version" -> "signed version"
std::string property_state_words(std::string_view state);
// ", with authenticity" where a line of an update's grading falls because another one does; else empty.
std::string rests_on(const result::Property& property);

// Things that were not evaluated, gathered by reason, in order of the reason's first appearance.
struct Gap {
  std::string why;
  std::vector<std::string> what;
};
std::vector<Gap> gaps(const result::Coverage& coverage);

// The words of an evidence's site; the masked form unless secrets are to be shown.
std::string words_of(const result::Evidence& evidence, bool show_secrets);

// True when a sentence says itself that its link is assumed, so that a mark would only repeat it.
bool says_assumed(const result::Evidence& evidence);

}  // namespace report
