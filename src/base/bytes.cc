#include "base/bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace base {

Result<Bytes> read_file(const std::string& path, std::uint64_t limit) {
  const auto unreadable = [&] { return fail(Error::Kind::unreadable, fmt::format("{}: {}", path, std::strerror(errno))); };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return unreadable();
  Bytes out;
  struct stat info{};
  if (::fstat(fd, &info) == 0 && info.st_size > 0 && static_cast<std::uint64_t>(info.st_size) <= limit)
    out.reserve(static_cast<std::size_t>(info.st_size));
  std::array<std::uint8_t, 1 << 16> chunk{};
  for (;;) {
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const auto error = unreadable();
      ::close(fd);
      return error;
    }
    if (got == 0) break;
    if (out.size() + static_cast<std::uint64_t>(got) > limit) {
      ::close(fd);
      return fail(Error::Kind::over_budget, fmt::format("{}: larger than {} bytes", path, limit));
    }
    out.insert(out.end(), chunk.begin(), chunk.begin() + got);
  }
  ::close(fd);
  return out;
}

}  // namespace base
