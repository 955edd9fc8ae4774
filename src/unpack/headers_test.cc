// Why: makers' containers have no tool that makes them; their samples are laid out by hand from the written layouts (those of the
// ciphers checked against another extractor), and the same bytes are the fuzz doors' first inputs.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "unpack/unpack.h"

namespace unpack {
namespace {

base::Bytes corpus(const std::string& name) {
  std::ifstream in(std::string(BIOPSY_SOURCE_DIR) + "/src/unpack/corpus/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string lines(int from, int to) {
  std::string out;
  for (int i = from; i < to; ++i) out += "kernel line " + std::to_string(i) + "\n";
  return out;
}

const std::string kText = lines(0, 60);

struct Expected {
  const char* sample;
  const char* format;
  const char* what;      // end of a blob's name, or a path of the tree
  std::string contents;  // how it begins; what is shorter than 16 bytes is all of it
};

const Expected kExpected[] = {
    {"eva", "avm-eva", "avm-eva:kernel", kText},
    {"eva-two", "avm-eva", "avm-eva:kernel-2", kText},
    {"program-store", "program-store", "program-store:program", kText},
    {"csman", "csman", "csman:settings", std::string("\x78\x56\x34\x12\x04\0\x04\0test", 12)},
    {"bneg", "instar-bneg", "instar-bneg:rootfs", "root part here\n"},
    {"grain-media", "grain-media", "grain-media:payload", kText},
    {"ros-pack", "ros-pack", "/one.txt", "first\n"},
    {"ambarella", "ambarella-romfs", "/one.txt", "first\n"},
    {"deafbead", "dlink-deafbead", "/etc/one.txt", "first\n"},
    {"fpkg", "dlink-fpkg", "/one.txt", "first\n"},
    {"hp-ipkg", "hp-ipkg", "/one.txt", "first\n"},
    {"hp-bdl", "hp-bdl", "/one.txt", "first\n"},
    {"instar-hd", "instar-hd", "/one.txt", "first\n"},
    {"buffalo", "buffalo", "buffalo:decrypted", kText},
    {"engenius", "engenius", "engenius:decrypted", kText.substr(0, 256)},
    {"qnap-nas", "qnap", "qnap:decrypted", kText},
    {"qnap-other", "qnap", "qnap:decrypted", kText},
    {"encrpted", "dlink-encrpted", "dlink-encrpted:decrypted", std::string("UBI#\x01\0\0\0\0\0\0\0\0\0\0\0", 16) + kText.substr(0, 256)},
    {"ikconfig", "ikconfig", ".gzip", "CONFIG_DEMO=y\n"},
    {"super", "android-super", "android-super:system", std::string(512, 'S')},
    {"super", "android-super", "android-super:vendor", std::string(512, 'V') + std::string(512, '\0')},
    {"uefi-volume", "uefi-volume", "/11111111-2222-3333-4444-555555555555/section-19.bin", "plain section\n"},
    {"uefi-volume", "uefi-volume", "/66666666-2222-3333-4444-555555555555/section-19.bin", kText},
    {"uefi-volume", "uefi-volume", "/77777777-2222-3333-4444-555555555555/raw.bin", "raw file\n"},
    {"tar-v7", "tar", "/one.txt", "first\n"},
    {"cab", "cab", "/d/b", "hi\n"},
};

std::string found(const Firmware& firmware, std::string_view what) {
  if (what.starts_with('/'))
    for (const Node& node : firmware.root.nodes())
      if (node.path.ends_with(what)) return std::string(base::as_text(firmware.bytes(node)));
  for (std::size_t i = 0; i < firmware.blobs.size(); ++i) {
    const Blob& blob = firmware.blobs[firmware.blobs.id_at(i)];
    if (blob.name.ends_with(what)) return std::string(base::as_text(blob.bytes));
  }
  return "(not there)";
}

TEST(Headers, what_they_hold_comes_out) {
  for (const auto& expected : kExpected) {
    SCOPED_TRACE(expected.sample);
    const auto firmware = open_bytes(corpus(expected.sample), "sample");
    EXPECT_EQ(firmware.blobs[firmware.blobs.id_at(0)].format, expected.format);
    const std::string got = found(firmware, expected.what);
    EXPECT_EQ(got.substr(0, expected.contents.size()), expected.contents) << expected.what;
    if (expected.contents.size() < 16) {
      EXPECT_EQ(got.size(), expected.contents.size()) << expected.what;
    }
    for (const auto& d : firmware.doubts)
      EXPECT_TRUE(d.name == "unplaced-file-system" || d.name == "unconfirmed-format") << d.name << ": " << d.detail;  // a made-up UBI
  }
}

// The encrypted start of the sample is that of the maker's own images: key, vector and header are theirs.
TEST(Headers, alpha_encimg_decrypts) {
  const auto firmware = open_bytes(corpus("alpha-encimg"), "sample");
  EXPECT_NE(found(firmware, "alpha-encimg:decrypted").find(kText.substr(0, 512)), std::string::npos);
}

TEST(Headers, erofs_of_each_index_form) {
  std::ifstream in("/usr/share/common-licenses/GPL-3", std::ios::binary);
  std::string licence(9000, '\0');
  in.read(licence.data(), 9000);
  if (!in) GTEST_SKIP() << "needs Debian's text of the GPL";
  for (const char* name : {"erofs-lz4", "erofs-big", "erofs-legacy"}) {
    SCOPED_TRACE(name);
    const auto firmware = open_bytes(corpus(name), "sample");
    EXPECT_EQ(found(firmware, "/d/text"), licence);
    EXPECT_EQ(found(firmware, "/d/hard"), licence);
    EXPECT_TRUE(firmware.doubts.empty());
  }
}

// Each sample cut at every eighth of its length, and with one byte turned in its first 64: survived, and all bytes accounted for.
TEST(Headers, damage_is_survived) {
  for (const auto& expected : kExpected) {
    SCOPED_TRACE(expected.sample);
    const base::Bytes whole = corpus(expected.sample);
    std::vector<base::Bytes> damaged;
    for (std::size_t eighth = 1; eighth < 8; ++eighth) damaged.emplace_back(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(whole.size() * eighth / 8));
    for (std::size_t at = 0; at < std::min<std::size_t>(whole.size(), 64); at += 5) {
      damaged.push_back(whole);
      damaged.back()[at] ^= 0xFF;
    }
    Options options;
    options.workers = false;
    for (const auto& bytes : damaged) {
      const auto firmware = open_bytes(bytes, "damaged", options);
      std::uint64_t sum = 0;
      for (const auto& extent : firmware.blobs[firmware.blobs.id_at(0)].extents) sum += extent.size;
      EXPECT_EQ(sum, bytes.size());
    }
  }
}

}  // namespace
}  // namespace unpack
