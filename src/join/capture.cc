// A capture's devices, observations and verdicts in the words of a result.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/hash.h"
#include "base/text.h"
#include "join/join.h"
#include "witness/verdict.h"

namespace join {
namespace {

using effects::Effect;
using effects::EffectId;
using effects::ProgramId;
using witness::Observation;
using witness::Verdict;

constexpr std::size_t kFlowsKept = 20'000;         // rows of the traffic that become effects
constexpr std::size_t kObservationsKept = 20'000;  // of those that no verdict rests on
constexpr std::size_t kLeaves = 24;                // of one verdict's evidence

// What an observation is in the vocabulary of effects. Seen from the device: what a peer began is received or
// listened for.
std::optional<effects::Kind> effect_of(const Observation& o) {
  using From = Observation::Kind;
  using To = effects::Kind;
  switch (o.kind) {
    case From::connect:
    case From::attempt:
      return std::nullopt;  // the traffic's rows say that already, with their counts
    case From::mount_remote:
      return o.inbound ? To::listen : To::mount_remote;
    case From::remote_call:
      return o.inbound ? To::listen : To::connect;
    case From::share_read:
    case From::fetch:
      return o.inbound ? To::send : To::fetch;
    case From::share_write:
      return o.inbound ? To::receive : To::upload;
    case From::send:
      return o.inbound ? To::receive : To::upload;
    case From::shell:
      return o.inbound ? To::open_shell : To::connect;
    case From::credential:
      return To::credential;
    case From::patient_data:
    case From::canary:
    case From::announce:
    case From::message:
      return To::send;
    case From::lookup:
      return To::look_up;
    case From::code_in_clear:
      return o.inbound ? To::send : To::receive;
    case From::print_job:
      return To::print;
    case From::association:
    case From::time:
      return To::connect;
    case From::declaration_claim:
    case From::oddity:
      return std::nullopt;
  }
  return std::nullopt;
}

effects::Endpoint endpoint_of(const witness::Peer& peer, const std::string& protocol) {
  effects::Endpoint out;
  out.address = peer.address;
  out.host = peer.host;
  out.port = peer.port;
  out.protocol = protocol.empty() ? peer.protocol : protocol;
  out.scope =
      peer.address.empty() ? effects::scope_of_host(peer.host) : effects::scope_of_address(peer.address);
  out.looked_up = peer.looked_up;
  return out;
}

struct Advice {
  std::string_view kind;
  std::vector<int> cwe;
  std::string_view advice, misses;
};
const Advice& advice_for(std::string_view kind) {
  static const Advice table[] = {
      {"patient-data-clear",
       {319, 359},
       "Keep the device on a network segment from which the peer cannot be reached, and ask the maker for a "
       "protected, declared connection.",
       "Data inside encrypted streams, and fields of protocols that are not dissected."},
      {"remote-share",
       {319},
       "Ask what the device needs the share for; allow it to that one server only, or block it.",
       "What was read from the share and is not in the capture."},
      {"attempt-unanswered",
       {},
       "Find out what the device would have done with an answer: scan its firmware, and block the peer until "
       "that is known.",
       "Attempts by a protocol without a handshake that is not dissected."},
      {"medical-protocol-no-identity",
       {319},
       "Expect patients' data on this connection in use; put it behind an encrypted tunnel or ask the maker "
       "for TLS.",
       "Identity in parts of the session that are not in the capture."},
      {"credential-or-shell-clear",
       {319},
       "Treat what was shown as public: change it, and switch the service off or tunnel it.",
       "Secrets in protocols that are not dissected."},
      {"files-clear",
       {319},
       "Ask the maker how the device checks what it fetches; until then allow the transfer to the owner's "
       "server only.",
       "Whether the device uses or runs what was moved: the traffic alone does not say."},
      {"periodic-peer",
       {},
       "Ask what the device reports to this peer. Regular contact alone is no fault.",
       "Contacts with long or irregular pauses."},
      {"oddity", {}, "Look at the frames named in the proof.", "Ordinary use that only looks unusual."},
  };
  for (const auto& row : table)
    if (row.kind == kind) return row;
  static const Advice none{};
  return none;
}

class Builder {
 public:
  Builder(const witness::Capture& capture, const std::string& name, result::Result& out)
      : capture_(capture), name_(name), out_(out) {}

  void devices() {
    for (const auto& device : capture_.devices) {
      const ProgramId id = device_at(device.address);
      auto& program = out_.graph.programs[id];
      std::string words = device.mac.empty() ? "" : "MAC " + device.mac;
      const auto add = [&](std::string_view what, std::string_view value) {
        if (!value.empty()) words += fmt::format("{}{} {}", words.empty() ? "" : ", ", what, value);
      };
      for (const auto& one : device.names) add("named", one);
      add("vendor class", device.vendor_class);
      for (const auto& url : device.mud_urls) add("claims the declaration", url);
      if (device.packets) add("first seen in frame", std::to_string(device.first_frame));
      add("packets sent", std::to_string(device.packets));
      program.depth_reason = words;
    }
  }

