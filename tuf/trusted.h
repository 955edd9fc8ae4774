// Downloaded bytes in, trusted metadata out: the client workflow of the specification (5.3 to 5.6) as a state
// machine that knows neither network nor disk. Each update_*() either makes the new metadata trusted or
// changes nothing.
//
// The order is fixed: start(), update_root() for every newer root, finish_root(), then timestamp, snapshot,
// targets. Metadata from our own disk goes through the same checks as metadata from the repository; it may be
// expired or superseded, and then serves only to notice a rollback.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tuf/metadata.h"

namespace tuf {

class TrustedSet {
 public:
  // `root` is the root that the device was given or kept; it must be signed by its own keys. `now` in seconds
  // since the epoch is the update's fixed start time.
  static Result<TrustedSet> start(std::string_view root, std::int64_t now, KeyIds ids = KeyIds::any_unique);

  // The next root: exactly one version on, signed by the threshold of the current root and by its own.
  Result<void> update_root(std::string_view bytes);
  // Expired when the last root is.
  Result<void> finish_root() const;

  // The timestamp on disk. Refusals here mean that it plays no part.
  Result<void> adopt_timestamp(std::string_view bytes);
  enum class Step { taken, same_version };
  // same_version: equal to what is trusted, which stays (5.4.3.1).
  Result<Step> update_timestamp(std::string_view bytes);
  // Good when the trusted timestamp is not expired.
  Result<void> finish_timestamp() const;

  // The snapshot on disk: becomes the one to compare with; true when it is also the one that the timestamp
  // names.
  Result<bool> adopt_snapshot(std::string_view bytes);
  Result<void> update_snapshot(std::string_view bytes);

  // A targets role, signed with the keys that its delegator wants ("targets" with those of the root). Nothing
  // is remembered: the same role reached through another delegator has to satisfy that delegator's keys as
  // well.
  Result<Targets> check_targets(std::string_view bytes, const std::string& role, const KeyRing& keys,
                                const RoleKeys& wanted) const;

  const Root& root() const { return root_; }
  const std::optional<Timestamp>& timestamp() const { return timestamp_; }
  const std::optional<Snapshot>& snapshot() const { return snapshot_; }
  // What the snapshot says of a targets role.
  Result<FileMeta> targets_meta(const std::string& role) const;

 private:
  TrustedSet(std::int64_t now, KeyIds ids) : now_(now), ids_(ids) {}
  Result<void> check_expiry(const Common& common, std::string_view what) const;
  Result<Timestamp> read_signed_timestamp(std::string_view bytes) const;
  Result<Snapshot> read_signed_snapshot(std::string_view bytes) const;
  Result<void> check_current(const Snapshot& snapshot) const;

  std::int64_t now_;
  KeyIds ids_;
  Root root_;
  std::optional<Timestamp> timestamp_;
  std::optional<Snapshot> snapshot_;
};

// Length and hashes of `bytes` against what `meta` says; nothing said means nothing checked.
Result<void> check_file(const FileMeta& meta, std::string_view bytes, std::string_view what);

}  // namespace tuf
