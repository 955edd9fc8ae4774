// Endpoints that findings name, into rules that stop or watch exactly them: Suricata, Zeek, nftables, MUD,
// CSV.
//
// Nothing that came from a specimen or a capture reaches a rule as text. A Target is the only way in, and it
// holds typed values alone: a numeric address or a host name of letters, digits and hyphens, a port, a
// transport, finding ids of a closed alphabet. Rules are for traffic that leaves the site. Manuals told sites
// to give such addresses to a central station of their own, so every rendering asks whether the inside
// network uses them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "witness/address.h"

namespace contain {

enum class Transport : std::uint8_t { any, tcp, udp };

class Target {
 public:
  // Errors: damaged, saying which value is not of its type. `place` is an address or a host name. `port` 0:
  // every port. `protocol` is any name an endpoint carries: tcp and udp as such; http, https, ftp, mqtt, hl7,
  // ... are TCP, tftp, ntp, syslog UDP; nfs, dns, empty and unknown names are any transport.
  static base::Result<Target> make(std::string_view place, std::uint16_t port, std::string_view protocol,
                                   const std::vector<std::string>& findings);

  const std::optional<witness::Address>& address() const { return address_; }
  const std::string& host() const { return host_; }  // lower case; empty when there is an address
  std::uint16_t port() const { return port_; }
  Transport transport() const { return transport_; }
  const std::vector<std::string>& findings() const { return findings_; }  // sorted
  std::string_view scope()
      const;  // as witness::scope_of; host names: public, or private for single labels, .local, .lan
  std::string place() const;

 private:
  Target() = default;
  std::optional<witness::Address> address_;
  std::string host_;
  std::uint16_t port_ = 0;
  Transport transport_ = Transport::any;
  std::vector<std::string> findings_;
};

enum class Format : std::uint8_t { suricata, zeek, nftables, mud, csv };
std::optional<Format> format_from_key(std::string_view key);

struct Plan {
  std::vector<Target> stop;      // what findings name
  std::vector<Target> declared;  // what may pass (MUD only); empty: everything else passes
  bool profile = false;          // MUD: what the device needs (`declared`) passes and nothing else, even when that is nothing
  bool controllers = false;      // MUD: machines that the owner names to the device may be reached (my-controller)
  bool watch = false;            // log, and let pass
  std::string
      outside;  // nftables: the interface that leads out ([A-Za-z0-9_.-], at most 15); empty: any route
  std::string date = "1970-01-01T00:00:00+00:00";  // MUD last-update, RFC 3339 (SOURCE_DATE_EPOCH or --date)
  std::string mud_url = "https://mud.invalid/contain.json";  // where the MUD file will be served
  base::Doubts refused;  // endpoints that did not become a Target: listed by count, never quoted
};

// Adds a target, or counts why not. Equal places, ports and transports become one, with the findings of both.
void add(Plan& plan, std::string_view place, std::uint16_t port, std::string_view protocol,
         const std::vector<std::string>& findings);

// Error: unsupported for a Plan whose options are not of their type.
base::Result<std::string> render(Format format, const Plan& plan);

// One each, in a file of its own; the Plan's options have been checked.
std::string render_suricata(const Plan& plan);
std::string render_zeek(const Plan& plan);
std::string render_nftables(const Plan& plan);
std::string render_mud(const Plan& plan);
std::string render_csv(const Plan& plan);

// Does a rule that stops traffic leaving the site apply? Not to places inside it: those get the question
// alone.
bool leaves_site(const Target& target);

// The question, in one line without a newline.
inline constexpr std::string_view kQuestion =
    "Does a machine of your own use this address? Some manuals told sites to give it to their central "
    "station. "
    "Look before you load this.";

// Finding ids in one line, cut after `most` bytes at an id's end.
std::string joined(const Target& target, std::size_t most);

}  // namespace contain
