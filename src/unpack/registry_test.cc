// Why: a format that is registered and not documented, or that no sample reaches, rots unseen.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "unpack/format.h"
#include "unpack/unpack.h"

namespace unpack {
namespace {

TEST(Registry, records_are_whole) {
  std::set<std::string_view> names;
  for (const Format* format : formats()) {
    EXPECT_TRUE(names.insert(format->name).second) << format->name;
    EXPECT_FALSE(format->title.empty()) << format->name;
    EXPECT_FALSE(format->reference.empty()) << format->name;
    EXPECT_TRUE(format->measure) << format->name;
    EXPECT_GE(format->magics[0].bytes.size(), 2u) << format->name;
    EXPECT_EQ(format->kind == Format::Kind::stream, format->decode != nullptr) << format->name;
    EXPECT_FALSE(format->decode && format->extract) << format->name;
    EXPECT_EQ(find_format(format->name), format);
  }
}

// BIOPSY_BLESS=1 rewrites the page.
TEST(Registry, the_page_says_what_the_registry_says) {
  const std::string path = std::string(BIOPSY_SOURCE_DIR) + "/docs/formats.md";
  if (std::getenv("BIOPSY_BLESS")) std::ofstream(path) << formats_page();
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), formats_page()) << "BIOPSY_BLESS=1 rewrites docs/formats.md";
}

}  // namespace
}  // namespace unpack