  void flows() {
    std::size_t kept = 0;
    for (const auto& flow : capture_.flows) {
      note_endpoint(flow);
      if (++kept > kFlowsKept) continue;
      const bool inbound = flow.client_scope == "public" && flow.server_scope != "public";
      Effect effect;
      effect.kind = inbound ? effects::Kind::listen : effects::Kind::connect;
      effect.program = device_at(inbound ? flow.server : flow.client);
      effect.witness = effects::Witness::observed;
      effect.site = site({flow.first_frame, flow.last_frame}, "");
      effect.peer = endpoint_of(
          {inbound ? flow.client : flow.server, flow.port, flow.protocol, inbound ? "" : flow.host,
           inbound ? flow.client_scope : flow.server_scope, flow.looked_up},
          flow.application.empty() || flow.application == "raw" ? flow.protocol : flow.application);
      effect.notes["transport"] = flow.protocol;
      effect.notes["connections"] = std::to_string(flow.connections);
      effect.notes["answered"] = flow.answered ? "yes" : "no";
      effect.notes["sent"] = std::to_string(flow.client_payload);
      effect.notes["received"] = std::to_string(flow.server_payload);
      if (!inbound && flow.server_scope == "public")
        public_peers_.push_back({&flow, out_.graph.effects.add(std::move(effect))});
      else
        out_.graph.effects.add(std::move(effect));
    }
    if (kept > kFlowsKept)
      base::add_doubt(out_.doubts,
                      {"capture-flows-kept", name_, 0,
                       fmt::format("{} more connections are counted but not listed.", kept - kFlowsKept)});
  }

  void observations() {
    effect_of_observation_.assign(capture_.observations.size(), std::nullopt);
    std::vector<bool> rested_on(capture_.observations.size());
    for (const Verdict& verdict : verdicts_)
      for (const std::size_t i : verdict.observations) rested_on[i] = true;
    std::size_t others = 0;
    for (std::size_t i = 0; i < capture_.observations.size(); ++i) {
      const Observation& o = capture_.observations[i];
      const auto kind = effect_of(o);
      if (!kind || (!rested_on[i] && ++others > kObservationsKept)) continue;
      Effect effect;
      effect.kind = *kind;
      effect.program = device_at(o.device);
      effect.witness = effects::Witness::observed;
      effect.site = site(o.frames, o.words);
      effect.peer = endpoint_of(o.peer, o.protocol);
      effect.object.value = o.object;
      effect.object.provenance = effects::Provenance::unknown;
      if (!o.data_class.empty()) effect.data.push_back(o.data_class);
      effect.notes["seen-as"] = witness::to_text(o.kind);
      effect.notes["answered"] = o.answered ? "yes" : "no";
      if (!o.field.empty()) effect.notes["field"] = o.field;
      if (o.masked) effect.notes["masked"] = "yes";
      if (!o.clear) effect.notes["clear"] = "no";
      if (o.count > 1) effect.notes["count"] = std::to_string(o.count);
      effect_of_observation_[i] = out_.graph.effects.add(std::move(effect));
    }
    if (others > kObservationsKept)
      base::add_doubt(out_.doubts,
                      {"capture-observations-kept", name_, 0,
                       fmt::format("{} more observations, on which no finding rests, are not listed.",
                                   others - kObservationsKept)});
  }

