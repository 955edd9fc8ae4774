#include "derive/settings.h"

#include <crypt.h>
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>
#include <regex>

#include "base/hash.h"
#include "base/text.h"
#include "derive/embedded.h"
#include "derive/passwords.h"
#include "elf/elf.h"
#include "shell/shell.h"

namespace derive {

using effects::Effect;
using effects::Kind;

namespace {

struct SettingModel {
  std::regex path;
  std::optional<std::regex> excluded, value, file;
  std::optional<Kind> kind;  // unset: the setting means nothing
  std::string take, topic, says, protocol, data;
};

std::regex pattern(const YAML::Node& node) { return std::regex(node.as<std::string>(), std::regex::icase | std::regex::optimize); }

const std::vector<SettingModel>& models() {
  static const std::vector<SettingModel> list = [] {
    std::vector<SettingModel> out;
    for (const auto& node : YAML::Load(std::string(embedded::settings_yaml))["settings"]) {
      SettingModel model{pattern(node["path"]), {}, {}, {}, {}, {}, {}, {}, {}, {}};
      if (node["not"]) model.excluded = pattern(node["not"]);
      if (node["value"]) model.value = pattern(node["value"]);
      if (node["file"]) model.file = pattern(node["file"]);
      model.kind = effects::kind_from_key(node["kind"].as<std::string>());
      const auto text = [&](const char* key) { return node[key] ? node[key].as<std::string>() : std::string(); };
      model.take = text("take");
      model.topic = text("topic");
      model.says = text("says");
      model.protocol = text("protocol");
      model.data = text("data");
      out.push_back(std::move(model));
    }
    return out;
  }();
  return list;
}

// The host, port and path of a value: a URL, a numeric address, or a name with a dot and a known kind of last label.
std::optional<effects::Endpoint> peer_in(std::string_view value, const std::string& protocol) {
  static const std::regex url("(?:^|[\\s'\"])([a-z][a-z0-9+.-]*)://(?:[^/@\\s]*@)?([A-Za-z0-9.-]+|\\[[0-9a-fA-F:]+\\])(?::([0-9]+))?");
  static const std::regex name("^([A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+)(?::([0-9]{1,5}))?(?:/\\S*)?(?:[\\s,;].*)?$");
  // Endings of files and of keys, which look like the last label of a host name.
  static const std::regex other("\\.(sh|conf|cfg|ini|xml|json|js|css|html?|php|asp|cgi|txt|log|bin|img|so|ko|pem|key|crt|cer|der|png|gif|jpe?g|gz|tgz|zip|tar|lua|py|pl|dat|db|lock|pid|sock|local|lan|home|example|invalid|test|properties|default|schema|value|name|type)$", std::regex::icase);
  std::smatch match;
  const std::string text(value.substr(0, 400));
  std::string host, port, scheme;
  if (std::regex_search(text, match, url)) {
    scheme = base::lower(match[1].str());
    host = match[2].str();
    port = match[3].str();
  } else if (std::regex_match(text, match, name)) {
    host = match[1].str();
    port = match[2].str();
    const bool number = effects::scope_of_address(host) != effects::Scope::unknown;
    const std::string last = host.substr(host.rfind('.') + 1);
    const bool letters = last.size() >= 2 && last.size() <= 12 && std::ranges::all_of(last, [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; });
    if (!number && (!letters || std::regex_search(host, other))) return std::nullopt;
  } else {
    return std::nullopt;
  }
  auto peer = effects::endpoint_from_name(host, effects::Provenance::shipped_default);
  if (peer.scope == effects::Scope::unspecified || peer.scope == effects::Scope::loopback || host.find('.') == std::string::npos) return std::nullopt;
  peer.protocol = scheme.empty() ? protocol : scheme;
  if (!port.empty() && port.size() < 6) peer.port = static_cast<std::uint16_t>(std::stoul(port));
  return peer;
}

std::string section_of(const std::string& path) { return path.substr(0, path.rfind('/') == std::string::npos ? 0 : path.rfind('/')); }

// The user whose password stands at `at`: the nearest name in the same section.
std::string user_beside(const std::vector<Setting>& settings, std::size_t at) {
  static const std::regex user("(^|[/_])(user|username|user_name|name|login|loginuser|account|uid)[0-9]*$|(user(name)?|login(user|name)?)$");
  for (std::size_t distance = 1; distance <= 4; ++distance)
    for (const auto other : {at - distance, at + distance}) {
      if (other >= settings.size() || section_of(settings[other].path) != section_of(settings[at].path)) continue;
      if (std::regex_search(settings[other].path, user) && !settings[other].value.empty() && settings[other].value.size() < 64) return settings[other].value;
    }
  return {};
}

// False: the setting says nothing after all.
bool fill(Effect& effect, const SettingModel& model, const std::vector<Setting>& settings, std::size_t at) {
  const Setting& setting = settings[at];
  effect.kind = *model.kind;
  effect.object.value = setting.path;
  effect.object.provenance = effects::Provenance::shipped_default;
  effect.notes["setting"] = setting.path;
  if (!model.topic.empty()) effect.notes["topic"] = model.topic;
  effect.notes["says"] = model.says;
  if (!model.data.empty()) effect.data.push_back(model.data);
  if (model.take == "host") {
    effect.peer = peer_in(setting.value, model.protocol);
    return effect.peer.has_value();
  }
  if (model.take.empty()) {
    effect.notes["value"] = setting.value.substr(0, 100);
    return true;
  }
  const std::string user = user_beside(settings, at);
  const std::string who = user.empty() ? setting.path : user;
  effect.object.value = who;
  effect.notes["account"] = who;
  effect.notes["way"] = "settings";
  if (model.take == "empty-secret") {
    effect.notes["password"] = "none";
    return true;
  }
  effect.notes["secret"] = setting.value;
  if (model.take == "secret") {
    effect.notes["password"] = "constant";
    return true;
  }
  const bool known = is_published_password(setting.value) || password_of_hash(setting.value).has_value();
  effect.notes["password"] = known ? "known" : "constant";
  if (known) effect.notes["says"] = "a password from the list of published defaults";
  return true;
}

bool is_settings_file(std::string_view path) {
  for (const auto part : {"/doc/", "/docs/", "/man/", "/locale/", "/zoneinfo/", "/terminfo/", "/i18n/", "/lang/", "/licenses/", "/include/"})
    if (path.find(part) != std::string_view::npos) return false;
  const std::string name = base::lower(path.substr(path.rfind('/') + 1));
  for (const auto no : {"services", "protocols", "mime.types", "magic", "passwd", "shadow", "group", "hosts", "inittab", "fstab", "ethertypes", "networks", "terminfo", "rpc"})
    if (name == no) return false;
  for (const auto ending : {".conf", ".cfg", ".ini", ".xml", ".json", ".dat", ".default", ".defaults", ".config", ".properties", ".plist", ".cnf", ".prop", ".settings", ".cgi", ".list", ".rc", ".nvram"})
    if (name.ends_with(ending)) return true;
  return path.starts_with("/etc/") || name.find("default") != std::string::npos || name.find("config") != std::string::npos || name.find("settings") != std::string::npos;
}

// Pages with lists to choose from: only what an <option> offers.
bool is_page(std::string_view path) {
  for (const auto ending : {".php", ".asp", ".htm", ".html", ".shtml", ".jsp"})
    if (path.ends_with(ending)) return true;
  return false;
}

bool is_text(base::ByteView bytes) {
  return std::ranges::none_of(base::clipped(bytes, 0, 4096), [](auto byte) { return byte == 0 || (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r' && byte != 0x1B); });
}

// Names of hosts in a settings file of an unknown binary form: each stands alone between bytes that are no text.
std::vector<Effect> effects_of_binary_settings(base::ByteView bytes, const std::string& file) {
  std::vector<Effect> out;
  const auto text = base::as_text(bytes);
  for (std::size_t at = 0; at < text.size() && out.size() < 50;) {
    std::size_t end = at;
    while (end < text.size() && text[end] > 0x20 && text[end] < 0x7F) ++end;
    if (end - at >= 8 && end - at < 100)
      if (const auto word = text.substr(at, end - at); word.find('.') != std::string_view::npos && word.find('/') != 0)
        if (auto peer = peer_in(word, ""); peer && !peer->host.empty()) {
          Effect effect;
          effect.kind = Kind::connect;
          effect.site.file = file;
          effect.site.address = at;
          effect.site.words = std::string(word);
          effect.peer = std::move(peer);
          effect.assumed = true;
          effect.assumption = "a host name in a settings file whose form is not known";
          out.push_back(std::move(effect));
        }
    at = end + 1;
  }
  return out;
}

}  // namespace

std::vector<Effect> effects_of_settings(const std::vector<Setting>& settings, const std::string& file, std::uint32_t line) {
  std::vector<Effect> out;
  for (std::size_t i = 0; i < settings.size() && out.size() < 400; ++i)
    for (const SettingModel& model : models()) {
      const Setting& setting = settings[i];
      if (model.take == "host" && setting.value.find('.') == std::string::npos) continue;
      if (setting.path.size() > 300 || setting.value.size() > 1000) break;
      if (!std::regex_search(setting.path, model.path) || (model.excluded && std::regex_search(setting.path, *model.excluded))) continue;
      if ((model.value && !std::regex_search(setting.value, *model.value)) || (model.file && !std::regex_search(file, *model.file))) continue;
      if (!model.kind) break;
      Effect effect;
      effect.site.file = file;
      effect.site.line = setting.line + line;
      effect.site.words = setting.words;
      if (!fill(effect, model, settings, i)) continue;
      out.push_back(std::move(effect));
      break;
    }
  return out;
}

namespace {

// What development left behind, by its path.
std::optional<Effect> leftover(const std::string& path, base::ByteView bytes) {
  static const std::vector<std::pair<std::regex, std::string>> list = [] {
    std::vector<std::pair<std::regex, std::string>> out;
    for (const auto& node : YAML::Load(std::string(embedded::settings_yaml))["leftovers"]) out.emplace_back(pattern(node["path"]), node["says"].as<std::string>());
    return out;
  }();
  for (const auto& [path_pattern, says] : list) {
    if (!std::regex_search(path, path_pattern)) continue;
    Effect effect;
    effect.kind = Kind::setting;
    effect.site.file = path;
    effect.site.line = 1;
    const auto text = base::as_text(base::clipped(bytes, 0, 200));
    if (is_text(bytes)) effect.site.words = std::string(base::trim(text.substr(0, text.find('\n'))));
    effect.object.value = path;
    effect.notes = {{"topic", "leftover"}, {"says", "left behind by development: " + says}};
    return effect;
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::pair<std::string, effects::Endpoint>> peers_of_settings(const std::vector<Setting>& settings) {
  std::vector<std::pair<std::string, effects::Endpoint>> out;
  for (const Setting& setting : settings)
    if (setting.value.find('.') != std::string::npos)
      if (auto peer = peer_in(setting.value, "")) out.emplace_back(setting.path, std::move(*peer));
  return out;
}

std::vector<ProgramFacts> facts_of_settings(const unpack::Firmware& firmware) {
  std::vector<ProgramFacts> out;
  for (const auto& node : firmware.root.nodes()) {
    if (node.type != unpack::NodeType::regular || node.size == 0 || node.size > (1 << 18)) continue;
    const bool page = is_page(node.path);
    const base::ByteView bytes = firmware.bytes(node);
    if (auto left = leftover(node.path, bytes)) {
      ProgramFacts facts;
      facts.program.path = node.path;
      facts.program.kind = effects::Program::Kind::table;
      facts.program.depth = effects::Program::Depth::recognised;
      facts.program.sha256 = base::sha256_hex(bytes);
      facts.effects.push_back(std::move(*left));
      out.push_back(std::move(facts));
      continue;
    }
    if (!page && !is_settings_file(node.path)) continue;
    if (bytes.empty() || elf::is_elf(bytes) || shell::looks_like_script(base::as_text(base::clipped(bytes, 0, 256)))) continue;
    ProgramFacts facts;
    if (page) {
      const auto text = base::as_text(bytes);
      if (text.find("<option") == std::string_view::npos) continue;
      auto settings = read_settings("<page>" + std::string(text));
      std::erase_if(settings, [](const Setting& s) { return !s.path.ends_with("option/value"); });
      facts.effects = effects_of_settings(settings, node.path);
    } else {
      facts.effects = is_text(bytes) ? effects_of_settings(read_settings(base::as_text(bytes)), node.path) : effects_of_binary_settings(bytes, node.path);
    }
    if (facts.effects.empty()) continue;
    facts.program.path = node.path;
    facts.program.kind = effects::Program::Kind::table;
    facts.program.depth = effects::Program::Depth::modelled;
    facts.program.sha256 = base::sha256_hex(bytes);
    out.push_back(std::move(facts));
  }
  return out;
}

}  // namespace derive
