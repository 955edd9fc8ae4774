#include "derive/passwords.h"

#include <crypt.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <vector>

#include "derive/embedded.h"

namespace derive {
namespace {

const std::vector<std::string>& published_passwords() {
  static const std::vector<std::string> list = [] {
    std::vector<std::string> out;
    for (const auto& item : YAML::Load(std::string(embedded::passwords_yaml))["passwords"]) out.push_back(item.as<std::string>());
    return out;
  }();
  return list;
}

}  // namespace

bool is_published_password(std::string_view word) { return !word.empty() && std::ranges::find(published_passwords(), word) != published_passwords().end(); }

bool is_crypt_hash(std::string_view field) {
  if (field.starts_with('$')) return field.size() > 10;
  const auto in_alphabet = [](char c) { return c == '.' || c == '/' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  return field.size() == 13 && std::ranges::all_of(field, in_alphabet);
}

std::optional<std::string> password_of_hash(const std::string& hash) {
  if (!is_crypt_hash(hash)) return std::nullopt;
  crypt_data data{};
  std::size_t tries = hash.starts_with("$5$") || hash.starts_with("$6$") || hash.starts_with("$y$") || hash.starts_with("$2") ? 24 : 400;
  if (hash.find("rounds=") != std::string::npos) tries = 4;
  for (const auto& word : published_passwords()) {
    if (tries-- == 0) break;
    const char* result = crypt_r(word.c_str(), hash.c_str(), &data);
    if (result && hash == result) return word;
  }
  return std::nullopt;
}

}  // namespace derive
