// Bytes of one metadata file into the structs that the client's workflow reasons about, and signatures into
// trust. Source: TUF specification 1.0, "Document formats". Fields that are not named there are kept out of
// the structs and inside the signed bytes. Nothing read here is trusted before verify_role() has said so.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tuf/digest.h"
#include "tuf/json.h"
#include "tuf/key.h"

namespace tuf {

struct Signature {
  std::string keyid;
  std::string sig;  // hex, unchecked
};

// The two halves of a metadata file.
struct Envelope {
  std::string signed_bytes;           // canonical form of "signed"
  Json body;                          // "signed"
  std::vector<Signature> signatures;  // no keyid twice
};

// Must a key's id be the SHA-256 of the key, as section 4.2 of the specification says, or is it a name that
// is unique in its file, as TAP 12 has it and as repositories made by python-tuf, go-tuf and tuf-js are read
// by their own clients? Neither lets one key count twice: verify_role() counts key material.
enum class KeyIds : std::uint8_t { any_unique, hashed };

// A role's keys by id; only those that can verify are in it, and with KeyIds::hashed only those whose id is
// their hash.
using KeyRing = std::map<std::string, PublicKey>;

struct RoleKeys {
  std::vector<std::string> keyids;  // no id twice
  std::uint64_t threshold = 1;      // at least 1
};

struct Common {
  std::int64_t version = 0;  // at least 1
  std::int64_t expires = 0;  // seconds since 1970-01-01T00:00:00Z
};

struct Root : Common {
  bool consistent_snapshot = false;
  KeyRing keys;
  std::map<std::string, RoleKeys> roles;  // at least root, timestamp, snapshot, targets
};

// What timestamp and snapshot say of another metadata file.
struct FileMeta {
  std::int64_t version = 0;
  std::optional<std::uint64_t> length;  // bytes
  Hashes hashes;                        // may be empty
};

struct Timestamp : Common {
  FileMeta snapshot;
};

struct Snapshot : Common {
  std::map<std::string, FileMeta> meta;  // by file name, "targets.json" always among them
};

struct TargetFile {
  std::string path;
  std::uint64_t length = 0;  // bytes
  Hashes hashes;             // at least one
  Json custom;               // null when absent; the repository owner's own fields
};

struct Delegation {
  std::string name;
  RoleKeys keys;
  bool terminating = false;
  std::vector<std::string> paths;               // shell patterns, a `*` stays inside one directory
  std::vector<std::string> path_hash_prefixes;  // hex; used when `by_hash`
  bool by_hash = false;
};

// TAP 15: one delegation to 2^bit_length bins.
struct SuccinctRoles {
  RoleKeys keys;
  int bit_length = 1;  // 1 to 32
  std::string name_prefix;
};

struct Delegations {
  KeyRing keys;
  std::vector<Delegation> roles;  // in order of priority
  std::optional<SuccinctRoles> succinct;
};

struct Targets : Common {
  std::map<std::string, TargetFile> targets;
  std::optional<Delegations> delegations;
};

// Checks shape, `_type` (mismatch when it is another) and spec_version (1.x).
Result<Envelope> open_envelope(std::string_view bytes, std::string_view type);

Result<Root> read_root(const Envelope& envelope, KeyIds ids);
Result<Timestamp> read_timestamp(const Envelope& envelope);
Result<Snapshot> read_snapshot(const Envelope& envelope);
Result<Targets> read_targets(const Envelope& envelope, KeyIds ids);

// Good when at least `role.threshold` different keys (by key material, not by id) signed. `what` names the
// file in the error.
Result<void> verify_role(const Envelope& envelope, const KeyRing& keys, const RoleKeys& role,
                         std::string_view what);

// "2030-01-02T03:04:05Z" into seconds since the epoch. A fraction of a second (tuf-js writes one) is read and
// dropped.
std::optional<std::int64_t> read_date(std::string_view text);
std::string write_date(std::int64_t seconds);

// The delegations of `from` that `target_path` falls under, in order, each as a plain Delegation.
std::vector<Delegation> delegations_for(const Delegations& from, const std::string& target_path);

// Shell pattern with `*`, `?` and `[set]`; none of them matches '/'. Time is bounded by the product of the
// lengths.
bool path_matches(std::string_view pattern, std::string_view path);

}  // namespace tuf
