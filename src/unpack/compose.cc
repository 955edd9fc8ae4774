// Which file system is the root, where the others go, and what the kernel says of itself. See compose.h.
#include "unpack/compose.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "unpack/format.h"
#include "unpack/mtdparts.h"
#include "unpack/mounts.h"

namespace unpack {
namespace {

constexpr std::size_t kMostNotes = 200;

// Where a file system hangs: the file of another one that holds it, if any.
struct Holder {
  FileSystemId file_system;
  std::string path;
};

class Composer {
 public:
  explicit Composer(Firmware& firmware) : fw_(firmware) {}

  void run() {
    collect_notes();
    if (fw_.file_systems.empty()) return bare_inputs();
    find_holders();
    root_ = choose_root();
    note_containers();
    place(root_, "/", "the file system that looks most like a root", false);
    place_partitions();
    place_nested();
    build();
  }

 private:
  // No file system at all: each input is a file of the root (one program or script to be looked at).
  void bare_inputs() {
    std::vector<Node> nodes;
    for (std::size_t i = 0; i < fw_.inputs; ++i) {
      const BlobId id = fw_.blobs.id_at(i);
      Node node;
      node.path = base::normal_path(fw_.blobs[id].name);
      if (node.path == "/") node.path = fmt::format("/input-{}", i);
      node.mode = 0755;
      node.blob = id;
      node.size = fw_.blobs[id].bytes.size();
      nodes.push_back(std::move(node));
    }
    fw_.root = Tree(std::move(nodes));
  }

  void find_holders() {
    std::map<BlobId, Holder> files;
    for (std::size_t i = 0; i < fw_.file_systems.size(); ++i) {
      const auto id = fw_.file_systems.id_at(i);
      for (const auto& node : fw_.file_systems[id].tree.nodes())
        if (node.blob.valid()) files.try_emplace(node.blob, Holder{id, node.path});
    }
    for (std::size_t i = 0; i < fw_.file_systems.size(); ++i) {
      std::optional<Holder> holder;
      for (BlobId at = fw_.file_systems[fw_.file_systems.id_at(i)].blob; at.valid() && !holder; at = fw_.blobs[at].parent)
        if (const auto known = files.find(at); known != files.end()) holder = known->second;
      holders_.push_back(holder);
      places_.emplace_back();
    }
  }

  // How much a tree looks like what init runs on.
  static int score(const Tree& tree) {
    static constexpr std::pair<std::string_view, int> kSigns[] = {
        {"/etc", 2}, {"/bin", 2}, {"/sbin", 2}, {"/lib", 2}, {"/usr", 2}, {"/dev", 1}, {"/proc", 1}, {"/tmp", 1},
        {"/var", 1}, {"/init", 2}, {"/linuxrc", 2}, {"/sbin/init", 4}, {"/etc/inittab", 4}, {"/etc/init.d", 3},
        {"/etc/rc.d", 3}, {"/etc/passwd", 3}, {"/etc/fstab", 3}, {"/bin/sh", 4}, {"/bin/busybox", 4}};
    int sum = 0;
    for (const auto& [path, points] : kSigns) sum += tree.find(path) ? points : 0;
    return sum;
  }

  FileSystemId choose_root() const {
    FileSystemId best = fw_.file_systems.id_at(0);
    std::pair<int, std::size_t> most = {-1, 0};
    for (std::size_t i = 0; i < fw_.file_systems.size(); ++i) {
      const auto id = fw_.file_systems.id_at(i);
      const Tree& tree = fw_.file_systems[id].tree;
      int points = score(tree);
      if (holders_[i]) points = std::max(0, points - 4);  // something a device carries, rather than what it runs on
      const std::pair<int, std::size_t> rank = {points, tree.nodes().size()};
      if (rank > most) {
        most = rank;
        best = id;
      }
    }
    return best;
  }

