#include "tuf/client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <list>
#include <set>
#include <vector>

namespace tuf {
namespace {

constexpr std::uint64_t kept_file_limit = 64'000'000;  // no file of ours is larger

// A name for a file of ours out of a name from metadata: no '/', and no '.' in front, so that it is neither
// "..", hidden, nor one of our temporary files.
std::string safe_name(const std::string& name) {
  std::string out = percent_encode(name);
  if (out.starts_with('.')) out.replace(0, 1, "%2E");
  return out;
}

std::string file_name(const std::string& role) { return safe_name(role) + ".json"; }

std::string joined(const std::string& base, const std::string& rest) {
  return base.ends_with('/') ? base + rest : base + "/" + rest;
}

// True when the file at `path` has the length and hashes that `target` signs for.
bool already_there(const std::string& path, const TargetFile& target) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) return false;
  struct stat info{};
  bool good = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
              static_cast<std::uint64_t>(info.st_size) == target.length;
  Measure measure(target.hashes);
  std::array<char, 1 << 16> chunk{};
  while (good) {
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    good = got >= 0 && measure.length() + static_cast<std::uint64_t>(got) <= target.length;
    if (got <= 0) break;
    measure.add({chunk.data(), static_cast<std::size_t>(got)});
  }
  ::close(fd);
  return good && measure.length() == target.length && measure.finish(path);
}

// The URL of an artifact: with consistent snapshots the file name carries a hash (5.7.3).
std::string artifact_url(const std::string& base, const TargetFile& target, bool consistent) {
  std::string path = target.path;
  if (consistent) {
    const auto slash = path.rfind('/');
    const std::size_t at = slash == std::string::npos ? 0 : slash + 1;
    const auto known = std::ranges::find_if(
        target.hashes, [](const auto& hash) { return digest_hex(hash.first, "").has_value(); });
    path.insert(at, (known != target.hashes.end() ? known : target.hashes.begin())->second + ".");
  }
  return joined(base, percent_encode(path, "/!$&'()*+,;=:@"));
}

}  // namespace

Result<void> install_root(const std::string& directory, std::string_view root) {
  auto given = TrustedSet::start(root, 0);
  if (!given) return std::unexpected(given.error());
  auto store = Store::open(directory);
  if (!store) return std::unexpected(store.error());
  if (const auto kept = store->read("root.json", kept_file_limit)) {
    const auto current = TrustedSet::start(*kept, 0);
    if (current && current->root().version > given->root().version) return {};
  }
  return store->write("root.json", root);
}

Client::Client(Store store, std::string metadata_url, Fetcher& fetcher, const Options& options)
    : store_(std::move(store)), url_(std::move(metadata_url)), fetcher_(&fetcher), options_(options) {}

Result<Client> Client::open(const std::string& directory, std::string metadata_url, Fetcher& fetcher,
                            const Options& options) {
  auto store = Store::open(directory);
  if (!store) return std::unexpected(store.error());
  return Client(std::move(*store), std::move(metadata_url), fetcher, options);
}

std::string Client::metadata_url(const std::string& role, std::optional<std::int64_t> version) const {
  const std::string name = percent_encode(role) + ".json";
  return joined(url_, version ? fmt::format("{}.{}", *version, name) : name);
}

Result<void> Client::refresh() {
  targets_.reset();
  const auto kept = store_.read("root.json", kept_file_limit);
  if (!kept) return fail(Error::Kind::storage, "there is no trusted root.json to start from");
  auto start = TrustedSet::start(*kept, options_.now.value_or(std::time(nullptr)), options_.key_ids);
  if (!start) return std::unexpected(start.error());
  trusted_ = std::move(*start);

  if (auto done = refresh_root(); !done) return done;
  if (auto done = refresh_timestamp(); !done) return done;
  if (auto done = refresh_snapshot(); !done) return done;
  auto targets = load_targets("targets", trusted_->root().keys, trusted_->root().roles.at("targets"));
  if (!targets) return std::unexpected(targets.error());
  targets_ = std::move(*targets);
  return {};
}

Result<void> Client::refresh_root() {
  for (int i = 0; i < options_.root_rotations; ++i) {
    const auto bytes =
        fetch_all(*fetcher_, metadata_url("root", trusted_->root().version + 1), options_.root_limit);
    if (!bytes && bytes.error().kind == Error::Kind::not_found) break;
    if (!bytes) return std::unexpected(bytes.error());
    if (auto good = trusted_->update_root(*bytes); !good) return good;
    if (auto kept = store_.write("root.json", *bytes); !kept) return kept;
  }
  return trusted_->finish_root();
}

Result<void> Client::refresh_timestamp() {
  // A timestamp on disk that the current root's keys do not vouch for plays no part: so a repository recovers
  // from a fast-forward by changing the timestamp's keys.
  if (const auto kept = store_.read("timestamp.json", kept_file_limit))
    static_cast<void>(trusted_->adopt_timestamp(*kept));
  const auto bytes = fetch_all(*fetcher_, metadata_url("timestamp", std::nullopt), options_.timestamp_limit);
  if (!bytes) return std::unexpected(bytes.error());
  const auto step = trusted_->update_timestamp(*bytes);
  if (!step) return std::unexpected(step.error());
  if (*step == TrustedSet::Step::same_version) return trusted_->finish_timestamp();
  return store_.write("timestamp.json", *bytes);
}

