// Derived against observed: what was seen, what was tried in vain, what was not exercised, and what the
// reading missed.
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

bool is_share(std::string_view protocol) {
  return protocol.starts_with("nfs") || protocol == "smb" || protocol == "cifs" || protocol == "mount" ||
         protocol == "portmap" || protocol == "rpc";
}

bool same_host(const Endpoint& derived, const Endpoint& seen) {
  if (!derived.address.empty() && derived.address == seen.address) return true;
  return !derived.host.empty() && base::lower(derived.host) == base::lower(seen.host);
}

// A share is reached through several ports, one after the other.
bool same_peer(const Endpoint& derived, const Endpoint& seen) {
  return same_host(derived, seen) &&
         (derived.port == 0 || derived.port == seen.port || is_share(derived.protocol));
}

std::string note(const Effect& effect, const char* key) {
  const auto at = effect.notes.find(key);
  return at == effect.notes.end() ? std::string() : at->second;
}

// A row of traffic says that bytes went to and fro; an effect of a named protocol, or of a run, says what was
// done.
bool is_traffic(const Effect& seen) {
  return seen.witness == effects::Witness::observed && !seen.notes.contains("seen-as");
}

bool answered(const Effect& seen) {
  const auto said = note(seen, "answered"), as = note(seen, "seen-as");
  return said == "yes" || as == "patient-data" || as == "canary" || as == "share-read" ||
         as == "code-in-clear";
}

bool tells_of_patient(const std::vector<std::string>& data) {
  return std::ranges::any_of(data, [](const auto& one) {
    return one == "identity" || one == "vital-signs" || one == "health" || one == "waveform";
  });
}

// Whether what was observed is the derived thing itself, not only a contact with its peer.
bool shows(const Effect& derived, const Effect& seen) {
  if (!answered(seen)) return false;
  const bool traffic = is_traffic(seen);
  switch (derived.kind) {
    case Kind::mount_remote:
      return seen.kind == Kind::mount_remote || note(seen, "seen-as") == "share-read";
    case Kind::fetch:
    case Kind::receive:
      return seen.kind == Kind::fetch || seen.kind == Kind::receive || seen.kind == Kind::mount_remote ||
             (traffic && note(seen, "received") != "0");
    case Kind::send:
    case Kind::upload:
      if (tells_of_patient(derived.data))
        return tells_of_patient(seen.data) || note(seen, "seen-as") == "canary";
      return seen.kind == Kind::upload || seen.kind == Kind::send || (traffic && note(seen, "sent") != "0");
    case Kind::connect:
    case Kind::look_up:
      return true;
    default:
      return traffic || seen.kind == derived.kind;
  }
}

// The same thing done to the same object, where no peer takes part: only a run can show that.
bool same_deed(const Effect& derived, const Effect& seen) {
  if (derived.kind != seen.kind || is_traffic(seen)) return false;
  const auto same = [](const effects::Text& a, const effects::Text& b) {
    return a.empty() || b.empty() || a.value == b.value;
  };
  return same(derived.object, seen.object) && same(derived.target, seen.target) &&
         !(derived.object.empty() && derived.target.empty());
}

std::string frames_of(const Effect& effect) {
  if (effect.site.frames.empty())
    return effect.witness == effects::Witness::run ? "the closed box" : "the capture";
  return fmt::format(
      "frame{} {}", effect.site.frames.size() > 1 ? "s" : "",
      fmt::join(effect.site.frames.begin(),
                effect.site.frames.begin() + std::min<std::ptrdiff_t>(4, std::ssize(effect.site.frames)),
                ", "));
}

// Addresses that are the scanned device: those that tried a peer which the firmware names, or the only
// client.
std::set<std::uint32_t> devices_of(const result::Result& scan, const result::Result& observed) {
  std::set<std::uint32_t> touched, clients;
  for (const auto& seen : observed.graph.effects) {
    if (!seen.peer || seen.kind == Kind::listen) continue;
    clients.insert(seen.program.index);
    for (const auto& derived : scan.graph.effects)
      if (derived.peer && derived.witness == effects::Witness::derived &&
          same_host(*derived.peer, *seen.peer)) {
        touched.insert(seen.program.index);
        break;
      }
  }
  if (!touched.empty()) return touched;
  return clients.size() == 1 ? clients : std::set<std::uint32_t>{};
}

result::Evidence leaf(std::string says, const Effect& effect) {
  return {std::move(says), effect.site, false, "", {}};
}

