#include "tuf/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "tuf/fields.h"

namespace tuf {
namespace {

constexpr std::string_view top_level_roles[] = {"root", "timestamp", "snapshot", "targets"};

// "1", dot, digits, perhaps another dot and digits: any 1.x of the specification.
bool supported_version(std::string_view text) {
  if (!text.starts_with("1.")) return false;
  text.remove_prefix(2);
  const auto dot = text.find('.');
  const auto digits = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
  };
  return digits(text.substr(0, dot)) && (dot == std::string_view::npos || digits(text.substr(dot + 1)));
}

Common read_common(Fields& fields) {
  Common out;
  out.version = fields.whole("version", 1);
  if (const auto date = read_date(fields.text("expires")))
    out.expires = *date;
  else
    fields.refuse("\"expires\" is not a date");
  return out;
}

std::vector<std::string> read_texts(const Json& array, Fields& owner, const char* name) {
  std::vector<std::string> out;
  for (const Json& item : array) {
    if (item.is_string())
      out.push_back(item.get<std::string>());
    else
      owner.refuse(fmt::format("\"{}\" holds something that is not a string", name));
  }
  return out;
}

RoleKeys read_role_keys(Fields& fields) {
  RoleKeys out;
  out.keyids = read_texts(fields.array("keyids"), fields, "keyids");
  out.threshold = static_cast<std::uint64_t>(fields.whole("threshold", 1));
  if (std::set<std::string>(out.keyids.begin(), out.keyids.end()).size() != out.keyids.size())
    fields.refuse("a keyid is listed twice");
  return out;
}

KeyRing read_keys(const Json& object, KeyIds ids, Fields& owner) {
  KeyRing out;
  for (const auto& [id, value] : object.items()) {
    Fields key(value, "key " + id);
    key.text("keytype");
    key.text("scheme");
    key.object("keyval");
    if (!key.ok()) {
      owner.refuse(key.error().message);
      return out;
    }
    if (ids == KeyIds::hashed && key_id(value) != id) continue;
    if (auto usable = read_public_key(value)) out.emplace(id, std::move(*usable));
  }
  return out;
}

Hashes read_hashes(const Json& object, Fields& owner) {
  Hashes out;
  for (const auto& [algorithm, value] : object.items()) {
    if (value.is_string())
      out[algorithm] = value.get<std::string>();
    else
      owner.refuse("a hash is not a string");
  }
  if (out.empty()) owner.refuse("\"hashes\" is empty");
  return out;
}

FileMeta read_file_meta(const Json& value, const std::string& where, Fields& owner) {
  Fields fields(value, where);
  FileMeta out;
  out.version = fields.whole("version", 1);
  if (fields.has("length")) out.length = static_cast<std::uint64_t>(fields.whole("length", 0));
  if (fields.has("hashes")) out.hashes = read_hashes(fields.object("hashes"), fields);
  if (!fields.ok()) owner.refuse(fields.error().message);
  return out;
}

TargetFile read_target(const std::string& path, const Json& value, Fields& owner) {
  Fields fields(value, "target " + path);
  TargetFile out;
  out.path = path;
  out.length = static_cast<std::uint64_t>(fields.whole("length", 0));
  out.hashes = read_hashes(fields.object("hashes"), fields);
  if (fields.ok() && fields.has("custom")) out.custom = fields.object("custom");
  if (!fields.ok()) owner.refuse(fields.error().message);
  return out;
}

bool reserved(const std::string& name) {
  return name.empty() || std::ranges::find(top_level_roles, name) != std::end(top_level_roles);
}

Delegation read_delegation(const Json& value, Fields& owner) {
  Fields fields(value, "delegation");
  Delegation out;
  out.name = fields.text("name");
  if (reserved(out.name)) fields.refuse("a delegated role has no name of its own");
  out.keys = read_role_keys(fields);
  out.terminating = fields.flag("terminating");
  out.by_hash = fields.has("path_hash_prefixes");
  if (out.by_hash == fields.has("paths"))
    fields.refuse("exactly one of \"paths\" and \"path_hash_prefixes\" is needed");
  else if (out.by_hash)
    out.path_hash_prefixes = read_texts(fields.array("path_hash_prefixes"), fields, "path_hash_prefixes");
  else
    out.paths = read_texts(fields.array("paths"), fields, "paths");
  if (!fields.ok()) owner.refuse(fields.error().message);
  return out;
}

SuccinctRoles read_succinct(const Json& value, Fields& owner) {
  Fields fields(value, "succinct_roles");
  SuccinctRoles out;
  out.keys = read_role_keys(fields);
  out.bit_length = static_cast<int>(fields.whole("bit_length", 1, 32));
  out.name_prefix = fields.text("name_prefix");
  if (!fields.ok()) owner.refuse(fields.error().message);
  return out;
}

Delegations read_delegations(const Json& value, KeyIds ids, Fields& owner) {
  Fields fields(value, "delegations");
  Delegations out;
  out.keys = read_keys(fields.object("keys"), ids, fields);
  if (fields.has("roles") == fields.has("succinct_roles")) {
    fields.refuse("exactly one of \"roles\" and \"succinct_roles\" is needed");
  } else if (fields.has("succinct_roles")) {
    out.succinct = read_succinct(fields.object("succinct_roles"), fields);
  } else {
    std::set<std::string> names;
    for (const Json& item : fields.array("roles")) {
      out.roles.push_back(read_delegation(item, fields));
      if (!names.insert(out.roles.back().name).second) fields.refuse("a role is delegated to twice");
    }
  }
  if (!fields.ok()) owner.refuse(fields.error().message);
  return out;
}

// The hash-bin that a path falls into (TAP 15): the first bits of the path's SHA-256.
std::string bin_name(const SuccinctRoles& roles, const std::string& path_hash) {
  const auto first = from_hex(std::string_view(path_hash).substr(0, 8));
  std::uint64_t bits = 0;
  for (const char c : *first) bits = bits << 8 | static_cast<unsigned char>(c);
  const int width = (roles.bit_length + 3) / 4;
  return fmt::format("{}-{:0{}x}", roles.name_prefix, bits >> (32 - roles.bit_length), width);
}

// One `[set]` at the start of `pattern`: its length, or 0 when it is never closed (then '[' is an ordinary
// character).
std::size_t set_length(std::string_view pattern) {
  std::size_t at = 1;
  if (at < pattern.size() && pattern[at] == '!') ++at;
  if (at < pattern.size() && pattern[at] == ']') ++at;
  while (at < pattern.size() && pattern[at] != ']' && pattern[at] != '/') ++at;
  return at < pattern.size() && pattern[at] == ']' ? at + 1 : 0;
}

bool in_set(std::string_view set, char c) {  // `set` with its brackets
  set = set.substr(1, set.size() - 2);
  const bool inverted = set.starts_with('!');
  if (inverted) set.remove_prefix(1);
  bool found = false;
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (i + 2 < set.size() && set[i + 1] == '-') {
      found = found || (set[i] <= c && c <= set[i + 2]);
      i += 2;
    } else {
      found = found || set[i] == c;
    }
  }
  return found != inverted;
}

}  // namespace