  void verdicts() {
    for (const Verdict& verdict : verdicts_) {
      const Advice& words = advice_for(verdict.kind);
      const std::string protocol = verdict.observations.empty()
                                       ? verdict.peer.protocol
                                       : capture_.observations[verdict.observations.front()].protocol;
      auto finding = observed_finding("wire-" + verdict.kind, verdict.device,
                                      endpoint_of(verdict.peer, protocol), verdict.peer.protocol);
      finding.severity = result::severity_from_key(verdict.severity).value_or(result::Severity::info);
      finding.severity_reason =
          fmt::format("seen on the wire, with a peer whose scope is: {}", verdict.peer.scope);
      finding.title = verdict.title.substr(0, verdict.title.find(": "));
      finding.says = fmt::format("{}; first in frame {}.", verdict.title,
                                 verdict.frames.empty() ? 0 : verdict.frames.front());
      finding.cwe = words.cwe;
      finding.advice = words.advice;
      finding.misses = words.misses;
      finding.evidence.says = verdict.title;
      if (verdict.observations.empty())
        finding.evidence.parts.push_back({"these frames show it", site(verdict.frames, ""), false, "", {}});
      for (const std::size_t i : verdict.observations) {
        const Observation& o = capture_.observations[i];
        if (const auto effect = effect_of_observation_[i]) finding.effects.push_back(effect->index);
        if (finding.evidence.parts.size() >= kLeaves) continue;
        std::string says = fmt::format("{} by {}", witness::to_text(o.kind), o.protocol);
        if (!o.field.empty()) says += ", field " + o.field;
        if (!o.object.empty()) says += ": " + o.object;
        if (o.count > 1) says += fmt::format(" ({} times)", o.count);
        finding.evidence.parts.push_back({says, site(o.frames, o.words), false, "", {}});
      }
      if (verdict.observations.size() > kLeaves)
        finding.evidence.parts.push_back(
            {fmt::format("and {} more of the same kind", verdict.observations.size() - kLeaves),
             std::nullopt,
             false,
             "",
             {}});
      out_.findings.push_back(std::move(finding));
    }
  }

  // Every public peer that a device reached or tried; whether a name was looked up; how soon after the device
  // appeared.
  void public_peers() {
    std::map<std::string, double> appeared;
    for (const auto& device : capture_.devices) appeared[device.address] = device.first_time;
    std::set<std::pair<std::string, std::string>> told;
    std::size_t beyond = 0;
    for (const auto& [flow, effect] : public_peers_) {
      if (!told.insert({flow->client, flow->server + fmt::format(" {} {}", flow->port, flow->protocol)})
               .second)
        continue;
      if (told.size() > kPeersTold) {
        ++beyond;
        continue;
      }
      const auto peer = out_.graph.effects[effect].peer;
      auto finding = observed_finding("wire-public-peer", flow->client, *peer, flow->protocol);
      finding.severity = result::Severity::info;
      finding.severity_reason = "contact with a public peer is no fault by itself";
      std::string how = flow->host.empty() ? "without looking a name up" : fmt::format("as {}", flow->host);
      const double start = appeared.contains(flow->client) ? appeared[flow->client] : flow->first_time;
      // Only of a device that was seen to appear: one that spoke from the capture's first moments had been up
      // before.
      if (start - capture_.stats.first_time > 2 && flow->first_time - start < 60)
        how += fmt::format(", {:.0f} s after it appeared on the network", flow->first_time - start);
      finding.title = fmt::format("{} {} the public peer {} port {}", flow->client,
                                  flow->answered ? "reached" : "tried", flow->server, flow->port);
      finding.says = fmt::format("{} {} {} port {} ({}) {}: {} bytes out, {} in.", flow->client,
                                 flow->answered ? "reached" : "tried, without an answer,", flow->server,
                                 flow->port, peer->protocol, how, flow->client_payload, flow->server_payload);
      finding.advice = "Compare the peer with what the maker declares; block what nobody can explain.";
      finding.misses = "Peers that the device contacts at other times than those of the capture.";
      finding.evidence.says = finding.title;
      finding.evidence.parts.push_back({fmt::format("{} connections", flow->connections),
                                        site({flow->first_frame, flow->last_frame}, ""),
                                        false,
                                        "",
                                        {}});
      finding.effects = {effect.index};
      out_.findings.push_back(std::move(finding));
    }
    if (beyond)
      base::add_doubt(out_.doubts, {"capture-peers-kept", name_, 0,
                                    fmt::format("{} more public peers were seen.", beyond)});
  }

  void endpoints() {
    for (auto& [key, endpoint] : endpoints_) out_.endpoints.push_back(std::move(endpoint));
  }

 private:
  effects::Site site(std::vector<std::uint64_t> frames, std::string words) const {
    effects::Site out;
    out.file = name_;
    std::erase(frames, 0u);
    frames.erase(std::unique(frames.begin(), frames.end()), frames.end());
    out.frames = std::move(frames);
    out.words = std::move(words);
    return out;
  }

  ProgramId device_at(const std::string& address) {
    const auto [at, fresh] = devices_.try_emplace(address, ProgramId{});
    if (fresh) {
      effects::Program program;
      program.path = address;
      program.kind = effects::Program::Kind::device;
      program.depth = effects::Program::Depth::recognised;
      at->second = out_.graph.programs.add(std::move(program));
    }
    return at->second;
  }

  void note_endpoint(const witness::Flow& flow) {
    const witness::Peer peer{flow.server, flow.port,         flow.protocol,
                             flow.host,   flow.server_scope, flow.looked_up};
    const std::string protocol =
        flow.application.empty() || flow.application == "raw" ? flow.protocol : flow.application;
    if (endpoints_.size() < kFlowsKept)
      endpoints_.try_emplace(fmt::format("{}|{}|{}", flow.server, flow.port, protocol),
                             endpoint_of(peer, protocol));
  }

