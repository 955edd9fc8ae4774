// Why: a bill of materials that names a wrong version sends people after the wrong advisory: each version must be what the file itself
// states, and unknown where it states none. The words are those that real programs of each kind carry.
#include "derive/components.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "unpack/unpack.h"

namespace {

using testing::ElementsAre;

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

// A header and texts, each ended by NUL: what a stripped program shows of itself.
std::string program(const std::vector<std::string>& texts) {
  std::string out("\x7f" "ELF\1\1\1\0\0\0\0\0\0\0\0\0", 16);
  out.resize(64);
  for (const auto& text : texts) out += text + '\0';
  return out;
}

// An ELF64 relocatable whose .modinfo begins with its first word, right behind a byte that is no NUL (gABI chapters 4: header, sections).
std::string kernel_module(const std::string& modinfo) {
  const std::string names("\0.modinfo\0.shstrtab\0", 20);
  std::string out("\x7f" "ELF\2\1\1\0\0\0\0\0\0\0\0\0", 16);
  put(out, 1, 2), put(out, 62, 2), put(out, 1, 4), put(out, 0, 8), put(out, 0, 8);
  put(out, 65 + modinfo.size() + names.size(), 8), put(out, 0, 4), put(out, 64, 2), put(out, 0, 4), put(out, 64, 2), put(out, 3, 2), put(out, 2, 2);
  out += "x" + modinfo + names + std::string(64, '\0');
  const auto section = [&](std::uint32_t name, std::uint32_t type, std::uint64_t offset, std::uint64_t size) {
    put(out, name, 4), put(out, type, 4), put(out, 0, 16), put(out, offset, 8), put(out, size, 8), put(out, 0, 8), put(out, 1, 8), put(out, 0, 8);
  };
  section(1, 1, 65, modinfo.size());
  section(10, 3, 65 + modinfo.size(), names.size());
  return out;
}

class Components : public testing::Test {
 protected:
  ~Components() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::vector<derive::Component> found(const std::map<std::string, std::string>& files) {
    std::string pattern = (std::filesystem::temp_directory_path() / "biopsy-components-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    for (const auto& [path, content] : files) {
      std::filesystem::create_directories((folder_ + path).substr(0, (folder_ + path).rfind('/')));
      std::ofstream(folder_ + path, std::ios::binary) << content;
    }
    const auto firmware = unpack::open({folder_});
    EXPECT_TRUE(firmware.has_value());
    return firmware ? derive::find_components(*firmware) : std::vector<derive::Component>();
  }
  std::vector<std::string> lines(const std::map<std::string, std::string>& files) {
    std::vector<std::string> out;
    for (const auto& one : found(files)) out.push_back(one.name + " " + (one.version.empty() ? "unknown" : one.version) + (one.license.empty() ? "" : ", " + one.license));
    return out;
  }
  std::string folder_;
};

TEST_F(Components, VersionsThatProgramsState) {
  EXPECT_THAT(lines({{"/bin/busybox", program({"BusyBox v1.22.1 (2016-01-01)"})},
                     {"/lib/libc-2.16.so", program({"GNU C Library (Sourcery CodeBench Lite 2012.09-99) stable release version 2.16, by"})},
                     {"/lib/libcrypto.so.1.0.0", program({"OpenSSL 1.0.2f  28 Jan 2016"})},
                     {"/usr/sbin/wpad", program({"hostapd v2.7-devel", "wpa_supplicant v2.7-devel"})}}),
              ElementsAre("busybox 1.22.1", "glibc 2.16", "openssl 1.0.2f", "hostapd 2.7-devel", "wpa_supplicant 2.7-devel"));
}

TEST_F(Components, AVersionAloneCountsBesideTheProgramsNameOnly) {
  EXPECT_THAT(lines({{"/usr/sbin/dropbear", program({"Dropbear SSH multi-purpose v%s", "2017.75"})}}), ElementsAre("dropbear 2017.75"));
  EXPECT_THAT(lines({{"/lib/libc.so", program({"musl libc (mips-sf)", "1.1.16"})}}), ElementsAre("musl 1.1.16"));
  EXPECT_THAT(lines({{"/lib/libc.so", program({"somebody's library", "1.1.16"})}, {"/usr/sbin/dropbear", program({"a program of that name", "3.14"})}}), ElementsAre());
}

TEST_F(Components, TheNameOfAFileIsEvidenceAndSaysSo) {
  const auto list = found({{"/lib/libuClibc-0.9.30.1.so", program({"nothing"})}, {"/lib/libzbar.so.0", program({"nothing"})}});
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].version, "0.9.30.1");
  EXPECT_EQ(list[0].evidence, "the file's name, libuClibc-0.9.30.1.so");
  EXPECT_EQ(list[1].name, "zbar");  // and not zlib
}

TEST_F(Components, ALibraryThatStatesNoVersionIsListedWithNone) {
  const auto list = found({{"/lib/libnl-3.so.200", program({"netlink"})}, {"/bin/busybox", program({"no version here"})}});
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].name, "libnl");
  EXPECT_EQ(list[0].version, "");
  EXPECT_EQ(list[0].evidence, "the file's name, libnl-3.so.200, which states no version");
}

TEST_F(Components, TheFirstWordOfAModuleCountsAsWell) {
  const auto list = found({{"/lib/modules/slhc.ko", kernel_module(std::string("license=Dual BSD/GPL\0vermagic=4.4.92 mod_unload\0", 47))}});
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].license, "Dual BSD/GPL");
  EXPECT_EQ(list[0].version, "");
  EXPECT_EQ(list[0].evidence, "4.4.92 mod_unload");
}

TEST_F(Components, PackagesOfEachManagerWithTheirLicence) {
  EXPECT_THAT(lines({{"/usr/lib/opkg/status", "Package: dropbear\nVersion: 2017.75-2\nStatus: install user installed\n\nPackage: gone\nVersion: 1\nStatus: deinstall ok not-installed\n"},
                     {"/usr/lib/opkg/info/dropbear.control", "Package: dropbear\nLicense: MIT\nLicenseFiles: LICENSE\n"}}),
              ElementsAre("dropbear 2017.75-2, MIT"));
  EXPECT_THAT(lines({{"/var/lib/dpkg/status", "Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2.13.dfsg-1\n"},
                     {"/usr/share/doc/zlib1g/copyright",
                      "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: debian/*\nLicense: GPL-3\n\nFiles: *\nLicense: Zlib\n words\n"}}),
              ElementsAre("zlib1g 1:1.2.13.dfsg-1, Zlib"));
  EXPECT_THAT(lines({{"/lib/apk/db/installed", "P:musl\nV:1.2.3-r4\nA:armhf\nL:MIT\n\n"}}), ElementsAre("musl 1.2.3-r4, MIT"));
}

TEST_F(Components, APackagesNameIsNoPath) {
  EXPECT_THAT(lines({{"/usr/lib/opkg/status", "Package: ../../../../etc/secret\nVersion: 1\n"}, {"/etc/secret.control", "License: stolen\n"}}), ElementsAre("../../../../etc/secret 1"));
}

}  // namespace
