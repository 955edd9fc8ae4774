#include "app/cache.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/bytes.h"
#include "base/hash.h"
#include "derive/embedded.h"

namespace app {
namespace fs = std::filesystem;

namespace {

// The program's own file stands for its version: any rebuild gives another key.
std::string build_identity() {
  static const std::string identity = [] {
    const auto self = base::read_file("/proc/self/exe");
    return self ? base::sha256_hex(*self) : std::string();
  }();
  return identity;
}

}  // namespace

Cache::Cache(const ScanOptions& options) {
  if (!options.cache) return;
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  if (xdg && *xdg == '/') directory_ = std::string(xdg) + "/biopsy";
  else if (home && *home == '/') directory_ = std::string(home) + "/.cache/biopsy";
  const std::string identity = build_identity();
  if (identity.empty()) directory_.clear();
  if (directory_.empty()) return;
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error) directory_.clear();
  key_ = base::sha256_hex(base::as_bytes(fmt::format("{}\n{}\n{}", identity, derive::embedded::commands_yaml, derive::embedded::calls_yaml)));
}

std::string Cache::entry(const derive::ProgramFile& file, std::uint64_t steps) const {
  // The path takes part: sites name it.
  return fmt::format("{}/{}", directory_, base::sha256_hex(base::as_bytes(fmt::format("{}\n{}\n{}\n{}", key_, steps, base::sha256_hex(file.bytes), file.path))));
}

std::optional<derive::ProgramFacts> Cache::find(const derive::ProgramFile& file, std::uint64_t steps) const {
  if (directory_.empty()) return std::nullopt;
  const auto bytes = base::read_file(entry(file, steps), 64 << 20);
  if (!bytes) return std::nullopt;
  auto facts = derive::facts_from_bytes(base::as_text(*bytes));
  if (!facts) return std::nullopt;
  return std::move(*facts);
}

void Cache::store(const derive::ProgramFile& file, std::uint64_t steps, const derive::ProgramFacts& facts) const {
  if (directory_.empty()) return;
  const std::string path = entry(file, steps), temporary = fmt::format("{}.{}", path, ::getpid());
  {
    std::ofstream out(temporary, std::ios::binary);
    out << derive::to_bytes(facts);
    if (!out) {
      std::error_code ignored;
      fs::remove(temporary, ignored);
      return;
    }
  }
  std::error_code error;
  fs::rename(temporary, path, error);
}

}  // namespace app
