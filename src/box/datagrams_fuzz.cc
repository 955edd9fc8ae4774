// Door: what a payload sends to the sinks by datagram. Invariant: an answer is bounded and never longer than the question by more
// than a record; only a well-formed question gets one.
#include <cstdlib>

#include "base/bytes.h"
#include "box/sinks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto said = base::as_text({data, size});
  if (const auto dns = box::dns_answer(said); !dns.empty() && (dns.size() > size + 16 || dns.substr(0, 2) != said.substr(0, 2))) std::abort();
  if (const auto rpc = box::rpc_answer(said); !rpc.empty() && (rpc.size() > 72 || rpc.substr(0, 4) != said.substr(0, 4))) std::abort();
  if (box::tftp_answer(said, "canary").size() > 10) std::abort();
  if (const auto ntp = box::ntp_answer(said); !ntp.empty() && ntp.size() != 48) std::abort();
  return 0;
}
