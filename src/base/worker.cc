// Functions into forked, confined children; framed results out of their pipes. See worker.h.
#include "base/worker.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <optional>

#include <fmt/format.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BIOPSY_UNDER_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define BIOPSY_UNDER_SANITIZER 1
#endif

namespace base {
namespace {

constexpr unsigned kMostWorkers = 64;
constexpr std::uint32_t kIdle = UINT32_MAX;

// Memory that parent and workers share: which function is next, and which one each worker is in.
struct Board {
  std::atomic<std::uint32_t> next;
  std::atomic<std::uint32_t> current[kMostWorkers];
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free, "the board is shared between processes");

class SharedBoard {
 public:
  SharedBoard() {
    void* memory = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) board_ = new (memory) Board{};
  }
  ~SharedBoard() {
    if (board_) munmap(board_, sizeof(Board));
  }
  SharedBoard(const SharedBoard&) = delete;
  SharedBoard& operator=(const SharedBoard&) = delete;
  Board* get() const { return board_; }

 private:
  Board* board_ = nullptr;
};

// One result on the pipe: this header, then `length` bytes (the result, or a sentence when it failed).
struct Frame {
  std::uint32_t index;
  std::uint32_t outcome;  // Outcome
  std::uint64_t length;
};
enum Outcome : std::uint32_t { kReturned, kThrew, kNoMemory };

bool write_all(int fd, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = write(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

// Address space now in use, in bytes (proc(5), statm field 1 in pages).
std::uint64_t address_space_in_use() {
  unsigned long pages = 0;
  if (FILE* statm = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(statm, "%lu", &pages) != 1) pages = 0;
    std::fclose(statm);
  }
  return std::uint64_t{pages} * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

void limit(int resource, rlim_t value) {
  const rlimit both{value, value};
  setrlimit(static_cast<__rlimit_resource>(resource), &both);
}

// What a decoder needs: memory, its pipe, the time, and a way to end. Everything else is refused with EPERM, so that a
// library that looks for a locale or a time zone goes on without; entering another program kills.
bool enter_filter() {
  static constexpr int kAllowed[] = {
      SCMP_SYS(read),          SCMP_SYS(write),        SCMP_SYS(writev),       SCMP_SYS(brk),
      SCMP_SYS(mmap),          SCMP_SYS(munmap),       SCMP_SYS(mremap),       SCMP_SYS(mprotect),
      SCMP_SYS(madvise),       SCMP_SYS(futex),        SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
      SCMP_SYS(rt_sigreturn),  SCMP_SYS(sigaltstack),  SCMP_SYS(setitimer),    SCMP_SYS(clock_gettime),
      SCMP_SYS(clock_getres),  SCMP_SYS(gettimeofday), SCMP_SYS(getrusage),    SCMP_SYS(getpid),
      SCMP_SYS(gettid),        SCMP_SYS(sched_yield),  SCMP_SYS(getrandom),    SCMP_SYS(exit),
      SCMP_SYS(exit_group),    SCMP_SYS(restart_syscall), SCMP_SYS(rseq),      SCMP_SYS(close)};
  static constexpr int kFatal[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(socket)};
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (!filter) return false;
  bool ok = true;
  for (const int call : kAllowed) ok = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0 && ok;
  for (const int call : kFatal) ok = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, call, 0) == 0 && ok;
  // abort() raises with tgkill; allowed towards this process alone.
  ok = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                        SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid()))) == 0 && ok;
  ok = seccomp_load(filter) == 0 && ok;
  seccomp_release(filter);
  return ok;
}

bool confine(const WorkerLimits& limits) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal_number : {SIGINT, SIGTERM, SIGPIPE, SIGPROF, SIGSEGV, SIGBUS, SIGABRT, SIGFPE})
    signal(signal_number, SIG_DFL);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 0);
#ifndef BIOPSY_UNDER_SANITIZER  // the sanitizer's shadow memory alone exceeds any honest limit, and it opens /proc
  if (limits.memory_bytes) limit(RLIMIT_AS, address_space_in_use() + limits.memory_bytes);
  return enter_filter();
#else
  (void)limits;
  (void)enter_filter;
  (void)address_space_in_use;
  return true;
#endif
}

void start_cpu_clock(unsigned seconds) {
  const itimerval timer{{0, 0}, {static_cast<time_t>(seconds), 0}};
  setitimer(ITIMER_PROF, &timer, nullptr);  // SIGPROF ends the process
}

bool send(int fd, std::uint32_t index, Outcome outcome, ByteView bytes) {
  const Frame frame{index, outcome, bytes.size()};
  return write_all(fd, &frame, sizeof frame) && write_all(fd, bytes.data(), bytes.size());
}

