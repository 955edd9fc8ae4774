// Hashes that metadata names: sha256, sha384, sha512 (FIPS 180-4), from OpenSSL.
#pragma once

#include <openssl/evp.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tuf/result.h"

namespace tuf {

using Hashes = std::map<std::string, std::string>;  // algorithm → hex digest, as the metadata writes them

// Nothing for an algorithm that we do not know.
std::optional<std::string> digest_hex(std::string_view algorithm, std::string_view bytes);

// Measures bytes as they arrive against a signed length and signed hashes.
class Measure {
 public:
  // Algorithms that we do not know are left out; none left makes finish() refuse.
  explicit Measure(Hashes expected);
  void add(std::string_view bytes);
  std::uint64_t length() const { return length_; }
  // Mismatch unless every known hash is right and at least one was known.
  Result<void> finish(std::string_view what);

 private:
  struct ContextFree {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  struct Running {
    std::string algorithm;
    std::unique_ptr<EVP_MD_CTX, ContextFree> context;
  };
  Hashes expected_;
  std::vector<Running> running_;
  std::uint64_t length_ = 0;
};

}  // namespace tuf
