#include "derive/tables.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <regex>

#include "base/hash.h"
#include "base/text.h"
#include "derive/passwords.h"

namespace derive {

using namespace std::string_view_literals;

using effects::Effect;
using effects::Kind;

namespace {

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

void set_password(Effect& effect, const std::string& field) {
  effect.notes["secret"] = field;
  if (field.empty()) {
    effect.notes["password"] = "none";
    effect.notes["says"] = "an empty password";
  } else if (!is_crypt_hash(field)) {
    effect.notes["password"] = "odd";
    effect.notes["says"] = "a text where the password's hash belongs; no login program would accept it";
  } else {
    const auto word = password_of_hash(field);
    effect.notes["password"] = word ? (word->empty() ? "none" : "known") : "constant";
    effect.notes["says"] = word ? (word->empty() ? "an empty password" : "a password from the list of published defaults") : "a password hash that every device shares";
  }
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
    const bool locked = field.starts_with('*') || field.starts_with('!') || field == "x" || field == "NP" || field == "NONE";
    if (locked) continue;  // or the hash is in shadow
    Effect effect = account(facts.program.path, number, line, fields[0]);
    set_password(effect, field);
    facts.effects.push_back(std::move(effect));
  }
}

std::uint32_t line_at(std::string_view text, std::size_t at) { return static_cast<std::uint32_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1); }

Effect key(const std::string& file, std::string_view text, std::size_t at, const char* kind, std::string says) {
  Effect effect;
  effect.kind = Kind::key_material;
  effect.site.file = file;
  effect.site.line = line_at(text, at);
  effect.site.words = std::string(text.substr(at, std::min<std::size_t>(text.find('\n', at) - at, 200)));
  effect.notes["key"] = kind;
  effect.notes["says"] = std::move(says);
  return effect;
}

// PEM (RFC 7468) private keys, whatever stands before them; the public key that usign and signify trust; authorized_keys.
void read_keys(ProgramFacts& facts, std::string_view text) {
  for (auto at = text.find("-----BEGIN "); at != std::string_view::npos; at = text.find("-----BEGIN ", at + 1)) {
    const std::string_view label = text.substr(at + 11, 40);
    const auto end = label.find("PRIVATE KEY-----");
    if (end == std::string_view::npos || label.substr(0, end).find('-') != std::string_view::npos || text.find("-----END", at) == std::string_view::npos) continue;
    // A program's own constant has no key after it.
    const auto content = text.substr(std::min(at + 11 + end + 16, text.size()), 64);
    const auto start = content.find_first_not_of("\r\n\\n");
    if (start == 0 || start == std::string_view::npos || content.substr(start, 4).find_first_of("-% \0"sv) != std::string_view::npos) continue;
    const bool locked = text.substr(at, 200).find("ENCRYPTED") != std::string_view::npos;
    Effect effect = key(facts.program.path, text, at, "private", locked ? "it is itself encrypted" : "PEM, not encrypted");
    effect.notes["password"] = "constant";
    facts.effects.push_back(std::move(effect));
    if (facts.effects.size() > 50) return;
  }
  if (text.starts_with("untrusted comment: ") && base::lower(text.substr(0, 200)).find("public key") != std::string::npos)
    facts.effects.push_back(key(facts.program.path, text, 0, "public", "a key whose signatures are accepted"));
}

void read_authorized_keys(ProgramFacts& facts, std::string_view text) {
  for (std::size_t at = 0; at < text.size() && facts.effects.size() < 50;) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = base::trim(text.substr(at, end - at));
    const bool is_key = line.find("ssh-rsa AAAA") != std::string_view::npos || line.find("ssh-dss AAAA") != std::string_view::npos || line.find("ssh-ed25519 AAAA") != std::string_view::npos || line.find("ecdsa-sha2-") != std::string_view::npos;
    if (is_key && !line.starts_with('#')) {
      Effect effect = key(facts.program.path, text, at, "authorized", "whoever holds the other half of this key may log in");
      effect.notes["password"] = "constant";
      facts.effects.push_back(std::move(effect));
    }
    at = end + 1;
  }
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
    } else {
      const auto text = base::as_text(bytes);
      if (text.find("PRIVATE KEY-----") == std::string_view::npos && !text.starts_with("untrusted comment: ") && !name.starts_with("authorized_keys")) continue;
      ProgramFacts facts = table(node.path, bytes);
      read_keys(facts, text);
      if (name.starts_with("authorized_keys")) read_authorized_keys(facts, text);
      if (!facts.effects.empty()) out.push_back(std::move(facts));
    }
  }
  return out;
}

namespace {

// A shell that a table starts by itself, with no script to read: whoever sits at the console has it.
std::optional<Effect> console_shell(std::string_view command_line) {
  static const std::regex shell("^(/(usr/)?s?bin/)?(sh|ash|bash|dash|ksh|mksh|zsh|sushell)( (-|--)[a-z]+)*$");
  const std::string line(base::trim(command_line));
  if (!std::regex_match(line, shell) || line.find(" -c") != std::string::npos) return std::nullopt;
  Effect effect;
  effect.kind = Kind::start_service;
  effect.object.value = line.substr(0, line.find(' '));
  effect.notes = {{"protocol", "console"}, {"shell", effect.object.value}};
  return effect;
}

}  // namespace

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
    if (auto shell = console_shell(start.command_line)) {
      shell->site.file = start.source_file;
      shell->site.line = start.line;
      shell->site.words = start.command_line;
      shell->triggers = {trigger};
      facts.effects.push_back(std::move(*shell));
    }
  }
  std::vector<ProgramFacts> out;
  for (auto& [path, facts] : by_table) out.push_back(std::move(facts));
  return out;
}

}  // namespace derive
