#include "device/update/flash.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace update {
namespace {

using base::Error;

class FileFlash final : public Flash {
 public:
  FileFlash(int fd, std::uint64_t size, std::string path) : fd_(fd), size_(size), path_(std::move(path)) {}
  ~FileFlash() override { ::close(fd_); }
  FileFlash(const FileFlash&) = delete;
  FileFlash& operator=(const FileFlash&) = delete;

  std::uint64_t size() const override { return size_; }

  base::Result<base::Bytes> read(std::uint64_t offset, std::uint64_t length) override {
    if (!base::in_bounds(offset, length, size_)) return outside();
    base::Bytes out(length);
    for (std::size_t done = 0; done < out.size();) {
      const ssize_t got =
          ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return failed();
      done += static_cast<std::size_t>(got);
    }
    return out;
  }

  base::Result<void> write(std::uint64_t offset, base::ByteView bytes) override {
    if (!base::in_bounds(offset, bytes.size(), size_)) return outside();
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t put =
          ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return failed();
      done += static_cast<std::size_t>(put);
    }
    return {};
  }

  base::Result<void> flush() override {
    if (::fdatasync(fd_) != 0) return failed();
    return {};
  }

 private:
  std::unexpected<Error> outside() const {
    return base::fail(Error::Kind::internal, fmt::format("{}: beyond its {} bytes", path_, size_));
  }
  std::unexpected<Error> failed() const {
    return base::fail(Error::Kind::unreadable, fmt::format("{}: {}", path_, std::strerror(errno)));
  }

  int fd_;
  std::uint64_t size_;
  std::string path_;
};

}  // namespace

base::Result<std::unique_ptr<Flash>> open_flash(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  const off_t size = fd >= 0 ? ::lseek(fd, 0, SEEK_END) : -1;
  if (size < 0) {
    auto error = base::fail(Error::Kind::unreadable, fmt::format("{}: {}", path, std::strerror(errno)));
    if (fd >= 0) ::close(fd);
    return error;
  }
  return std::make_unique<FileFlash>(fd, static_cast<std::uint64_t>(size), path);
}

}  // namespace update