std::optional<std::int64_t> read_date(std::string_view text) {
  constexpr std::string_view shape = "0000-00-00T00:00:00Z";
  std::string whole(text);
  if (const std::size_t dot = shape.size() - 1; text.size() > dot && text[dot] == '.') {
    const auto end = text.find_first_not_of("0123456789", dot + 1);
    if (end == dot + 1 || end == std::string_view::npos) return std::nullopt;
    whole.erase(dot, end - dot);
  }
  text = whole;
  if (text.size() != shape.size()) return std::nullopt;
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i]) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = 0;
    for (std::size_t i = at; i < at + length; ++i) value = value * 10 + (text[i] - '0');
    return value;
  };
  namespace chrono = std::chrono;
  const chrono::year_month_day day{chrono::year(number(0, 4)),
                                   chrono::month(static_cast<unsigned>(number(5, 2))),
                                   chrono::day(static_cast<unsigned>(number(8, 2)))};
  if (!day.ok() || number(11, 2) > 23 || number(14, 2) > 59 || number(17, 2) > 59) return std::nullopt;
  return std::int64_t{chrono::sys_days(day).time_since_epoch().count()} * 86400 + number(11, 2) * 3600 +
         number(14, 2) * 60 + number(17, 2);
}

std::string write_date(std::int64_t seconds) {
  namespace chrono = std::chrono;
  const std::int64_t days = seconds >= 0 ? seconds / 86400 : -((-seconds + 86399) / 86400);
  const std::int64_t rest = seconds - days * 86400;
  const chrono::year_month_day day{chrono::sys_days(chrono::days(days))};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()), rest / 3600,
                     rest / 60 % 60, rest % 60);
}

Result<Envelope> open_envelope(std::string_view bytes, std::string_view type) {
  auto document = parse_json(bytes);
  if (!document) return fail(document.error().kind, fmt::format("{}: {}", type, document.error().message));
  Fields fields(*document, std::string(type));
  Envelope out;
  out.body = fields.object("signed");
  std::set<std::string> seen;
  for (const Json& item : fields.array("signatures")) {
    Fields signature(item, fmt::format("{}: signature", type));
    out.signatures.push_back({signature.text("keyid"), signature.text("sig")});
    if (!signature.ok()) return std::unexpected(signature.error());
    if (!seen.insert(out.signatures.back().keyid).second)
      return fail(Error::Kind::malformed, fmt::format("{}: two signatures with the same keyid", type));
  }
  if (!fields.ok()) return std::unexpected(fields.error());
  Fields body(out.body, std::string(type));
  const std::string actual = body.text("_type");
  if (!supported_version(body.text("spec_version"))) body.refuse("\"spec_version\" is not 1.x");
  if (!body.ok()) return std::unexpected(body.error());
  if (actual != type)
    return fail(Error::Kind::mismatch, fmt::format("{}: the file is of type \"{}\"", type, actual));
  out.signed_bytes = canonical_json(out.body);
  return out;
}

