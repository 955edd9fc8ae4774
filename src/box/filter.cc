// Allowed: what an emulator and ordinary programs need. Asked about: what the supervisor answers or records. Refused with
// ENOSYS: the rest. Nothing that the supervisor lets go on could not have been allowed here outright (seccomp_unotify(2):
// arguments in memory may change after they were read), so the fence does not lean on the supervisor's judgement.
// A call with another machine's numbers (i386, x32) kills the process.
#include "box/filter.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <net/route.h>
#include <seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include <linux/fs.h>

namespace box {
namespace {

constexpr int kAllowed[] = {
    // memory
    SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(msync),
    SCMP_SYS(mincore), SCMP_SYS(mlock), SCMP_SYS(munlock), SCMP_SYS(mlockall), SCMP_SYS(munlockall), SCMP_SYS(membarrier),
    // files
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(preadv),
    SCMP_SYS(pwritev), SCMP_SYS(lseek), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(creat), SCMP_SYS(close), SCMP_SYS(close_range),
    SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs),
    SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(getdents), SCMP_SYS(getdents64), SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
    SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(symlink), SCMP_SYS(symlinkat), SCMP_SYS(mknod),
    SCMP_SYS(mknodat), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(truncate), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
    SCMP_SYS(utime), SCMP_SYS(utimes), SCMP_SYS(futimesat), SCMP_SYS(utimensat), SCMP_SYS(umask), SCMP_SYS(chdir), SCMP_SYS(fchdir),
    SCMP_SYS(getcwd), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(fcntl), SCMP_SYS(flock), SCMP_SYS(sync), SCMP_SYS(fsync),
    SCMP_SYS(fdatasync), SCMP_SYS(syncfs), SCMP_SYS(sync_file_range), SCMP_SYS(fadvise64), SCMP_SYS(readahead), SCMP_SYS(sendfile),
    SCMP_SYS(splice), SCMP_SYS(tee), SCMP_SYS(copy_file_range), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(getxattr), SCMP_SYS(lgetxattr),
    SCMP_SYS(fgetxattr), SCMP_SYS(listxattr), SCMP_SYS(llistxattr), SCMP_SYS(flistxattr), SCMP_SYS(inotify_init), SCMP_SYS(inotify_init1),
    SCMP_SYS(inotify_add_watch), SCMP_SYS(inotify_rm_watch), SCMP_SYS(eventfd), SCMP_SYS(eventfd2), SCMP_SYS(signalfd), SCMP_SYS(signalfd4),
    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime),
    // waiting
    SCMP_SYS(poll), SCMP_SYS(select), SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(futex), SCMP_SYS(restart_syscall), SCMP_SYS(pause),
    // processes and signals
    SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(wait4), SCMP_SYS(waitid), SCMP_SYS(kill), SCMP_SYS(tkill),
    SCMP_SYS(tgkill), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(gettid), SCMP_SYS(getpgid), SCMP_SYS(setpgid), SCMP_SYS(getpgrp),
    SCMP_SYS(getsid), SCMP_SYS(setsid), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigsuspend), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(sigaltstack),
    SCMP_SYS(set_tid_address), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list), SCMP_SYS(rseq), SCMP_SYS(arch_prctl),
    SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler),
    SCMP_SYS(sched_get_priority_max), SCMP_SYS(sched_get_priority_min), SCMP_SYS(getpriority), SCMP_SYS(getrlimit), SCMP_SYS(getrusage),
    SCMP_SYS(capget), SCMP_SYS(alarm), SCMP_SYS(getitimer), SCMP_SYS(setitimer), SCMP_SYS(timer_create), SCMP_SYS(timer_settime),
    SCMP_SYS(timer_gettime), SCMP_SYS(timer_getoverrun), SCMP_SYS(timer_delete), SCMP_SYS(times), SCMP_SYS(time), SCMP_SYS(gettimeofday),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
    SCMP_SYS(getresuid), SCMP_SYS(getresgid), SCMP_SYS(getgroups), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrandom), SCMP_SYS(getcpu),
    // sockets that exist already
    SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg), SCMP_SYS(shutdown),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt),
    // System V, in a namespace of its own; segments are bounded below
    SCMP_SYS(shmat), SCMP_SYS(shmdt), SCMP_SYS(shmctl), SCMP_SYS(semget), SCMP_SYS(semop), SCMP_SYS(semtimedop), SCMP_SYS(semctl),
    SCMP_SYS(msgget), SCMP_SYS(msgsnd), SCMP_SYS(msgrcv), SCMP_SYS(msgctl)};

// Asked about and let go on, for the record or with a shortened time.
constexpr int kSeen[] = {SCMP_SYS(connect), SCMP_SYS(listen), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(execve), SCMP_SYS(execveat)};
// Asked about and answered; never let go on.
constexpr int kAnswered[] = {SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(reboot), SCMP_SYS(init_module), SCMP_SYS(finit_module),
                             SCMP_SYS(delete_module), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(ptrace),
                             SCMP_SYS(chroot), SCMP_SYS(pivot_root), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(syslog)};
// Asked about; let go on when the request, which no other thread can change, is_harmless_request().
constexpr int kJudged[] = {SCMP_SYS(ioctl)};
// Succeed and do nothing: what a program that believes to be root expects to succeed.
constexpr int kPretended[] = {
    SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid), SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups),
    SCMP_SYS(setfsuid), SCMP_SYS(setfsgid), SCMP_SYS(capset), SCMP_SYS(chown), SCMP_SYS(fchown), SCMP_SYS(lchown), SCMP_SYS(fchownat),
    SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(setpriority),
    SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_setparam), SCMP_SYS(sched_setaffinity), SCMP_SYS(setrlimit), SCMP_SYS(ioprio_set), SCMP_SYS(vhangup)};

