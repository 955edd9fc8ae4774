// Why: an analysis of real devices is worth what the unpacking gave it: contents and modes must equal those that other
// extractors found, byte for byte, for every real file system that we have.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <fmt/format.h>

#include "base/escape.h"
#include "base/text.h"
#include "unpack/unpack.h"

namespace unpack {
namespace {

namespace fs = std::filesystem;

fs::path shared_firmware() {
  if (const char* set = std::getenv("BIOPSY_SHARED")) return fs::path(set) / "firmware";
  return fs::path(BIOPSY_SOURCE_DIR) / "../shared/firmware";
}

char letter(NodeType type) {
  switch (type) {
    case NodeType::regular: return 'f';
    case NodeType::directory: return 'd';
    case NodeType::symlink: return 'l';
    case NodeType::char_device: return 'c';
    case NodeType::block_device: return 'b';
    case NodeType::fifo: return 'p';
    case NodeType::socket: return 's';
  }
  return '?';
}

// A node as the oracle writes it: type, path, size, hash or target or device, mode.
std::string line_of(const Firmware& firmware, const Node& node) {
  std::string what = "-";
  std::uint64_t size = 0;
  if (node.type == NodeType::regular) {
    what = base::sha256_hex(firmware.bytes(node));
    size = node.size;
  } else if (node.type == NodeType::symlink) {
    what = node.link_target;
  } else if (node.type == NodeType::char_device || node.type == NodeType::block_device) {
    what = fmt::format("{},{}", node.major, node.minor);
  }
  return fmt::format("{}\t{}\t{}\t{}\t0o{:o}", letter(node.type), node.path.substr(1), size, what, node.mode);
}

// The modes of symbolic links are not compared: the oracles come from links extracted to a disk, where Linux shows all
// as 0777, while the images store other ones (`unsquashfs -lls` on the camera's root file system: lrwxr-xr-x).
std::map<std::string, std::string> lines_by_path(std::istream& in) {
  std::map<std::string, std::string> out;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#') || line.empty()) continue;
    const std::string path(base::split(line, '\t')[1]);
    out[path] = line.starts_with('l') ? line.substr(0, line.rfind('\t')) : line;
  }
  return out;
}

void compare(const fs::path& oracle) {
  const std::string stem = oracle.stem().native();
  const auto at = stem.rfind('@');
  std::string image = stem.substr(0, at);
  for (auto i = image.find("__"); i != std::string::npos; i = image.find("__")) image.replace(i, 2, "/");
  const std::string where = stem.substr(at + 1);

  const auto firmware = open({(shared_firmware() / image).native()});
  ASSERT_TRUE(firmware) << firmware.error().message;
  const FileSystem* found = nullptr;
  for (const auto& candidate : firmware->file_systems) {
    std::uint64_t offset = candidate.offset;
    BlobId id = candidate.blob;
    for (; firmware->blobs[id].is_view; id = firmware->blobs[id].parent) offset += firmware->blobs[id].parent_offset;
    if (firmware->blobs[id].parent.valid()) continue;  // inside something that was decoded
    if (where == "jefferson" ? candidate.format == "jffs2" : offset == std::stoull(where, nullptr, 16)) found = &candidate;
  }
  ASSERT_TRUE(found) << "no file system at " << where;

  std::ifstream in(oracle);
  auto expected = lines_by_path(in);
  // jefferson makes directories without their modes (0755 by umask). The only directory of the camera's JFFS2 that has an
  // inode says otherwise: node at 0x14bb90, mode word ff 41 00 00 (040777), header, data and node checksums hold.
  if (stem.starts_with("dumps__ipcam-sannce__system.bin")) expected["www/pem"] = "d\twww/pem\t0\t-\t0o777";
  std::ostringstream text;
  for (const auto& node : found->tree.nodes())
    if (node.path != "/") text << line_of(*firmware, node) << '\n';
  std::istringstream made(text.str());
  const auto actual = lines_by_path(made);
  std::size_t shown = 0;
  for (const auto& [path, line] : expected) {
    const auto same = actual.find(path);
    if (same != actual.end() && same->second == line) continue;
    if (++shown <= 12) ADD_FAILURE() << "oracle: " << line << "\nours:   " << (same == actual.end() ? "missing" : same->second);
  }
  for (const auto& [path, line] : actual)
    if (!expected.contains(path) && ++shown <= 12) ADD_FAILURE() << "only ours: " << line;
  EXPECT_EQ(shown, 0u) << "differences in all";
}

TEST(Oracle, contents_of_every_real_file_system_are_equal) {
  const fs::path folder = shared_firmware() / "oracle";
  if (!fs::exists(folder)) GTEST_SKIP() << "needs shared firmware: " << folder;
  std::size_t compared = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().filename().native());
    compare(entry.path());
    ++compared;
  }
  EXPECT_GT(compared, 0u);
}

}  // namespace
}  // namespace unpack
