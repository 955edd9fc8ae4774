// Why: three extractors' samples, damaged, traversing and exploding ones among them. None may crash or hang a scan, none
// may write outside, and in each every byte has to be accounted for.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "unpack/unpack.h"

namespace unpack {
namespace {

namespace fs = std::filesystem;

fs::path fixtures() {
  if (const char* set = std::getenv("BIOPSY_SHARED")) return fs::path(set) / "firmware/fixtures";
  return fs::path(BIOPSY_SOURCE_DIR) / "../shared/firmware/fixtures";
}

void expect_all_bytes_accounted(const Firmware& firmware) {
  for (const auto& blob : firmware.blobs) {
    std::uint64_t at = 0;
    for (const auto& extent : blob.extents) {
      ASSERT_EQ(extent.offset, at) << blob.name;
      ASSERT_GT(extent.size, 0u) << blob.name;
      at += extent.size;
    }
    ASSERT_EQ(at, blob.bytes.size()) << blob.name;
  }
}

TEST(Fixtures, every_one_is_survived_and_adds_up) {
  if (!fs::exists(fixtures())) GTEST_SKIP() << "needs shared firmware: " << fixtures();
  std::size_t opened = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fixtures())) {
    if (!entry.is_regular_file()) continue;
    SCOPED_TRACE(entry.path().native());
    const auto firmware = open({entry.path().native()});
    ASSERT_TRUE(firmware) << firmware.error().message;
    expect_all_bytes_accounted(*firmware);
    for (const auto& d : firmware->doubts) EXPECT_NE(d.name, "decoder-failed") << d.where << ": " << d.detail;
    ++opened;
  }
  EXPECT_GT(opened, 100u);
}

TEST(Fixtures, what_cannot_be_opened_is_named) {
  if (!fs::exists(fixtures())) GTEST_SKIP() << "needs shared firmware: " << fixtures();
  static constexpr std::pair<const char*, const char*> kExpected[] = {
      {"fact_extractor/generic_carver/fake_gz.gz", "unconfirmed-format"},
      {"fact_extractor/generic_carver/fake_xz.xz", "unconfirmed-format"},
      {"fact_extractor/generic_carver/fake_7z.7z", "truncated"},
      {"fact_extractor/generic_carver/fake_zip.zip", "truncated"},
      {"fact_extractor/avm_sqfs_fake/fake.sqfs", "unconfirmed-format"},
      {"fact_extractor/sevenz/test_password.7z", "password-protected"},
      {"fact_extractor/sevenz/test_password.zip", "password-protected"},
      {"binwalk-ng/csman_decompression_bomb.bin", "over-budget"},
      {"fact_extractor/dlink/fw_mh01_test.bin", "not-opened"},
      {"fact_extractor/tenvis_pk2/test.pk2", "not-opened"},
      {"fact_extractor/sevenz/ntfs.img.xz", "not-opened"},
      {"fact_extractor/patool/test.zoo", "not-opened"},
      {"fact_extractor/tektronix/testfile.tek", "not-opened"},
      {"fact_extractor/linuxkernel/zImage_be32", "truncated"},
  };
  for (const auto& [name, wanted] : kExpected) {
    const auto firmware = open({(fixtures() / name).native()});
    ASSERT_TRUE(firmware) << name;
    bool found = false;
    for (const auto& d : firmware->doubts) found = found || d.name == wanted;
    EXPECT_TRUE(found) << name << " has no doubt " << wanted;
  }
}

