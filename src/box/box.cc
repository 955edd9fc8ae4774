// The keeper: a child that gives up what privilege there is, enters the namespaces, and has the supervisor as its process 1.
#include "box/box.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/hash.h"
#include "box/parts.h"

namespace box {
namespace {

using base::Error;

constexpr uid_t kNobody = 65534;
constexpr unsigned kGraceSeconds = 30;  // for building the box and looking through it afterwards

bool write_small(const char* path, const std::string& text) {
  const Fd file(open(path, O_WRONLY | O_CLOEXEC));
  return file.ok() && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// The new namespaces, in which this process is root over nothing but them. Empty, or what failed.
std::string enter_namespaces() {
  if (geteuid() == 0 && (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 || setresuid(kNobody, kNobody, kNobody) != 0))
    return "becoming nobody";
  prctl(PR_SET_DUMPABLE, 1);  // the maps below belong to who may look into this process
  const auto user = geteuid();
  const auto group = getegid();
  if (unshare(CLONE_NEWUSER) != 0) return "a user namespace is refused";
  if (!write_small("/proc/self/setgroups", "deny") || !write_small("/proc/self/uid_map", fmt::format("0 {} 1", user)) ||
      !write_small("/proc/self/gid_map", fmt::format("0 {} 1", group)))
    return "the maps of a user namespace are refused";
  if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) != 0)
    return "mount, process and network namespaces are refused";
  return {};
}

std::string whole(int fd, std::uint64_t most) {
  struct stat size {};
  if (fstat(fd, &size) != 0 || static_cast<std::uint64_t>(size.st_size) > most) return {};
  std::string out(static_cast<std::size_t>(size.st_size), '\0');
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(done));
    if (n <= 0) return {};
    done += static_cast<std::size_t>(n);
  }
  return out;
}

// Leaves with the supervisor's status, or kills everything when the clock or the caller says so.
[[noreturn]] void keep(pid_t supervisor, unsigned seconds, int lifeline) {
  const Fd process(static_cast<int>(syscall(SYS_pidfd_open, supervisor, 0)));
  pollfd both[2] = {{process.get(), POLLIN, 0}, {lifeline, POLLIN, 0}};
  const int ready = poll(both, 2, static_cast<int>(seconds) * 1000);
  const bool ended = ready > 0 && both[0].revents != 0;
  if (!ended) kill(supervisor, SIGKILL);
  int status = 0;
  waitpid(supervisor, &status, 0);
  _exit(!ended ? 4 : WIFEXITED(status) ? WEXITSTATUS(status) : 5);
}

[[noreturn]] void become_keeper(const unpack::Firmware& firmware, const Plan& plan, int record_fd, int capture_fd, int lifeline) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setsid();  // a key pressed on the caller's terminal is the caller's
  const Fd null(open("/dev/null", O_RDWR));
  for (const int fd : {0, 1, 2}) dup2(null.get(), fd);
  // From 3 on: record, capture, lifeline, and nothing else of the caller's.
  const int kept[3] = {fcntl(record_fd, F_DUPFD, 100), fcntl(capture_fd, F_DUPFD, 100), fcntl(lifeline, F_DUPFD, 100)};
  for (int i = 0; i < 3; ++i) dup3(kept[i], 3 + i, O_CLOEXEC);
  close_range(6, ~0U, 0);
  const std::string why = enter_namespaces();
  const pid_t supervisor = why.empty() ? fork() : -1;
  if (supervisor < 0) {
    const std::string text = fmt::format("no closed box can be made here: {}: {}", why.empty() ? "fork" : why, std::strerror(errno));
    (void)!write(3, text.data(), text.size());
    _exit(2);
  }
  if (supervisor == 0) supervise(firmware, plan, 3, 4, 5);
  prctl(PR_SET_DUMPABLE, 0);
  keep(supervisor, plan.limits.wall_seconds + kGraceSeconds, 5);
}

}  // namespace

std::string draw_secret() {
  std::uint8_t bytes[16]{};
  std::size_t done = 0;
  while (done < sizeof bytes) {
    const ssize_t n = getrandom(bytes + done, sizeof bytes - done, 0);
    if (n > 0) done += static_cast<std::size_t>(n);
  }
  return base::hex(bytes);
}

base::Result<Record> run(const unpack::Firmware& firmware, const Plan& given) {
  Plan plan = given;
  if (plan.secret.empty()) plan.secret = draw_secret();
  const Fd record(memfd_create("record", MFD_CLOEXEC)), capture(memfd_create("capture", MFD_CLOEXEC));
  int line[2];
  if (!record.ok() || !capture.ok() || pipe2(line, O_CLOEXEC) != 0) return system_error("memory for the record");
  Fd lifeline(line[0]), held(line[1]);
  fflush(nullptr);
  const pid_t keeper = fork();
  if (keeper < 0) return system_error("fork");
  if (keeper == 0) {
    held.reset();
    become_keeper(firmware, plan, record.get(), capture.get(), lifeline.get());
  }
  int status = 0;
  while (waitpid(keeper, &status, 0) < 0 && errno == EINTR) {}
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  const std::string text = whole(record.get(), std::uint64_t{256} << 20);
  if (code == 1) return base::fail(Error::Kind::unreadable, text);
  if (code == 2) return base::fail(Error::Kind::unsupported, text.empty() ? "no closed box can be made here" : text);
  if (code != 0) return base::fail(Error::Kind::internal, code == 4 ? "the box did not end in time and was killed" : "the box's supervisor died");
  auto out = record_from_json(text);
  if (!out) return out;
  const std::string frames = whole(capture.get(), plan.limits.capture_bytes + (std::uint64_t{8} << 20));
  const auto bytes = base::as_bytes(frames);
  out->capture.assign(bytes.begin(), bytes.end());
  return out;
}

std::string unavailable() {
  static const std::string kProbe = "#!/bin/sh\n";
  unpack::Firmware empty;
  unpack::Node script;
  script.path = "/probe";
  script.mode = 0755;
  script.blob = empty.blobs.add({});
  empty.root = unpack::Tree({script});
  Plan plan;
  plan.program = "/probe";
  plan.linger_ms = 0;
  plan.limits.wall_seconds = 2;
  plan.limits.disk_bytes = 8 << 20;
  plan.limits.files = 4000;
  const auto record = run(empty, plan);
  return record ? std::string() : record.error().message;
}

}  // namespace box
