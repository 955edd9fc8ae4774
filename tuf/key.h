// Public keys out of metadata, and signatures checked with them, on OpenSSL's EVP.
// Key formats: TUF specification 1.0, "Key objects"; the hex forms of ECDSA keys are those of older go-tuf
// repositories.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tuf/json.h"

namespace tuf {

struct PkeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

enum class Scheme : std::uint8_t { ed25519, ecdsa_p256, ecdsa_p384, rsa_pss_sha256, rsa_pkcs1_sha256 };

struct PublicKey {
  Scheme scheme{};
  std::string spki;  // DER of the SubjectPublicKeyInfo: what makes two keys the same key
  std::unique_ptr<EVP_PKEY, PkeyFree> handle;
};

// SHA-256 of the canonical form of the key object, in hex: the id that the specification gives it.
std::string key_id(const Json& key_object);

// Nothing when type or scheme are not ones that we know, or the value is not such a key: a role then simply
// cannot be satisfied by it. RSA keys of 2048 to 16384 bits; ECDSA keys on the curve that the scheme names.
std::optional<PublicKey> read_public_key(const Json& key_object);

// `signature` in hex. False for everything that is not a good signature, hex that is none included.
bool verify_signature(const PublicKey& key, std::string_view message, std::string_view signature);

// Text in hex, both cases, into bytes.
std::optional<std::string> from_hex(std::string_view hex);
std::string to_hex(std::string_view bytes);  // lower case

}  // namespace tuf
