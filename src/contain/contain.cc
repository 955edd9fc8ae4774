// The door that only typed values pass.
#include "contain/contain.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <tuple>

#include <fmt/format.h>

#include "base/text.h"

namespace contain {
namespace {

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// RFC 1123 2.1: labels of letters, digits and hyphens, 63 at most, 253 in all, not all digits at the end.
bool is_host(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  for (const std::string_view label : base::split(text, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    if (!std::all_of(label.begin(), label.end(), [](char c) { return is_alnum(c) || c == '-'; }))
      return false;
  }
  const std::string_view last = text.substr(text.rfind('.') + 1);
  return !std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_finding(std::string_view id) {
  return !id.empty() && id.size() <= 80 && std::all_of(id.begin(), id.end(), [](char c) {
    return is_alnum(c) || c == '-' || c == '.' || c == '_';
  });
}

std::optional<witness::Address> numeric(std::string_view text) {
  if (text.find('\0') != text.npos) return std::nullopt;  // inet_pton would read no further
  const std::string copy(text);
  std::array<std::uint8_t, 16> raw{};
  if (inet_pton(AF_INET, copy.c_str(), raw.data()) == 1)
    return witness::address_v4(base::ByteView(raw).first(4));
  if (inet_pton(AF_INET6, copy.c_str(), raw.data()) == 1) return witness::address_v6(raw);
  return std::nullopt;
}

Transport transport_of(std::string_view protocol) {
  const std::string name = base::lower(protocol);
  static constexpr std::string_view kTcp[] = {"tcp", "http",   "https",  "ftp",     "mqtt",    "hl7",
                                              "lpd", "telnet", "ssh",    "tls",     "smb",     "dicom",
                                              "rsh", "rexec",  "rlogin", "cms8000", "ftp-data"};
  static constexpr std::string_view kUdp[] = {"udp", "tftp", "ntp", "syslog"};
  if (std::find(std::begin(kTcp), std::end(kTcp), name) != std::end(kTcp)) return Transport::tcp;
  if (std::find(std::begin(kUdp), std::end(kUdp), name) != std::end(kUdp)) return Transport::udp;
  return Transport::any;
}

bool is_interface(std::string_view name) {
  return name.size() <= 15 && std::all_of(name.begin(), name.end(), [](char c) {
           return is_alnum(c) || c == '_' || c == '.' || c == '-';
         });
}
// Only what a date or a URL needs; neither can end a JSON string or a comment.
bool is_plain(std::string_view text) {
  return !text.empty() && text.size() < 254 &&
         std::all_of(
             text.begin(), text.end(),
             [](char c) {
               return is_alnum(c) || std::string_view("-._:/+~%").find(c) != std::string_view::npos;
             });
}

}  // namespace

base::Result<Target> Target::make(std::string_view place, std::uint16_t port, std::string_view protocol,
                                  const std::vector<std::string>& findings) {
  Target out;
  out.address_ = numeric(place);
  if (!out.address_ && !is_host(place))
    return base::fail(base::Error::Kind::damaged, "neither a numeric address nor a host name");
  if (!out.address_) out.host_ = base::lower(place);
  out.port_ = port;
  out.transport_ = transport_of(protocol);
  for (const std::string& id : findings) {
    if (!is_finding(id))
      return base::fail(base::Error::Kind::damaged,
                        "a finding id with other than letters, digits, '-', '.' and '_'");
    out.findings_.push_back(id);
  }
  if (out.findings_.empty()) return base::fail(base::Error::Kind::damaged, "an endpoint without a finding");
  std::sort(out.findings_.begin(), out.findings_.end());
  out.findings_.erase(std::unique(out.findings_.begin(), out.findings_.end()), out.findings_.end());
  return out;
}

std::string_view Target::scope() const {
  if (address_) return witness::scope_of(*address_);
  const bool inside = host_.find('.') == host_.npos || host_.ends_with(".local") || host_.ends_with(".lan");
  return inside ? "private" : "public";
}

std::string Target::place() const { return address_ ? witness::to_text(*address_) : host_; }

std::optional<Format> format_from_key(std::string_view key) {
  static constexpr std::pair<std::string_view, Format> kKeys[] = {{"suricata", Format::suricata},
                                                                  {"zeek", Format::zeek},
                                                                  {"nftables", Format::nftables},
                                                                  {"mud", Format::mud},
                                                                  {"csv", Format::csv}};
  for (const auto& [name, format] : kKeys)
    if (name == key) return format;
  return std::nullopt;
}

void add(Plan& plan, std::string_view place, std::uint16_t port, std::string_view protocol,
         const std::vector<std::string>& findings) {
  auto target = Target::make(place, port, protocol, findings);
  if (!target) {
    base::add_doubt(plan.refused, {"endpoint-not-typed", "contain", 0, target.error().message, 1});
    return;
  }
  for (Target& known : plan.stop) {
    if (known.place() != target->place() || known.port() != target->port() ||
        known.transport() != target->transport())
      continue;
    std::vector<std::string> both = known.findings();
    both.insert(both.end(), findings.begin(), findings.end());
    if (auto merged = Target::make(place, port, protocol, both)) known = *merged;
    return;
  }
  plan.stop.push_back(*target);
}

bool leaves_site(const Target& target) { return target.scope() == "public"; }

std::string joined(const Target& target, std::size_t most) {
  std::string out;
  for (const std::string& id : target.findings()) {
    if (out.size() + id.size() + 1 > most) break;
    out += (out.empty() ? "" : " ") + id;
  }
  return out;
}

base::Result<std::string> render(Format format, const Plan& plan) {
  if (!is_interface(plan.outside))
    return base::fail(base::Error::Kind::unsupported, "the outside interface has no name that Linux gives");
  if (!is_plain(plan.date) || !is_plain(plan.mud_url))
    return base::fail(base::Error::Kind::unsupported, "the date or the MUD address is not plain");
  Plan ordered = plan;
  for (auto* list : {&ordered.stop, &ordered.declared})
    std::sort(list->begin(), list->end(), [](const Target& a, const Target& b) {
      return std::tuple(a.place(), a.port(), a.transport()) < std::tuple(b.place(), b.port(), b.transport());
    });
  switch (format) {
    case Format::suricata:
      return render_suricata(ordered);
    case Format::zeek:
      return render_zeek(ordered);
    case Format::nftables:
      return render_nftables(ordered);
    case Format::mud:
      return render_mud(ordered);
    case Format::csv:
      return render_csv(ordered);
  }
  return base::fail(base::Error::Kind::internal, "no such format");
}

}  // namespace contain
