// Members of archives through libarchive. See archive_reader.h.
#include "unpack/formats/archive_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <sys/sysmacros.h>

#include <memory>
#include <unordered_map>

#include <fmt/format.h>

#include "base/escape.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteView;
using base::Error;

constexpr std::size_t kMostMembers = 2'000'000;
constexpr std::uint64_t kLargestHole = std::uint64_t{1} << 32;

struct Close {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

// Names in UTF-8 need a UTF-8 locale inside libarchive; this thread's only, and the C library has it built in.
class Utf8Locale {
 public:
  Utf8Locale() : made_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (made_) before_ = uselocale(made_);
  }
  ~Utf8Locale() {
    if (!made_) return;
    uselocale(before_);
    freelocale(made_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t made_, before_ = nullptr;
};

std::string_view text(const char* narrow, const char* utf8) { return narrow ? narrow : utf8 ? utf8 : ""; }

class Reader {
 public:
  Reader(archive* from, std::uint64_t offset, Sink& sink) : from_(from), offset_(offset), sink_(sink) {}

  base::Result<void> run() {
    archive_entry* entry = nullptr;
    for (std::size_t count = 0; count < kMostMembers && !sink_.full(); ++count) {
      const int code = archive_read_next_header(from_, &entry);
      if (code == ARCHIVE_EOF) return {};
      if (code == ARCHIVE_RETRY) continue;
      if (code < ARCHIVE_WARN) return error("reading the next member");
      member(entry);
    }
    return {};
  }

 private:
  std::unexpected<Error> error(std::string_view doing) const {
    const char* said = archive_error_string(from_);
    return base::fail(Error::Kind::damaged, fmt::format("{}: {}", doing, base::escape_bytes(said ? said : "no reason given")));
  }

  void member(archive_entry* entry) {
    Node node;
    const std::string_view name = text(archive_entry_pathname(entry), archive_entry_pathname_utf8(entry));
    node.path = member_path(name, sink_, offset_);
    set_mode(node, archive_entry_mode(entry));
    node.uid = static_cast<std::uint32_t>(archive_entry_uid(entry));
    node.gid = static_cast<std::uint32_t>(archive_entry_gid(entry));
    node.mtime = archive_entry_mtime_is_set(entry) ? archive_entry_mtime(entry) : 0;
    if (node.type == NodeType::char_device || node.type == NodeType::block_device) {
      node.major = static_cast<std::uint32_t>(archive_entry_rdevmajor(entry));
      node.minor = static_cast<std::uint32_t>(archive_entry_rdevminor(entry));
    }
    if (node.type == NodeType::symlink) node.link_target = text(archive_entry_symlink(entry), archive_entry_symlink_utf8(entry));
    read_xattrs(entry, node);
    const std::string_view original = text(archive_entry_hardlink(entry), archive_entry_hardlink_utf8(entry));
    if (!original.empty()) return hard_link(entry, std::move(node), member_path(original, sink_, offset_));
    if (node.type != NodeType::regular) return sink_.node(std::move(node));
    node.inode = inodes_.try_emplace(node.path, inodes_.size() + 1).first->second;
    contents(entry, std::move(node));
  }

  // A further name; in cpio the last name brings the contents.
  void hard_link(archive_entry* entry, Node node, const std::string& original) {
    node.type = NodeType::regular;
    node.inode = inodes_.try_emplace(original, inodes_.size() + 1).first->second;
    inodes_.insert_or_assign(node.path, node.inode);
    if (archive_entry_size_is_set(entry) && archive_entry_size(entry) > 0) return contents(entry, std::move(node));
    sink_.node(std::move(node));
  }

  static void read_xattrs(archive_entry* entry, Node& node) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK && name)
      node.xattrs[name] = std::string(static_cast<const char*>(value), value ? size : 0);
  }

  void contents(archive_entry* entry, Node node) {
    const std::string path = node.path;
    sink_.begin_file(std::move(node));
    const void* block = nullptr;
    std::size_t size = 0;
    la_int64_t at = 0;
    int code = ARCHIVE_OK;
    while (!sink_.full() && (code = archive_read_data_block(from_, &block, &size, &at)) >= ARCHIVE_WARN && code != ARCHIVE_EOF) {
      const auto wanted = static_cast<std::uint64_t>(at);
      if (at < 0 || wanted > kLargestHole) break;
      if (wanted > sink_.open_size()) sink_.append_zeros(wanted - sink_.open_size());  // a sparse file's hole
      sink_.append({static_cast<const std::uint8_t*>(block), size});
    }
    const auto whole = static_cast<std::uint64_t>(archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0);
    if (code == ARCHIVE_EOF && whole > sink_.open_size() && whole < kLargestHole) sink_.append_zeros(whole - sink_.open_size());
    sink_.end();
    if (code >= ARCHIVE_WARN || code == ARCHIVE_EOF || sink_.full()) return;
    const char* said = archive_error_string(from_);
    const bool locked = archive_entry_is_data_encrypted(entry) > 0 || archive_entry_is_encrypted(entry) > 0;
    sink_.doubt(locked ? "password-protected" : "damaged-member", offset_,
                fmt::format("{}: {}", base::escape_bytes(path), base::escape_bytes(said ? said : "cannot be read")));
  }

  archive* from_;
  std::uint64_t offset_;
  Sink& sink_;
  std::unordered_map<std::string, std::uint64_t> inodes_;
};

}  // namespace

base::Result<void> read_archive(ByteView bytes, std::uint64_t offset, void (*enable)(archive*), Sink& sink) {
  const Utf8Locale locale;
  const std::unique_ptr<archive, Close> reader(archive_read_new());
  if (!reader) return base::fail(Error::Kind::internal, "libarchive cannot start");
  enable(reader.get());
  archive_read_set_options(reader.get(), "hdrcharset=BINARY");
  if (archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) {
    const char* said = archive_error_string(reader.get());
    return base::fail(Error::Kind::damaged, base::escape_bytes(said ? said : "libarchive cannot open it"));
  }
  const auto done = Reader(reader.get(), offset, sink).run();
  if (!done && archive_read_has_encrypted_entries(reader.get()) > 0) {
    sink.doubt("password-protected", offset, done.error().message);
    return {};
  }
  return done;
}

}  // namespace unpack
