// Why: a disk that gives short reads, a worker without memory or killed from outside must cost what it was doing and nothing else:
// no crash, every byte accounted for, and whatever is missing named by a doubt.
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <new>
#include <random>
#include <thread>

#include "base/hash.h"
#include "unpack/unpack.h"

namespace {

std::atomic<unsigned> short_reads{0};    // of a hundred reads and writes
std::atomic<unsigned> failing_allocations{0};  // of ten thousand, in workers alone
const pid_t the_parent = getpid();

unsigned dice() {  // its own state in every process and thread: no lock that a fork could leave held
  thread_local std::minstd_rand random(static_cast<unsigned>(getpid()) + 1U);
  return static_cast<unsigned>(random());
}

std::atomic<std::size_t> times_shortened{0};  // in this process

std::size_t shortened(std::size_t size) {
  ++times_shortened;
  return size > 1 ? 1 + dice() % size : size;
}

}  // namespace

// The linker takes these before the C library's: everything of ours that reads or writes comes through here.
extern "C" ssize_t read(int fd, void* to, std::size_t size) {
  if (dice() % 100 < short_reads) {
    if (dice() % 8 == 0) {
      errno = EINTR;
      return -1;
    }
    size = shortened(size);
  }
  return syscall(SYS_read, fd, to, size);
}

extern "C" ssize_t write(int fd, const void* from, std::size_t size) {
  if (dice() % 100 < short_reads) size = shortened(size);
  return syscall(SYS_write, fd, from, size);
}

[[gnu::noinline]] void* operator new(std::size_t size) {
  if (failing_allocations > 0 && getpid() != the_parent && dice() % 10'000 < failing_allocations) throw std::bad_alloc();
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace unpack {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> inputs() {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(std::string(BIOPSY_SOURCE_DIR) + "/src/unpack/corpus"))
    if (entry.file_size() > 0) out.push_back(entry.path().native());
  std::sort(out.begin(), out.end());
  return out;
}

// What came out: each blob's name and contents.
std::map<std::string, std::string> contents(const Firmware& firmware) {
  std::map<std::string, std::string> out;
  for (std::size_t i = 0; i < firmware.blobs.size(); ++i) {
    const Blob& blob = firmware.blobs[firmware.blobs.id_at(i)];
    out[blob.name] = base::as_text(blob.bytes);
  }
  return out;
}

void expect_accounted(const Firmware& firmware) {
  for (std::size_t i = 0; i < firmware.blobs.size(); ++i) {
    const Blob& blob = firmware.blobs[firmware.blobs.id_at(i)];
    std::uint64_t sum = 0;
    for (const auto& extent : blob.extents) sum += extent.size;
    ASSERT_EQ(sum, blob.bytes.size()) << blob.name;
  }
}

std::size_t failures(const Firmware& firmware) {
  std::size_t out = 0;
  for (const auto& d : firmware.doubts) out += d.name == "decoder-failed" || d.name == "over-budget" || d.name.starts_with("damaged") ? d.count : 0;
  return out;
}

// What came out under faults is a part of what comes out without, and what is missing is named.
void expect_part_of(const Firmware& got, const std::map<std::string, std::string>& all, std::size_t failures_before) {
  expect_accounted(got);
  std::size_t same = 0;
  for (const auto& [name, bytes] : contents(got)) {
    const auto known = all.find(name);
    same += known != all.end() && known->second == bytes;
  }
  if (same < all.size()) {
    EXPECT_GT(failures(got), failures_before) << same << " of " << all.size() << " blobs, and no doubt says why";
  }
}

class Faults : public testing::Test {
 protected:
  void SetUp() override {
    const auto whole = open(inputs());
    ASSERT_TRUE(whole);
    all_ = contents(*whole);
    before_ = failures(*whole);
    ASSERT_GT(all_.size(), 100u);
  }
  void TearDown() override { short_reads = failing_allocations = 0; }

  std::map<std::string, std::string> all_;
  std::size_t before_ = 0;
};

TEST_F(Faults, short_and_interrupted_reads_change_nothing) {
  for (int round = 0; round < 5; ++round) {
    short_reads = 60;
    const auto got = open(inputs());
    short_reads = 0;
    ASSERT_TRUE(got) << got.error().message;
    expect_accounted(*got);
    EXPECT_EQ(contents(*got), all_);
    EXPECT_EQ(failures(*got), before_);
  }
  EXPECT_GT(times_shortened, 1000u) << "nothing was shortened: the test shows nothing";
}

TEST_F(Faults, allocations_that_fail_cost_their_function) {
  std::size_t lost = 0;
  for (const unsigned often : {1U, 5U, 20U, 100U, 1000U}) {
    failing_allocations = often;
    const auto got = open(inputs());
    failing_allocations = 0;
    ASSERT_TRUE(got) << got.error().message;
    expect_part_of(*got, all_, before_);
    lost += all_.size() - std::min(all_.size(), got->blobs.size());
  }
  EXPECT_GT(lost, 0u) << "no allocation failed: the test shows nothing";
}

TEST_F(Faults, workers_with_little_memory_end_in_a_doubt) {
  for (const std::uint64_t megabytes : {2, 4, 16, 64}) {
    Options options;
    options.worker_memory_bytes = megabytes << 20;
    const auto got = open(inputs(), options);
    ASSERT_TRUE(got) << got.error().message;
    expect_part_of(*got, all_, before_);
  }
}

// A second thread kills one child after the other while the images are opened.
TEST_F(Faults, workers_killed_at_random_cost_their_function) {
  std::size_t killed = 0;
  for (int round = 0; round < 6; ++round) {
    std::atomic<bool> stop = false;
    std::thread killer([&] {
      const std::string list = "/proc/self/task/" + std::to_string(the_parent) + "/children";
      while (!stop) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1 + dice() % 8));
        std::ifstream in(list);
        std::vector<pid_t> children;
        for (pid_t child = 0; in >> child;) children.push_back(child);
        if (!children.empty() && kill(children[dice() % children.size()], SIGKILL) == 0) ++killed;
      }
    });
    const auto got = open(inputs());
    stop = true;
    killer.join();
    ASSERT_TRUE(got) << got.error().message;
    expect_part_of(*got, all_, before_);
  }
  EXPECT_GT(killed, 0u) << "nothing was killed: the test shows nothing";
}

}  // namespace
}  // namespace unpack