Result<Root> read_root(const Envelope& envelope, KeyIds ids) {
  Fields fields(envelope.body, "root");
  Root out;
  static_cast<Common&>(out) = read_common(fields);
  if (fields.has("consistent_snapshot")) out.consistent_snapshot = fields.flag("consistent_snapshot");
  out.keys = read_keys(fields.object("keys"), ids, fields);
  const Json& roles = fields.object("roles");
  for (const auto& [name, value] : roles.items()) {
    Fields role(value, "root: role " + name);
    out.roles[name] = read_role_keys(role);
    if (!role.ok()) fields.refuse(role.error().message);
  }
  for (const auto name : top_level_roles)
    if (!out.roles.contains(std::string(name)))
      fields.refuse(fmt::format("the role \"{}\" is missing", name));
  if (!fields.ok()) return std::unexpected(fields.error());
  return out;
}

Result<Timestamp> read_timestamp(const Envelope& envelope) {
  Fields fields(envelope.body, "timestamp");
  Timestamp out;
  static_cast<Common&>(out) = read_common(fields);
  const Json& meta = fields.object("meta");
  if (fields.ok() && !meta.contains("snapshot.json")) fields.refuse("\"snapshot.json\" is missing");
  if (fields.ok())
    out.snapshot = read_file_meta(meta.at("snapshot.json"), "timestamp: snapshot.json", fields);
  if (!fields.ok()) return std::unexpected(fields.error());
  return out;
}

Result<Snapshot> read_snapshot(const Envelope& envelope) {
  Fields fields(envelope.body, "snapshot");
  Snapshot out;
  static_cast<Common&>(out) = read_common(fields);
  for (const auto& [name, value] : fields.object("meta").items())
    out.meta[name] = read_file_meta(value, "snapshot: " + name, fields);
  if (fields.ok() && !out.meta.contains("targets.json")) fields.refuse("\"targets.json\" is missing");
  if (!fields.ok()) return std::unexpected(fields.error());
  return out;
}

Result<Targets> read_targets(const Envelope& envelope, KeyIds ids) {
  Fields fields(envelope.body, "targets");
  Targets out;
  static_cast<Common&>(out) = read_common(fields);
  for (const auto& [path, value] : fields.object("targets").items())
    out.targets[path] = read_target(path, value, fields);
  if (fields.has("delegations"))
    out.delegations = read_delegations(fields.object("delegations"), ids, fields);
  if (!fields.ok()) return std::unexpected(fields.error());
  return out;
}

Result<void> verify_role(const Envelope& envelope, const KeyRing& keys, const RoleKeys& role,
                         std::string_view what) {
  std::set<std::string_view> signers;
  for (const std::string& keyid : role.keyids) {
    const auto key = keys.find(keyid);
    const auto signature = std::ranges::find(envelope.signatures, keyid, &Signature::keyid);
    if (key == keys.end() || signature == envelope.signatures.end()) continue;
    if (verify_signature(key->second, envelope.signed_bytes, signature->sig))
      signers.insert(key->second.spki);
    if (signers.size() >= role.threshold) return {};
  }
  return fail(Error::Kind::unsigned_,
              fmt::format("{}: {} good signatures, {} needed", what, signers.size(), role.threshold));
}

std::vector<Delegation> delegations_for(const Delegations& from, const std::string& target_path) {
  const std::string hash = *digest_hex("sha256", target_path);
  std::vector<Delegation> out;
  if (from.succinct) {
    Delegation bin;
    bin.name = bin_name(*from.succinct, hash);
    bin.keys = from.succinct->keys;
    bin.terminating = true;
    if (!reserved(bin.name)) out.push_back(std::move(bin));
    return out;
  }
  for (const Delegation& role : from.roles) {
    const bool mine = role.by_hash
                          ? std::ranges::any_of(role.path_hash_prefixes,
                                                [&](const auto& prefix) { return hash.starts_with(prefix); })
                          : std::ranges::any_of(role.paths, [&](const auto& pattern) {
                              return path_matches(pattern, target_path);
                            });
    if (mine) out.push_back(role);
  }
  return out;
}

bool path_matches(std::string_view pattern, std::string_view path) {
  constexpr std::size_t none = std::string_view::npos;
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = none;    // position after the last '*' passed
  std::size_t resume = none;  // where its match would end next
  while (t < path.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      resume = t;
      continue;
    }
    const std::size_t set = p < pattern.size() && pattern[p] == '[' ? set_length(pattern.substr(p)) : 0;
    if (set > 0 && path[t] != '/' && in_set(pattern.substr(p, set), path[t])) {
      p += set;
      ++t;
    } else if (set == 0 && p < pattern.size() &&
               ((pattern[p] == '?' && path[t] != '/') || (pattern[p] != '?' && pattern[p] == path[t]))) {
      ++p;
      ++t;
    } else if (star != none && path[resume] != '/') {
      p = star;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace tuf
