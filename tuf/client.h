// The whole client: a directory of trusted metadata, a repository's address, and what may be installed from
// it.
//
//   auto fetcher = tuf::make_fetcher();
//   auto client = tuf::Client::open("/var/lib/device/tuf", "https://example.org/metadata", *fetcher);
//   if (!client || !client->refresh()) ...          // nothing may be installed
//   auto target = client->find("firmware.swu");     // signed length, hashes and custom fields
//   client->download(*target, "https://example.org/targets", "/var/lib/device/incoming");
//
// Metadata is kept under unversioned names (root.json, …; a delegated role's name is percent-encoded, a
// leading '.' too), each file whole or absent whatever moment the power fails. A refusal leaves what was
// trusted before.
#pragma once

#include <optional>
#include <string>

#include "tuf/fetch.h"
#include "tuf/metadata.h"
#include "tuf/store.h"
#include "tuf/trusted.h"

namespace tuf {

struct Options {
  std::uint64_t root_limit = 512'000;  // bytes, as are the next three
  std::uint64_t timestamp_limit = 16'384;
  std::uint64_t snapshot_limit = 2'000'000;               // unless the timestamp gives the length
  std::uint64_t targets_limit = 5'000'000;                // unless the snapshot gives the length
  std::uint64_t artifact_limit = std::uint64_t{4} << 30;  // a larger target is refused before it is asked for
  int root_rotations = 256;                               // in one refresh
  int delegations = 64;                                   // roles visited in one search
  KeyIds key_ids = KeyIds::any_unique;
  std::optional<std::int64_t>
      now;  // the update's start time, seconds since the epoch; else the system clock's
};

// Makes `root` the trust anchor in `directory`. It must be signed by its own keys. A newer root that is there
// already stays. Expiry is not looked at: an old anchor is how an old device finds the way to the newest
// root.
Result<void> install_root(const std::string& directory, std::string_view root);

class Client {
 public:
  // `metadata_url` with or without a slash at the end. `fetcher` must outlive the client.
  static Result<Client> open(const std::string& directory, std::string metadata_url, Fetcher& fetcher,
                             const Options& options = {});

  // Brings root, timestamp, snapshot and targets up to date (5.3 to 5.6). Anything but success means that
  // nothing may be installed now.
  Result<void> refresh();

  // After refresh(): what the first trusted role in the order of delegation says of `path`; unknown_target
  // when none does. A delegated role on the way that cannot be verified ends the search with that error.
  Result<TargetFile> find(const std::string& path);

  // The artifact's file in `directory`, its name the percent-encoded target path (a leading '.' too). Fetched
  // only when the file there does not already have the signed length and hashes; complete and verified before
  // it takes that name.
  Result<std::string> download(const TargetFile& target, const std::string& base_url,
                               const std::string& directory);

  // After refresh().
  const TrustedSet& trusted() const { return *trusted_; }

 private:
  Client(Store store, std::string metadata_url, Fetcher& fetcher, const Options& options);
  Result<void> refresh_root();
  Result<void> refresh_timestamp();
  Result<void> refresh_snapshot();
  Result<Targets> load_targets(const std::string& role, const KeyRing& keys, const RoleKeys& wanted);
  std::string metadata_url(const std::string& role, std::optional<std::int64_t> version) const;

  Store store_;
  std::string url_;
  Fetcher* fetcher_;
  Options options_;
  std::optional<TrustedSet> trusted_;
  std::optional<Targets> targets_;  // the top-level role, once refresh() succeeded
};

}  // namespace tuf
