// Implements mud.h. Address peers are written as RFC 8519 prefixes, names by RFC 8520's ietf-acldns extension.
#include "device/central/mud.h"

#include <arpa/inet.h>

#include <nlohmann/json.hpp>

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

// One access list: `from` the device, or to it.
ordered_json access_list(const CentralConfig& config, HostKind kind, bool from) {
  const bool six = kind == HostKind::v6;
  const char* side = from ? "destination" : "source";
  ordered_json address;
  if (kind == HostKind::name) address[from ? "ietf-acldns:dst-dnsname" : "ietf-acldns:src-dnsname"] = config.host;
  else address[std::string(side) + (six ? "-ipv6-network" : "-ipv4-network")] = config.host + (six ? "/128" : "/32");
  address["protocol"] = 6;
  ordered_json tcp = {{"ietf-mud:direction-initiated", "from-device"}, {std::string(side) + "-port", {{"operator", "eq"}, {"port", config.port}}}};
  return {{"name", from ? "from-device" : "to-device"},
          {"type", six ? "ipv6-acl-type" : "ipv4-acl-type"},
          {"aces", {{"ace", ordered_json::array({{{"name", "central-station"},
                                                 {"matches", {{six ? "ipv6" : "ipv4", address}, {"tcp", tcp}}},
                                                 {"actions", {{"forwarding", "accept"}}}}})}}}};
}

ordered_json policy(const char* list) { return {{"access-lists", {{"access-list", ordered_json::array({{{"name", list}}})}}}}; }

}  // namespace

std::string mud_file(const CentralConfig& config) {
  ordered_json mud = {{"mud-version", 1},
                      {"mud-url", "https://bedside.example/" + std::string(config.host.empty() ? "alone" : "central") + ".json"},
                      {"last-update", "2026-01-01T00:00:00+00:00"},
                      {"cache-validity", 48},
                      {"is-supported", true},
                      {"systeminfo", config.host.empty() ? "bedside patient monitor; sends nothing" : "bedside patient monitor; HL7 over mutual TLS to its central station"},
                      {"mfg-name", "bedside"},
                      {"model-name", "reference monitor"}};
  ordered_json root;
  if (config.host.empty()) {
    root["ietf-mud:mud"] = mud;
    return root.dump(2);
  }
  const HostKind kind = kind_of(config.host);
  mud["from-device-policy"] = policy("from-device");
  mud["to-device-policy"] = policy("to-device");
  root["ietf-mud:mud"] = mud;
  root["ietf-access-control-list:acls"] = {{"acl", ordered_json::array({access_list(config, kind, true), access_list(config, kind, false)})}};
  return root.dump(2);
}

}  // namespace bedside