// What a person can do to see it happen.
std::string provoke(const effects::Trigger& trigger) {
  using enum effects::Trigger::Kind;
  std::string what;
  switch (trigger.kind) {
    case boot:
      what = "restart the device while the capture runs";
      break;
    case timer:
      what = "let the capture run for longer than the timer's interval";
      break;
    case hotplug:
      what = "plug something in while the capture runs";
      break;
    case media:
      what = "insert a card or stick while the capture runs";
      break;
    case network_up:
      what = "take the network down and bring it up again while the capture runs";
      break;
    case signal:
      what = "send it the signal while the capture runs";
      break;
    case network_input:
      what = "send it what it waits for while the capture runs";
      break;
    case login:
      what = "log in while the capture runs";
      break;
    case key:
      what = "press the key while the capture runs";
      break;
    case menu:
      what = "choose the entry of its menu while the capture runs";
      break;
    case user:
      what = "use the device while the capture runs";
      break;
    case unknown:
      return "what starts it is not known; a run of the program in a closed box may show it";
  }
  return trigger.detail.empty() ? what : what + " (" + trigger.detail + ")";
}

// Nothing was assumed but that the source is reached: seeing it happen settles that.
bool assumes_elsewhere(const result::Evidence& evidence, const Effect* source) {
  const bool is_source = source && evidence.site && evidence.site->file == source->site.file &&
                         evidence.site->line == source->site.line &&
                         evidence.site->address == source->site.address;
  if (evidence.assumed && !is_source) return true;
  return std::ranges::any_of(evidence.parts,
                             [&](const auto& part) { return assumes_elsewhere(part, source); });
}

// The verdict that speaks for a finding: of its first effect that has a peer; else, where the peer stands
// beside what it is about, of an effect of the same program with that peer.
const EffectVerdict* verdict_of(const result::Result& scan, const result::Finding& finding,
                                const std::map<std::uint32_t, EffectVerdict>& verdicts) {
  for (const auto i : finding.effects)
    if (const auto at = verdicts.find(i); at != verdicts.end() && scan.graph.effects[EffectId{i}].peer)
      return &at->second;
  if (finding.endpoints.empty() || finding.files.empty()) return nullptr;
  const Endpoint& wanted = finding.endpoints.front();
  for (const auto& [i, verdict] : verdicts) {
    const Effect& effect = scan.graph.effects[EffectId{i}];
    if (effect.peer && effect.peer->name() == wanted.name() && effect.peer->port == wanted.port &&
        scan.graph.programs[effect.program].path == finding.files.front())
      return &verdict;
  }
  return nullptr;
}

// Other programs whose derived effects the same observation shows: the traffic does not say which of them
// acted.
std::string others_with(const result::Result& scan, const EffectVerdict& verdict,
                        const std::map<std::uint32_t, EffectVerdict>& verdicts) {
  const auto own = scan.graph.effects[verdict.effect].program;
  std::set<std::string> paths;
  for (const auto& [i, other] : verdicts)
    if (other.state == State::seen && other.proof == verdict.proof &&
        scan.graph.effects[other.effect].program != own)
      paths.insert(scan.graph.programs[scan.graph.effects[other.effect].program].path);
  return fmt::format("{}", fmt::join(paths, ", "));
}

void state_wire(result::Result& scan, result::Finding& finding,
                const std::map<std::uint32_t, EffectVerdict>& verdicts,
                const std::vector<const Effect*>& seen) {
  const EffectVerdict* verdict = verdict_of(scan, finding, verdicts);
  if (!verdict) return;
  finding.wire = key(verdict->state);
  const Effect* source = &scan.graph.effects[verdict->effect];
  const Effect* proof = verdict->proof ? seen[*verdict->proof] : nullptr;
  switch (verdict->state) {
    case State::seen:
      // A peer that only stands beside what the finding is about confirms nothing of it.
      if (std::ranges::find(finding.effects, verdict->effect.index) != finding.effects.end() &&
          !assumes_elsewhere(finding.evidence, source))
        finding.confidence = result::Confidence::confirmed;
      finding.evidence.parts.push_back(leaf(fmt::format("seen happening in {}", frames_of(*proof)), *proof));
      if (const auto others = others_with(scan, *verdict, verdicts);
          !others.empty() && proof->witness != effects::Witness::run)
        finding.evidence.parts.back().says +=
            fmt::format("; {} can do the same, and the traffic does not say which of them did", others);
      return;
    case State::attempted_unanswered:
      finding.evidence.parts.push_back(
          leaf(fmt::format("tried in {}; nobody answered", frames_of(*proof)), *proof));
      return;
    case State::not_exercised:
      if (proof)
        finding.evidence.parts.push_back(leaf(
            fmt::format(
                "the peer was reached in {}, but this was not seen being done with it; to provoke it: {}",
                frames_of(*proof), provoke(finding.trigger)),
            *proof));
      else
        finding.evidence.parts.push_back(
            {"not exercised while it was watched; to provoke it: " + provoke(finding.trigger),
             std::nullopt,
             false,
             "",
             {}});
  }
}

