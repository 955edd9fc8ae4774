#include "base/hash.h"

#include <fmt/format.h>
#include <openssl/evp.h>

namespace base {

Sha256 sha256(ByteView bytes) {
  Sha256 out{};
  EVP_Digest(bytes.data(), bytes.size(), out.data(), nullptr, EVP_sha256(), nullptr);
  return out;
}

std::string hex(ByteView bytes) {
  std::string out;
  for (const auto byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace base
