#include "derive/tables.h"

#include <crypt.h>
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/hash.h"
#include "base/text.h"
#include "derive/embedded.h"

namespace derive {

using effects::Effect;
using effects::Kind;

namespace {

const std::vector<std::string>& published_passwords() {
  static const std::vector<std::string> list = [] {
    std::vector<std::string> out;
    for (const auto& item : YAML::Load(std::string(embedded::passwords_yaml))["passwords"]) out.push_back(item.as<std::string>());
    return out;
  }();
  return list;
}

// The published default that `hash` is of, by crypt(3). Slow methods (a parameter of rounds) are tried with fewer words.
std::optional<std::string> cracked(const std::string& hash) {
  crypt_data data{};
  std::size_t tries = hash.starts_with("$5$") || hash.starts_with("$6$") || hash.starts_with("$y$") || hash.starts_with("$2") ? 24 : 400;
  if (hash.find("rounds=") != std::string::npos) tries = 4;
  for (const auto& word : published_passwords()) {
    if (tries-- == 0) break;
    const char* result = crypt_r(word.c_str(), hash.c_str(), &data);
    if (result && hash == result) return word;
  }
  return std::nullopt;
}

bool is_hash(std::string_view field) {
  if (field.starts_with('$')) return field.size() > 10;
  return field.size() == 13 && field.find_first_of("*!:") == std::string_view::npos;  // DES, crypt(3)
}

bool refuses_logins(std::string_view shell) {
  return shell.ends_with("/false") || shell.ends_with("/nologin") || shell.ends_with("/sync") || shell.ends_with("/halt");
}

ProgramFacts table(std::string_view path, base::ByteView bytes) {
  ProgramFacts facts;
  facts.program.path = std::string(path);
  facts.program.kind = effects::Program::Kind::table;
  facts.program.depth = effects::Program::Depth::modelled;
  facts.program.sha256 = base::sha256_hex(bytes);
  return facts;
}

Effect account(const std::string& path, std::uint32_t line, std::string_view words, std::string_view user) {
  Effect effect;
  effect.kind = Kind::account;
  effect.site.file = path;
  effect.site.line = line;
  effect.site.words = std::string(words);
  effect.object.value = std::string(user);
  effect.notes["account"] = std::string(user);
  return effect;
}

// passwd(5) and shadow(5). `shells` holds what passwd says of each user; users without a line there may log in.
void read_accounts(ProgramFacts& facts, std::string_view text, const std::map<std::string, std::string, std::less<>>& shells) {
  std::uint32_t number = 0;
  for (const auto line : base::split(text, '\n')) {
    ++number;
    const auto fields = base::split(base::trim(line), ':');
    if (fields.size() < 2 || fields[0].empty() || fields[0].starts_with('#') || number > 500) continue;
    const auto shell = shells.find(fields[0]);
    if (shell != shells.end() && refuses_logins(shell->second)) continue;
    const std::string field(fields[1]);
    Effect effect = account(facts.program.path, number, line, fields[0]);
    effect.notes["secret"] = field;
    if (field.empty()) {
      effect.notes["password"] = "none";
      effect.notes["says"] = "an empty password";
    } else if (is_hash(field)) {
      const auto word = cracked(field);
      effect.notes["password"] = word ? (word->empty() ? "none" : "known") : "constant";
      effect.notes["says"] = word ? (word->empty() ? "an empty password" : "a password from the list of published defaults") : "a password hash that every device shares";
    } else {
      continue;  // locked, or the hash is in shadow
    }
    facts.effects.push_back(std::move(effect));
  }
}

std::string_view key_kind(std::string_view text) {
  const auto at = text.find("-----BEGIN ");
  if (at == std::string_view::npos) return {};
  const auto head = text.substr(at, 64);
  if (head.find("PRIVATE KEY-----") == std::string_view::npos) return {};
  return text.find("-----END", at) == std::string_view::npos ? std::string_view{} : std::string_view("private");
}

void read_key(ProgramFacts& facts, std::string_view text) {
  const auto at = text.find("-----BEGIN ");
  Effect effect;
  effect.kind = Kind::key_material;
  effect.site.file = facts.program.path;
  effect.site.line = static_cast<std::uint32_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1);
  effect.site.words = std::string(text.substr(at, text.find('\n', at) - at));
  effect.notes["key"] = "private";
  const bool locked = text.find("ENCRYPTED", at) != std::string_view::npos;
  effect.notes["says"] = locked ? "it is itself encrypted" : "PEM, not encrypted";
  effect.notes["password"] = "constant";
  facts.effects.push_back(std::move(effect));
}

}  // namespace