bool run_one(int fd, std::uint32_t index, const WorkerFunction& function) {
  try {
    const Bytes result = function();
    return send(fd, index, kReturned, result);
  } catch (const std::bad_alloc&) {
    return send(fd, index, kNoMemory, {});
  } catch (const std::exception& thrown) {
    return send(fd, index, kThrew, as_bytes(thrown.what()));
  } catch (...) {
    return send(fd, index, kThrew, as_bytes("an exception of unknown type"));
  }
}

// The child's whole life.
[[noreturn]] void live(int fd, unsigned slot, Board& board, const WorkerLimits& limits,
                       const std::vector<WorkerFunction>& functions, const std::vector<std::uint32_t>& todo) {
  // Keep one descriptor, as number 3; the standard three go to /dev/null (stderr stays for sanitizers).
  if (fd != 3) dup2(fd, 3);
  close_range(4, ~0U, 0);
  const int null = open("/dev/null", O_RDWR);
  for (int i = 0; i < 2; ++i) dup2(null, i);
#ifndef BIOPSY_UNDER_SANITIZER
  dup2(null, 2);
#endif
  if (null > 3) close(null);
  if (!confine(limits)) _exit(126);
  for (;;) {
    const std::uint32_t turn = board.next.fetch_add(1);
    if (turn >= todo.size()) break;
    const std::uint32_t index = todo[turn];
    board.current[slot] = index;
    start_cpu_clock(limits.cpu_seconds);
    if (!run_one(3, index, functions[index])) _exit(125);
    board.current[slot] = kIdle;
  }
  _exit(0);
}

struct Worker {
  pid_t pid = -1;
  int fd = -1;
  unsigned slot = 0;
  std::optional<Frame> frame;  // the header that has arrived
  Bytes header;                // bytes of a header still arriving
  Bytes body;
  std::size_t filled = 0;  // bytes of `body` that have arrived
  std::chrono::steady_clock::time_point last_heard;
  bool timed_out = false;
};

std::string death_sentence(int status, bool timed_out, const WorkerLimits& limits) {
  if (timed_out) return fmt::format("the worker was silent for {} s and was ended", limits.wall_seconds);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
    return fmt::format("the worker used more than {} s of processor time", limits.cpu_seconds);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) return "the worker made a forbidden system call";
  if (WIFSIGNALED(status)) return fmt::format("the worker died of signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 126) return "the worker could not be confined";
  return "the worker ended before its result was complete";
}

Error death_error(int status, bool timed_out, const WorkerLimits& limits) {
  const bool budget = timed_out || (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF);
  return {budget ? Error::Kind::over_budget : Error::Kind::internal, death_sentence(status, timed_out, limits)};
}

// The parent's side of one batch.
class Batch {
 public:
  Batch(const WorkerLimits& limits, const std::vector<WorkerFunction>& functions,
        const std::function<void(std::size_t)>& done)
      : limits_(limits), functions_(functions), done_(done), results_(functions.size()) {}

  std::vector<Result<Bytes>> run(unsigned jobs) {
    jobs = std::clamp(jobs, 1U, kMostWorkers);
    while (collect_todo()) {
      const std::size_t before = finished_;
      round(std::min<unsigned>(jobs, static_cast<unsigned>(std::min<std::size_t>(todo_.size(), kMostWorkers))));
      if (finished_ == before) give_up();
    }
    std::vector<Result<Bytes>> out;
    out.reserve(results_.size());
    for (auto& result : results_) out.push_back(std::move(*result));
    return out;
  }

 private:
  bool collect_todo() {
    todo_.clear();
    for (std::uint32_t i = 0; i < results_.size(); ++i)
      if (!results_[i]) todo_.push_back(i);
    return !todo_.empty();
  }

  void give_up() {
    for (const std::uint32_t index : todo_)
      finish(index, fail(Error::Kind::internal, "no worker could be started"));
  }

  void finish(std::uint32_t index, Result<Bytes> result) {
    if (index >= results_.size() || results_[index]) return;  // a broken worker may say anything
    results_[index] = std::move(result);
    ++finished_;
    if (done_) done_(finished_);
  }

