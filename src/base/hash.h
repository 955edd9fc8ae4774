// Content hashes. SHA-256 (FIPS 180-4) from OpenSSL.
#pragma once

#include <array>
#include <string>

#include "base/bytes.h"

namespace base {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(ByteView bytes);
std::string hex(ByteView bytes);  // lower case
inline std::string sha256_hex(ByteView bytes) { return hex(sha256(bytes)); }

}  // namespace base
