// A Plan into an nftables ruleset of its own table. Reference: nft(8). Validated in the tests by `nft -c`.
#include <fmt/format.h>

#include "contain/contain.h"

namespace contain {
namespace {

std::string matches(const Target& target) {
  const bool v4 = target.address()->is_v4();
  std::string out = fmt::format("{} daddr {}", v4 ? "ip" : "ip6", target.place());
  if (target.port() == 0 && target.transport() != Transport::any)
    out += fmt::format(" meta l4proto {}", target.transport() == Transport::tcp ? "tcp" : "udp");
  if (target.port() == 0) return out;
  if (target.transport() == Transport::any)
    return out + fmt::format(" meta l4proto {{ tcp, udp }} th dport {}", target.port());
  return out +
         fmt::format(" {} dport {}", target.transport() == Transport::tcp ? "tcp" : "udp", target.port());
}

}  // namespace

std::string render_nftables(const Plan& plan) {
  std::string rules, notes;
  for (const Target& target : plan.stop) {
    if (!target.address()) {
      notes += fmt::format("# Not a rule: {} is a name, and nftables knows addresses ({}).\n", target.place(),
                           joined(target, 200));
    } else if (!leaves_site(target)) {
      notes += fmt::format("# Not a rule: {} lies inside ({}). {}\n", target.place(), joined(target, 200),
                           kQuestion);
    } else {
      rules += fmt::format("    # {}: {} {}\n", joined(target, 200), target.place(), kQuestion);
      rules += fmt::format("    {} counter log prefix \"biopsy-contain \" {}comment \"{}\"\n",
                           matches(target), plan.watch ? "" : "drop ", joined(target, 120));
    }
  }
  const std::string where = plan.outside.empty() ? "" : fmt::format("oifname \"{}\" ", plan.outside);
  return "# Egress only: what passes through this machine or leaves it. Nothing that comes in is touched.\n" +
         notes +
         "table inet biopsy_contain\n"  // makes it, so that the next line never fails
         "delete table inet biopsy_contain\n"
         "table inet biopsy_contain {\n"
         "  chain contained {\n" +
         rules +
         "  }\n"
         "  chain passing {\n"
         "    type filter hook forward priority filter; policy accept;\n"
         "    " +
         where +
         "jump contained\n"
         "  }\n"
         "  chain leaving {\n"
         "    type filter hook output priority filter; policy accept;\n"
         "    " +
         where +
         "jump contained\n"
         "  }\n"
         "}\n";
}

}  // namespace contain