// Requests on terminals, descriptors and interfaces that only ask, or that change nothing but the payload's own.
constexpr std::uint64_t kIoctlsAllowed[] = {
    TCGETS, TCSETS, TCSETSW, TCSETSF, TCSBRK, TCFLSH, TCXONC, TIOCGWINSZ, TIOCSWINSZ, TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCSCTTY, TIOCNOTTY,
    TIOCGPTN, TIOCSPTLCK, TIOCOUTQ, TIOCMGET, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, SIOCATMARK, SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFADDR,
    SIOCGIFNETMASK, SIOCGIFBRDADDR, SIOCGIFDSTADDR, SIOCGIFHWADDR, SIOCGIFINDEX, SIOCGIFNAME, SIOCGIFMTU, SIOCGIFMETRIC, SIOCGIFTXQLEN,
    SIOCGIFMAP, SIOCGIFCOUNT, SIOCGSTAMP_OLD};

constexpr std::uint64_t kNamespaceFlags =
    CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

constexpr std::uint64_t kShmSegment = std::uint64_t{4} << 20;

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ERRNO(ENOSYS))) {
    ok_ = context_ != nullptr && seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
          seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0;
  }
  ~Filter() {
    if (context_) seccomp_release(context_);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  template <class... Tests>
  void rule(std::uint32_t action, int call, Tests... tests) {
    const std::array<scmp_arg_cmp, sizeof...(tests)> all{tests...};
    ok_ = ok_ && seccomp_rule_add_array(context_, action, call, sizeof...(tests), all.data()) == 0;
  }
  bool load() { return ok_ && seccomp_load(context_) == 0; }
  int notify_descriptor() { return seccomp_notify_fd(context_); }

 private:
  scmp_filter_ctx context_;
  bool ok_ = false;
};

scmp_arg_cmp is(unsigned argument, std::uint64_t value) { return {argument, SCMP_CMP_EQ, value, 0}; }
scmp_arg_cmp is_not(unsigned argument, std::uint64_t value) { return {argument, SCMP_CMP_NE, value, 0}; }
scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) { return {argument, SCMP_CMP_MASKED_EQ, mask, value}; }

void socket_rules(Filter& filter) {
  constexpr std::uint64_t kTypeMask = ~std::uint64_t{SOCK_CLOEXEC | SOCK_NONBLOCK} & 0xffffffff;
  for (const std::uint64_t type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(socket), is(0, AF_UNIX), masked(1, kTypeMask, type));
    filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(socketpair), is(0, AF_UNIX), masked(1, kTypeMask, type));
  }
  for (const std::uint64_t family : {AF_INET, AF_INET6})
    for (const std::uint64_t protocol : {0, 1, 6, 17, 58})
      for (const std::uint64_t type : {SOCK_STREAM, SOCK_DGRAM})
        filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(socket), is(0, family), masked(1, kTypeMask, type), is(2, protocol));
  for (const std::uint64_t protocol : {0, 15})  // NETLINK_ROUTE, NETLINK_KOBJECT_UEVENT
    for (const std::uint64_t type : {SOCK_RAW, SOCK_DGRAM})
      filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(socket), is(0, AF_NETLINK), masked(1, kTypeMask, type), is(2, protocol));
}

void fill(Filter& filter) {
  for (const int call : kAllowed) filter.rule(SCMP_ACT_ALLOW, call);
  for (const int call : kSeen) filter.rule(SCMP_ACT_NOTIFY, call);
  for (const int call : kAnswered) filter.rule(SCMP_ACT_NOTIFY, call);
  for (const int call : kJudged) filter.rule(SCMP_ACT_NOTIFY, call);
  for (const int call : kPretended) filter.rule(SCMP_ACT_ERRNO(0), call);
  socket_rules(filter);
  // A datagram that names its peer is seen; a stream's bytes are in the capture.
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(sendto), is(4, 0));
  filter.rule(SCMP_ACT_NOTIFY, SCMP_SYS(sendto), is_not(4, 0));
  // Waits with an end are shortened.
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(pselect6), is(4, 0));
  filter.rule(SCMP_ACT_NOTIFY, SCMP_SYS(pselect6), is_not(4, 0));
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(ppoll), is(2, 0));
  filter.rule(SCMP_ACT_NOTIFY, SCMP_SYS(ppoll), is_not(2, 0));
  // New processes, never new namespaces. clone3 hides its flags in memory; C libraries fall back to clone.
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(clone), masked(0, kNamespaceFlags, 0));
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(personality), is(0, 0xffffffff));
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), is(2, 0));
  filter.rule(SCMP_ACT_ERRNO(0), SCMP_SYS(prlimit64), is_not(2, 0));
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(shmget), scmp_arg_cmp{1, SCMP_CMP_LE, kShmSegment, 0});
  for (const std::uint64_t option : {PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_VMA, PR_CAPBSET_READ,
                                     PR_GET_NO_NEW_PRIVS, PR_SET_KEEPCAPS})
    filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(prctl), is(0, option));
}

}  // namespace

bool is_harmless_request(std::uint32_t request) {
  return std::find(std::begin(kIoctlsAllowed), std::end(kIoctlsAllowed), request) != std::end(kIoctlsAllowed);
}

base::Result<int> enter_payload_filter() {
  Filter filter;
  fill(filter);
  if (!filter.load()) return base::fail(base::Error::Kind::unsupported, "the kernel refuses a seccomp filter with user notification");
  return filter.notify_descriptor();
}

}  // namespace box
