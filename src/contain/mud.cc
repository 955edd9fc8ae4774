// A Plan into a Manufacturer Usage Description. Source: RFC 8520 (ietf-mud), RFC 8519 (access control lists).
// What a MUD file does not allow is denied (RFC 8520 section 3): with declared endpoints they alone pass;
// without, a last entry accepts the rest, so that the file cuts off what was found and nothing else. A profile never has that entry.
#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include "contain/contain.h"

namespace contain {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxName = 64;  // of an entry, RFC 8519

Json entry(const Target& target, bool v6, Transport transport, std::string_view action, std::size_t number) {
  const std::string_view family = v6 ? "ipv6" : "ipv4";
  Json layer3 = Json::object(), matches = Json::object();
  if (target.address())
    layer3[fmt::format("destination-{}-network", family)] =
        fmt::format("{}/{}", target.place(), v6 ? 128 : 32);
  else
    layer3["ietf-acldns:dst-dnsname"] = target.host();
  if (transport != Transport::any) layer3["protocol"] = transport == Transport::tcp ? 6 : 17;
  matches[std::string(family)] = layer3;
  if (target.port() != 0 && transport != Transport::any)
    matches[transport == Transport::tcp ? "tcp" : "udp"] = {
        {"destination-port", {{"operator", "eq"}, {"port", target.port()}}}};
  const std::string name = fmt::format("{}-{}", number, target.findings().front());
  return {{"name", name.substr(0, kMaxName)},
          {"matches", matches},
          {"actions", {{"forwarding", std::string(action)}}}};
}

void add_entries(Json& list, const std::vector<Target>& targets, bool v6, std::string_view action) {
  for (const Target& target : targets) {
    if (target.address() && target.address()->is_v4() == v6) continue;
    if (action == "drop" && !leaves_site(target)) continue;
    const bool both = target.port() != 0 && target.transport() == Transport::any;
    list.push_back(entry(target, v6, both ? Transport::tcp : target.transport(), action, list.size() + 1));
    if (both) list.push_back(entry(target, v6, Transport::udp, action, list.size() + 1));
  }
}

Json access_list(const Plan& plan, bool v6) {
  Json entries = Json::array();
  if (!plan.watch) add_entries(entries, plan.stop, v6, "drop");
  add_entries(entries, plan.declared, v6, "accept");
  // Who they are, the owner's network knows (RFC 8520, section 6.5).
  if (plan.controllers && !v6)
    entries.push_back({{"name", "machines-named-by-the-owner"},
                       {"matches", {{"ietf-mud:mud", {{"my-controller", Json::array({nullptr})}}}}},
                       {"actions", {{"forwarding", "accept"}}}});
  if (plan.declared.empty() && !plan.profile)
    entries.push_back({{"name", "everything-else"}, {"actions", {{"forwarding", "accept"}}}});
  return {{"name", v6 ? "biopsy-contain-v6" : "biopsy-contain-v4"},
          {"type", v6 ? "ipv6-acl-type" : "ipv4-acl-type"},
          {"aces", {{"ace", entries}}}};
}

}  // namespace

std::string render_mud(const Plan& plan) {
  Json mud = {
      {"mud-version", 1},
      {"mud-url", plan.mud_url},
      {"last-update", plan.date},
      {"cache-validity", 48},
      {"is-supported", true},
      {"systeminfo", plan.profile ? "What the firmware was read to need. Do you use these addresses inside?" : "Egress contained. Do you use these addresses inside?"},
      {"from-device-policy",
       {{"access-lists",
         {{"access-list",
           Json::array({{{"name", "biopsy-contain-v4"}}, {{"name", "biopsy-contain-v6"}}})}}}}},
  };
  const Json acls = {{"acl", Json::array({access_list(plan, false), access_list(plan, true)})}};
  return Json{{"ietf-mud:mud", mud}, {"ietf-access-control-list:acls", acls}}.dump(2) + "\n";
}

}  // namespace contain
