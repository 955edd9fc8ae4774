// A Firmware's tree onto the disk, contained. Every path is opened beneath one directory descriptor without following a
// link (openat2), so that no name or link in the image leads out. What cannot be made is a line in the manifest.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "base/escape.h"
#include "unpack/unpack.h"

namespace unpack {
namespace {

using base::ByteView;
using base::Error;

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

std::unexpected<Error> system_error(const std::string& path) {
  return base::fail(Error::Kind::unreadable, fmt::format("{}: {}", path, std::strerror(errno)));
}

// Opens `path` (relative) beneath `directory`; no link anywhere on the way, no way out.
Fd open_beneath(int directory, const std::string& path, int flags, unsigned mode = 0) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how)));
}

bool write_whole(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

char letter(NodeType type) {
  static constexpr char kLetters[] = {'f', 'd', 'l', 'c', 'b', 'p', 's'};
  return kLetters[static_cast<std::size_t>(type)];
}

// The tree's names below one directory.
class Writer {
 public:
  Writer(const Firmware& firmware, int root, bool owners)
      : fw_(firmware), root_(root), privileged_(owners && geteuid() == 0), least_(owners ? 0 : 0600) {}

  // Directories first and links last: until then there is nothing that could be followed.
  std::string run() {
    manifest_ = "#type\tpath\tsize\tsha256|target|major,minor\tmode\tuid\tgid\tmtime\tnot written because\n";
    const auto& nodes = fw_.root.nodes();
    std::map<std::string, std::string> failures;
    const auto each = [&](auto wanted, auto make) {
      for (const Node& node : nodes) {
        if (node.path == "/" || !wanted(node)) continue;
        if (std::string why = make(node); !why.empty()) failures[node.path] = std::move(why);
      }
    };
    each([](const Node& n) { return n.type == NodeType::directory; }, [&](const Node& n) { return make_directory(n); });
    each([](const Node& n) { return n.type == NodeType::regular; }, [&](const Node& n) { return make_file(n); });
    each([](const Node& n) { return n.type == NodeType::fifo || n.type == NodeType::socket || n.type == NodeType::char_device || n.type == NodeType::block_device; },
         [&](const Node& n) { return make_special(n); });
    each([](const Node& n) { return n.type == NodeType::symlink; }, [&](const Node& n) { return make_link(n); });
    // Deepest first, so that a directory that is closed to us does not keep its contents from their modes.
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node)
      if (node->type == NodeType::directory && node->path != "/" && !failures.contains(node->path)) finish_directory(*node);
    for (const Node& node : nodes)
      if (node.path != "/") add_line(node, failures.contains(node.path) ? failures[node.path] : "");
    return std::move(manifest_);
  }

 private:
  static std::string reason() { return std::strerror(errno); }

  // The directory that holds `node`, and the name in it.
  int parent_of(const Node& node, std::string& name) {
    const auto slash = node.path.rfind('/');
    name = node.path.substr(slash + 1);
    const std::string parent = slash == 0 ? "." : node.path.substr(1, slash - 1);
    if (!parent_.ok() || parent != parent_path_) {
      parent_ = open_beneath(root_, parent, O_RDONLY | O_DIRECTORY);
      parent_path_ = parent;
    }
    return parent_.get();
  }

  std::string make_directory(const Node& node) {
    std::string name;
    const int parent = parent_of(node, name);
    if (parent < 0 || mkdirat(parent, name.c_str(), 0700) != 0) return reason();
    return "";
  }

  std::string make_file(const Node& node) {
    std::string name;
    const int parent = parent_of(node, name);
    if (parent < 0) return reason();
    if (node.inode != 0) {
      const auto [first, fresh] = written_.try_emplace(node.inode, node.path);
      if (!fresh) return linkat(root_, first->second.c_str() + 1, parent, name.c_str(), 0) == 0 ? "" : reason();
    }
    const Fd file = open_beneath(parent, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!file.ok() || !write_whole(file.get(), fw_.bytes(node))) return reason();
    if (privileged_ && fchown(file.get(), node.uid, node.gid) != 0) return reason();
    if (fchmod(file.get(), node.mode | least_) != 0) return reason();
    const timespec times[2] = {{node.mtime, 0}, {node.mtime, 0}};
    futimens(file.get(), times);
    return "";
  }

  std::string make_special(const Node& node) {
    const bool device = node.type == NodeType::char_device || node.type == NodeType::block_device;
    if (device && !privileged_) return "device nodes need root";
    std::string name;
    const int parent = parent_of(node, name);
    if (parent < 0) return reason();
    const mode_t type = node.type == NodeType::fifo ? S_IFIFO : node.type == NodeType::socket ? S_IFSOCK
                        : node.type == NodeType::char_device ? S_IFCHR : S_IFBLK;
    if (mknodat(parent, name.c_str(), type | 0600, makedev(node.major, node.minor)) != 0) return reason();
    if (privileged_ && fchownat(parent, name.c_str(), node.uid, node.gid, AT_SYMLINK_NOFOLLOW) != 0) return reason();
    if (fchmodat(parent, name.c_str(), node.mode, 0) != 0) return reason();
    return "";
  }

  std::string make_link(const Node& node) {
    std::string name;
    const int parent = parent_of(node, name);
    if (parent < 0 || node.link_target.find('\0') != std::string::npos) return parent < 0 ? reason() : "the target holds a NUL";
    if (symlinkat(node.link_target.c_str(), parent, name.c_str()) != 0) return reason();
    if (privileged_ && fchownat(parent, name.c_str(), node.uid, node.gid, AT_SYMLINK_NOFOLLOW) != 0) return reason();
    return "";
  }

  void finish_directory(const Node& node) {
    const Fd made = open_beneath(root_, node.path.substr(1), O_RDONLY | O_DIRECTORY);
    if (!made.ok()) return;
    if (privileged_ && fchown(made.get(), node.uid, node.gid) != 0) return;
    fchmod(made.get(), node.mode | (least_ ? 0700 : 0));
    const timespec times[2] = {{node.mtime, 0}, {node.mtime, 0}};
    futimens(made.get(), times);
  }

  void add_line(const Node& node, const std::string& why) {
    std::string what = "-";
    if (node.type == NodeType::regular) what = base::sha256_hex(fw_.bytes(node));
    else if (node.type == NodeType::symlink) what = base::escape_terminal(node.link_target);
    else if (node.type == NodeType::char_device || node.type == NodeType::block_device) what = fmt::format("{},{}", node.major, node.minor);
    manifest_ += fmt::format("{}\t{}\t{}\t{}\t0o{:o}\t{}\t{}\t{}\t{}\n", letter(node.type), base::escape_terminal(node.path.substr(1)),
                             node.type == NodeType::regular ? node.size : 0, what, node.mode, node.uid, node.gid, node.mtime, why);
  }

  const Firmware& fw_;
  int root_;
  bool privileged_;
  unsigned least_;  // permissions that every file has
  Fd parent_;
  std::string parent_path_;
  std::map<std::uint64_t, std::string> written_;  // by inode: the first name
  std::string manifest_;
};

