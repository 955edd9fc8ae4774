// An SWUpdate package from anywhere, as a description and as an archive: what is read is exactly what we
// would write.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "device/update/package.h"
#include "tuf/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = base::as_text({data, size});
  if (const auto description = update::read_description(text)) {
    const std::string written = update::describe(*description);
    if (*tuf::parse_json(written) != *tuf::parse_json(text)) std::abort();
    if (*update::read_description(written) != *description) std::abort();
  }
  const int fd = ::memfd_create("package", MFD_CLOEXEC);
  if (::write(fd, data, size) == static_cast<ssize_t>(size))
    static_cast<void>(update::inspect_package("/proc/self/fd/" + std::to_string(fd)));
  ::close(fd);
  return 0;
}
