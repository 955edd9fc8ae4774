// What traffic alone says, judged: verdicts over a Capture, each with its frames. Properties, never intent.
#pragma once

#include <string>
#include <vector>

#include "witness/capture.h"

namespace witness {

// `kind` is one of:
//   patient-data-clear            identity, health or vital signs readable on the path
//   remote-share                  a share mounted, walked or asked for over the network
//   attempt-unanswered            a connection or call that nobody answered
//   medical-protocol-no-identity  a medical protocol in clear, in which no identity was seen
//   credential-or-shell-clear     a reusable secret, a remote shell, or code carried in clear
//   files-clear                   files moved without encryption
//   periodic-peer                 regular contact with one peer
//   oddity                        something ordinary use of the protocol does not show
struct Verdict {
  std::string kind;
  std::string severity;  // medium|low|info; high only for patient identity in clear to a public peer
  std::string title;     // one sentence; raw bytes from the wire may stand in it: escape on the way out
  std::string device;
  Peer peer;
  std::vector<std::uint64_t> frames;      // evidence, ascending
  std::vector<std::size_t> observations;  // indices into Capture::observations
};

// At most one verdict a (kind, device, peer address, port, protocol). Sorted by severity, then first frame.
std::vector<Verdict> judge(const Capture& capture);

// The coefficient of variation of intervals below which contact counts as periodic (Cox and Lewis, The
// Statistical Analysis of Series of Events, 1966: 1 for a Poisson process, 0 for a clock), and how much of it
// must be seen.
inline constexpr double kPeriodicCv = 0.3;
inline constexpr std::uint64_t kPeriodicExchanges = 7;
inline constexpr double kPeriodicSeconds = 2.0;

}  // namespace witness
