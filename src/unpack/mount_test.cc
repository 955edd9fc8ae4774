// Why: an analyser that looks for /opt/bin/monitor must find it where the device's own scripts mount it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "unpack/mtdparts.h"
#include "unpack/unpack.h"

namespace unpack {
namespace {

namespace fs = std::filesystem;

TEST(Mtdparts, sizes_offsets_and_the_rest) {
  const auto parts = parse_mtdparts({"console=ttyS0", "root=31:02 mtdparts=spi0.0:256k(u-boot)ro,0x10000(env),1m@4m(kernel),-(rootfs) mem=32M"});
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(parts[1].name, "env");
  EXPECT_EQ(parts[1].offset, 256u << 10);
  EXPECT_EQ(parts[1].size, 0x10000u);
  EXPECT_EQ(parts[2].offset, 4u << 20);
  EXPECT_EQ(parts[3].offset, 5u << 20);
  EXPECT_EQ(parts[3].number, 3u);
  EXPECT_TRUE(parse_mtdparts({"mtdparts=no colon here"}).empty());
}

class Mounts : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/biopsy-mounts-XXXXXX";
    ASSERT_TRUE(mkdtemp(pattern));
    here_ = pattern;
  }
  void TearDown() override { fs::remove_all(here_); }
  void write(const fs::path& path, const std::string& text) const {
    fs::create_directories((here_ / path).parent_path());
    std::ofstream(here_ / path) << text;
  }
  bool run(const std::string& command) const { return std::system(("cd " + here_.native() + " && (" + command + ") >/dev/null 2>&1").c_str()) == 0; }
  // A root that mounts flash partition 2 at /opt, and the partition, as two images.
  bool make_partitions() const {
    write("root/etc/inittab", "::sysinit:/etc/init.d/rcS\n");
    write("root/etc/init.d/rcS", "#!/bin/sh\nmount -t proc proc /proc\nmount -t jffs2 /dev/mtdblock2 /opt\n");
    write("root/opt/old", "hidden by the mount\n");
    write("opt/bin/monitor", "the program\n");
    return run("mksquashfs root root.img -noappend && mkfs.jffs2 -l -r opt -o opt.img");
  }
  fs::path here_;
};

TEST_F(Mounts, partitions_compose_as_the_scripts_say) {
  if (!make_partitions()) GTEST_SKIP() << "needs mksquashfs and mkfs.jffs2";
  const auto firmware = open({here_ / "root.img", here_ / "opt.img"});
  ASSERT_TRUE(firmware) << firmware.error().message;
  ASSERT_TRUE(firmware->root.find("/opt/bin/monitor"));
  EXPECT_EQ(firmware->root.find("/opt/old"), nullptr) << "what a mount hides is not seen";
  EXPECT_EQ(base::as_text(firmware->bytes(*firmware->root.find("/opt/bin/monitor"))), "the program\n");
  ASSERT_EQ(firmware->mounts.size(), 2u);
  EXPECT_EQ(firmware->mounts[1].source, "/etc/init.d/rcS: mount -t jffs2 /dev/mtdblock2 /opt");
}

TEST_F(Mounts, one_image_holds_them_back_to_back) {
  if (!make_partitions() || !run("cat root.img opt.img > both.img")) GTEST_SKIP() << "needs mksquashfs and mkfs.jffs2";
  const auto firmware = open({here_ / "both.img"});
  ASSERT_TRUE(firmware);
  EXPECT_TRUE(firmware->root.find("/opt/bin/monitor"));
}

TEST_F(Mounts, what_nothing_places_is_shown_aside_with_a_doubt) {
  if (!make_partitions()) GTEST_SKIP() << "needs mksquashfs and mkfs.jffs2";
  write("root/etc/init.d/rcS", "#!/bin/sh\n");
  if (!run("mksquashfs root root.img -noappend")) GTEST_SKIP();
  const auto firmware = open({here_ / "root.img", here_ / "opt.img"});
  ASSERT_TRUE(firmware);
  EXPECT_TRUE(firmware->root.find("/.partition-1/bin/monitor"));
  EXPECT_TRUE(std::any_of(firmware->doubts.begin(), firmware->doubts.end(), [](const auto& d) { return d.name == "unplaced-file-system"; }));
}

TEST_F(Mounts, directories_files_and_nothing) {
  write("root/bin/sh", "#!/bin/sh\n");
  fs::create_symlink("/bin/sh", here_ / "root/sh");
  const auto directory = open({here_ / "root"});
  ASSERT_TRUE(directory);
  EXPECT_EQ(directory->root.resolve("/sh")->path, "/bin/sh");
  const auto script = open({here_ / "root/bin/sh"});
  ASSERT_TRUE(script);
  EXPECT_TRUE(script->root.find("/sh"));
  write("empty", "");
  for (const char* path : {"empty", "none"}) {
    const auto nothing = open({here_ / path});
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().kind, base::Error::Kind::unreadable);
    EXPECT_NE(nothing.error().message.find(path), std::string::npos);
  }
}

TEST_F(Mounts, writing_out_keeps_what_links_and_names_say_inside) {
  if (!make_partitions()) GTEST_SKIP() << "needs mksquashfs and mkfs.jffs2";
  fs::create_symlink(here_, here_ / "root/out");  // a link to where a careless writer would write
  if (!run("mksquashfs root root.img -noappend")) GTEST_SKIP();
  const auto firmware = open({here_ / "root.img"});
  ASSERT_TRUE(firmware);
  const auto written = write_out(*firmware, here_ / "written");
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_TRUE(fs::is_symlink(here_ / "written/root/out"));
  EXPECT_TRUE(fs::exists(here_ / "written/root/etc/inittab"));
  EXPECT_TRUE(fs::exists(here_ / "written/manifest.tsv"));
  EXPECT_FALSE(write_out(*firmware, here_ / "written")) << "not into a directory that holds something";
}

}  // namespace
}  // namespace unpack