Result<void> Client::refresh_snapshot() {
  if (const auto kept = store_.read("snapshot.json", kept_file_limit)) {
    const auto current = trusted_->adopt_snapshot(*kept);
    if (current && *current) return {};
  }
  const FileMeta& meta = trusted_->timestamp()->snapshot;
  const auto version = trusted_->root().consistent_snapshot ? std::optional(meta.version) : std::nullopt;
  const std::uint64_t limit = std::min(meta.length.value_or(options_.snapshot_limit), kept_file_limit);
  const auto bytes = fetch_all(*fetcher_, metadata_url("snapshot", version), limit);
  if (!bytes) return std::unexpected(bytes.error());
  if (auto good = trusted_->update_snapshot(*bytes); !good) return good;
  return store_.write("snapshot.json", *bytes);
}

Result<Targets> Client::load_targets(const std::string& role, const KeyRing& keys, const RoleKeys& wanted) {
  const auto meta = trusted_->targets_meta(role);
  if (!meta) return std::unexpected(meta.error());
  if (const auto kept = store_.read(file_name(role), kept_file_limit))
    if (auto current = trusted_->check_targets(*kept, role, keys, wanted)) return current;
  const auto version = trusted_->root().consistent_snapshot ? std::optional(meta->version) : std::nullopt;
  const std::uint64_t limit = std::min(meta->length.value_or(options_.targets_limit), kept_file_limit);
  const auto bytes = fetch_all(*fetcher_, metadata_url(role, version), limit);
  if (!bytes) return std::unexpected(bytes.error());
  auto fresh = trusted_->check_targets(*bytes, role, keys, wanted);
  if (!fresh) return fresh;
  if (auto kept = store_.write(file_name(role), *bytes); !kept) return std::unexpected(kept.error());
  return fresh;
}

Result<TargetFile> Client::find(const std::string& path) {
  if (!targets_) return fail(Error::Kind::unknown_target, "no successful refresh yet");
  struct Visit {
    Delegation role;
    const KeyRing* keys = nullptr;
  };
  std::list<Targets> loaded;  // owns what the visits point into
  std::vector<Visit> waiting;
  std::set<std::string> seen;
  const auto look_in = [&](const Targets& targets) -> std::optional<TargetFile> {
    if (const auto found = targets.targets.find(path); found != targets.targets.end()) return found->second;
    if (!targets.delegations) return std::nullopt;
    auto children = delegations_for(*targets.delegations, path);
    if (const auto last = std::ranges::find(children, true, &Delegation::terminating);
        last != children.end()) {
      children.erase(last + 1, children.end());
      waiting.clear();  // nothing after a terminating delegation is looked at, here or further up
    }
    for (auto child = children.rbegin(); child != children.rend(); ++child)
      waiting.push_back({std::move(*child), &targets.delegations->keys});
    return std::nullopt;
  };

  if (auto found = look_in(*targets_)) return *found;
  while (!waiting.empty()) {  // pre-order, depth first (5.6.7)
    const Visit visit = std::move(waiting.back());
    waiting.pop_back();
    if (!seen.insert(visit.role.name).second) continue;
    if (seen.size() > static_cast<std::size_t>(options_.delegations))
      return fail(Error::Kind::limit,
                  fmt::format("{}: not found in {} delegated roles", path, options_.delegations));
    auto targets = load_targets(visit.role.name, *visit.keys, visit.role.keys);
    if (!targets) return std::unexpected(targets.error());
    loaded.push_back(std::move(*targets));
    if (auto found = look_in(loaded.back())) return *found;
  }
  return fail(Error::Kind::unknown_target, fmt::format("no trusted role names the target \"{}\"", path));
}

Result<std::string> Client::download(const TargetFile& target, const std::string& base_url,
                                     const std::string& directory) {
  const std::string name = safe_name(target.path);
  const std::string path = joined(directory, name);
  if (already_there(path, target)) return path;
  if (target.length > options_.artifact_limit)
    return fail(Error::Kind::too_long,
                fmt::format("{}: {} bytes, {} allowed", target.path, target.length, options_.artifact_limit));
  auto file = PendingFile::create(directory, name);
  if (!file) return std::unexpected(file.error());
  Measure measure(target.hashes);
  const auto fetched = fetcher_->fetch(artifact_url(base_url, target, trusted_->root().consistent_snapshot),
                                       target.length, [&](std::string_view bytes) {
                                         measure.add(bytes);
                                         return file->append(bytes);
                                       });
  if (!fetched) return std::unexpected(fetched.error());
  if (measure.length() != target.length)
    return fail(Error::Kind::mismatch,
                fmt::format("{}: {} bytes, {} signed for", target.path, measure.length(), target.length));
  if (auto good = measure.finish(target.path); !good) return std::unexpected(good.error());
  if (auto kept = file->commit(); !kept) return std::unexpected(kept.error());
  return path;
}

}  // namespace tuf
