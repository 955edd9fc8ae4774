#include "derive/shipped_defaults.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace derive {
namespace {

constexpr std::size_t kLargestFile = 256 << 10;

// The file that an unknown text was read from: PATH of "${read:PATH}".
std::string file_of(std::string_view text) {
  constexpr std::string_view mark = "${read:/";
  const auto at = text.find(mark);
  if (at == std::string_view::npos) return {};
  const auto end = text.find('}', at);
  return end == std::string_view::npos ? std::string() : std::string(text.substr(at + 7, end - at - 7));
}

struct Setting {
  std::string key, name;
  std::uint16_t port = 0;
};

bool is_name_character(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_'; }

// Whether `word` can be a peer's name: an address, or a host name with a dot and a last label of letters that is no file ending.
bool names_peer(std::string_view word) {
  const auto scope = effects::scope_of_address(word);
  if (scope == effects::Scope::unspecified || scope == effects::Scope::loopback || word.starts_with("255.")) return false;
  if (scope != effects::Scope::unknown) return true;
  if (word.empty() || word.size() > 253 || word.front() == '.' || word.front() == '-' || word.find("..") != std::string_view::npos) return false;
  const auto dot = word.rfind('.');
  if (dot == std::string_view::npos || dot + 2 >= word.size()) return false;
  const auto last = base::lower(word.substr(dot + 1));
  if (!std::ranges::all_of(last, [](char c) { return c >= 'a' && c <= 'z'; })) return false;
  for (const auto ending : {"conf", "cfg", "ini", "sh", "txt", "log", "xml", "json", "so", "bin", "img", "tar", "gz", "zip", "html", "htm", "cgi", "asp", "php", "js", "css", "pem", "crt", "key", "lua", "py", "db", "dat", "pid", "sock", "lock", "tmp", "default"})
    if (last == ending) return false;
  return true;
}

bool key_speaks_of_peer(std::string_view key) {
  const std::string lower = base::lower(key);
  for (const auto word : {"server", "host", "addr", "url", "peer", "update", "remote", "ip", "gateway", "endpoint", "domain"})
    if (lower.find(word) != std::string::npos) return true;
  return false;
}

// Lines such as key=value, key: value, option key 'value', "key": "value", <key>value</key>; comments left out.
std::vector<Setting> peers_in(std::string_view text) {
  std::vector<Setting> out;
  for (const auto whole : base::split(text, '\n')) {
    const std::string_view line = base::trim(whole);
    if (line.empty() || line.front() == '#' || line.front() == ';' || line.starts_with("//") || line.starts_with("<!--")) continue;
    std::string_view key;
    for (std::size_t at = 0; at < line.size();) {
      if (!is_name_character(line[at])) { ++at; continue; }
      std::size_t end = at;
      while (end < line.size() && is_name_character(line[end])) ++end;
      const std::string_view word = line.substr(at, end - at);
      const bool path = at > 0 && line[at - 1] == '/' && !(at > 1 && line[at - 2] == '/');
      if (key.empty() && !names_peer(word)) key = word == "option" || word == "set" || word == "export" ? std::string_view{} : word;
      else if (!path && names_peer(word)) {
        Setting found{std::string(key), std::string(word), 0};
        if (end < line.size() && line[end] == ':') {
          unsigned port = 0;
          for (std::size_t p = end + 1; p < line.size() && line[p] >= '0' && line[p] <= '9' && port < 100000; ++p) port = port * 10 + static_cast<unsigned>(line[p] - '0');
          if (port > 0 && port < 65536) found.port = static_cast<std::uint16_t>(port);
        }
        out.push_back(std::move(found));
      }
      at = end;
    }
  }
  return out;
}

}  // namespace

void join_shipped_defaults(ProgramFacts& facts, const shell::Environment& files) {
  if (!files.read_file) return;
  for (auto& effect : facts.effects) {
    if (!effect.peer) continue;
    const std::string path = file_of(effect.peer->name());
    if (path.empty()) continue;
    const auto text = files.read_file(path);
    if (!text || text->size() > kLargestFile || text->find('\0') != std::string::npos) continue;
    const auto peers = peers_in(*text);
    if (peers.empty()) continue;  // absent or empty in the image: the owner's setting
    auto chosen = std::ranges::find_if(peers, [](const Setting& s) { return key_speaks_of_peer(s.key); });
    if (chosen == peers.end()) chosen = peers.begin();
    auto peer = effects::endpoint_from_name(chosen->name, effects::Provenance::shipped_default);
    peer.protocol = effect.peer->protocol;
    peer.port = chosen->port ? chosen->port : effect.peer->port;
    peer.origin = path + (chosen->key.empty() ? "" : ": " + chosen->key);
    effect.peer = std::move(peer);
    const bool several = std::ranges::any_of(peers, [&](const Setting& s) { return s.name != chosen->name; });
    if (!several || effect.assumed) continue;
    effect.assumed = true;
    effect.assumption = fmt::format("{} names several addresses; which of them is read was not followed", path);
  }
}

}  // namespace derive
