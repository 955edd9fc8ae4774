// A directory of ours: files that are there whole or not at all, whatever moment the power fails.
// A file is written beside its place, flushed, renamed over it, and the directory is flushed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tuf/result.h"

namespace tuf {

// One writer at a time: holds a lock on the directory until destroyed. Leftovers of an interrupted write are
// removed.
class Store {
 public:
  // The directory must exist.
  static Result<Store> open(const std::string& directory);
  Store(Store&& other) noexcept;
  Store& operator=(Store&& other) noexcept;
  ~Store();

  // A file's bytes, nothing when it is absent, unreadable or larger than `limit`. `name` has no '/'.
  std::optional<std::string> read(const std::string& name, std::uint64_t limit) const;
  Result<void> write(const std::string& name, std::string_view bytes);

 private:
  Store(int fd, std::string directory) : fd_(fd), directory_(std::move(directory)) {}
  int fd_ = -1;
  std::string directory_;
};

// A new file in `directory` that replaces `name` when commit() is called, and leaves no trace otherwise.
class PendingFile {
 public:
  static Result<PendingFile> create(const std::string& directory, const std::string& name);
  PendingFile(PendingFile&& other) noexcept;
  PendingFile& operator=(PendingFile&&) = delete;
  ~PendingFile();
  bool append(std::string_view bytes);  // false: the disk would not take them
  Result<void> commit();

 private:
  PendingFile(int directory, int file, std::string temporary, std::string name)
      : directory_(directory), file_(file), temporary_(std::move(temporary)), name_(std::move(name)) {}
  int directory_ = -1;
  int file_ = -1;
  std::string temporary_;
  std::string name_;
};

}  // namespace tuf