std::vector<ProgramFacts> facts_of_tables(const unpack::Firmware& firmware) {
  std::vector<ProgramFacts> out;
  for (const auto& node : firmware.root.nodes()) {
    if (node.type != unpack::NodeType::regular) continue;
    const base::ByteView bytes = firmware.bytes(node);
    if (bytes.empty() || bytes.size() > (1 << 18)) continue;
    const std::string name = node.path.substr(node.path.rfind('/') + 1);
    const bool passwd = name.starts_with("passwd") || name.starts_with("shadow");
    if (passwd && node.path.find("/etc") != std::string::npos && base::as_text(bytes).find(':') != std::string_view::npos) {
      std::map<std::string, std::string, std::less<>> shells;
      const std::string sibling = node.path.substr(0, node.path.rfind('/') + 1) + "passwd" + name.substr(6);
      if (const auto* other = firmware.root.resolve(sibling))
        for (const auto line : base::split(base::as_text(firmware.bytes(*other)), '\n'))
          if (const auto fields = base::split(base::trim(line), ':'); fields.size() >= 7) shells.emplace(fields[0], fields[6]);
      ProgramFacts facts = table(node.path, bytes);
      read_accounts(facts, base::as_text(bytes), shells);
      if (!facts.effects.empty()) out.push_back(std::move(facts));
    } else if (!key_kind(base::as_text(bytes)).empty()) {
      ProgramFacts facts = table(node.path, bytes);
      read_key(facts, base::as_text(bytes));
      out.push_back(std::move(facts));
    }
  }
  return out;
}

std::vector<ProgramFacts> facts_of_starts(const std::vector<shell::Start>& starts, const Models& models) {
  std::map<std::string, ProgramFacts> by_table;
  for (const auto& start : starts) {
    if (start.command_line.empty() || start.source_file.empty()) continue;
    auto [entry, fresh] = by_table.try_emplace(start.source_file);
    ProgramFacts& facts = entry->second;
    if (fresh) {
      facts.program.path = start.source_file;
      facts.program.kind = effects::Program::Kind::table;
      facts.program.depth = effects::Program::Depth::modelled;
    }
    effects::Trigger trigger{effects::Trigger::Kind::boot, start.detail};
    using When = shell::Start::When;
    switch (start.when) {
      case When::boot: case When::respawn: break;
      case When::login: trigger.kind = effects::Trigger::Kind::login; break;
      case When::timer: trigger.kind = effects::Trigger::Kind::timer; break;
      case When::hotplug: trigger.kind = effects::Trigger::Kind::hotplug; break;
      case When::network_up: trigger.kind = effects::Trigger::Kind::network_up; break;
      case When::card_inserted: trigger.kind = effects::Trigger::Kind::media; break;
      case When::key: trigger.kind = effects::Trigger::Kind::key; break;
      case When::network_input: trigger.kind = effects::Trigger::Kind::network_input; break;
      case When::unknown: trigger.kind = effects::Trigger::Kind::unknown; break;
    }
    effects::Site site;
    site.file = start.source_file;
    const auto added = add_command_line(facts, start.command_line, site, {trigger}, models);
    for (const auto i : added) {
      facts.effects[i].site.line = start.line;
      facts.effects[i].site.words = start.command_line;
    }
  }
  std::vector<ProgramFacts> out;
  for (auto& [path, facts] : by_table) out.push_back(std::move(facts));
  return out;
}

}  // namespace derive
