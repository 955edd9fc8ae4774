// Observations into verdicts: one a kind, device and peer, graded by one table.
#include "witness/verdict.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "base/text.h"

namespace witness {
namespace {

using Kind = Observation::Kind;

// Severity by what it is and where the peer lies.
struct Grade {
  std::string_view kind, public_peer, private_peer, loopback;
};
constexpr Grade kGrades[] = {
    {"patient-data-clear", "high", "medium", "low"},
    {"patient-vitals-clear", "medium", "low",
     "info"},  // the same verdict, when no identity stands beside the values
    {"remote-share", "medium", "low", "info"},
    {"attempt-unanswered", "low", "info", "info"},
    {"medical-protocol-no-identity", "low", "info", "info"},
    {"credential-or-shell-clear", "medium", "low", "low"},
    {"files-clear", "low", "low", "info"},
    {"periodic-peer", "info", "info", "info"},
    {"oddity", "low", "low", "info"},
};

std::string grade(std::string_view kind, std::string_view scope) {
  for (const Grade& one : kGrades)
    if (one.kind == kind)
      return std::string(scope == "public"     ? one.public_peer
                         : scope == "loopback" ? one.loopback
                                               : one.private_peer);
  return "info";
}

int rank(std::string_view severity) {
  constexpr std::string_view kOrder[] = {"high", "medium", "low", "info"};
  return static_cast<int>(std::find(std::begin(kOrder), std::end(kOrder), severity) - std::begin(kOrder));
}

// Which verdict an observation belongs to; empty for none.
std::string_view verdict_of(const Observation& o) {
  switch (o.kind) {
    case Kind::patient_data:
      return "patient-data-clear";
    case Kind::canary:
      return "patient-data-clear";
    case Kind::mount_remote:
    case Kind::share_read:
    case Kind::share_write:
    case Kind::remote_call:
      return "remote-share";
    case Kind::attempt:
      return "attempt-unanswered";
    case Kind::association:
      return "medical-protocol-no-identity";
    case Kind::shell:
      return "credential-or-shell-clear";
    case Kind::credential:
      return o.data_class == "credential" ? "credential-or-shell-clear" : "";
    case Kind::code_in_clear:
      return o.data_class == "code" && (o.protocol == "tcp" || o.protocol == "udp")
                 ? "credential-or-shell-clear"
                 : "files-clear";
    case Kind::fetch:
    case Kind::send:
      return (o.protocol == "tftp" || o.protocol == "ftp") && o.data_class != "listing" ? "files-clear" : "";
    case Kind::message:
      return o.protocol == "hl7" || o.protocol == "cms8000" ? "medical-protocol-no-identity" : "";
    case Kind::oddity:
      return "oddity";
    case Kind::connect:
    case Kind::lookup:
    case Kind::declaration_claim:
    case Kind::print_job:
    case Kind::announce:
    case Kind::time:
      return "";
  }
  return "";
}

std::string far_end(const Verdict& v) {
  return v.peer.port ? fmt::format("{} port {}", v.peer.address, v.peer.port) : v.peer.address;
}

std::string list(const std::set<std::string>& items, std::size_t most = 6) {
  std::string out;
  std::size_t count = 0;
  for (const std::string& item : items) {
    if (count++ == most) return out + fmt::format(" and {} more", items.size() - most);
    out += (out.empty() ? "" : ", ") + item;
  }
  return out;
}

std::string title_of(const Verdict& v, const Capture& capture) {
  std::set<std::string> fields, protocols;
  bool inbound = true;
  for (const std::size_t i : v.observations) {
    const Observation& o = capture.observations[i];
    if (!o.field.empty()) fields.insert(o.field);
    protocols.insert(o.protocol);
    inbound &= o.inbound;
  }
  const std::string with = list(protocols), far = far_end(v);
  if (v.kind == "patient-data-clear")
    return fmt::format("Patient data in clear between {} and {} ({}): {}", v.device, far, with, list(fields));
  if (v.kind == "remote-share")
    return fmt::format("{} and {} share files or remote procedures without encryption ({})", v.device, far,
                       with);
  if (v.kind == "attempt-unanswered" && inbound)
    return fmt::format("{} was tried on port {} by {} and did not answer ({})", v.device, v.peer.port,
                       v.peer.address, with);
  if (v.kind == "attempt-unanswered")
    return fmt::format("{} tried {} and got no answer ({})", v.device, far, with);
  if (v.kind == "medical-protocol-no-identity")
    return fmt::format("{} speaks {} in clear with {}; no patient's identity was seen", v.device, with, far);
  if (v.kind == "credential-or-shell-clear")
    return fmt::format("Credentials, commands or programs in clear between {} and {} ({})", v.device, far,
                       with);
  if (v.kind == "files-clear")
    return fmt::format("Files moved in clear between {} and {} ({})", v.device, far, with);
  return fmt::format("Unusual use of {} between {} and {}", with, v.device, far);
}

void gather_frames(Verdict& v, const Capture& capture) {
  for (const std::size_t i : v.observations)
    for (const std::uint64_t frame : capture.observations[i].frames) v.frames.push_back(frame);
  std::sort(v.frames.begin(), v.frames.end());
  v.frames.erase(std::unique(v.frames.begin(), v.frames.end()), v.frames.end());
  if (v.frames.size() > kFramesKept) v.frames.resize(kFramesKept);
}

bool only_values(const Verdict& v, const Capture& capture) {
  return std::all_of(v.observations.begin(), v.observations.end(), [&](std::size_t i) {
    const std::string& type = capture.observations[i].data_class;
    return type == "vital-signs" || type == "waveform";
  });
}

void judge_periodic(const Capture& capture, std::vector<Verdict>& out) {
  for (const Flow& flow : capture.flows) {
    if (flow.exchanges < kPeriodicExchanges || flow.interval_cv >= kPeriodicCv ||
        flow.interval_mean < kPeriodicSeconds)
      continue;
    Verdict v;
    v.kind = "periodic-peer";
    v.device = flow.client;
    v.peer = {flow.server, flow.port, flow.protocol, flow.host, flow.server_scope, flow.looked_up};
    v.severity = grade(v.kind, flow.server_scope);
    v.title = fmt::format("{} contacts {} about every {:.0f} s ({} times, coefficient of variation {:.2f})",
                          v.device, far_end(v), flow.interval_mean, flow.exchanges, flow.interval_cv);
    v.frames = {flow.first_frame, flow.last_frame};
    out.push_back(std::move(v));
  }
}

// A label that carries data rather than a name: long, and mostly hexadecimal or base32 digits.
bool carries_data(std::string_view name) {
  for (const std::string_view label : base::split(name, '.')) {
    if (label.size() < 30) continue;
    const auto digits =
        std::count_if(label.begin(), label.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (digits * 5 >= static_cast<std::ptrdiff_t>(label.size())) return true;
  }
  return false;
}

constexpr std::size_t kTunnelNames = 10;

void judge_lookups(const Capture& capture, std::vector<Verdict>& out) {
  std::map<std::pair<std::string, std::string>, Verdict> tunnels;
  for (std::size_t i = 0; i < capture.observations.size(); ++i) {
    const Observation& o = capture.observations[i];
    if (o.kind != Kind::lookup || !carries_data(o.object)) continue;
    Verdict& v = tunnels[{o.device, o.peer.address}];
    v.kind = "oddity";
    v.device = o.device;
    v.peer = o.peer;
    v.observations.push_back(i);
  }
  for (auto& [key, v] : tunnels) {
    if (v.observations.size() < kTunnelNames) continue;
    v.severity = grade(v.kind, v.peer.scope);
    v.title = fmt::format("{} asks {} for {} names whose labels are data: a channel through name lookups",
                          v.device, far_end(v), v.observations.size());
    gather_frames(v, capture);
    out.push_back(std::move(v));
  }
}

}  // namespace

std::vector<Verdict> judge(const Capture& capture) {
  std::map<std::tuple<std::string_view, std::string, std::string, std::uint16_t, std::string>, Verdict>
      groups;
  std::set<std::pair<std::string, std::string>> patients;
  for (std::size_t i = 0; i < capture.observations.size(); ++i) {
    const Observation& o = capture.observations[i];
    const std::string_view kind = verdict_of(o);
    if (kind.empty()) continue;
    if (kind == "patient-data-clear") patients.insert({o.device, o.peer.address});
    // The port of a share or a transfer is chosen anew each time; the share is one.
    const bool by_port = kind != "remote-share" && kind != "files-clear";
    Verdict& v = groups[{kind, o.device, o.peer.address, by_port ? o.peer.port : std::uint16_t{0},
                         by_port ? o.peer.protocol : ""}];
    if (v.observations.empty()) v.peer = o.peer;
    v.kind = kind;
    v.device = o.device;
    v.observations.push_back(i);
  }
  std::vector<Verdict> out;
  for (auto& [key, v] : groups) {
    if (v.kind == "medical-protocol-no-identity" && patients.contains({v.device, v.peer.address})) continue;
    const bool values = v.kind == "patient-data-clear" && only_values(v, capture);
    v.severity = grade(values ? "patient-vitals-clear" : v.kind, v.peer.scope);
    v.title = title_of(v, capture);
    gather_frames(v, capture);
    out.push_back(std::move(v));
  }
  judge_periodic(capture, out);
  judge_lookups(capture, out);
  std::stable_sort(out.begin(), out.end(), [](const Verdict& a, const Verdict& b) {
    const std::uint64_t x = a.frames.empty() ? 0 : a.frames.front(),
                        y = b.frames.empty() ? 0 : b.frames.front();
    return std::tuple(rank(a.severity), x, a.kind, a.device, a.peer.address) <
           std::tuple(rank(b.severity), y, b.kind, b.device, b.peer.address);
  });
  return out;
}

}  // namespace witness
