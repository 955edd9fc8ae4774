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
    EXPECT_TRUE(format->probe || format->magics[0].bytes.size() >= 2) << format->name;
    EXPECT_EQ(format->kind == Format::Kind::stream, format->decode != nullptr) << format->name;
    EXPECT_FALSE(format->decode && format->extract) << format->name;
    EXPECT_EQ(find_format(format->name), format);
  }
}

// BIOPSY_BLESS=1 rewrites the page.
void expect_page(const std::string& name, const std::string& wanted) {
  const std::string path = std::string(BIOPSY_SOURCE_DIR) + "/docs/" + name;
  if (std::getenv("BIOPSY_BLESS")) std::ofstream(path) << wanted;
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), wanted) << "BIOPSY_BLESS=1 rewrites docs/" << name;
}

TEST(Registry, the_page_says_what_the_registry_says) { expect_page("formats.md", formats_page()); }
TEST(Registry, the_page_of_limits_says_what_is_not_read) { expect_page("limits.md", limits_page()); }

}  // namespace
}  // namespace unpack