  static result::Finding observed_finding(const std::string& rule, const std::string& device,
                                          const effects::Endpoint& peer, const std::string& transport) {
    result::Finding finding;
    finding.rule = rule;
    const std::string identity =
        fmt::format("{}\n{}\n{}\n{}\n{}", rule, device, peer.name(), peer.port, transport);
    finding.id = rule + "-" + base::sha256_hex(base::as_bytes(identity)).substr(0, 10);
    finding.confidence = result::Confidence::firm;
    finding.endpoints.push_back(peer);
    finding.trigger = {effects::Trigger::Kind::unknown, "the traffic does not say what started it"};
    finding.triggers = {finding.trigger};
    finding.fingerprints["device"] = device;
    finding.fingerprints["peer"] = peer.name();
    finding.wire = "seen";
    return finding;
  }

  const witness::Capture& capture_;
  const std::string& name_;
  result::Result& out_;
  const std::vector<Verdict> verdicts_ = witness::judge(capture_);
  std::map<std::string, ProgramId> devices_;
  std::map<std::string, effects::Endpoint> endpoints_;
  std::vector<std::optional<EffectId>> effect_of_observation_;
  std::vector<std::pair<const witness::Flow*, EffectId>> public_peers_;
};

// What a verdict could not be about: encrypted words, and packets that were lost or beyond a cap.
void state_what_was_not_read(const witness::Capture& capture, const std::string& name, result::Result& out) {
  static constexpr std::string_view kLosses[] = {
      "capture-cut",           "capture-broken",          "unknown-link-type",
      "live-flows-beyond-cap", "observations-beyond-cap", "buffers-relieved",
      "message-too-long"};
  auto& list = out.coverage.not_evaluated;
  std::uint64_t encrypted = 0;
  for (const auto& flow : capture.flows)
    if (flow.application == "tls" || flow.application == "ssh") encrypted += flow.connections;
  if (encrypted)
    list.push_back(
        {fmt::format("what {} connection{} said in {}", encrypted, encrypted == 1 ? "" : "s", name),
         "encrypted", encrypted});
  for (const auto& doubt : capture.doubts)
    if (std::ranges::find(kLosses, doubt.name) != std::end(kLosses))
      list.push_back({fmt::format("{} in {}", doubt.name, name), doubt.detail, doubt.count});
  if (capture.stats.stream_gaps)
    list.push_back({fmt::format("{} gap{} in the streams of {}", capture.stats.stream_gaps,
                                capture.stats.stream_gaps == 1 ? "" : "s", name),
                    "packets are missing from the capture", capture.stats.stream_gaps});
}

}  // namespace

result::Result result_of(const witness::Capture& capture, const std::string& name, base::ByteView file) {
  result::Result out;
  out.device = name;
  result::ImageInfo image;
  image.name = name;
  image.size = file.size();
  image.sha256 = base::sha256_hex(file);
  image.format = "capture";
  image.claimed = file.size();
  image.extents.push_back(
      {0, file.size(), "claimed", "capture", fmt::format("{} packets", capture.stats.packets)});
  out.coverage.claimed = file.size();
  out.images.push_back(std::move(image));

  Builder builder(capture, name, out);
  builder.devices();
  builder.flows();
  builder.observations();
  builder.verdicts();
  builder.public_peers();
  builder.endpoints();
  std::ranges::stable_sort(out.findings, [](const auto& a, const auto& b) {
    return std::tuple(b.severity, a.id) < std::tuple(a.severity, b.id);
  });
  std::map<std::string, int> seen;
  for (auto& finding : out.findings)
    if (const int count = ++seen[finding.id]; count > 1) finding.id += fmt::format("-{}", count);

  out.coverage.programs_by_depth["recognised"] = out.graph.programs.size();
  state_what_was_not_read(capture, name, out);
  for (const auto& doubt : capture.doubts) base::add_doubt(out.doubts, doubt);
  out.coverage.verdict = capture.stats.packets == 0           ? "unknown"
                         : out.coverage.not_evaluated.empty() ? "known"
                                                              : "partial";
  for (const auto& object : capture.objects)
    out.files.push_back(
        {object.name.empty()
             ? "carved from frame " + std::to_string(object.frames.empty() ? 0 : object.frames.front())
             : object.name,
         "carved",
         "",
         fmt::format("{}, carried by {}{}", object.type, object.protocol,
                     object.complete ? "" : ", not whole"),
         object.size,
         object.sha256,
         name,
         {}});
  return out;
}

}  // namespace join