// All others are opened; docs/limits.md says what these are. Fakes, noise and damaged headers stay unknown.
TEST(Fixtures, only_these_are_not_opened) {
  if (!fs::exists(fixtures())) GTEST_SKIP() << "needs shared firmware: " << fixtures();
  const std::set<std::string> expected = {
      "avm_sqfs_fake/fake.sqfs", "bogus_image.bin", "boschtool/test.fw", "broadcom-sao.bin", "btrfs.img.xz", "dji.img", "f2fs.img.xz", "fake_gz.gz",
      "fake_tar.tar", "fake_xz.xz", "fw_mh01_test.bin", "hfs.img.xz", "invalid_file", "jfs.img.xz", "lzfse.bin", "maxlinear-uimage-v2.bin",
      "nothing.bin", "ntfs.img.xz", "objcopy.xtek", "raw.bin", "reiserfs.img.xz", "senao/testfw_1.enc", "test.arc", "test.arj", "test.dsk1",
      "test.lrz", "test.rz", "test.sitx", "test.zoo", "test.zpaq", "testfile.tek", "testfile.xtek", "testfile_crc.tek", "testfile_crc.xtek",
      "testfile_failed_slicing.xtek", "testfile_rec_len_mismatch.xtek", "tenvis_pk2/broken.pk2", "tenvis_pk2/test.pk2", "udf.img.xz", "xfs.img.xz"};
  std::set<std::string> missed = expected;
  for (const auto& entry : fs::recursive_directory_iterator(fixtures())) {
    if (!entry.is_regular_file()) continue;
    const auto firmware = open({entry.path().native()});
    ASSERT_TRUE(firmware) << entry.path();
    const auto& extents = firmware->blobs[firmware->blobs.id_at(0)].extents;
    bool closed = std::none_of(extents.begin(), extents.end(), [](const Extent& e) { return e.kind == Extent::Kind::claimed; });
    for (const auto& d : firmware->doubts) closed = closed || d.name == "not-opened";
    if (!closed) continue;
    const bool known = std::erase_if(missed, [&](const std::string& end) { return entry.path().native().ends_with("/" + end); }) > 0;
    EXPECT_TRUE(known) << entry.path() << " is not opened";
  }
  for (const auto& name : missed) ADD_FAILURE() << name << " is opened now: take it from the list";
}

// Those of formats that have no sample made by a tool at hand: what comes out, by its first bytes.
TEST(Fixtures, makers_containers_are_opened) {
  if (!fs::exists(fixtures())) GTEST_SKIP() << "needs shared firmware: " << fixtures();
  static constexpr std::pair<const char*, const char*> kExpected[] = {
      {"binwalk-ng/csman.bin", "test"},
      {"binwalk-ng/program_store.bin", "ProgramStore test image 1"},
      {"fact_extractor/buffalo/buffalo.bin", "foobar 123 test"},
      {"fact_extractor/bneg/test.bneg", "test123"},
      {"fact_extractor/dahua/dh.bin", "The third test file!"},
  };
  for (const auto& [name, wanted] : kExpected) {
    const auto firmware = open({(fixtures() / name).native()});
    ASSERT_TRUE(firmware) << name;
    bool found = false;
    for (std::size_t i = 1; i < firmware->blobs.size(); ++i)
      found = found || base::as_text(firmware->blobs[firmware->blobs.id_at(i)].bytes).find(wanted) != std::string_view::npos;
    EXPECT_TRUE(found) << name << " does not yield " << wanted;
  }
}

TEST(Fixtures, nothing_is_written_outside) {
  if (!fs::exists(fixtures())) GTEST_SKIP() << "needs shared firmware: " << fixtures();
  char pattern[] = "/tmp/biopsy-fixtures-XXXXXX";
  ASSERT_TRUE(mkdtemp(pattern));
  const fs::path base = pattern;
  for (const char* name : {"binwalk2/dirtraversal.tar", "fact_extractor/sevenz/cramfs.img", "fact_extractor/jffs2/jffs2_be.img"}) {
    const auto firmware = open({(fixtures() / name).native()});
    ASSERT_TRUE(firmware);
    const fs::path out = base / "outer" / "inner";
    fs::create_directories(out.parent_path());
    const auto written = write_out(*firmware, out.native(), {.everything = true});
    ASSERT_TRUE(written) << written.error().message;
    EXPECT_FALSE(fs::is_empty(out / "root")) << name;
    EXPECT_EQ(std::distance(fs::directory_iterator(base), fs::directory_iterator()), 1) << name;
    EXPECT_EQ(std::distance(fs::directory_iterator(base / "outer"), fs::directory_iterator()), 1) << name;
    fs::remove_all(base / "outer");
  }
  fs::remove_all(base);
}

}  // namespace
}  // namespace unpack
