// Why: an analyser that follows a link out of the tree, or round and round, reads the wrong program or none.
#include <gtest/gtest.h>

#include "unpack/firmware.h"

namespace unpack {
namespace {

Node file(std::string path) {
  Node node;
  node.path = std::move(path);
  return node;
}
Node link(std::string path, std::string target) {
  Node node = file(std::move(path));
  node.type = NodeType::symlink;
  node.link_target = std::move(target);
  return node;
}

Tree sample() {
  return Tree({file("/bin/busybox"), link("/bin/sh", "busybox"), link("/usr/bin/sh", "/bin/sh"), link("/up", "../../../bin/sh"),
               link("/loop", "/loop2"), link("/loop2", "loop"), link("/sbin", "bin"), file("/bin-x")});
}

TEST(Tree, links_are_followed_inside_and_never_out) {
  const Tree tree = sample();
  for (const char* path : {"/bin/sh", "/usr/bin/sh", "/up", "/sbin/sh", "/sbin/../bin/./sh", "usr/bin/sh"}) {
    const Node* node = tree.resolve(path);
    ASSERT_TRUE(node) << path;
    EXPECT_EQ(node->path, "/bin/busybox") << path;
  }
  EXPECT_EQ(tree.resolve("sh", "/bin")->path, "/bin/busybox");
  EXPECT_EQ(tree.resolve("/loop"), nullptr);
  EXPECT_EQ(tree.resolve("/bin/busybox/sh"), nullptr) << "a file is no directory";
  EXPECT_EQ(tree.resolve("/none"), nullptr);
  EXPECT_EQ(tree.resolve("/")->path, "/");
}

TEST(Tree, parents_are_there_and_listing_is_one_level) {
  const Tree tree = sample();
  ASSERT_TRUE(tree.find("/usr/bin"));
  EXPECT_EQ(tree.find("/usr/bin")->type, NodeType::directory);
  EXPECT_EQ(tree.list("/bin").size(), 2u) << "/bin-x is not in /bin";
  EXPECT_EQ(tree.list("/").size(), 7u);
}

TEST(Tree, the_last_of_equal_paths_wins) {
  std::size_t duplicates = 0;
  const Tree tree({link("/a", "first"), link("/a", "second")}, &duplicates);
  EXPECT_EQ(duplicates, 1u);
  EXPECT_EQ(tree.find("/a")->link_target, "second");
}

}  // namespace
}  // namespace unpack
