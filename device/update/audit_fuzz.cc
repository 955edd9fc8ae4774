// An audit log from anywhere: what holds, holds again, and its torn end is no part of it.
#include <cstdlib>

#include "base/bytes.h"
#include "device/update/audit.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = base::as_text({data, size});
  const auto report = update::verify_log(text);
  if (!report) return 0;
  const auto again = update::verify_log(text.substr(0, report->whole), report->head);
  if (!again || again->torn != 0 || again->head != report->head ||
      again->entries.size() != report->entries.size())
    std::abort();
  return 0;
}
