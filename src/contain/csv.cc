// A Plan into CSV (RFC 4180), for a firewall that none of the other formats speaks to.
#include <fmt/format.h>

#include "base/escape.h"
#include "contain/contain.h"

namespace contain {

std::string render_csv(const Plan& plan) {
  std::string out = "address,host,port,transport,scope,direction,action,findings,question\r\n";
  for (const Target& target : plan.stop) {
    const std::string_view transport = target.transport() == Transport::tcp   ? "tcp"
                                       : target.transport() == Transport::udp ? "udp"
                                                                              : "any";
    const std::string_view action = !leaves_site(target) ? "ask" : plan.watch ? "watch" : "stop";
    out += fmt::format("{},{},{},{},{},egress,{},{},{}\r\n", target.address() ? target.place() : "",
                       target.host(), target.port() ? std::to_string(target.port()) : "any", transport,
                       target.scope(), action, base::escape_csv(joined(target, 4096)),
                       base::escape_csv(kQuestion));
  }
  return out;
}

}  // namespace contain