  // What the root came in: archives and directories around it are packaging, not part of the device.
  void note_containers() {
    for (auto holder = holders_[root_.index]; holder; holder = holders_[holder->file_system.index])
      containers_.insert(holder->file_system);
  }

  void place(FileSystemId id, std::string at, std::string source, bool assumed) {
    places_[id.index] = at;
    fw_.mounts.push_back({id, std::move(at), std::move(source), assumed});
  }

  bool is_partition(std::size_t i) const { return !holders_[i] || containers_.contains(holders_[i]->file_system); }

  // The number that the device gives the partition in which the file system lies: by mtdparts, else by order of inputs.
  std::optional<unsigned> partition_number(FileSystemId id, const std::vector<MtdPart>& parts) const {
    const FileSystem& fs = fw_.file_systems[id];
    std::uint64_t offset = fs.offset;
    BlobId at = fs.blob;
    while (at.valid() && fw_.blobs[at].parent.valid()) {
      offset = fw_.blobs[at].is_view ? offset + fw_.blobs[at].parent_offset : fw_.blobs[at].parent_offset;
      at = fw_.blobs[at].parent;
    }
    if (!at.valid()) return std::nullopt;
    const std::string stem = base::lower(fw_.blobs[at].name.substr(0, fw_.blobs[at].name.rfind('.')));
    for (const MtdPart& part : parts)
      if (base::lower(part.name) == stem.substr(stem.rfind('/') + 1)) return part.number;
    if (fw_.inputs == 1)
      for (const MtdPart& part : parts)
        if (offset >= part.offset && offset < part.offset + part.size) return part.number;
    if (fw_.inputs > 1 && parts.empty()) return at.index;
    return std::nullopt;
  }

  void place_partitions() {
    std::vector<FileSystemId> open;
    for (std::size_t i = 0; i < fw_.file_systems.size(); ++i) {
      const auto id = fw_.file_systems.id_at(i);
      if (id != root_ && !containers_.contains(id) && is_partition(i)) open.push_back(id);
    }
    if (!open.empty()) {
      const auto parts = parse_mtdparts(fw_.kernel_notes);
      const auto words = read_mount_words(fw_, fw_.file_systems[root_].tree);
      const auto take = [&](auto at, const MountWords& said, bool assumed) {
        place(*at, said.at, said.source, assumed);
        open.erase(at);
      };
      // By partition number first, then where only one file system has the type that is asked for.
      for (const MountWords& said : words) {
        const auto at = std::find_if(open.begin(), open.end(), [&](FileSystemId id) {
          return said.mtd_number && partition_number(id, parts) == said.mtd_number && said.accepts(fw_.file_systems[id].format);
        });
        if (at != open.end()) take(at, said, parts.empty());
      }
      for (const MountWords& said : words) {
        if (said.type.empty() || said.type == "auto" || taken(said.at)) continue;
        const auto fits = [&](FileSystemId id) { return said.accepts(fw_.file_systems[id].format); };
        if (std::count_if(open.begin(), open.end(), fits) == 1) take(std::find_if(open.begin(), open.end(), fits), said, true);
      }
    }
    int number = 0;
    for (const FileSystemId id : open) {
      const FileSystem& fs = fw_.file_systems[id];
      place(id, fmt::format("/.partition-{}", ++number), "nothing in the image says where it goes", true);
      // A kernel's own first root holds no more than a console and a directory or two: nothing that a reader misses.
      const auto& nodes = fs.tree.nodes();
      if (std::none_of(nodes.begin(), nodes.end(), [](const Node& n) { return n.type == NodeType::regular; })) continue;
      const std::string where = fs.blob.valid() ? fw_.blobs[fs.blob].name : std::string("directory");
      base::add_doubt(fw_.doubts, {"unplaced-file-system", where, fs.offset,
                                   fmt::format("{} is shown under /.partition-{}", fs.format, number), 1});
    }
    number = 0;
    for (const FileSystemId id : containers_)
      place(id, fmt::format("/.container-{}", ++number), "what the image came in", true);
  }