  void start(unsigned slot, Board& board) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    board.current[slot] = kIdle;
    const pid_t pid = fork();
    if (pid == 0) live(ends[1], slot, board, limits_, functions_, todo_);
    close(ends[1]);
    if (pid < 0) {
      close(ends[0]);
      return;
    }
    Worker worker;
    worker.pid = pid;
    worker.fd = ends[0];
    worker.slot = slot;
    worker.last_heard = std::chrono::steady_clock::now();
    workers_.push_back(std::move(worker));
  }

  // Starts workers over todo_ and listens until all have ended. A worker that dies is replaced while work is left.
  void round(unsigned count) {
    SharedBoard shared;
    if (!shared.get()) return;
    Board& board = *shared.get();
    for (unsigned slot = 0; slot < count; ++slot) start(slot, board);
    while (!workers_.empty()) {
      std::vector<pollfd> polled;
      for (const auto& worker : workers_) polled.push_back({worker.fd, POLLIN, 0});
      const int ready = poll(polled.data(), polled.size(), 1000);
      if (ready < 0 && errno != EINTR) break;
      for (std::size_t i = polled.size(); i-- > 0;) {
        const bool open = polled[i].revents == 0 ? check_silence(workers_[i]) : listen(workers_[i]);
        if (open) continue;
        const unsigned slot = workers_[i].slot;
        const bool died = bury(workers_[i], board);
        workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
        if (died && board.next.load() < todo_.size()) start(slot, board);
      }
    }
  }

  bool check_silence(Worker& worker) {
    if (limits_.wall_seconds == 0) return true;
    const auto silent = std::chrono::steady_clock::now() - worker.last_heard;
    if (silent < std::chrono::seconds(limits_.wall_seconds)) return true;
    worker.timed_out = true;
    return false;
  }

  // Takes what the pipe holds. False at its end, or when the worker says something impossible.
  bool listen(Worker& worker) {
    worker.last_heard = std::chrono::steady_clock::now();
    if (!worker.frame) {
      std::uint8_t buffer[sizeof(Frame)];
      const ssize_t n = read(worker.fd, buffer, sizeof(Frame) - worker.header.size());
      if (n < 0 && errno == EINTR) return true;
      if (n <= 0) return false;
      worker.header.insert(worker.header.end(), buffer, buffer + n);
      if (worker.header.size() < sizeof(Frame)) return true;
      Frame frame{};
      std::memcpy(&frame, worker.header.data(), sizeof frame);
      worker.header.clear();
      if (limits_.memory_bytes && frame.length > limits_.memory_bytes) return false;
      worker.frame = frame;
      worker.body.resize(frame.length);
      worker.filled = 0;
    } else {
      const ssize_t n = read(worker.fd, worker.body.data() + worker.filled, worker.body.size() - worker.filled);
      if (n < 0 && errno == EINTR) return true;
      if (n <= 0) return false;
      worker.filled += static_cast<std::size_t>(n);
    }
    if (worker.filled == worker.body.size()) deliver(worker);
    return true;
  }

  void deliver(Worker& worker) {
    const Frame frame = *worker.frame;
    worker.frame.reset();
    Bytes body = std::move(worker.body);
    worker.body = {};
    worker.filled = 0;
    if (frame.outcome == kReturned) finish(frame.index, std::move(body));
    else if (frame.outcome == kNoMemory) finish(frame.index, fail(Error::Kind::over_budget, "the worker ran out of its memory"));
    else finish(frame.index, fail(Error::Kind::internal, fmt::format("the worker failed: {}", as_text(body))));
  }

  // Reaps the worker; the function that it was in fails when it did not end by itself. True when it died.
  bool bury(Worker& worker, Board& board) {
    if (worker.timed_out) kill(worker.pid, SIGKILL);
    close(worker.fd);
    int status = 0;
    while (waitpid(worker.pid, &status, 0) < 0 && errno == EINTR) {}
    if (!worker.timed_out && WIFEXITED(status) && WEXITSTATUS(status) == 0) return false;
    const std::uint32_t index = board.current[worker.slot].load();
    if (index != kIdle) finish(index, std::unexpected(death_error(status, worker.timed_out, limits_)));
    return index != kIdle;
  }

  const WorkerLimits& limits_;
  const std::vector<WorkerFunction>& functions_;
  const std::function<void(std::size_t)>& done_;
  std::vector<std::optional<Result<Bytes>>> results_;
  std::vector<std::uint32_t> todo_;
  std::vector<Worker> workers_;
  std::size_t finished_ = 0;
};

}  // namespace

std::vector<Result<Bytes>> run_workers(const WorkerLimits& limits, unsigned jobs,
                                       const std::vector<WorkerFunction>& functions,
                                       const std::function<void(std::size_t)>& done) {
  return Batch(limits, functions, done).run(jobs);
}

Result<Bytes> run_worker(const WorkerLimits& limits, const WorkerFunction& function) {
  return std::move(run_workers(limits, 1, {function}).front());
}

}  // namespace base
