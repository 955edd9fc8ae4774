// Why: the trusted metadata is the device's memory of what it has seen; a torn file there is a rollback for
// free.
#include "tuf/store.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace tuf {
namespace {

namespace fs = std::filesystem;

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::string pattern = (fs::temp_directory_path() / "tuf-store-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~StoreTest() override { fs::remove_all(directory_); }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
  }
  std::string directory_;
};

TEST_F(StoreTest, a_file_is_replaced_whole) {
  auto store = Store::open(directory_);
  ASSERT_TRUE(store);
  EXPECT_FALSE(store->read("root.json", 100));
  ASSERT_TRUE(store->write("root.json", "first"));
  ASSERT_TRUE(store->write("root.json", "second"));
  EXPECT_EQ(store->read("root.json", 100), "second");
  EXPECT_FALSE(store->read("root.json", 5)) << "larger than the limit";
  EXPECT_EQ(files(), 1u);
}

TEST_F(StoreTest, two_clients_do_not_share_a_directory) {
  auto first = Store::open(directory_);
  ASSERT_TRUE(first);
  EXPECT_FALSE(Store::open(directory_));
  first = Store::open("/nonexistent");
  EXPECT_TRUE(Store::open(directory_)) << "free again";
}

TEST_F(StoreTest, leftovers_of_a_dead_writer_go_and_a_living_one_stays) {
  std::ofstream(directory_ + "/.tuf-writing-4711") << "torn";
  auto living = PendingFile::create(directory_, "artifact");
  ASSERT_TRUE(living);
  EXPECT_EQ(files(), 1u) << "the dead one's file is gone";
  ASSERT_TRUE(living->append("content"));
  auto store = Store::open(directory_);
  ASSERT_TRUE(store);
  EXPECT_TRUE(living->commit());
  EXPECT_EQ(store->read("artifact", 100), "content");
}

TEST_F(StoreTest, a_file_that_is_not_committed_leaves_no_trace) {
  {
    auto file = PendingFile::create(directory_, "artifact");
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->append("content"));
  }
  EXPECT_EQ(files(), 0u);
}

TEST_F(StoreTest, a_disk_that_takes_no_more_is_said_and_the_old_file_stays) {
  auto store = Store::open(directory_);
  ASSERT_TRUE(store);
  ASSERT_TRUE(store->write("root.json", "first"));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1000, before.rlim_max};
  ::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto written = store->write("root.json", std::string(2000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, Error::Kind::storage);
  EXPECT_EQ(store->read("root.json", 100), "first");
  EXPECT_EQ(files(), 1u);
}

}  // namespace
}  // namespace tuf
