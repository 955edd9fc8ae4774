// The publisher's side: keys, releases, and a repository of plain files that any static web server can offer.
// Roles: root 2 of 3 (its keys live in folders of their own, to be carried away), targets, snapshot and
// timestamp 1 of 1.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace update {

struct Publisher {
  std::string repository;              // folder: metadata/ and targets/
  std::string keys;                    // folder of the everyday keys: targets, snapshot, timestamp, package
  std::vector<std::string> root_keys;  // folders with one root key each; two of three are enough to sign
  std::int64_t now = 0;                // seconds since the epoch
};

// New keys for every role, and version 1 of every role. Three folders for root keys are needed.
base::Result<void> publish_first(const Publisher& publisher);

struct Release {
  std::string image_path;
  std::string target = "monitor.swu";
  std::string hardware;
  std::string version;
  std::string notes;
  std::uint64_t release = 0;
  std::uint64_t from_release = 0;
  std::uint64_t floor = 0;
  std::string slot_a;  // where the device's SWUpdate writes, as the device's configuration names it
  std::string slot_b;
  std::string sbom;  // a bill of materials of the image, CycloneDX; may be empty
};
// A package of the image, a target for it (and TARGET.cdx.json for its bill of materials), and new targets, snapshot and timestamp.
base::Result<void> publish_release(const Publisher& publisher, const Release& release);

// A fresh timestamp, every few days.
base::Result<void> publish_timestamp(const Publisher& publisher);

// A new key for `role` ("targets", "snapshot", "timestamp", or "root" for the first of `root_keys`), and a
// new root signed by two old root keys. The role's metadata is signed anew.
base::Result<void> rotate_key(const Publisher& publisher, const std::string& role);

}  // namespace update
