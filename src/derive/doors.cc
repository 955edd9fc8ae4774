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
  Finder(const flow::Program& program, const elf::Binary* binary) : program_(program), binary_(binary) {}

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
    if (out.empty())
      if (auto shell = shell_on_connection()) out.push_back(std::move(*shell));
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

  static bool says(const ArgValue& argument, std::string_view word) { return std::ranges::find(argument.values, word) != argument.values.end(); }

  // exec of a shell after the accepted connection was made its standard input. Quiet where something of the settings, or a value
  // that could not be followed, is compared with what the peer said: it may be the owner's.
  std::optional<Door> shell_on_connection() const {
    for (std::uint32_t i = 0; i < program_.calls.size(); ++i) {
      const CallSite& site = call(i);
      if (!site.callee.starts_with("exec") || site.args.empty()) continue;
      const bool shell = std::ranges::any_of(site.args[0].values, [](const auto& path) { return is_one_of(path, {"/bin/sh", "/bin/ash", "/bin/bash", "/system/bin/sh", "sh", "ash", "bash"}); });
      if (!shell) continue;
      const bool connected = std::ranges::any_of(site.precedes, [&](auto j) {
        const CallSite& copy = call(j);
        if ((copy.callee != "dup2" && copy.callee != "dup3") || copy.args.size() < 2) return false;
        const auto& to = copy.args[1].numbers;
        return (says(copy.args[0], "ret:accept") || says(copy.args[0], "ret:accept4")) && std::ranges::find(to, 0) != to.end();
      });
      if (!connected) continue;
      Door door = describe(i);
      door.opens_shell = door.on_connection = true;
      bool asked = false;
      for (const auto j : site.guards) {
        if (is_one_of(call(j).callee, {"crypt", "getspnam", "pam_authenticate"})) return std::nullopt;
        if (!compares(call(j)) || call(j).args.size() < 2) continue;
        if (const auto secret = constant_in(j)) {
          door.compare = j, door.secret = *secret;
          return door;
        }
        const bool of_peer = fed_by_peer(j) || says_input(call(j).args[0]) || says_input(call(j).args[1]);
        const bool computed = std::ranges::any_of(call(j).args, [](const auto& a) { return a.kind == ArgValue::Kind::unknown && std::ranges::all_of(a.values, [](const auto& v) { return v == "unknown"; }); });
        if (of_peer && computed) asked = true, door.compare = j;
      }
      if (!asked) return door;
      if (const auto key = lone_key()) {
        door.secret = *key, door.key_assumed = true;
        return door;
      }
      return std::nullopt;
    }
    return std::nullopt;
  }

  // The one text of the program that looks like a key and that no call is given.
  std::optional<std::string> lone_key() const {
    if (!binary_) return std::nullopt;
    std::optional<std::string> found;
    for (const auto& [address, text] : binary_->strings(8)) {
      if (!looks_like_key(text)) continue;
      const bool used = std::ranges::any_of(program_.calls, [&](const CallSite& site) {
        return std::ranges::any_of(site.args, [&](const auto& a) { return std::ranges::any_of(a.values, [&](const auto& v) { return v.find(text) != std::string::npos; }); });
      });
      if (used) continue;
      if (found && *found != text) return std::nullopt;  // which of them is not known
      found = std::string(text);
    }
    return found;
  }
  // Letters and digits in turn; not a table of digits.
  static bool looks_like_key(std::string_view text) {
    if (text.size() > 64) return false;
    int turns = 0;
    bool ascends = true;
    for (std::size_t k = 0; k < text.size(); ++k) {
      const auto digit = [](char c) { return c >= '0' && c <= '9'; };
      const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
      if (!digit(text[k]) && !letter(text[k])) return false;
      if (k == 0) continue;
      turns += digit(text[k]) != digit(text[k - 1]);
      ascends = ascends && text[k] > text[k - 1];
    }
    return turns >= 3 && !ascends;
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
  const elf::Binary* binary_;
};

}  // namespace

std::vector<Door> find_doors(const flow::Program& program, const elf::Binary* binary) { return Finder(program, binary).find(); }

}  // namespace derive
