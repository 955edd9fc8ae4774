// Why: what the store said it kept must be there after kill -9, after a clock set back, and after days.
#include "device/monitor/trends.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <set>

namespace bedside {
namespace {

struct Folder {
  std::filesystem::path path;
  Folder() {
    char name[] = "/tmp/bedside-trends-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string file() const { return (path / "trends.db").string(); }
};

Numerics with_heart_rate(float rate) {
  Numerics n;
  n.heart_rate = rate;
  return n;
}

TEST(Trends, come_back_as_they_went_in_and_gaps_stay_gaps) {
  Folder folder;
  {
    auto store = TrendStore::open(folder.file());
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE(store->add(with_heart_rate(71.5F), "p1", 1, 1000));
    ASSERT_TRUE(store->add_event("alarm", "asystole '; DROP TABLE trend; --", 1000));
    ASSERT_TRUE(store->commit());
  }
  auto store = TrendStore::open(folder.file());
  const auto rows = store->newest(10);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].patient, "p1");
  EXPECT_DOUBLE_EQ(rows[0].values[0].value(), 71.5);
  EXPECT_FALSE(rows[0].values[1]) << "no value is not zero";
  EXPECT_EQ(store->newest_events(1)[0].detail, "asystole '; DROP TABLE trend; --");
}

TEST(Trends, a_clock_set_back_loses_and_reorders_nothing) {
  Folder folder;
  auto store = TrendStore::open(folder.file());
  for (const std::int64_t wall : {5000, 5001, 10, 11, 5002}) {
    ASSERT_TRUE(store->add(with_heart_rate(static_cast<float>(wall)), "p", 0, wall));
    ASSERT_TRUE(store->commit());
  }
  std::vector<std::int64_t> walls;
  for (const auto& row : store->newest(10)) walls.push_back(row.wall);
  EXPECT_EQ(walls, (std::vector<std::int64_t>{5000, 5001, 10, 11, 5002}));
}

TEST(Trends, old_rows_make_room) {
  Folder folder;
  auto store = TrendStore::open(folder.file(), 100);
  for (int i = 0; i < 350; ++i) {
    ASSERT_TRUE(store->add(with_heart_rate(60), "p", i, i));
    if (i % 10 == 0) {
      ASSERT_TRUE(store->commit());
    }
  }
  ASSERT_TRUE(store->commit());
  EXPECT_EQ(store->rows(), 100);
  EXPECT_EQ(store->newest(1)[0].wall, 349);
}

TEST(Trends, what_is_not_a_store_is_refused) {
  Folder folder;
  FILE* f = fopen(folder.file().c_str(), "w");
  ASSERT_NE(f, nullptr);
  for (int i = 0; i < 200; ++i) fputs("this is no database ", f);
  fclose(f);
  EXPECT_FALSE(TrendStore::open(folder.file()));
}

// A child writes a row, commits, and only then tells its number through a pipe; it is killed at a random moment. Every number told must be there.
TEST(Trends, kill_9_at_random_loses_nothing_committed) {
  Folder folder;
  std::mt19937 random(12);
  std::int64_t told = 0;
  for (int round = 0; round < 25; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(ends[0]);
      auto store = TrendStore::open(folder.file());
      for (;;) {
        const auto row = store->add(with_heart_rate(60), "p", 0, 0);
        if (!row || !store->add_event("tick", "", 0) || !store->commit()) _exit(3);
        const std::int64_t number = *row;
        if (write(ends[1], &number, sizeof number) != sizeof number) _exit(4);
      }
    }
    close(ends[1]);
    usleep(static_cast<useconds_t>(20'000 + random() % 40'000));
    kill(child, SIGKILL);
    std::int64_t number = 0;
    while (read(ends[0], &number, sizeof number) == sizeof number) told = number;
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the writer failed by itself";
    auto store = TrendStore::open(folder.file());
    ASSERT_TRUE(store) << store.error().message;
    const auto newest = store->newest(1);
    ASSERT_FALSE(newest.empty() && told > 0);
    if (told > 0) {
      EXPECT_GE(newest[0].number, told);
      EXPECT_EQ(store->rows(), newest[0].number) << "no gap: every row up to the newest is there";
    }
  }
  EXPECT_GT(told, 25);
}

}  // namespace
}  // namespace bedside