  bool taken(const std::string& at) const {
    return std::any_of(fw_.mounts.begin(), fw_.mounts.end(), [&](const Mount& mount) { return mount.at == at; });
  }

  // A file system inside a file hangs at that file's path with a `!`.
  void place_nested() {
    for (bool progress = true; progress;) {
      progress = false;
      for (std::size_t i = 0; i < fw_.file_systems.size(); ++i) {
        if (!places_[i].empty() || !holders_[i] || places_[holders_[i]->file_system.index].empty()) continue;
        const std::string& below = places_[holders_[i]->file_system.index];
        const auto id = fw_.file_systems.id_at(i);
        FileSystem& fs = fw_.file_systems[id];
        fs.inside = (below == "/" ? "" : below) + holders_[i]->path;
        std::string at = fs.inside + "!";
        for (int n = 2; taken(at); ++n) at = fmt::format("{}!{}", fs.inside, n);
        place(id, at, "inside the file", false);
        progress = true;
      }
    }
  }

  void build() {
    std::vector<Mount> order = fw_.mounts;
    std::stable_sort(order.begin(), order.end(), [](const Mount& a, const Mount& b) { return a.at.size() < b.at.size(); });
    std::vector<Node> all;
    std::uint64_t next_inode = 1;
    for (const Mount& mount : order) {
      if (mount.at != "/") std::erase_if(all, [&](const Node& node) { return base::is_beneath(node.path, mount.at); });
      std::map<std::uint64_t, std::uint64_t> inodes;
      for (const Node& node : fw_.file_systems[mount.file_system].tree.nodes()) {
        Node copy = node;
        if (mount.at != "/") copy.path = node.path == "/" ? mount.at : mount.at + node.path;
        if (copy.inode != 0) {
          const auto [at, fresh] = inodes.try_emplace(copy.inode, next_inode);
          if (fresh) ++next_inode;
          copy.inode = at->second;
        }
        all.push_back(std::move(copy));
      }
    }
    fw_.root = Tree(std::move(all));
    std::stable_sort(fw_.mounts.begin(), fw_.mounts.end(), [](const Mount& a, const Mount& b) { return a.at < b.at; });
  }

  // Kernel version, command lines and partition tables, from every blob that is no file of a file system.
  void collect_notes() {
    std::set<std::string> notes;
    std::set<BlobId> files;
    for (const auto& fs : fw_.file_systems)
      for (const auto& node : fs.tree.nodes()) files.insert(node.blob);
    for (std::size_t i = 0; i < fw_.blobs.size(); ++i) {
      const BlobId id = fw_.blobs.id_at(i);
      if (files.contains(id) && i >= fw_.inputs) continue;
      collect_from(base::as_text(fw_.blobs[id].bytes), notes);
    }
    fw_.kernel_notes.assign(notes.begin(), notes.end());
  }

  static void collect_from(std::string_view text, std::set<std::string>& notes) {
    static constexpr std::string_view kKeys[] = {"Linux version ", "mtdparts=", "bootargs=", "console=tty", "root=/dev/"};
    for (const auto key : kKeys)
      for (auto at = text.find(key); at != std::string_view::npos && notes.size() < kMostNotes; at = text.find(key, at + 1)) {
        std::size_t end = at;
        while (end < text.size() && end - at < 1024 && text[end] >= 0x20 && text[end] < 0x7F) ++end;
        const std::string_view note = text.substr(at, end - at);
        if (note.size() > key.size() + 2 && note.find('%') == std::string_view::npos) notes.emplace(note);
      }
  }

  Firmware& fw_;
  FileSystemId root_;
  std::vector<std::optional<Holder>> holders_;  // by file system
  std::vector<std::string> places_;             // by file system; empty: not placed yet
  std::set<FileSystemId> containers_;
};

}  // namespace

void compose(Firmware& firmware) { Composer(firmware).run(); }

}  // namespace unpack
