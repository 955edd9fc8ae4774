// A MUD file's access lists into endpoints. Source: RFC 8520 (ietf-mud), RFC 8519 (ietf-access-control-list).
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "declare/declare.h"

namespace declare {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostEndpoints = 20'000;

const Json& at(const Json& json, const char* name) {
  static const Json none;
  if (!json.is_object()) return none;
  const auto found = json.find(name);
  return found == json.end() ? none : *found;
}

std::string text_at(const Json& json, const char* name) {
  const Json& value = at(json, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::uint16_t port_at(const Json& layer4, const char* name) {
  const Json& port = at(layer4, name);
  const Json& value = at(port, "port");
  const bool equal = text_at(port, "operator") == "eq" || at(port, "operator").is_null();
  return equal && value.is_number_unsigned() && value.get<std::uint64_t>() <= 0xFFFF ? static_cast<std::uint16_t>(value.get<std::uint64_t>()) : 0;
}

// "192.0.2.7/32" -> "192.0.2.7"
std::string single(std::string prefix) {
  for (const std::string_view whole : {"/32", "/128"})
    if (prefix.ends_with(whole) && (whole == "/128" || prefix.find(':') == std::string::npos)) return prefix.substr(0, prefix.size() - whole.size());
  return prefix;
}

class Reader {
 public:
  explicit Reader(Declaration& out) : out_(out) {}

  void read(const Json& entry) {
    const Json& matches = at(entry, "matches");
    const std::string name = text_at(entry, "name"), action = text_at(at(entry, "actions"), "forwarding");
    if (!matches.is_object()) return;
    if (action == "drop" || action == "reject") return;
    Endpoint endpoint;
    endpoint.where = fmt::format("entry \"{}\"", name.substr(0, 200));
    for (const char* transport : {"tcp", "udp"}) {
      const Json& layer = at(matches, transport);
      if (!layer.is_object()) continue;
      endpoint.transport = transport;
      endpoint.port = std::max(port_at(layer, "destination-port"), port_at(layer, "source-port"));
    }
    bool known = false;
    for (const char* family : {"ipv4", "ipv6"}) {
      const Json& layer = at(matches, family);
      if (!layer.is_object()) continue;
      if (endpoint.transport.empty())
        if (const Json& protocol = at(layer, "protocol"); protocol.is_number_unsigned()) endpoint.transport = protocol == 6 ? "tcp" : protocol == 17 ? "udp" : "";
      for (const char* place : {"destination-ipv4-network", "destination-ipv6-network", "source-ipv4-network", "source-ipv6-network", "ietf-acldns:dst-dnsname", "ietf-acldns:src-dnsname"}) {
        const std::string value = text_at(layer, place);
        if (value.empty() || value.size() > 256) continue;
        endpoint.place = base::lower(single(value));
        known = add(endpoint) || known;
      }
    }
    if (!known) base::add_doubt(out_.doubts, {"declare-unknown-entry", out_.name, 0, "entries that allow by something else than an address or a name are not read (controllers, manufacturers, local networks)"});
  }

 private:
  bool add(const Endpoint& endpoint) {
    if (out_.endpoints.size() >= kMostEndpoints) {
      base::add_doubt(out_.doubts, {"declare-too-much", out_.name, 0, fmt::format("endpoints beyond {} were not kept", kMostEndpoints)});
      return true;
    }
    out_.endpoints.push_back(endpoint);
    return true;
  }

  Declaration& out_;
};

}  // namespace

base::Result<Declaration> from_mud(std::string_view text, std::string name) {
  // Deep nesting says nothing in this format, and costs.
  std::size_t deepest = 0;
  const auto json = Json::parse(text, [&](int depth, Json::parse_event_t, Json&) {
    deepest = std::max(deepest, static_cast<std::size_t>(std::max(depth, 0)));
    return depth < 64;
  }, false);
  if (json.is_discarded() || deepest >= 64) return base::fail(base::Error::Kind::damaged, "the file is no JSON of ordinary depth");
  if (!at(json, "ietf-mud:mud").is_object()) return base::fail(base::Error::Kind::damaged, "the file is JSON, but no MUD file: it has no \"ietf-mud:mud\"");
  Declaration out;
  out.name = std::move(name);
  out.kind = Kind::mud;
  Reader reader(out);
  const Json& lists = at(at(json, "ietf-access-control-list:acls"), "acl");
  if (lists.is_array())
    for (const Json& list : lists)
      if (const Json& entries = at(at(list, "aces"), "ace"); entries.is_array())
        for (const Json& entry : entries) reader.read(entry);
  return out;
}

}  // namespace declare
