// Why: each format is held against an image that another tool made of a tree that we know, byte for byte and bit for bit,
// and against the same image cut off and with bytes turned.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "unpack/unpack.h"

namespace unpack {
namespace {

namespace fs = std::filesystem;

struct Sample {
  const char* name;     // of the case
  const char* format;   // registry name of what has to be found
  const char* command;  // makes `image` from the directory `tree`
  bool modes = true, links = true, hard_links = true;
};

constexpr Sample kSamples[] = {
    {"squashfs_gzip", "squashfs", "mksquashfs tree image -noappend -comp gzip"},
    {"squashfs_xz", "squashfs", "mksquashfs tree image -noappend -comp xz -b 65536"},
    {"squashfs_xz_bcj", "squashfs", "mksquashfs tree image -noappend -comp xz -Xbcj arm"},
    {"squashfs_lzma", "squashfs", "mksquashfs tree image -noappend -comp lzma"},
    {"squashfs_lzo", "squashfs", "mksquashfs tree image -noappend -comp lzo"},
    {"squashfs_lz4", "squashfs", "mksquashfs tree image -noappend -comp lz4 -Xhc"},
    {"squashfs_zstd", "squashfs", "mksquashfs tree image -noappend -comp zstd"},
    {"squashfs_plain", "squashfs", "mksquashfs tree image -noappend -noI -noD -noF -no-fragments"},
    {"jffs2_little", "jffs2", "mkfs.jffs2 -l -r tree -o image"},
    {"jffs2_big", "jffs2", "mkfs.jffs2 -b -r tree -o image"},
    {"jffs2_lzo", "jffs2", "mkfs.jffs2 -l -X lzo -x zlib -r tree -o image"},
    {"jffs2_rtime", "jffs2", "mkfs.jffs2 -l -X rtime -x zlib -x lzo -r tree -o image"},
    {"jffs2_cleanmarkers", "jffs2", "mkfs.jffs2 -l -n -e 0x10000 -r tree -o raw && sumtool -l -e 0x10000 -i raw -o image"},
    {"cramfs_little", "cramfs", "mkfs.cramfs -N little tree image", true, true, false},
    {"cramfs_big", "cramfs", "mkfs.cramfs -N big tree image", true, true, false},
    {"ubifs_lzo", "ubifs", "mkfs.ubifs -m 2048 -e 126976 -c 200 -x lzo -r tree -o image"},
    {"ubifs_zlib", "ubifs", "mkfs.ubifs -m 512 -e 15872 -c 800 -x zlib -r tree -o image"},
    {"ubi", "ubi", "mkfs.ubifs -m 2048 -e 126976 -c 200 -x zstd -r tree -o fs && printf '[a]\\nmode=ubi\\nimage=fs\\nvol_id=0\\nvol_type=dynamic\\nvol_name=rootfs\\nvol_size=20MiB\\n' > ini && ubinize -o image -m 2048 -p 128KiB ini"},
    {"ext2", "ext", "mke2fs -t ext2 -d tree image 8M"},
    {"ext4", "ext", "mke2fs -t ext4 -d tree image 16M"},
    {"erofs_plain", "erofs", "mkfs.erofs image tree"},
    {"erofs_lz4", "erofs", "mkfs.erofs -zlz4hc image tree"},
    {"erofs_legacy", "erofs", "mkfs.erofs -zlz4 -Elegacy-compress image tree"},
    {"erofs_big_tail", "erofs", "mkfs.erofs -zlz4hc -C65536 -Eztailpacking image tree"},
    {"erofs_chunks", "erofs", "mkfs.erofs --chunksize 4096 image tree"},
    {"tar_gnu", "tar", "tar --format=gnu -C tree -cf image ."},
    {"tar_pax", "tar", "tar --format=pax -C tree -cf image ."},
    {"tar_v7", "tar", "tar --format=v7 -C tree -cf image ."},
    {"tar_ustar", "tar", "tar --format=ustar -C tree -cf image ."},
    {"cpio_newc", "cpio", "cd tree && find . | cpio -o -H newc > ../image"},
    {"cpio_crc", "cpio", "cd tree && find . | cpio -o -H crc > ../image"},
    {"cpio_odc", "cpio", "cd tree && find . | cpio -o -H odc > ../image"},
    {"cpio_bin", "cpio", "cd tree && find . | cpio -o -H bin > ../image"},
    {"zip", "zip", "cd tree && zip -qry ../image.zip . && mv ../image.zip ../image", true, true, false},
    {"sevenzip", "7z", "cd tree && 7z a ../image.7z . && mv ../image.7z ../image", false, false, false},
    {"cab", "cab", "cd tree && find * ! -type d -print0 | xargs -0 gcab -c -z ../image", false, false, false},
    {"iso", "iso9660", "genisoimage -quiet -R -o image tree", false, true, false},
    {"tar_gzip", "gzip", "tar -C tree -czf image ."},
    {"tar_bzip2", "bzip2", "tar -C tree -cjf image ."},
    {"tar_xz", "xz", "tar -C tree -cJf image ."},
    {"tar_lzma", "lzma", "tar -C tree -cf - . | xz --format=lzma > image"},
    {"tar_zstd", "zstd", "tar -C tree -cf - . | zstd -q > image"},
    {"tar_lz4", "lz4", "tar -C tree -cf - . | lz4 -q > image"},
    {"tar_lz4_legacy", "lz4-legacy", "tar -C tree -cf - . | lz4 -q -l > image"},
    {"tar_lzop", "lzop", "tar -C tree -cf - . | lzop > image"},
    {"uimage", "uimage", "tar -C tree -czf t . && mkimage -A arm -O linux -T ramdisk -C gzip -n sample -d t image"},
    {"uimage_multi", "uimage", "tar -C tree -cf a . && echo second > b && mkimage -A arm -O linux -T multi -C none -n sample -d a:b image"},
};

class Samples : public testing::TestWithParam<Sample> {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/biopsy-samples-XXXXXX";
    ASSERT_TRUE(mkdtemp(pattern));
    here_ = pattern;
    make_tree();
    const std::string command = "cd " + here_.native() + " && (" + GetParam().command + ") >/dev/null 2>&1";
    made_ = std::system(command.c_str()) == 0 && fs::exists(here_ / "image");
  }
  void TearDown() override { fs::remove_all(here_); }

