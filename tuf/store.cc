#include "tuf/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace tuf {
namespace {

constexpr std::string_view temporary_prefix = ".tuf-writing-";

std::unexpected<Error> storage_error(std::string_view what) {
  return fail(Error::Kind::storage, fmt::format("{}: {}", what, std::strerror(errno)));
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

void remove_leftovers(int directory) {
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* listing = copy >= 0 ? ::fdopendir(copy) : nullptr;
  if (listing == nullptr) {
    if (copy >= 0) ::close(copy);
    return;
  }
  std::vector<std::string> leftovers;
  while (const dirent* entry = ::readdir(listing))
    if (std::string_view(entry->d_name).starts_with(temporary_prefix)) leftovers.emplace_back(entry->d_name);
  ::closedir(listing);
  for (const auto& name : leftovers) {
    const int fd = ::openat(directory, name.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) == 0)
      ::unlinkat(directory, name.c_str(), 0);  // its writer is gone
    if (fd >= 0) ::close(fd);
  }
}

}  // namespace

Result<Store> Store::open(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return storage_error(directory);
  Store store(fd, directory);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0)
    return fail(Error::Kind::storage, fmt::format("{}: another client is at work in it", directory));
  remove_leftovers(fd);
  return store;
}

Store::Store(Store&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), directory_(std::move(other.directory_)) {}
Store& Store::operator=(Store&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(directory_, other.directory_);
  return *this;
}
Store::~Store() {
  if (fd_ >= 0) ::close(fd_);
}

std::optional<std::string> Store::read(const std::string& name, std::uint64_t limit) const {
  const int fd = ::openat(fd_, name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::nullopt;
  std::optional<std::string> out = std::string();
  std::array<char, 1 << 14> chunk{};
  for (;;) {
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || out->size() + static_cast<std::size_t>(got) > limit) out.reset();
    if (got <= 0 || !out) break;
    out->append(chunk.data(), static_cast<std::size_t>(got));
  }
  ::close(fd);
  return out;
}

Result<void> Store::write(const std::string& name, std::string_view bytes) {
  auto file = PendingFile::create(directory_, name);
  if (!file) return std::unexpected(file.error());
  if (!file->append(bytes)) return storage_error(directory_ + "/" + name);
  return file->commit();
}

Result<PendingFile> PendingFile::create(const std::string& directory, const std::string& name) {
  const int dir = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return storage_error(directory);
  remove_leftovers(dir);
  const std::string temporary = fmt::format("{}{}", temporary_prefix, ::getpid());
  const int file =
      ::openat(dir, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file < 0) {
    auto error = storage_error(directory);
    ::close(dir);
    return error;
  }
  ::flock(file, LOCK_EX | LOCK_NB);  // says to others that it is no leftover
  return PendingFile(dir, file, temporary, name);
}

PendingFile::PendingFile(PendingFile&& other) noexcept
    : directory_(std::exchange(other.directory_, -1)),
      file_(std::exchange(other.file_, -1)),
      temporary_(std::move(other.temporary_)),
      name_(std::move(other.name_)) {}

PendingFile::~PendingFile() {
  if (file_ >= 0) {
    ::close(file_);
    ::unlinkat(directory_, temporary_.c_str(), 0);
  }
  if (directory_ >= 0) ::close(directory_);
}

bool PendingFile::append(std::string_view bytes) { return write_all(file_, bytes); }

Result<void> PendingFile::commit() {
  bool good = ::fsync(file_) == 0;
  good = good && ::renameat(directory_, temporary_.c_str(), directory_, name_.c_str()) == 0;
  if (!good) return storage_error(name_);  // the destructor removes the temporary file
  ::close(std::exchange(file_, -1));
  if (::fsync(directory_) != 0) return storage_error(name_);
  return {};
}

}  // namespace tuf
