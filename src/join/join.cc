// Derived against observed: what was seen, what was tried in vain, what was not exercised, and what the reading missed.
#include "join/join.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/hash.h"
#include "base/text.h"

namespace join {
namespace {

using effects::Effect;
using effects::EffectId;
using effects::Endpoint;
using effects::Kind;
using effects::ProgramId;

bool is_share(std::string_view protocol) { return protocol.starts_with("nfs") || protocol == "smb" || protocol == "cifs" || protocol == "mount" || protocol == "portmap" || protocol == "rpc"; }

bool same_host(const Endpoint& derived, const Endpoint& seen) {
  if (!derived.address.empty() && derived.address == seen.address) return true;
  return !derived.host.empty() && base::lower(derived.host) == base::lower(seen.host);
}

// A share is reached through several ports, one after the other.
bool same_peer(const Endpoint& derived, const Endpoint& seen) {
  return same_host(derived, seen) && (derived.port == 0 || derived.port == seen.port || is_share(derived.protocol));
}

std::string note(const Effect& effect, const char* key) {
  const auto at = effect.notes.find(key);
  return at == effect.notes.end() ? std::string() : at->second;
}

bool answered(const Effect& effect) {
  const auto as = note(effect, "seen-as");
  return note(effect, "answered") == "yes" || as == "patient-data" || as == "canary" || as == "share-read" || as == "code-in-clear";
}

// Whether what was observed is the derived thing itself, not only a contact with its peer.
bool shows(const Effect& derived, const Effect& seen) {
  if (!answered(seen)) return false;
  const bool traffic = !seen.notes.contains("seen-as");
  switch (derived.kind) {
    case Kind::mount_remote: return seen.kind == Kind::mount_remote || (seen.kind == Kind::fetch && note(seen, "seen-as") == "share-read");
    case Kind::fetch:
    case Kind::receive: return seen.kind == Kind::fetch || seen.kind == Kind::receive || seen.kind == Kind::mount_remote || (traffic && note(seen, "received") != "0");
    case Kind::send:
    case Kind::upload:
      return seen.kind == Kind::upload || (traffic && note(seen, "sent") != "0") || seen.kind == Kind::send;
    default: return true;
  }
}

std::string frames_of(const Effect& effect) {
  if (effect.site.frames.empty()) return "the capture";
  return fmt::format("frame{} {}", effect.site.frames.size() > 1 ? "s" : "", fmt::join(effect.site.frames.begin(), effect.site.frames.begin() + std::min<std::ptrdiff_t>(4, std::ssize(effect.site.frames)), ", "));
}

// Addresses that are the scanned device: those that tried a peer which the firmware names, or the only client.
std::set<std::uint32_t> devices_of(const result::Result& scan, const result::Result& observed) {
  std::set<std::uint32_t> touched, clients;
  for (const auto& seen : observed.graph.effects) {
    if (!seen.peer || seen.kind == Kind::listen) continue;
    clients.insert(seen.program.index);
    for (const auto& derived : scan.graph.effects)
      if (derived.peer && derived.witness == effects::Witness::derived && same_host(*derived.peer, *seen.peer)) {
        touched.insert(seen.program.index);
        break;
      }
  }
  if (!touched.empty()) return touched;
  return clients.size() == 1 ? clients : std::set<std::uint32_t>{};
}

result::Evidence leaf(std::string says, const Effect& effect) { return {std::move(says), effect.site, false, "", {}}; }

// The derived effect of a finding that has a peer: the first of its chain.
const Effect* source_of(const result::Result& scan, const result::Finding& finding) {
  for (const auto i : finding.effects)
    if (i < scan.graph.effects.size() && scan.graph.effects[EffectId{i}].peer) return &scan.graph.effects[EffectId{i}];
  return nullptr;
}

void state_wire(result::Result& scan, result::Finding& finding, const std::vector<const Effect*>& seen) {
  if (finding.endpoints.empty() || finding.endpoints.front().name().empty()) return;
  const Endpoint& peer = finding.endpoints.front();
  const Effect* source = source_of(scan, finding);
  const Effect* proof = nullptr;
  const Effect* contact = nullptr;
  const Effect* attempt = nullptr;
  for (const Effect* one : seen) {
    if (!same_peer(peer, *one->peer)) continue;
    const bool is_proof = source ? shows(*source, *one) : answered(*one);
    // An effect of a named protocol says more than the row of its traffic.
    if (is_proof && (!proof || (!proof->notes.contains("seen-as") && one->notes.contains("seen-as")))) proof = one;
    if (answered(*one) && !contact) contact = one;
    if (!attempt) attempt = one;
  }
  if (proof) {
    finding.wire = "seen";
    if (finding.confidence == result::Confidence::firm || finding.confidence == result::Confidence::tentative) finding.confidence = result::Confidence::confirmed;
    finding.evidence.parts.push_back(leaf(fmt::format("seen on the wire in {}", frames_of(*proof)), *proof));
  } else if (contact) {
    finding.wire = "not-exercised";
    finding.evidence.parts.push_back(leaf(fmt::format("the peer was reached in {}, but this was not seen being done with it; started by: {}", frames_of(*contact), finding.trigger.detail), *contact));
  } else if (attempt) {
    finding.wire = "attempted-unanswered";
    finding.evidence.parts.push_back(leaf(fmt::format("tried in {}; nobody answered", frames_of(*attempt)), *attempt));
  } else {
    finding.wire = "not-exercised";
    finding.evidence.parts.push_back({fmt::format("not exercised in the capture; to provoke it: {}{}", effects::key(finding.trigger.kind), finding.trigger.detail.empty() ? "" : ", " + finding.trigger.detail), std::nullopt, false, "", {}});
  }
}

// Peers of the device that no derived effect names.
void report_gaps(result::Result& scan, const result::Result& observed, const std::vector<std::pair<const Effect*, EffectId>>& added) {
  std::map<std::string, result::Finding> gaps;
  for (const auto& [seen, id] : added) {
    if (seen->kind == Kind::listen || seen->peer->name().empty()) continue;
    using effects::Scope;
    if (seen->peer->scope == Scope::multicast || seen->peer->scope == Scope::unspecified || seen->peer->scope == Scope::loopback) continue;
    const bool known = std::ranges::any_of(scan.graph.effects, [&](const Effect& e) { return e.witness == effects::Witness::derived && e.peer && same_host(*e.peer, *seen->peer); });
    if (known) continue;
    const std::string& device = observed.graph.programs[seen->program].path;
    const std::string peer = seen->peer->name();
    auto& finding = gaps[device + "\n" + peer];
    finding.effects.push_back(id.index);
    if (!finding.rule.empty()) continue;
    finding.rule = "wire-not-derived";
    finding.id = "wire-not-derived-" + base::sha256_hex(base::as_bytes(device + "\n" + peer)).substr(0, 10);
    finding.title = fmt::format("A peer on the wire that was not read in the firmware: {}", peer);
    finding.says = fmt::format("{} spoke with {}, which no program of this firmware was seen to name: a gap in our reading, or a peer that was set or learnt.", device, peer);
    finding.advice = "Find out which setting or answer named this peer. Do not take the firmware's list of peers for complete.";
    finding.misses = "Peers that were not contacted during the capture.";
    finding.severity_reason = "a gap in the reading, not a property of the device";
    finding.confidence = result::Confidence::firm;
    finding.endpoints.push_back(*seen->peer);
    finding.trigger = {effects::Trigger::Kind::unknown, "the traffic does not say what started it"};
    finding.triggers = {finding.trigger};
    finding.wire = "seen";
    finding.evidence.says = finding.title;
    finding.evidence.parts.push_back(leaf(fmt::format("contact in {}", frames_of(*seen)), *seen));
  }
  for (auto& [key, finding] : gaps) scan.findings.push_back(std::move(finding));
}

}  // namespace

void add_observed(result::Result& scan, const result::Result& observed) {
  const auto devices = devices_of(scan, observed);
  if (devices.empty())
    base::add_doubt(scan.doubts, {"capture-device-unknown", observed.device, 0, "No address in the capture could be told to be this device: none tried a peer that the firmware names."});

  std::map<std::uint32_t, ProgramId> programs;
  std::map<std::uint32_t, std::uint32_t> moved;  // effect in `observed` -> effect in `scan`
  std::vector<std::pair<const Effect*, EffectId>> added;
  for (std::uint32_t i = 0; i < observed.graph.effects.size(); ++i) {
    const Effect& seen = observed.graph.effects[EffectId{i}];
    if (!devices.contains(seen.program.index) || !seen.peer) continue;
    const auto [at, fresh] = programs.try_emplace(seen.program.index, ProgramId{});
    if (fresh) at->second = scan.graph.programs.add(observed.graph.programs[seen.program]);
    Effect copy = seen;
    copy.program = at->second;
    const EffectId id = scan.graph.effects.add(std::move(copy));
    moved[i] = id.index;
    added.emplace_back(&seen, id);
  }
  std::vector<const Effect*> seen;
  for (const auto& [effect, id] : added) seen.push_back(effect);
  for (auto& finding : scan.findings) state_wire(scan, finding, seen);

  for (const auto& finding : observed.findings) {
    const auto device = finding.fingerprints.find("device");
    const bool ours = device != finding.fingerprints.end() && std::ranges::any_of(programs, [&](const auto& p) { return scan.graph.programs[p.second].path == device->second; });
    if (!ours || finding.rule == "wire-public-peer") continue;
    auto copy = finding;
    copy.effects.clear();
    for (const auto i : finding.effects)
      if (moved.contains(i)) copy.effects.push_back(moved[i]);
    scan.findings.push_back(std::move(copy));
  }
  report_gaps(scan, observed, added);
  std::ranges::stable_sort(scan.findings, [](const auto& a, const auto& b) { return a.severity > b.severity; });
  for (const auto& image : observed.images) {
    scan.images.push_back(image);
    scan.coverage.claimed += image.claimed;
  }
  for (const auto& doubt : observed.doubts) base::add_doubt(scan.doubts, doubt);
}

}  // namespace join