  void write(const std::string& path, const std::string& text, mode_t mode) const {
    fs::create_directories((here_ / "tree" / path).parent_path());
    std::ofstream(here_ / "tree" / path) << text;
    chmod((here_ / "tree" / path).c_str(), mode);
  }

  // Small, empty, large and compressible, large and not, odd names, links of both kinds.
  void make_tree() const {
    std::mt19937 random(7);
    std::string noise, text;
    for (int i = 0; i < 200'000; ++i) noise += static_cast<char>(random());
    for (int i = 0; i < 20'000; ++i) text += "line " + std::to_string(i % 977) + "\n";
    write("bin/noise", noise, 0755);
    write("etc/text", text, 0644);
    write("etc/empty", "", 0600);
    write("etc/small", "a few bytes\n", 04711);
    write("etc/od d$na'me", "x", 0640);
    write("deep/er/and/deeper/file", "down here\n", 0444);
    write("etc/latin-\xe9", "not UTF-8\n", 0644);
    fs::create_symlink("../bin/noise", here_ / "tree/etc/link");
    fs::create_hard_link(here_ / "tree/etc/small", here_ / "tree/etc/small-too");
    chmod((here_ / "tree/deep").c_str(), 0750);
  }

  static std::string contents(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  fs::path here_;
  bool made_ = false;
};

void expect_accounted(const Firmware& firmware) {
  for (const auto& blob : firmware.blobs) {
    std::uint64_t at = 0;
    for (const auto& extent : blob.extents) {
      ASSERT_EQ(extent.offset, at) << blob.name;
      at += extent.size;
    }
    ASSERT_EQ(at, blob.bytes.size()) << blob.name;
  }
}

NodeType type_of(const struct stat& about) {
  return S_ISDIR(about.st_mode) ? NodeType::directory : S_ISLNK(about.st_mode) ? NodeType::symlink : NodeType::regular;
}

TEST_P(Samples, the_tree_comes_back) {
  if (!made_) GTEST_SKIP() << "needs the tool: " << GetParam().command;
  const auto firmware = open({(here_ / "image").native()});
  ASSERT_TRUE(firmware) << firmware.error().message;
  expect_accounted(*firmware);
  EXPECT_EQ(firmware->blobs[firmware->blobs.id_at(0)].format, GetParam().format);
  for (const auto& d : firmware->doubts) ADD_FAILURE() << d.name << ": " << d.detail;
  for (const auto& entry : fs::recursive_directory_iterator(here_ / "tree")) {
    const std::string path = entry.path().native().substr((here_ / "tree").native().size());
    struct stat about {};
    ASSERT_EQ(lstat(entry.path().c_str(), &about), 0);
    const bool latin = path.find('\xe9') != std::string::npos;
    if (latin && (GetParam().format == std::string_view("7z") || GetParam().format == std::string_view("cab") ||
                  GetParam().format == std::string_view("iso9660"))) continue;  // their makers recode names
    const Node* node = firmware->root.find(path);
    ASSERT_TRUE(node) << path;
    if (S_ISLNK(about.st_mode) && !GetParam().links) continue;
    EXPECT_EQ(node->type, type_of(about)) << path;
    if (GetParam().modes && !S_ISLNK(about.st_mode)) {
      EXPECT_EQ(node->mode, about.st_mode & 07777) << path;
    }
    if (node->type == NodeType::symlink) {
      EXPECT_EQ(node->link_target, fs::read_symlink(entry.path()).native());
    } else if (node->type == NodeType::regular) {
      EXPECT_TRUE(base::as_text(firmware->bytes(*node)) == contents(entry.path())) << path;
    }
  }
  if (!GetParam().hard_links) return;
  const Node *one = firmware->root.find("/etc/small"), *two = firmware->root.find("/etc/small-too");
  EXPECT_NE(one->inode, 0u);
  EXPECT_EQ(one->inode, two->inode) << "two names of one file";
}

TEST_P(Samples, damage_is_survived) {
  if (!made_) GTEST_SKIP() << "needs the tool: " << GetParam().command;
  const std::string whole = contents(here_ / "image");
  std::mt19937 random(11);
  for (int round = 0; round < 6; ++round) {
    std::string bytes = whole;
    if (round % 3 == 0) bytes.resize(bytes.size() * (random() % 900 + 50) / 1000);
    for (int i = 0; round % 3 != 0 && i < 40; ++i) {
      const std::size_t span = round % 3 == 1 ? bytes.size() : std::min<std::size_t>(bytes.size(), 512);
      bytes[random() % span] = static_cast<char>(random());
    }
    Options options;
    options.worker_memory_bytes = 512 << 20;
    const auto firmware = open_bytes(base::Bytes(bytes.begin(), bytes.end()), "damaged", options);
    expect_accounted(firmware);
    for (const auto& d : firmware.doubts) EXPECT_NE(d.name, "decoder-failed") << d.where << ": " << d.detail;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Samples, testing::ValuesIn(kSamples), [](const auto& about) { return std::string(about.param.name); });

}  // namespace
}  // namespace unpack
