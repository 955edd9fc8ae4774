#include "rules/declared.h"

#include <fmt/format.h>

#include <algorithm>

#include "rules/match.h"
#include "rules/rule.h"

namespace rules {

using declare::Declaration;
using result::Finding;
using result::Limb;

namespace {

// The transport that a protocol stands on; empty where it may be either.
std::string transport_of(std::string_view protocol) {
  if (protocol == "tcp" || protocol == "udp") return std::string(protocol);
  for (const std::string_view name : {"http", "https", "ftp", "ftps", "ssh", "sftp", "telnet", "smb", "cifs", "mqtt", "hl7", "rsync"})
    if (protocol == name) return "tcp";
  for (const std::string_view name : {"tftp", "ntp", "syslog"})
    if (protocol == name) return "udp";
  return {};
}

declare::Match match_of(const Declaration& declaration, const effects::Endpoint& peer) {
  const std::string transport = transport_of(peer.protocol);
  auto by_address = declare::match(declaration, peer.address, peer.port, transport);
  if (by_address.port || peer.host.empty()) return by_address;
  auto by_host = declare::match(declaration, peer.host, peer.port, transport);
  return by_host.place && !by_address.place ? by_host : by_address;
}

const Rule* rule_of(const Finding& finding) {
  for (const Rule& rule : built_in_rules())
    if (rule.id == finding.rule) return &rule;
  return nullptr;
}

result::Hidden documented(const std::vector<Declaration>& declarations, const Finding& finding, const Rule* rule) {
  result::Hidden out{"not-documented", Limb::not_evaluated, "no manual was given"};
  std::string named, names;
  for (const Declaration& manual : declarations) {
    if (manual.kind != declare::Kind::manual) continue;
    names += (names.empty() ? "" : ", ") + manual.name;
    const std::string sentence = rule ? declare::sentence_with(manual, rule->declared_by) : "";
    if (!sentence.empty()) return {"not-documented", Limb::does_not_hold, manual.name + ", " + sentence};
    for (const auto& peer : finding.endpoints)
      if (const auto match = match_of(manual, peer); match.place && named.empty()) named = manual.name + ", " + match.quote;
  }
  if (names.empty()) return out;
  if (!rule || rule->declared_by.empty()) {
    out.quote = "which words of a manual would describe it is not known";
    return out;
  }
  out.state = Limb::holds;
  out.quote = named.empty() ? fmt::format("{} describes no such function and does not name the peer", names) : fmt::format("the address is documented, what is done there is not: {}", named);
  if (finding.endpoints.empty()) out.quote = fmt::format("{} describes no such function", names);
  return out;
}

result::Hidden specified(const std::vector<Declaration>& declarations, const Finding& finding) {
  result::Hidden out{"not-in-specification", Limb::not_evaluated, "no specification was given"};
  std::string names, partly;
  for (const Declaration& list : declarations) {
    if (list.kind == declare::Kind::manual) continue;
    names += (names.empty() ? "" : ", ") + list.name;
    for (const auto& peer : finding.endpoints) {
      const auto match = match_of(list, peer);
      if (match.port) return {"not-in-specification", Limb::does_not_hold, fmt::format("{} allows it, {}", list.name, match.quote)};
      if (match.place && partly.empty()) partly = fmt::format("{} allows this peer for something else, {}", list.name, match.quote);
    }
  }
  if (names.empty()) return out;
  if (finding.endpoints.empty()) {
    out.quote = "the finding names no peer to look up";
    return out;
  }
  out.state = Limb::holds;
  out.quote = partly.empty() ? fmt::format("{} does not list {}", names, peer_text(finding.endpoints.front())) : partly;
  return out;
}

void tell_peers(const std::vector<Declaration>& declarations, Finding& finding) {
  if (finding.endpoints.empty()) return;
  const auto& peer = finding.endpoints.front();
  if (peer.name().empty() || peer.name().find("${") != std::string::npos) return;
  for (const Declaration& declaration : declarations) {
    const auto match = match_of(declaration, peer);
    result::Evidence part;
    if (match.place) part.says = fmt::format("declared: {}, {}. That names the peer, not what is done there{}", declaration.name, match.quote, match.port || peer.port == 0 ? "" : fmt::format("; port {} is not named with it", peer.port));
    else part.says = fmt::format("not declared: {} does not name {}", declaration.name, peer.name());
    finding.evidence.parts.push_back(std::move(part));
  }
}

}  // namespace

void settle_hidden(Finding& finding) {
  std::size_t evaluated = 0, clear = 0;
  for (const auto& limb : finding.hidden) {
    evaluated += limb.state != Limb::not_evaluated;
    clear += limb.state == Limb::does_not_hold;
  }
  if (evaluated > 0 && clear == evaluated) std::erase(finding.cwe, 912);
}

void apply_declarations(const std::vector<Declaration>& declarations, result::Result& result) {
  if (declarations.empty()) return;
  for (Finding& finding : result.findings) {
    for (auto& limb : finding.hidden) {
      if (limb.limb == "not-documented") limb = documented(declarations, finding, rule_of(finding));
      if (limb.limb == "not-in-specification") limb = specified(declarations, finding);
    }
    if (!finding.hidden.empty()) settle_hidden(finding);
    tell_peers(declarations, finding);
  }
  for (const Declaration& declaration : declarations)
    for (const auto& doubt : declaration.doubts) base::add_doubt(result.doubts, doubt);
}

}  // namespace rules
