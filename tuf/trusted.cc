#include "tuf/trusted.h"

#include <fmt/format.h>

namespace tuf {

Result<void> check_file(const FileMeta& meta, std::string_view bytes, std::string_view what) {
  if (meta.length && *meta.length != bytes.size())
    return fail(Error::Kind::mismatch,
                fmt::format("{}: {} bytes, {} signed for", what, bytes.size(), *meta.length));
  if (meta.hashes.empty()) return {};
  Measure measure(meta.hashes);
  measure.add(bytes);
  return measure.finish(what);
}

Result<TrustedSet> TrustedSet::start(std::string_view root, std::int64_t now, KeyIds ids) {
  const auto envelope = open_envelope(root, "root");
  if (!envelope) return std::unexpected(envelope.error());
  auto parsed = read_root(*envelope, ids);
  if (!parsed) return std::unexpected(parsed.error());
  if (auto good = verify_role(*envelope, parsed->keys, parsed->roles.at("root"), "trusted root"); !good)
    return std::unexpected(good.error());
  TrustedSet out(now, ids);
  out.root_ = std::move(*parsed);
  return out;
}

Result<void> TrustedSet::update_root(std::string_view bytes) {
  const auto envelope = open_envelope(bytes, "root");
  if (!envelope) return std::unexpected(envelope.error());
  auto next = read_root(*envelope, ids_);
  if (!next) return std::unexpected(next.error());
  if (auto good =
          verify_role(*envelope, root_.keys, root_.roles.at("root"), "new root, by the current root's keys");
      !good)
    return good;
  if (auto good = verify_role(*envelope, next->keys, next->roles.at("root"), "new root, by its own keys");
      !good)
    return good;
  if (next->version != root_.version + 1)
    return fail(next->version <= root_.version ? Error::Kind::rollback : Error::Kind::mismatch,
                fmt::format("root: version {} after version {}", next->version, root_.version));
  root_ = std::move(*next);
  return {};
}

Result<void> TrustedSet::check_expiry(const Common& common, std::string_view what) const {
  if (common.expires > now_) return {};
  return fail(Error::Kind::expired,
              fmt::format("{}: version {} expired at {}", what, common.version, write_date(common.expires)));
}

Result<void> TrustedSet::finish_root() const { return check_expiry(root_, "root"); }

Result<Timestamp> TrustedSet::read_signed_timestamp(std::string_view bytes) const {
  const auto envelope = open_envelope(bytes, "timestamp");
  if (!envelope) return std::unexpected(envelope.error());
  if (auto good = verify_role(*envelope, root_.keys, root_.roles.at("timestamp"), "timestamp"); !good)
    return std::unexpected(good.error());
  return read_timestamp(*envelope);
}

Result<void> TrustedSet::adopt_timestamp(std::string_view bytes) {
  auto kept = read_signed_timestamp(bytes);
  if (!kept) return std::unexpected(kept.error());
  timestamp_ = std::move(*kept);
  return {};
}

Result<TrustedSet::Step> TrustedSet::update_timestamp(std::string_view bytes) {
  auto next = read_signed_timestamp(bytes);
  if (!next) return std::unexpected(next.error());
  if (timestamp_) {
    if (next->version < timestamp_->version)
      return fail(Error::Kind::rollback,
                  fmt::format("timestamp: version {} after version {}", next->version, timestamp_->version));
    if (next->version == timestamp_->version) return Step::same_version;
    if (next->snapshot.version < timestamp_->snapshot.version)
      return fail(Error::Kind::rollback, fmt::format("timestamp: names snapshot version {} after version {}",
                                                     next->snapshot.version, timestamp_->snapshot.version));
  }
  if (auto good = check_expiry(*next, "timestamp"); !good) return std::unexpected(good.error());
  timestamp_ = std::move(*next);
  return Step::taken;
}

Result<void> TrustedSet::finish_timestamp() const { return check_expiry(*timestamp_, "timestamp"); }

Result<Snapshot> TrustedSet::read_signed_snapshot(std::string_view bytes) const {
  const auto envelope = open_envelope(bytes, "snapshot");
  if (!envelope) return std::unexpected(envelope.error());
  if (auto good = verify_role(*envelope, root_.keys, root_.roles.at("snapshot"), "snapshot"); !good)
    return std::unexpected(good.error());
  return read_snapshot(*envelope);
}

Result<void> TrustedSet::check_current(const Snapshot& snapshot) const {
  if (snapshot.version != timestamp_->snapshot.version)
    return fail(Error::Kind::mismatch, fmt::format("snapshot: version {}, the timestamp names {}",
                                                   snapshot.version, timestamp_->snapshot.version));
  return check_expiry(snapshot, "snapshot");
}

Result<bool> TrustedSet::adopt_snapshot(std::string_view bytes) {
  auto kept = read_signed_snapshot(bytes);
  if (!kept) return std::unexpected(kept.error());
  snapshot_ = std::move(*kept);
  return check_current(*snapshot_).has_value() &&
         check_file(timestamp_->snapshot, bytes, "snapshot").has_value();
}

Result<void> TrustedSet::update_snapshot(std::string_view bytes) {
  if (auto good = check_file(timestamp_->snapshot, bytes, "snapshot"); !good) return good;
  auto next = read_signed_snapshot(bytes);
  if (!next) return std::unexpected(next.error());
  if (auto good = check_current(*next); !good) return good;
  if (snapshot_) {
    for (const auto& [name, known] : snapshot_->meta) {
      const auto now = next->meta.find(name);
      if (now == next->meta.end())
        return fail(Error::Kind::rollback, fmt::format("snapshot: {} has gone", name));
      if (now->second.version < known.version)
        return fail(Error::Kind::rollback, fmt::format("snapshot: names {} version {} after version {}", name,
                                                       now->second.version, known.version));
    }
  }
  snapshot_ = std::move(*next);
  return {};
}

Result<FileMeta> TrustedSet::targets_meta(const std::string& role) const {
  const auto meta = snapshot_->meta.find(role + ".json");
  if (meta == snapshot_->meta.end())
    return fail(Error::Kind::mismatch, fmt::format("the snapshot does not name the role \"{}\"", role));
  return meta->second;
}

Result<Targets> TrustedSet::check_targets(std::string_view bytes, const std::string& role,
                                          const KeyRing& keys, const RoleKeys& wanted) const {
  const std::string what = "targets role \"" + role + "\"";
  const auto meta = targets_meta(role);
  if (!meta) return std::unexpected(meta.error());
  if (auto good = check_file(*meta, bytes, what); !good) return std::unexpected(good.error());
  const auto envelope = open_envelope(bytes, "targets");
  if (!envelope) return std::unexpected(envelope.error());
  if (auto good = verify_role(*envelope, keys, wanted, what); !good) return std::unexpected(good.error());
  auto out = read_targets(*envelope, ids_);
  if (!out) return out;
  if (out->version != meta->version)
    return fail(Error::Kind::mismatch,
                fmt::format("{}: version {}, the snapshot names {}", what, out->version, meta->version));
  if (auto good = check_expiry(*out, what); !good) return std::unexpected(good.error());
  return out;
}

}  // namespace tuf
