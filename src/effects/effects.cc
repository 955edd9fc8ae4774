#include "effects/effects.h"

#include <arpa/inet.h>

#include <array>

#include "base/text.h"

namespace effects {

std::string_view key(Kind kind) {
  switch (kind) {
#define EFFECT(name, key_text, title_text) case Kind::name: return key_text;
#include "effects/kinds.def"
#undef EFFECT
  }
  return "";
}

std::string_view title(Kind kind) {
  switch (kind) {
#define EFFECT(name, key_text, title_text) case Kind::name: return title_text;
#include "effects/kinds.def"
#undef EFFECT
  }
  return "";
}

std::vector<Kind> all_kinds() {
  return {
#define EFFECT(name, key_text, title_text) Kind::name,
#include "effects/kinds.def"
#undef EFFECT
  };
}

std::optional<Kind> kind_from_key(std::string_view wanted) {
  for (const Kind kind : all_kinds())
    if (key(kind) == wanted) return kind;
  return std::nullopt;
}

std::string_view key(Provenance provenance) {
  switch (provenance) {
    case Provenance::unknown: return "unknown";
    case Provenance::literal: return "literal";
    case Provenance::shipped_default: return "shipped-default";
    case Provenance::setting: return "setting";
    case Provenance::input: return "input";
  }
  return "";
}

std::string_view key(Scope scope) {
  switch (scope) {
    case Scope::unknown: return "unknown";
    case Scope::public_: return "public";
    case Scope::private_: return "private";
    case Scope::link_local: return "link-local";
    case Scope::loopback: return "loopback";
    case Scope::multicast: return "multicast";
    case Scope::unspecified: return "unspecified";
  }
  return "";
}

std::string_view key(Trigger::Kind kind) {
  switch (kind) {
    case Trigger::Kind::unknown: return "unknown";
    case Trigger::Kind::boot: return "boot";
    case Trigger::Kind::timer: return "timer";
    case Trigger::Kind::hotplug: return "hotplug";
    case Trigger::Kind::media: return "media";
    case Trigger::Kind::network_up: return "network-up";
    case Trigger::Kind::signal: return "signal";
    case Trigger::Kind::network_input: return "network-input";
    case Trigger::Kind::login: return "login";
    case Trigger::Kind::key: return "key";
    case Trigger::Kind::menu: return "menu";
    case Trigger::Kind::user: return "user";
  }
  return "";
}

bool started_by_user(Trigger::Kind kind) {
  return kind == Trigger::Kind::key || kind == Trigger::Kind::menu || kind == Trigger::Kind::user;
}

std::string_view key(Witness witness) {
  switch (witness) {
    case Witness::derived: return "derived";
    case Witness::observed: return "observed";
    case Witness::run: return "run";
  }
  return "";
}

std::string_view key(EdgeKind kind) {
  switch (kind) {
    case EdgeKind::feeds: return "feeds";
    case EdgeKind::guards: return "guards";
    case EdgeKind::precedes: return "precedes";
    case EdgeKind::same_path: return "same-path";
    case EdgeKind::starts: return "starts";
  }
  return "";
}

std::string_view key(Program::Kind kind) {
  switch (kind) {
    case Program::Kind::script: return "script";
    case Program::Kind::binary: return "binary";
    case Program::Kind::library: return "library";
    case Program::Kind::table: return "table";
    case Program::Kind::device: return "device";
  }
  return "";
}

std::string_view key(Program::Depth depth) {
  switch (depth) {
    case Program::Depth::unread: return "unread";
    case Program::Depth::recognised: return "recognised";
    case Program::Depth::disassembled: return "disassembled";
    case Program::Depth::lifted: return "lifted";
    case Program::Depth::modelled: return "modelled";
  }
  return "";
}

namespace {

Scope scope_of_ipv4(std::uint32_t a) {  // host order
  const auto in = [a](std::uint32_t network, int bits) { return (a ^ network) >> (32 - bits) == 0; };
  if (a == 0) return Scope::unspecified;
  if (in(0x7F000000, 8)) return Scope::loopback;
  if (in(0x0A000000, 8) || in(0xAC100000, 12) || in(0xC0A80000, 16)) return Scope::private_;  // RFC 1918
  if (in(0xA9FE0000, 16)) return Scope::link_local;                                            // RFC 3927
  if (in(0xE0000000, 4) || a == 0xFFFFFFFF) return Scope::multicast;                           // RFC 5771, broadcast
  return Scope::public_;
}

}  // namespace

Scope scope_of_address(std::string_view address) {
  const std::string text(address.starts_with('[') && address.ends_with(']') ? address.substr(1, address.size() - 2) : address);
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return scope_of_ipv4(ntohl(v4.s_addr));
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return Scope::unknown;
  if (IN6_IS_ADDR_V4MAPPED(&v6))
    return scope_of_ipv4(std::uint32_t{v6.s6_addr[12]} << 24 | v6.s6_addr[13] << 16 | v6.s6_addr[14] << 8 | v6.s6_addr[15]);
  if (IN6_IS_ADDR_UNSPECIFIED(&v6)) return Scope::unspecified;
  if (IN6_IS_ADDR_LOOPBACK(&v6)) return Scope::loopback;
  if (v6.s6_addr[0] == 0xFF) return Scope::multicast;
  if (v6.s6_addr[0] == 0xFE && (v6.s6_addr[1] & 0xC0) == 0x80) return Scope::link_local;
  if ((v6.s6_addr[0] & 0xFE) == 0xFC) return Scope::private_;  // RFC 4193
  return Scope::public_;
}

Scope scope_of_host(std::string_view host) {
  if (host.empty()) return Scope::unknown;
  if (const Scope scope = scope_of_address(host); scope != Scope::unknown) return scope;
  if (host.find("${") != std::string_view::npos) return Scope::unknown;
  const std::string name = base::lower(host.ends_with('.') ? host.substr(0, host.size() - 1) : host);
  if (name == "localhost") return Scope::loopback;
  if (name.find('.') == std::string::npos || name.ends_with(".local") || name.ends_with(".lan")) return Scope::private_;
  return Scope::public_;
}

Endpoint endpoint_from_name(std::string_view name, Provenance provenance) {
  Endpoint out;
  out.provenance = provenance;
  out.scope = scope_of_host(name);
  if (scope_of_address(name) != Scope::unknown) {
    out.address = std::string(name);
  } else {
    out.host = std::string(name);
    out.looked_up = !name.empty() && name.find("${") == std::string_view::npos;
  }
  return out;
}

}  // namespace effects
