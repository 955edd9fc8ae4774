// A fork of the supervisor into process 1 of the payload: its own network and root, no capability, limits, the filter.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>

#include "box/filter.h"
#include "box/netlink.h"
#include "box/parts.h"

namespace box {
namespace {

void limit(__rlimit_resource resource, rlim_t value) {
  const rlimit both{value, value};
  setrlimit(resource, &both);
}

void enter_limits(const Limits& limits) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NPROC, limits.processes);
  limit(RLIMIT_NOFILE, limits.open_files);
  limit(RLIMIT_CPU, limits.cpu_seconds);
  limit(RLIMIT_DATA, limits.memory_bytes);
  limit(RLIMIT_FSIZE, limits.disk_bytes);
  limit(RLIMIT_MEMLOCK, 1 << 20);
  limit(RLIMIT_MSGQUEUE, 0);
  limit(RLIMIT_SIGPENDING, 1024);
}

[[noreturn]] void give_up(const PayloadEnds& ends, int stage) {
  const int words[2] = {-stage, errno};
  if (write(ends.answer, words, sizeof words) < 0) _exit(126);
  _exit(127);
}

void wait_for_go(const PayloadEnds& ends) {
  char byte = 0;
  if (read(ends.go, &byte, 1) != 1) _exit(127);
}

[[noreturn]] void start(const Plan& plan, const std::vector<std::string>& words) {
  std::vector<char*> arguments, environment;
  std::vector<std::string> settings = {"PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/bin", "TERM=linux", "HOME=/", "USER=root"};
  settings.insert(settings.end(), plan.environment.begin(), plan.environment.end());
  std::vector<std::string> copies = words;
  for (auto& word : copies) arguments.push_back(word.data());
  for (auto& setting : settings) environment.push_back(setting.data());
  arguments.push_back(nullptr);
  environment.push_back(nullptr);
  execve(arguments[0], arguments.data(), environment.data());
  _exit(errno == ENOENT ? 127 : 126);
}

// Process 1 where the payload is no init: reaps, and tells the supervisor when the started program ended.
[[noreturn]] void reap(int answer, pid_t first) {
  for (;;) {
    int status = 0;
    const pid_t pid = wait4(-1, &status, 0, nullptr);
    if (pid == first) {
      const int words[2] = {1, status};
      if (write(answer, words, sizeof words) < 0) _exit(1);
    }
    if (pid < 0 && errno == ECHILD) _exit(0);
  }
}

}  // namespace

bool drop_capabilities() {
  for (int capability = 0; capability <= 63; ++capability)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL) return false;
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2]{};
  return syscall(SYS_capset, &header, none) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

void become_payload(const Plan& plan, const PayloadEnds& ends, const std::string& console, bool boot, const std::vector<std::string>& words) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  wait_for_go(ends);
  prctl(PR_SET_DUMPABLE, 0);
  if (!configure_device()) give_up(ends, 1);
  if (has_way_out()) give_up(ends, 2);
  if (!enter_root()) give_up(ends, 3);
  (void)sethostname("device", 6);
  umask(022);
  setsid();
  enter_limits(plan.limits);
  if (!drop_capabilities()) give_up(ends, 4);
  const auto filter = enter_payload_filter();
  if (!filter) give_up(ends, 5);
  const int words_out[2] = {0, *filter};
  if (write(ends.answer, words_out, sizeof words_out) < 0) _exit(127);
  wait_for_go(ends);
  // The table of descriptors was the supervisor's until here, so that it has the notification descriptor.
  const auto last = static_cast<unsigned>(ends.answer);
  if (close_range(0, last - 1, CLOSE_RANGE_UNSHARE) != 0 || close_range(last + 1, ~0U, 0) != 0) _exit(127);
  if (open(console.c_str(), O_RDWR | O_NOCTTY) != 0 || dup(0) != 1 || dup(0) != 2) _exit(127);
  fcntl(ends.answer, F_SETFD, FD_CLOEXEC);
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  if (boot) start(plan, words);
  const pid_t first = fork();
  if (first == 0) {
    setsid();
    start(plan, words);
  }
  for (const int fd : {0, 1, 2}) close(fd);
  reap(ends.answer, first);
}

}  // namespace box