// A blob's name as one component: what could mean something to a shell or a path becomes `_`.
std::string component(std::string_view name, std::size_t index) {
  std::string out = fmt::format("{:05}-", index);
  for (const char c : name.substr(name.size() > 100 ? name.size() - 100 : 0))
    out += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '@' ? c : '_';
  return out;
}

base::Result<void> write_blobs(const Firmware& firmware, int directory, const std::string& where) {
  std::vector<bool> named(firmware.blobs.size());
  for (const Node& node : firmware.root.nodes())
    if (node.blob.valid()) named[node.blob.index] = true;
  for (std::size_t i = 0; i < firmware.blobs.size(); ++i) {
    if (named[i]) continue;
    const Blob& blob = firmware.blobs[firmware.blobs.id_at(i)];
    const Fd file = open_beneath(directory, component(blob.name, i), O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!file.ok() || !write_whole(file.get(), blob.bytes)) return system_error(where + "/blobs");
  }
  return {};
}

}  // namespace

base::Result<void> write_out(const Firmware& firmware, const std::string& directory, const WriteOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return base::fail(Error::Kind::unreadable, fmt::format("{}: {}", directory, error.message()));
  if (!std::filesystem::is_empty(directory, error) || error)
    return base::fail(Error::Kind::unreadable, fmt::format("{}: not an empty directory", directory));
  const Fd top(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!top.ok()) return system_error(directory);
  fchmod(top.get(), 0700);  // set-id files of a stranger: nobody else should reach them
  if (mkdirat(top.get(), "root", 0755) != 0) return system_error(directory + "/root");
  const Fd root(openat(top.get(), "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!root.ok()) return system_error(directory + "/root");
  const std::string manifest = Writer(firmware, root.get(), options.owners).run();
  const Fd file = open_beneath(top.get(), "manifest.tsv", O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (!file.ok() || !write_whole(file.get(), base::as_bytes(manifest))) return system_error(directory + "/manifest.tsv");
  if (!options.everything) return {};
  if (mkdirat(top.get(), "blobs", 0755) != 0) return system_error(directory + "/blobs");
  const Fd blobs(openat(top.get(), "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!blobs.ok()) return system_error(directory + "/blobs");
  return write_blobs(firmware, blobs.get(), directory);
}

}  // namespace unpack
