// Canaries: words that exist nowhere else, and where they turn up.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"
#include "box/parts.h"

namespace box {
namespace {

constexpr std::uint64_t kReadMost = std::uint64_t{4} << 20;
constexpr unsigned kDeepest = 64;

std::string read_start(int directory, const char* name) {
  const Fd file(openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat there {};
  if (!file.ok() || fstat(file.get(), &there) != 0 || !S_ISREG(there.st_mode)) return {};
  std::string out(std::min<std::uint64_t>(static_cast<std::uint64_t>(there.st_size), kReadMost), '\0');
  const ssize_t n = pread(file.get(), out.data(), out.size(), 0);
  out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return out;
}

void walk(Fd directory, const std::string& path, std::string_view text, const unpack::Tree& image, unsigned depth, std::vector<Landing>& out) {
  DIR* names = depth < kDeepest && directory.ok() ? fdopendir(directory.release()) : nullptr;
  if (!names) return;
  while (const dirent* entry = readdir(names)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::string here = fmt::format("{}/{}", path, name);
    if (entry->d_type == DT_DIR) {
      if (here != "/dev/pts" && here != "/.proc") walk(Fd(openat(dirfd(names), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)), here, text, image, depth + 1, out);
    } else if (entry->d_type == DT_REG) {
      const std::string contents = read_start(dirfd(names), entry->d_name);
      if (contents.find(text) == std::string::npos) continue;
      const auto* node = image.find(here);
      out.push_back({here, canary_named(contents, text), node != nullptr && node->type == unpack::NodeType::regular});
    }
  }
  closedir(names);
}

}  // namespace

std::string canary_text(std::string_view secret) { return fmt::format("canary-{}", secret); }

std::string canary_contents(std::string_view text, std::string_view name) { return fmt::format("#!/bin/sh\n# {} {}\nexit 0\n", text, name); }

std::string canary_named(std::string_view contents, std::string_view text) {
  const auto at = contents.find(text);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = contents.substr(at + text.size());
  if (!rest.starts_with(' ')) return {};
  return std::string(rest.substr(1, std::min<std::size_t>(rest.find('\n'), 256) - 1));
}

bool is_remote_share(std::string_view source, std::string_view type) {
  for (const char* remote : {"nfs", "nfs4", "cifs", "smb", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "fuse.sshfs", "davfs"})
    if (type == remote) return true;
  if (source.starts_with("//")) return true;
  const auto colon = source.find(":/");
  return colon != std::string_view::npos && colon > 0 && source.substr(0, colon).find('/') == std::string_view::npos;
}

std::vector<Landing> find_landings(int root, std::string_view text, const unpack::Tree& image) {
  std::vector<Landing> out;
  walk(Fd(openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), "", text, image, 0, out);
  std::sort(out.begin(), out.end(), [](const Landing& a, const Landing& b) { return a.path < b.path; });
  return out;
}

Patient canary_patient(std::string_view secret) {
  const std::string word = base::sha256_hex(base::as_bytes(fmt::format("patient {}", secret))).substr(0, 10);
  Patient out;
  out.canaries = {"Canary " + word, "N" + word, "Dr " + word};
  out.lines = {"ICU", "7", out.canaries[0], out.canaries[1], "20250102", "171", "68", "19600229", "A", out.canaries[2]};
  return out;
}

}  // namespace box
