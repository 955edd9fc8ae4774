#include "derive/doors.h"

#include <algorithm>
#include <optional>
#include <regex>
#include <set>

namespace derive {
namespace {

using flow::ArgValue;
using flow::CallSite;

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> list) { return std::ranges::find(list, name) != list.end(); }

bool receives(const CallSite& call) { return is_one_of(call.callee, {"recv", "recvfrom", "recvmsg"}); }
bool runs_text(const CallSite& call) { return is_one_of(call.callee, {"system", "popen", "doSystem", "doSystemCmd", "lxmldbc_system"}); }
bool compares(const CallSite& call) { return is_one_of(call.callee, {"strcmp", "strcasecmp", "strncmp", "strncasecmp", "memcmp", "bcmp"}); }
bool reads_settings(const CallSite& call) {
  return is_one_of(call.callee, {"fgets", "getline", "fread", "fscanf", "nvram_get", "nvram_safe_get", "nvram_bufget", "uci_get", "cfg_get", "getspnam", "getpwnam", "crypt", "mib_get"});
}

class Finder {
 public:
  explicit Finder(const flow::Program& program) : program_(program) {}

  std::vector<Door> find() {
    if (!listens()) return {};
    std::optional<std::uint32_t> constant, owner;
    for (std::uint32_t i = 0; i < program_.calls.size(); ++i) {
      if (!compares(program_.calls[i]) || program_.calls[i].args.size() < 2) continue;
      const auto secret = constant_in(i);
      if (secret && !constant) constant = i;
      if (!secret && asks_settings(i) && !owner) owner = i;
    }
    std::vector<Door> out;
    for (std::uint32_t i = 0; i < program_.calls.size() && out.size() < 16; ++i) {
      if (!runs_text(program_.calls[i]) || !is_peers_text(i)) continue;
      if (!constant && owner) break;  // the owner's credential is asked for
      Door door = describe(i);
      door.opens_shell = true;
      if (constant) {
        door.compare = *constant;
        door.secret = *constant_in(*constant);
      }
      out.push_back(std::move(door));
      break;
    }
    if (!out.empty() || !constant) return out;
    for (std::uint32_t i = 0; i < program_.calls.size(); ++i) {
      const auto secret = compares(program_.calls[i]) ? constant_in(i) : std::nullopt;
      const std::string header = secret ? header_of(i) : "";
      if (header.empty()) continue;
      Door door = describe(i);
      door.secret = *secret;
      door.found_in = header;
      out.push_back(std::move(door));
      break;
    }
    return out;
  }

 private:
  const CallSite& call(std::uint32_t i) const { return program_.calls[i]; }

  Door describe(std::uint32_t i) const {
    Door door;
    door.call = door.compare = i;
    for (const auto& site : program_.calls)
      if (site.callee == "bind" && site.endpoint && site.endpoint->port_known) door.port = site.endpoint->port;
    const bool stream = std::ranges::any_of(program_.calls, [](const auto& site) { return site.callee == "accept" || site.callee == "accept4"; });
    door.protocol = stream ? "tcp" : "udp";
    return door;
  }

  // It waits for peers: accepts, or receives datagrams on a bound socket; not for the device's own programs alone.
  bool listens() const {
    bool waits = false, outside = false, bound = false;
    for (const auto& site : program_.calls) {
      waits = waits || is_one_of(site.callee, {"accept", "accept4", "recvfrom"});
      if (site.callee != "bind") continue;
      bound = true;
      if (!site.endpoint) continue;
      const bool local = is_one_of(site.endpoint->family, {"unix", "netlink", "packet"}) || site.endpoint->address.starts_with("127.") || site.endpoint->address == "::1";
      outside = outside || !local;
    }
    return waits && bound && outside;
  }

  bool says_input(const ArgValue& argument) const {
    return std::ranges::any_of(argument.values, [](const auto& value) { return value.find("input") != std::string::npos; });
  }
  bool fed_by_peer(std::uint32_t i) const {
    return std::ranges::any_of(call(i).feeds, [&](auto from) { return from < program_.calls.size() && receives(call(from)); });
  }

