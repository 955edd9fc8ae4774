#include "tuf/key.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <array>

#include "tuf/digest.h"

namespace tuf {
namespace {

using Pkey = std::unique_ptr<EVP_PKEY, PkeyFree>;

struct SchemeRow {
  std::string_view keytype;
  std::string_view scheme;
  Scheme value;
};
constexpr std::array known_schemes = {
    SchemeRow{"ed25519", "ed25519", Scheme::ed25519},
    SchemeRow{"ecdsa", "ecdsa-sha2-nistp256", Scheme::ecdsa_p256},
    SchemeRow{"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", Scheme::ecdsa_p256},
    SchemeRow{"ecdsa", "ecdsa-sha2-nistp384", Scheme::ecdsa_p384},
    SchemeRow{"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", Scheme::ecdsa_p384},
    SchemeRow{"rsa", "rsassa-pss-sha256", Scheme::rsa_pss_sha256},
    SchemeRow{"rsa", "rsa-pkcs1v15-sha256", Scheme::rsa_pkcs1_sha256},
};

const unsigned char* octets(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Pkey from_pem(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  return Pkey(bio ? PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr) : nullptr);
}

Pkey from_der(std::string_view der) {
  const unsigned char* at = octets(der);
  Pkey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  if (at != octets(der) + der.size()) key.reset();
  return key;
}

// An uncompressed or compressed point, as older repositories write it in hex.
Pkey from_point(std::string_view point, const char* group) {
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr), EVP_PKEY_CTX_free);
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1) return nullptr;
  std::string group_name = group;
  std::string bytes(point);
  const std::array parameters = {OSSL_PARAM_construct_utf8_string("group", group_name.data(), 0),
                                 OSSL_PARAM_construct_octet_string("pub", bytes.data(), bytes.size()),
                                 OSSL_PARAM_construct_end()};
  EVP_PKEY* key = nullptr;
  auto copy = parameters;
  if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, copy.data()) != 1) return nullptr;
  return Pkey(key);
}

bool on_curve(EVP_PKEY* key, const char* group) {
  std::array<char, 64> name{};
  std::size_t length = 0;
  if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_group_name(key, name.data(), name.size(), &length) != 1)
    return false;
  return std::string_view(name.data(), length) == group;
}

Pkey read_ecdsa(const std::string& value, const char* group) {
  Pkey key;
  if (value.starts_with("-----BEGIN")) {
    key = from_pem(value);
  } else if (const auto bytes = from_hex(value); bytes && !bytes->empty()) {
    key = bytes->front() == '\x30' ? from_der(*bytes) : from_point(*bytes, group);
  }
  if (key && !on_curve(key.get(), group)) key.reset();
  return key;
}

Pkey read_rsa(const std::string& value) {
  Pkey key = from_pem(value);
  if (key && (!EVP_PKEY_is_a(key.get(), "RSA") || EVP_PKEY_get_bits(key.get()) < 2048 ||
              EVP_PKEY_get_bits(key.get()) > 16384))
    key.reset();
  return key;
}

Pkey read_ed25519(const std::string& value) {
  const auto bytes = from_hex(value);
  if (!bytes || bytes->size() != 32) return nullptr;
  return Pkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(*bytes), bytes->size()));
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<std::string> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]);
    const int low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

std::string key_id(const Json& key_object) { return *digest_hex("sha256", canonical_json(key_object)); }

std::optional<PublicKey> read_public_key(const Json& key_object) {
  const auto text = [&](const char* name) -> std::string {
    const auto it = key_object.find(name);
    return it != key_object.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  const std::string keytype = text("keytype");
  const std::string scheme = text("scheme");
  const auto keyval = key_object.find("keyval");
  if (keyval == key_object.end() || !keyval->is_object()) return std::nullopt;
  const auto value = keyval->find("public");
  if (value == keyval->end() || !value->is_string()) return std::nullopt;
  const std::string material = value->get<std::string>();
  for (const SchemeRow& row : known_schemes) {
    if (row.keytype != keytype || row.scheme != scheme) continue;
    PublicKey key{.scheme = row.value, .spki = {}, .handle = nullptr};
    switch (row.value) {
      case Scheme::ed25519:
        key.handle = read_ed25519(material);
        break;
      case Scheme::ecdsa_p256:
        key.handle = read_ecdsa(material, "prime256v1");
        break;
      case Scheme::ecdsa_p384:
        key.handle = read_ecdsa(material, "secp384r1");
        break;
      case Scheme::rsa_pss_sha256:
      case Scheme::rsa_pkcs1_sha256:
        key.handle = read_rsa(material);
        break;
    }
    unsigned char* der = nullptr;
    const int length = key.handle ? i2d_PUBKEY(key.handle.get(), &der) : 0;
    if (length > 0) key.spki.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length));
    OPENSSL_free(der);
    ERR_clear_error();
    if (key.spki.empty()) return std::nullopt;
    return key;
  }
  return std::nullopt;
}

bool verify_signature(const PublicKey& key, std::string_view message, std::string_view signature) {
  const auto bytes = from_hex(signature);
  if (!bytes || bytes->empty()) return false;
  const EVP_MD* digest = key.scheme == Scheme::ed25519      ? nullptr
                         : key.scheme == Scheme::ecdsa_p384 ? EVP_sha384()
                                                            : EVP_sha256();
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_PKEY_CTX* options = nullptr;  // owned by `context`
  bool good =
      context && EVP_DigestVerifyInit(context.get(), &options, digest, nullptr, key.handle.get()) == 1;
  if (good && key.scheme == Scheme::rsa_pss_sha256)
    good = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_AUTO) == 1;
  good = good &&
         EVP_DigestVerify(context.get(), octets(*bytes), bytes->size(), octets(message), message.size()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace tuf
