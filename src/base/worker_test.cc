// Why: a decoder that crashes, hangs, eats memory or tries to get out must cost one function and nothing else.
#include "base/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kConfined = false;  // sanitizers need what the filter forbids
#else
constexpr bool kConfined = true;
#endif

namespace base {
namespace {

Bytes number(std::size_t n) { return {static_cast<std::uint8_t>(n), static_cast<std::uint8_t>(n >> 8)}; }

TEST(Worker, returns_what_the_function_returns) {
  EXPECT_EQ(run_worker({}, [] { return Bytes{1, 2, 3}; }), (Bytes{1, 2, 3}));
  EXPECT_EQ(run_worker({}, [] { return Bytes{}; }), Bytes{});
  EXPECT_EQ(run_worker({}, [] { return Bytes(5'000'000, 7); }), Bytes(5'000'000, 7)) << "more than a pipe holds";
}

TEST(Worker, a_crash_is_an_error_and_the_others_live) {
  std::vector<WorkerFunction> functions;
  for (std::size_t i = 0; i < 300; ++i)
    functions.push_back([i]() -> Bytes {
      if (i % 100 == 50) raise(SIGKILL);
      if (i == 7) throw std::runtime_error("seven");
      return number(i);
    });
  const auto results = run_workers({}, 2, functions);
  ASSERT_EQ(results.size(), 300u);
  for (std::size_t i = 0; i < 300; ++i) {
    if (i % 100 == 50 || i == 7) {
      ASSERT_FALSE(results[i]) << i;
      EXPECT_EQ(results[i].error().kind, Error::Kind::internal);
    } else {
      ASSERT_TRUE(results[i]) << i << results[i].error().message;
      EXPECT_EQ(*results[i], number(i));
    }
  }
  EXPECT_NE(results[7].error().message.find("seven"), std::string::npos);
}

TEST(Worker, limits_end_one_function) {
  if (kConfined) {
    WorkerLimits limits;
    limits.memory_bytes = 64 << 20;
    const auto result = run_worker(limits, [] { return Bytes(512 << 20, 1); });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, Error::Kind::over_budget);
  }
  WorkerLimits busy;
  busy.cpu_seconds = 1;
  const auto spun = run_worker(busy, []() -> Bytes {
    int never = 0;
    for (;;) __atomic_fetch_add(&never, 1, __ATOMIC_SEQ_CST);
  });
  ASSERT_FALSE(spun);
  EXPECT_EQ(spun.error().kind, Error::Kind::over_budget);
}

TEST(Worker, silence_is_ended_by_the_wall_clock) {
  WorkerLimits limits;
  limits.wall_seconds = 1;
  const auto result = run_worker(limits, []() -> Bytes {
    int never = 0;
    for (;;) __atomic_store_n(&never, 1, __ATOMIC_SEQ_CST);
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Error::Kind::over_budget);
}

TEST(Worker, has_no_way_out) {
  if (!kConfined) GTEST_SKIP() << "needs a build without sanitizers: the filter is off under them";
  EXPECT_EQ(run_worker({}, [] { return Bytes{static_cast<std::uint8_t>(open("/etc/passwd", O_RDONLY) < 0)}; }), Bytes{1});
  EXPECT_EQ(run_worker({}, [] { return Bytes{static_cast<std::uint8_t>(kill(getppid(), 0) != 0)}; }), Bytes{1});
  EXPECT_FALSE(run_worker({}, [] { return Bytes{static_cast<std::uint8_t>(socket(AF_INET, SOCK_STREAM, 0) < 0)}; }));
}

}  // namespace
}  // namespace base
