// Hashes and words held against the published defaults of models/passwords.yaml.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace derive {

bool is_published_password(std::string_view word);  // the empty word is not one
bool is_crypt_hash(std::string_view field);         // crypt(5): $id$..., or 13 characters of DES

// The published default that `hash` is of, by crypt(3). Slow methods (a parameter of rounds) are tried with fewer words.
std::optional<std::string> password_of_hash(const std::string& hash);

}  // namespace derive