  // The constant that what was received is compared with, as a whole.
  std::optional<std::string> constant_in(std::uint32_t i) const {
    const CallSite& site = call(i);
    for (std::size_t side = 0; side < 2 && side < site.args.size(); ++side) {
      const ArgValue& constant = site.args[side];
      const ArgValue& other = site.args[1 - side];
      if (constant.kind != ArgValue::Kind::text || constant.values.empty() || !(says_input(other) || fed_by_peer(i))) continue;
      const bool known = std::ranges::all_of(constant.values, [](const auto& value) { return value.find("${") == std::string::npos && looks_secret(value); });
      if (!known) continue;
      const bool by_length = site.callee.find("ncmp") != std::string::npos || site.callee.find("ncasecmp") != std::string::npos || is_one_of(site.callee, {"memcmp", "bcmp"});
      if (by_length && (site.args.size() < 3 || site.args[2].numbers.empty() || site.args[2].numbers.front() <= static_cast<std::int64_t>(constant.values.front().size()))) continue;
      return constant.values.front();
    }
    return std::nullopt;
  }

  // Not a word of a protocol: no path, no header, no method; of some length.
  static bool looks_secret(const std::string& value) {
    static const std::regex ordinary("^[A-Z]+$|^[/.]|[ /]$|: ?$|^[a-z]+\\.[a-z]+$|^(text|application|image|multipart)/|^HTTP|^(keep-alive|close|chunked|gzip|basic|digest|true|false|enable[d]?|disable[d]?|start|stop|reboot|restart|status|version|help|quit|exit|login|logout|index)$",
                                     std::regex::icase);
    return value.size() >= 5 && value.size() < 100 && !std::regex_search(value, ordinary);
  }

  // Something of the settings is compared with what was received, or an unknown that settings may decide.
  bool asks_settings(std::uint32_t i) const {
    const CallSite& site = call(i);
    const bool peer = fed_by_peer(i) || says_input(site.args[0]) || says_input(site.args[1]);
    const bool from_settings = std::ranges::any_of(site.feeds, [&](auto from) { return from < program_.calls.size() && reads_settings(call(from)); });
    const bool named = std::ranges::any_of(site.args, [](const auto& a) { return std::ranges::any_of(a.values, [](const auto& v) { return v.find("read:") != std::string::npos || v.find("setting:") != std::string::npos || v.find("ret:nvram") != std::string::npos; }); });
    const bool whole = site.callee == "strcmp" || site.callee == "strcasecmp";
    return whole && ((peer && (from_settings || named)) || from_settings);
  }

  // The command line is the peer's from end to end.
  bool is_peers_text(std::uint32_t i) const {
    const CallSite& site = call(i);
    if (site.args.empty()) return false;
    const ArgValue& text = site.args[0];
    const bool received = fed_by_peer(i) || std::ranges::any_of(text.values, [](const auto& value) { return value == "input" || value == "${input}"; });
    const bool behind_peer = std::ranges::any_of(site.guards, [&](auto from) { return from < program_.calls.size() && receives(call(from)); });
    const bool nothing_known = text.kind == ArgValue::Kind::unknown || std::ranges::all_of(text.values, [](const auto& value) { return value.starts_with("${") && value.find('}') + 1 == value.size(); });
    return nothing_known && (received || behind_peer);
  }

  // The header of the request that a comparison asks: one that tells who is speaking.
  std::string header_of(std::uint32_t i) const {
    static const std::regex identifies("^(User-Agent|Authorization|Cookie|X-[A-Za-z-]+|Referer|Host|Server): ?$|^HTTP_(USER_AGENT|AUTHORIZATION|COOKIE|X_[A-Z_]+)$");
    for (const auto from : call(i).feeds) {
      if (from >= program_.calls.size() || !is_one_of(call(from).callee, {"strstr", "strcasestr", "getenv"})) continue;
      for (const auto& argument : call(from).args)
        for (const auto& value : argument.values)
          if (std::regex_search(value, identifies)) return value.substr(0, value.find(':'));
    }
    return {};
  }

  const flow::Program& program_;
};

}  // namespace

std::vector<Door> find_doors(const flow::Program& program) { return Finder(program).find(); }

}  // namespace derive