// What was seen done with a known peer, of the kinds that matter, and that no derived effect says.
bool is_grave(const Effect& seen) {
  const auto as = note(seen, "seen-as");
  return as == "patient-data" || as == "canary" || as == "mount-remote" || as == "share-read" ||
         as == "shell" || as == "code-in-clear";
}

// Peers of the device that no derived effect names.
void report_gaps(result::Result& scan, const result::Result& observed,
                 const std::vector<std::pair<const Effect*, EffectId>>& added) {
  std::map<std::string, result::Finding> gaps;
  for (const auto& [seen, id] : added) {
    if (seen->kind == Kind::listen || !seen->peer || seen->peer->name().empty()) continue;
    using effects::Scope;
    if (seen->peer->scope == Scope::multicast || seen->peer->scope == Scope::unspecified ||
        seen->peer->scope == Scope::loopback)
      continue;
    const auto derived = [&](const auto& test) {
      return std::ranges::any_of(scan.graph.effects, [&](const Effect& e) {
        return e.witness == effects::Witness::derived && e.peer && same_host(*e.peer, *seen->peer) && test(e);
      });
    };
    const bool known = derived([](const Effect&) { return true; });
    if (known && (!is_grave(*seen) || derived([&](const Effect& e) {
          return shows(e, *seen) && e.kind != Kind::connect && e.kind != Kind::look_up;
        })))
      continue;
    const std::string& device = observed.graph.programs[seen->program].path;
    const std::string peer = seen->peer->name(), deed = known ? note(*seen, "seen-as") : "";
    auto& finding = gaps[device + "\n" + peer + "\n" + deed];
    finding.effects.push_back(id.index);
    if (!finding.rule.empty()) continue;
    finding.rule = "wire-not-derived";
    finding.id = "wire-not-derived-" +
                 base::sha256_hex(base::as_bytes(device + "\n" + peer + "\n" + deed)).substr(0, 10);
    finding.title = known ? fmt::format("Seen with {} and not read in the firmware: {}", peer, deed)
                          : fmt::format("A peer on the wire that was not read in the firmware: {}", peer);
    if (known)
      finding.says = fmt::format(
          "The capture shows {} between {} and {}; the firmware names that peer, but no program was seen to "
          "do this with it: a gap in our reading.",
          deed, device, peer);
    else
      finding.says = fmt::format(
          "{} spoke with {}, which no program of this firmware was seen to name: a gap in our reading, or a "
          "peer that was set or learnt.",
          device, peer);
    finding.advice =
        "Find out which setting or answer named this peer. Do not take the firmware's list of peers for "
        "complete.";
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

std::string_view key(State state) {
  switch (state) {
    case State::seen:
      return "seen";
    case State::attempted_unanswered:
      return "attempted-unanswered";
    case State::not_exercised:
      break;
  }
  return "not-exercised";
}

std::vector<EffectVerdict> compare(const effects::Graph& derived,
                                   const std::vector<const Effect*>& observed) {
  std::map<std::string, std::vector<std::size_t>> by_name;  // indices into `observed`, ascending
  for (std::size_t k = 0; k < observed.size(); ++k) {
    if (!observed[k]->peer) {
      by_name[""].push_back(k);
      continue;
    }
    by_name[observed[k]->peer->address].push_back(k);
    if (!observed[k]->peer->host.empty()) by_name[base::lower(observed[k]->peer->host)].push_back(k);
  }
  const bool run =
      std::ranges::any_of(observed, [](const Effect* one) { return one->witness == effects::Witness::run; });
  std::vector<EffectVerdict> out;
  for (std::uint32_t i = 0; i < derived.effects.size(); ++i) {
    const Effect& effect = derived.effects[EffectId{i}];
    const bool named = effect.peer && !effect.peer->name().empty();
    if (effect.witness != effects::Witness::derived || (!named && (effect.peer || !run))) continue;
    EffectVerdict verdict{EffectId{i}, State::not_exercised, std::nullopt};
    std::optional<std::size_t> proof, contact, attempt;
    std::vector<std::size_t> near;
    for (const auto& name : named ? std::vector{effect.peer->address, base::lower(effect.peer->host)}
                                  : std::vector{std::string()})
      if (const auto at = by_name.find(name); at != by_name.end() && (!named || !name.empty()))
        near.insert(near.end(), at->second.begin(), at->second.end());
    for (const auto k : near) {
      const Effect& seen = *observed[k];
      if (named && !same_peer(*effect.peer, *seen.peer)) continue;
      if (seen.witness == effects::Witness::run && seen.notes.contains("by") &&
          note(seen, "by") != effect.site.file)
        continue;
      const bool proves = named ? shows(effect, seen) : same_deed(effect, seen);
      if (proves && (!proof || (is_traffic(*observed[*proof]) && !is_traffic(seen)))) proof = k;
      if (named && answered(seen) && !contact) contact = k;
      if (named && !attempt) attempt = k;
    }
    if (proof)
      verdict = {EffectId{i}, State::seen, proof};
    else if (contact)
      verdict.proof = contact;
    else if (attempt)
      verdict = {EffectId{i}, State::attempted_unanswered, attempt};
    out.push_back(verdict);
  }
  return out;
}

void add_observed(result::Result& scan, const result::Result& observed) {
  const bool run = std::ranges::any_of(observed.graph.effects,
                                       [](const Effect& e) { return e.witness == effects::Witness::run; });
  auto devices = devices_of(scan, observed);
  if (run)  // who acts is known: it is the image's own programs
    for (const auto& effect : observed.graph.effects) devices.insert(effect.program.index);
  if (devices.empty())
    base::add_doubt(scan.doubts, {"capture-device-unknown", observed.device, 0,
                                  "No address in the capture could be told to be this device: none tried a "
                                  "peer that the firmware names."});

  std::vector<const Effect*> seen;
  for (const Effect& effect : observed.graph.effects)
    if (devices.contains(effect.program.index) && (effect.peer || effect.witness == effects::Witness::run))
      seen.push_back(&effect);
  std::map<std::uint32_t, EffectVerdict> verdicts;
  for (const auto& verdict : compare(scan.graph, seen)) {
    verdicts.emplace(verdict.effect.index, verdict);
    if (scan.graph.effects[verdict.effect].peer)
      scan.graph.effects[verdict.effect].notes["wire"] = key(verdict.state);
  }
  for (auto& finding : scan.findings) state_wire(scan, finding, verdicts, seen);

  std::map<std::uint32_t, ProgramId> programs;
  std::map<std::uint32_t, std::uint32_t> moved;  // effect in `observed` -> effect in `scan`
  std::vector<std::pair<const Effect*, EffectId>> added;
  for (std::uint32_t i = 0; i < observed.graph.effects.size(); ++i) {
    const Effect& one = observed.graph.effects[EffectId{i}];
    if (!std::ranges::binary_search(seen, &one)) continue;
    const auto [at, fresh] = programs.try_emplace(one.program.index, ProgramId{});
    if (fresh) at->second = scan.graph.programs.add(observed.graph.programs[one.program]);
    Effect copy = one;
    copy.program = at->second;
    const EffectId id = scan.graph.effects.add(std::move(copy));
    moved[i] = id.index;
    added.emplace_back(&one, id);
  }

  for (const auto& finding : observed.findings) {
    const auto device = finding.fingerprints.find("device");
    const bool ours =
        device != finding.fingerprints.end() && std::ranges::any_of(programs, [&](const auto& p) {
          return scan.graph.programs[p.second].path == device->second;
        });
    if (!ours || finding.rule == "wire-public-peer") continue;
    auto copy = finding;
    copy.effects.clear();
    for (const auto i : finding.effects)
      if (moved.contains(i)) copy.effects.push_back(moved[i]);
    scan.findings.push_back(std::move(copy));
  }
  report_gaps(scan, observed, added);
  std::ranges::stable_sort(scan.findings,
                           [](const auto& a, const auto& b) { return a.severity > b.severity; });
  for (const auto& image : observed.images) {
    scan.images.push_back(image);
    scan.coverage.claimed += image.claimed;
  }
  for (const auto& gap : observed.coverage.not_evaluated) scan.coverage.not_evaluated.push_back(gap);
  for (const auto& doubt : observed.doubts) base::add_doubt(scan.doubts, doubt);
}

}  // namespace join
