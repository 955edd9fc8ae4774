// Why: everything that reads hostile bytes stands on these few functions.
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/escape.h"
#include "base/hash.h"
#include "base/text.h"

namespace base {
namespace {

TEST(ByteReader, failure_is_sticky_and_yields_zeros) {
  const Bytes bytes = {1, 2, 3};
  ByteReader reader(bytes, ByteOrder::big);
  EXPECT_EQ(reader.u16(), 0x0102);
  EXPECT_EQ(reader.u32(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0) << "a byte is left, but the reader has failed for good";
}

TEST(ByteReader, take_refuses_lengths_that_would_wrap) {
  const Bytes bytes(8);
  ByteReader reader(bytes);
  reader.skip(4);
  EXPECT_TRUE(reader.take(~std::uint64_t{0}).empty());
  EXPECT_FALSE(reader.ok());
}

TEST(Checked, bounds_do_not_wrap) {
  EXPECT_FALSE(in_bounds(8, ~std::uint64_t{0}, 16));
  EXPECT_TRUE(in_bounds(16, 0, 16));
  EXPECT_FALSE(in_bounds(17, 0, 16));
  EXPECT_EQ(checked_add<std::uint32_t>(0xFFFFFFFF, 1), std::nullopt);
  EXPECT_EQ(align_up(13, 8), 16u);
}

TEST(Escape, every_byte_string_survives_the_round_trip) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  all += "\\x41 \xC3\xA9 \xF0\x9F\x92\x8A \xED\xA0\x80";
  const std::string escaped = escape_bytes(all);
  EXPECT_EQ(unescape_bytes(escaped), all);
  for (std::string_view rest = escaped; !rest.empty();) {
    const auto length = utf8_sequence(rest);
    ASSERT_GT(length, 0u);
    rest.remove_prefix(length);
  }
}

TEST(Escape, a_terminal_never_sees_a_control) {
  EXPECT_EQ(escape_terminal("\x1b[2J\x9b" "a\n"), "\\x1B[2J\\x9Ba\\n");
  EXPECT_EQ(escape_terminal("\xC2\x9B"), "\\u{009B}");
  EXPECT_EQ(escape_terminal("\xE2\x80\xAE"), "\\u{202E}");
}

TEST(Escape, html_and_csv) {
  EXPECT_EQ(escape_html("<script>'&\""), "&lt;script&gt;&#39;&amp;&quot;");
  EXPECT_EQ(escape_csv("=cmd|\"x\""), "\"'=cmd|\"\"x\"\"\"");
}

TEST(Hash, known_answer) {  // FIPS 180-2, appendix B.1
  EXPECT_EQ(sha256_hex(as_bytes("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Text, paths_never_climb_above_the_root) {
  EXPECT_EQ(normal_path("../../etc//./passwd"), "/etc/passwd");
  EXPECT_EQ(normal_path("monitor", "/opt/bin/"), "/opt/bin/monitor");
  EXPECT_EQ(normal_path("/.."), "/");
  EXPECT_TRUE(is_beneath("/opt/bin", "/opt"));
  EXPECT_FALSE(is_beneath("/optical", "/opt"));
}

TEST(Text, words) {
  EXPECT_EQ(split_words("  a \t b ").size(), 2u);
  EXPECT_EQ(split("a::b", ':').size(), 3u);
  EXPECT_EQ(trim(" x\r\n"), "x");
}

}  // namespace
}  // namespace base
