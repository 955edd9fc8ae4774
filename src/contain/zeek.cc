// A Plan into a Zeek script that raises a notice. It watches; it does not stop. Reference: Zeek
// documentation, notice framework.
#include <fmt/format.h>

#include "contain/contain.h"

namespace contain {
namespace {

std::string literal(const Target& target) {
  return target.address()->is_v4() ? target.place() : "[" + target.place() + "]";
}

}  // namespace

std::string render_zeek(const Plan& plan) {
  std::string ports, hosts, names, notes;
  for (const Target& target : plan.stop) {
    const std::string ids = joined(target, 200);
    if (!leaves_site(target)) {
      notes += fmt::format("# Not a rule: {} lies inside ({}). {}\n", target.place(), ids, kQuestion);
      continue;
    }
    notes += fmt::format("# {}: {} {}\n", ids, target.place(), kQuestion);
    if (!target.host().empty())
      names += fmt::format("    [\"{}\"] = \"{}\",\n", target.host(), ids);
    else if (target.port() == 0)
      hosts += fmt::format("    [{}] = \"{}\",\n", literal(target), ids);
    else {
      if (target.transport() != Transport::udp)
        ports += fmt::format("    [{}, {}/tcp] = \"{}\",\n", literal(target), target.port(), ids);
      if (target.transport() != Transport::tcp)
        ports += fmt::format("    [{}, {}/udp] = \"{}\",\n", literal(target), target.port(), ids);
    }
  }
  return "# Watches egress from the local networks (Site::local_nets) to the peers below.\n" + notes +
         "@load base/frameworks/notice\n"
         "@load base/utils/site\n\n"
         "module BiopsyContain;\n\n"
         "export {\n"
         "  redef enum Notice::Type += { Contained_Peer };\n"
         "  const peers: table[addr, port] of string = {\n" +
         ports +
         "  } &redef;\n"
         "  const hosts: table[addr] of string = {\n" +
         hosts +
         "  } &redef;\n"
         "  const names: table[string] of string = {\n" +
         names +
         "  } &redef;\n"
         "}\n\n"
         "function tell(c: connection, ids: string)\n"
         "  {\n"
         "  NOTICE([$note=Contained_Peer, $conn=c, $msg=fmt(\"finding %s\", ids), "
         "$identifier=cat(c$id$orig_h, c$id$resp_h, c$id$resp_p)]);\n"
         "  }\n\n"
         "event new_connection(c: connection)\n"
         "  {\n"
         "  if ( ! Site::is_local_addr(c$id$orig_h) )\n"
         "    return;\n"
         "  if ( [c$id$resp_h, c$id$resp_p] in peers )\n"
         "    tell(c, peers[c$id$resp_h, c$id$resp_p]);\n"
         "  else if ( c$id$resp_h in hosts )\n"
         "    tell(c, hosts[c$id$resp_h]);\n"
         "  }\n\n"
         "event dns_request(c: connection, msg: dns_msg, query: string, qtype: count, qclass: count)\n"
         "  {\n"
         "  if ( to_lower(query) in names )\n"
         "    tell(c, names[to_lower(query)]);\n"
         "  }\n";
}

}  // namespace contain
