// Files, directories and standard input into blobs. See inputs.h.
#include "unpack/inputs.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::Bytes;
using base::ByteView;
using base::Error;

constexpr std::uint64_t kMapFrom = std::uint64_t{64} << 20;  // larger files are mapped, not read

std::unexpected<Error> unreadable(const std::string& path, std::string_view why) {
  return base::fail(Error::Kind::unreadable, fmt::format("{}: {}", path, why));
}

std::unexpected<Error> system_error(const std::string& path) { return unreadable(path, std::strerror(errno)); }

void add_view(Firmware& firmware, ByteView bytes, const std::string& name) {
  Blob blob;
  blob.name = name;
  blob.bytes = bytes;
  firmware.blobs.add(std::move(blob));
  ++firmware.inputs;
}

base::Result<Bytes> read_all(int fd, const std::string& path, std::uint64_t limit) {
  Bytes out;
  struct stat about {};
  if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) out.reserve(static_cast<std::size_t>(about.st_size));
  for (;;) {
    const std::size_t before = out.size();
    const std::size_t step = std::max<std::size_t>(out.capacity() - before, 1 << 16);
    out.resize(before + step);
    const ssize_t n = read(fd, out.data() + before, step);
    out.resize(before + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path);
    if (n == 0) return out;
    if (out.size() > limit) return base::fail(Error::Kind::over_budget, fmt::format("{}: more than {} bytes", path, limit));
  }
}

// Adds the file's bytes as an input. A mapped file that shrinks meanwhile would end the process with SIGBUS, which is
// why only large ones are mapped.
base::Result<void> add_file(Firmware& firmware, int fd, const std::string& path, const std::string& name, std::uint64_t size,
                            const Options& options) {
  if (size < kMapFrom) {
    auto bytes = read_all(fd, path, options.budgets.bytes);
    if (!bytes) return std::unexpected(bytes.error());
    add_input(firmware, std::move(*bytes), name);
    return {};
  }
  void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (memory == MAP_FAILED) return system_error(path);
  firmware.mappings.emplace_back(memory, [size](void* mapped) { munmap(mapped, size); });
  add_view(firmware, ByteView(static_cast<const std::uint8_t*>(memory), size), name);
  return {};
}

struct Descriptor {
  int fd;
  explicit Descriptor(int opened) : fd(opened) {}
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

Node node_from(const struct stat& about, std::string path) {
  Node node;
  node.path = std::move(path);
  set_mode(node, about.st_mode);
  node.uid = about.st_uid;
  node.gid = about.st_gid;
  node.mtime = about.st_mtim.tv_sec;
  node.major = S_ISCHR(about.st_mode) || S_ISBLK(about.st_mode) ? major(about.st_rdev) : 0;
  node.minor = S_ISCHR(about.st_mode) || S_ISBLK(about.st_mode) ? minor(about.st_rdev) : 0;
  node.inode = S_ISREG(about.st_mode) && about.st_nlink > 1 ? about.st_ino : 0;
  return node;
}

void doubt_unreadable(Firmware& firmware, const std::string& where, const std::string& detail) {
  base::add_doubt(firmware.doubts, {"unreadable-file", where, 0, detail, 1});
}

// One entry below the directory; links are kept, not followed.
void add_entry(Firmware& firmware, const std::filesystem::path& path, std::string inside, std::vector<Node>& nodes, const Options& options) {
  struct stat about {};
  if (lstat(path.c_str(), &about) != 0) return doubt_unreadable(firmware, inside, std::strerror(errno));
  Node node = node_from(about, inside);
  if (node.type == NodeType::symlink) {
    std::error_code error;
    node.link_target = std::filesystem::read_symlink(path, error).native();
  } else if (node.type == NodeType::regular) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    const auto added = file.fd < 0 ? base::Result<void>(system_error(path))
                                   : add_file(firmware, file.fd, path, inside, static_cast<std::uint64_t>(about.st_size), options);
    if (!added) return doubt_unreadable(firmware, inside, added.error().message);
    node.blob = firmware.blobs.id_at(firmware.blobs.size() - 1);
    node.size = firmware.blobs[node.blob].bytes.size();
  }
  nodes.push_back(std::move(node));
}

base::Result<void> add_directory(Firmware& firmware, const std::string& path, const Options& options) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<fs::path> entries;
  for (auto at = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (entries.size() >= options.budgets.files) break;
    entries.push_back(at->path());
  }
  if (error) return unreadable(path, error.message());
  if (entries.empty()) return unreadable(path, "the directory is empty");
  std::sort(entries.begin(), entries.end());
  std::vector<Node> nodes;
  const std::size_t prefix = fs::path(path).native().size();
  for (const auto& entry : entries) {
    std::string inside = entry.native().substr(prefix);
    if (!inside.starts_with('/')) inside.insert(0, "/");
    add_entry(firmware, entry, std::move(inside), nodes, options);
  }
  FileSystem out;
  out.format = "directory";
  out.tree = Tree(std::move(nodes));
  firmware.file_systems.add(std::move(out));
  return {};
}

std::string last_component(const std::string& path) {
  const auto name = std::filesystem::path(path).filename().native();
  return name.empty() ? path : name;
}

base::Result<void> add_one(Firmware& firmware, const std::string& path, const Options& options) {
  if (path == "-") {
    auto bytes = read_all(STDIN_FILENO, "standard input", options.budgets.bytes);
    if (!bytes) return std::unexpected(bytes.error());
    if (bytes->empty()) return unreadable("standard input", "nothing was given");
    add_input(firmware, std::move(*bytes), "stdin");
    return {};
  }
  struct stat about {};
  if (stat(path.c_str(), &about) != 0) return system_error(path);
  if (S_ISDIR(about.st_mode)) return add_directory(firmware, path, options);
  if (!S_ISREG(about.st_mode)) return unreadable(path, "neither a regular file nor a directory");
  if (about.st_size == 0) return unreadable(path, "the file is empty");
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) return system_error(path);
  return add_file(firmware, file.fd, path, last_component(path), static_cast<std::uint64_t>(about.st_size), options);
}

}  // namespace

void add_input(Firmware& firmware, Bytes bytes, const std::string& name) {
  firmware.buffers.push_back(std::move(bytes));
  add_view(firmware, firmware.buffers.back(), name);
}

base::Result<Firmware> read_inputs(const std::vector<std::string>& inputs, const Options& options) {
  if (inputs.empty()) return base::fail(Error::Kind::unreadable, "no input was given");
  Firmware firmware;
  for (const auto& path : inputs)
    if (const auto added = add_one(firmware, path, options); !added) {
      Error error = added.error();
      error.kind = Error::Kind::unreadable;
      return std::unexpected(std::move(error));
    }
  return firmware;
}

}  // namespace unpack
