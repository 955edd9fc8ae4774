// A Plan into Suricata 7 rules. Reference: Suricata user guide, rules format; sids from the local range
// 1000000 to 1999999.
#include <set>

#include <fmt/format.h>

#include "contain/contain.h"

namespace contain {
namespace {

// The same finding and place have the same number in every run; a collision takes the next.
std::uint32_t rule_number(std::string_view text, std::set<std::uint32_t>& used) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001B3ULL;
  std::uint32_t number = 1'000'000 + static_cast<std::uint32_t>(hash % 1'000'000);
  while (!used.insert(number).second) number = number == 1'999'999 ? 1'000'000 : number + 1;
  return number;
}

std::string tail(const Target& target, std::string_view kind, std::set<std::uint32_t>& used) {
  const std::string key = fmt::format("{} {} {} {} {}", kind, target.place(), target.port(),
                                      static_cast<int>(target.transport()), joined(target, 4096));
  return fmt::format("metadata:finding {}; classtype:policy-violation; sid:{}; rev:1;)\n",
                     target.findings().front(), rule_number(key, used));
}

}  // namespace

std::string render_suricata(const Plan& plan) {
  std::set<std::uint32_t> used;
  const std::string_view action = plan.watch ? "alert" : "drop";
  std::string out =
      "# Egress only: from $HOME_NET. `drop` needs Suricata inline; where it only listens, it alerts.\n";
  for (const Target& target : plan.stop) {
    const std::string ids = joined(target, 200);
    if (!leaves_site(target)) {
      out += fmt::format("# Not a rule: {} lies inside ({}). {}\n", target.place(), ids, kQuestion);
      continue;
    }
    out += fmt::format("# {}: {} {}\n", ids, target.place(), kQuestion);
    if (target.host().empty()) {
      const std::string_view protocol = target.port() == 0 && target.transport() == Transport::any ? "ip"
                                        : target.transport() == Transport::udp                     ? "udp"
                                                                                                   : "tcp";
      const std::string port = target.port() ? std::to_string(target.port()) : "any";
      const std::string address = target.address()->is_v4() ? target.place() : "[" + target.place() + "]";
      out += fmt::format("{} {} $HOME_NET any -> {} {} (msg:\"biopsy contained peer {}\"; {}", action,
                         protocol, address, port, target.findings().front(), tail(target, protocol, used));
      if (target.port() && target.transport() == Transport::any)
        out += fmt::format("{} udp $HOME_NET any -> {} {} (msg:\"biopsy contained peer {}\"; {}", action,
                           address, port, target.findings().front(), tail(target, "udp", used));
      continue;
    }
    for (const auto& [protocol, buffer] :
         {std::pair{"dns", "dns.query"}, std::pair{"tls", "tls.sni"}, std::pair{"http", "http.host"}})
      out += fmt::format(
          "{} {} $HOME_NET any -> any any (msg:\"biopsy contained name {}\"; {}; content:\"{}\"; {}bsize:{}; "
          "{}",
          action, protocol, target.findings().front(), buffer, target.host(),
          std::string_view(protocol) == "http" ? "" : "nocase; ", target.host().size(),
          tail(target, protocol, used));
  }
  return out;
}

}  // namespace contain
