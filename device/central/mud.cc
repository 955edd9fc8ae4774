// Implements mud.h. Address peers are written as RFC 8519 prefixes, names by RFC 8520's ietf-acldns extension.
#include "device/central/mud.h"

#include <arpa/inet.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <vector>

namespace bedside {
namespace {

using nlohmann::ordered_json;

enum class HostKind { name, v4, v6 };

HostKind kind_of(const std::string& host) {
  unsigned char bytes[16];
  if (inet_pton(AF_INET, host.c_str(), bytes) == 1) return HostKind::v4;
  if (inet_pton(AF_INET6, host.c_str(), bytes) == 1) return HostKind::v6;
  return HostKind::name;
}

// One peer that the device calls.
struct Peer {
  const char* name;
  std::string host;
  int port;
};

// What goes to or comes from `peer`.
ordered_json entry(const Peer& peer, HostKind kind, bool from) {
  const bool six = kind == HostKind::v6;
  const char* side = from ? "destination" : "source";
  ordered_json address;
  if (kind == HostKind::name) address[from ? "ietf-acldns:dst-dnsname" : "ietf-acldns:src-dnsname"] = peer.host;
  else address[std::string(side) + (six ? "-ipv6-network" : "-ipv4-network")] = peer.host + (six ? "/128" : "/32");
  address["protocol"] = 6;
  const ordered_json tcp = {{"ietf-mud:direction-initiated", "from-device"}, {std::string(side) + "-port", {{"operator", "eq"}, {"port", peer.port}}}};
  return {{"name", peer.name}, {"matches", {{six ? "ipv6" : "ipv4", address}, {"tcp", tcp}}}, {"actions", {{"forwarding", "accept"}}}};
}

// One access list a family of addresses and direction; names count as IPv4.
void add_lists(ordered_json& acls, ordered_json policies[2], const std::vector<Peer>& peers, bool six) {
  for (const bool from : {true, false}) {
    ordered_json entries = ordered_json::array();
    for (const auto& peer : peers)
      if (const auto kind = kind_of(peer.host); (kind == HostKind::v6) == six) entries.push_back(entry(peer, kind, from));
    if (entries.empty()) continue;
    const std::string name = std::string(from ? "from-device" : "to-device") + (six ? "-ipv6" : "");
    acls.push_back({{"name", name}, {"type", six ? "ipv6-acl-type" : "ipv4-acl-type"}, {"aces", {{"ace", entries}}}});
    policies[from ? 0 : 1].push_back({{"name", name}});
  }
}

// Host and port of an http or https address; no host for anything else (a stick is a file).
Peer repository_peer(const std::string& url) {
  const bool tls = url.starts_with("https://");
  if (!tls && !url.starts_with("http://")) return {"update-repository", "", 0};
  std::string rest = url.substr(tls ? 8 : 7);
  rest = rest.substr(0, rest.find('/'));
  Peer out{"update-repository", rest, tls ? 443 : 80};
  const auto bracket = rest.find(']');
  const auto colon = rest.find(':', rest.starts_with('[') && bracket != std::string::npos ? bracket : 0);
  if (colon != std::string::npos) {
    out.host = rest.substr(0, colon);
    const auto digits = rest.substr(colon + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  }
  if (out.host.starts_with('[') && out.host.ends_with(']')) out.host = out.host.substr(1, out.host.size() - 2);
  return out;
}

}  // namespace

std::string mud_file(const CentralConfig& config, const std::string& repository) {
  std::vector<Peer> peers;
  if (!config.host.empty()) peers.push_back({"central-station", config.host, config.port});
  if (auto peer = repository_peer(repository); !peer.host.empty()) peers.push_back(std::move(peer));
  const bool central = !config.host.empty(), updates = peers.size() > (central ? 1U : 0U);
  const char* does = central && updates ? "bedside patient monitor; HL7 over mutual TLS to its central station, signed updates from its owner's repository"
                     : central          ? "bedside patient monitor; HL7 over mutual TLS to its central station"
                     : updates          ? "bedside patient monitor; signed updates from its owner's repository, sends nothing else"
                                        : "bedside patient monitor; sends nothing";
  ordered_json mud = {{"mud-version", 1},
                      {"mud-url", "https://bedside.example/" + std::string(central ? "central" : "alone") + (updates ? "-updates.json" : ".json")},
                      {"last-update", "2026-01-01T00:00:00+00:00"},
                      {"cache-validity", 48},
                      {"is-supported", true},
                      {"systeminfo", does},
                      {"mfg-name", "bedside"},
                      {"model-name", "reference monitor"}};
  ordered_json root, acls = ordered_json::array(), policies[2] = {ordered_json::array(), ordered_json::array()};
  add_lists(acls, policies, peers, false);
  add_lists(acls, policies, peers, true);
  if (!peers.empty()) {
    mud["from-device-policy"] = {{"access-lists", {{"access-list", policies[0]}}}};
    mud["to-device-policy"] = {{"access-lists", {{"access-list", policies[1]}}}};
  }
  root["ietf-mud:mud"] = mud;
  if (!peers.empty()) root["ietf-access-control-list:acls"] = {{"acl", acls}};
  return root.dump(2);
}

}  // namespace bedside
