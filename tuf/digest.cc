#include "tuf/digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tuf/key.h"

namespace tuf {
namespace {

const EVP_MD* algorithm_named(std::string_view name) {
  if (name == "sha256") return EVP_sha256();
  if (name == "sha384") return EVP_sha384();
  if (name == "sha512") return EVP_sha512();
  return nullptr;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto low = [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, low, low);
}

}  // namespace

std::optional<std::string> digest_hex(std::string_view algorithm, std::string_view bytes) {
  const EVP_MD* md = algorithm_named(algorithm);
  if (md == nullptr) return std::nullopt;
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned int length = 0;
  EVP_Digest(bytes.data(), bytes.size(), out.data(), &length, md, nullptr);
  return to_hex({reinterpret_cast<const char*>(out.data()), length});
}

Measure::Measure(Hashes expected) : expected_(std::move(expected)) {
  for (const auto& [algorithm, value] : expected_) {
    const EVP_MD* md = algorithm_named(algorithm);
    if (md == nullptr) continue;
    Running one{algorithm, std::unique_ptr<EVP_MD_CTX, ContextFree>(EVP_MD_CTX_new())};
    if (EVP_DigestInit_ex(one.context.get(), md, nullptr) == 1) running_.push_back(std::move(one));
  }
}

void Measure::add(std::string_view bytes) {
  length_ += bytes.size();
  for (auto& one : running_) EVP_DigestUpdate(one.context.get(), bytes.data(), bytes.size());
}

Result<void> Measure::finish(std::string_view what) {
  if (running_.empty())
    return fail(Error::Kind::mismatch, fmt::format("{}: no hash of an algorithm that is known here", what));
  for (auto& one : running_) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned int length = 0;
    const bool done = EVP_DigestFinal_ex(one.context.get(), out.data(), &length) == 1;
    const std::string actual = to_hex({reinterpret_cast<const char*>(out.data()), length});
    if (!done || !equal_ignoring_case(actual, expected_.at(one.algorithm)))
      return fail(Error::Kind::mismatch, fmt::format("{}: {} is not the signed one", what, one.algorithm));
  }
  return {};
}

}  // namespace tuf
