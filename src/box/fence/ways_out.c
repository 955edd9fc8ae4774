/* Tries the ways out of the closed box, one after the other; prints "ok NAME" for each that is shut and "OUT NAME" for one
 * that is open. Static, for every machine; arguments: a port on which the host listens, an abstract socket's name of the
 * host, a path that only the host has, the number of a process of the host. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void shut(const char *name, int is_shut) {
  printf("%s %s\n", is_shut ? "ok" : "OUT", name);
  fflush(stdout);
}

static void families(void) {
  int family, kind;
  char name[64];
  static const int kinds[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_PACKET};
  for (family = 0; family < 64; ++family) {
    int opened = 0;
    for (kind = 0; kind < 5; ++kind) {
      int fd;
      if ((family == AF_UNIX || family == AF_INET || family == AF_INET6) && kinds[kind] != SOCK_RAW && kinds[kind] != SOCK_PACKET) continue;
      if (family == AF_NETLINK) continue;
      fd = socket(family, kinds[kind], 0);
      if (fd >= 0) opened = 1, close(fd);
    }
    snprintf(name, sizeof name, "socket-family-%d", family);
    shut(name, !opened);
  }
  shut("vsock", socket(40, SOCK_STREAM, 0) < 0);
  shut("raw-icmp", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) < 0);
  shut("packet", socket(AF_PACKET, SOCK_RAW, htons(3)) < 0);
  shut("mptcp", socket(AF_INET, SOCK_STREAM, 262) < 0);
  shut("sctp", socket(AF_INET, SOCK_STREAM, 132) < 0);
  for (kind = 0; kind < 32; ++kind) {
    int fd = kind == 0 || kind == 15 ? -1 : socket(AF_NETLINK, SOCK_RAW, kind);
    snprintf(name, sizeof name, "netlink-%d", kind);
    shut(name, fd < 0);
  }
}

static int reaches_unix(const char *path, size_t length) {
  struct sockaddr_un peer;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0), reached;
  memset(&peer, 0, sizeof peer);
  peer.sun_family = AF_UNIX;
  memcpy(peer.sun_path, path, length);
  reached = connect(fd, (struct sockaddr *)&peer, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == 0;
  close(fd);
  return reached;
}

static int reaches_tcp(const char *address, int port) {
  struct sockaddr_in peer;
  int fd = socket(AF_INET, SOCK_STREAM, 0), reached;
  memset(&peer, 0, sizeof peer);
  peer.sin_family = AF_INET;
  peer.sin_port = htons((unsigned short)port);
  inet_aton(address, &peer.sin_addr);
  reached = connect(fd, (struct sockaddr *)&peer, sizeof peer) == 0;
  if (reached && write(fd, "from the box\n", 13) < 0) reached = 0;
  close(fd);
  return reached;
}

static void host_sockets(int port, const char *abstract) {
  char name[100] = "";
  strncpy(name + 1, abstract, sizeof name - 2);
  shut("abstract-socket", !reaches_unix(name, 1 + strlen(abstract)));
  shut("host-loopback", !reaches_tcp("127.0.0.1", port));
  reaches_tcp("10.77.0.1", port); /* a sink answers; that the host heard nothing is the test's to see */
  reaches_tcp("198.51.100.9", port);
}

static void system_calls(void) {
  static const struct { const char *name; long number; } calls[] = {
      {"io_uring_setup", 425}, {"io_uring_enter", 426}, {"pidfd_open", 434}, {"open_tree", 428}, {"move_mount", 429}, {"fsopen", 430},
      {"fsmount", 432}, {"pidfd_getfd", 438}, {"mount_setattr", 442}, {"landlock_create_ruleset", 444}, {"memfd_secret", 447},
#ifdef SYS_bpf
      {"bpf", SYS_bpf},
#endif
#ifdef SYS_userfaultfd
      {"userfaultfd", SYS_userfaultfd},
#endif
#ifdef SYS_perf_event_open
      {"perf_event_open", SYS_perf_event_open},
#endif
#ifdef SYS_keyctl
      {"keyctl", SYS_keyctl},
#endif
#ifdef SYS_add_key
      {"add_key", SYS_add_key},
#endif
#ifdef SYS_memfd_create
      {"memfd_create", SYS_memfd_create},
#endif
#ifdef SYS_kexec_load
      {"kexec_load", SYS_kexec_load},
#endif
#ifdef SYS_quotactl
      {"quotactl", SYS_quotactl},
#endif
#ifdef SYS_acct
      {"acct", SYS_acct},
#endif
#ifdef SYS_fanotify_init
      {"fanotify_init", SYS_fanotify_init},
#endif
#ifdef SYS_open_by_handle_at
      {"open_by_handle_at", SYS_open_by_handle_at},
#endif
#ifdef SYS_process_vm_readv
      {"process_vm_readv", SYS_process_vm_readv},
#endif
#ifdef SYS_kcmp
      {"kcmp", SYS_kcmp},
#endif
#ifdef SYS_seccomp
      {"seccomp", SYS_seccomp},
#endif
  };
  unsigned i;
  for (i = 0; i < sizeof calls / sizeof *calls; ++i) {
    errno = 0;
    /* The emulator refuses some by itself, for their arguments; without it every one must meet the filter. */
#ifdef WITHOUT_EMULATOR
    shut(calls[i].name, syscall(calls[i].number, 1L, 0L, 0L, 0L, 0L, 0L) < 0 && errno == ENOSYS);
#else
    shut(calls[i].name, syscall(calls[i].number, 1L, 0L, 0L, 0L, 0L, 0L) < 0);
#endif
  }
#ifdef SYS_memfd_create
  shut("memfd", syscall(SYS_memfd_create, "x", 0L) < 0);
#endif
  shut("unshare-user", unshare(CLONE_NEWUSER) < 0);
  shut("unshare-net", unshare(CLONE_NEWNET) < 0);
  shut("unshare-mount", unshare(CLONE_NEWNS) < 0);
  shut("setns", setns(open("/proc/1/ns/net", O_RDONLY), 0) < 0);
  shut("ptrace-1", ptrace(PTRACE_ATTACH, 1, 0, 0) < 0);
  shut("ptrace-parent", ptrace(PTRACE_ATTACH, getppid(), 0, 0) < 0);
}

static int writes(const char *path) {
  int fd = open(path, O_WRONLY), wrote = fd >= 0 && write(fd, "b", 1) == 1;
  if (fd >= 0) close(fd);
  return wrote;
}

static int capable(void) {
  char line[256];
  int found = 0, any = 0;
  FILE *in = fopen("/proc/self/status", "r");
  while (in && fgets(line, sizeof line, in)) {
    if (strncmp(line, "Cap", 3) == 0) ++found, any |= strtoull(line + 7, NULL, 16) != 0;
    if (strncmp(line, "NoNewPrivs:", 11) == 0) ++found, any |= strtol(line + 11, NULL, 10) != 1;
    if (strncmp(line, "Seccomp:", 8) == 0) ++found, any |= strtol(line + 8, NULL, 10) != 2;
  }
  if (in) fclose(in);
  return any || found < 7;
}

static void files(const char *host_path, int host_process) {
  struct stat here, there;
  char path[64];
  int fd;
  shut("host-file", access(host_path, F_OK) != 0);
  shut("host-hostname", access("/etc/debian_version", F_OK) != 0);
  shut("root-of-1", open("/proc/1/root/etc/debian_version", O_RDONLY) < 0);
  shut("memory-of-1", open("/proc/1/mem", O_RDWR) < 0);
  shut("dot-dot", chdir("/") == 0 && chdir("../../../..") == 0 && stat(".", &here) == 0 && stat("/", &there) == 0 && here.st_ino == there.st_ino);
  mkdir("/tmp/jail", 0755);
  fd = open("/", O_RDONLY);
  if (chroot("/tmp/jail") == 0 && fchdir(fd) == 0 && chdir("../../../../../..") == 0) shut("chroot", access("etc/debian_version", F_OK) != 0);
  else shut("chroot", 1);
  if (chdir("/") != 0) shut("chdir", 0);
  for (fd = 3; fd < 256; ++fd) close(fd);
  shut("sysrq", access("/.proc/sysrq-trigger", F_OK) != 0);
  shut("kcore", open("/.proc/kcore", O_RDONLY) < 0 && open("/proc/kcore", O_RDONLY) < 0);
  shut("proc-sys", access("/.proc/sys", F_OK) != 0);
  shut("core-pattern", !writes("/.proc/sys/kernel/core_pattern"));
  shut("sys-kernel", access("/sys/kernel", F_OK) != 0);
  shut("dev-mem", open("/dev/mem", O_RDWR) < 0 && open("/dev/kmem", O_RDWR) < 0);
  snprintf(path, sizeof path, "/proc/%d/cmdline", host_process);
  shut("kill-host", kill(host_process, 0) < 0 || getpid() == host_process || access(path, F_OK) == 0);
  shut("mknod", mknod("/tmp/disk", S_IFBLK | 0600, makedev(8, 0)) < 0 || open("/tmp/disk", O_RDONLY) < 0);
  mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1));
  shut("mknod-mem", open("/tmp/mem", O_RDONLY) < 0);
  stat("/mnt", &here);
  mount("proc", "/mnt", "proc", 0, NULL);
  mount("/", "/mnt", NULL, MS_BIND, NULL);
  mount("none", "/mnt", "tmpfs", 0, NULL);
  mount("/dev/sda1", "/mnt", "ext4", 0, NULL);
  stat("/mnt", &there);
  shut("mount", here.st_dev == there.st_dev && here.st_ino == there.st_ino);
  umount2("/.proc", MNT_DETACH);
  umount2("/", MNT_DETACH);
  shut("umount", access("/.proc/self", F_OK) == 0);
  shut("capabilities", !capable());
  fd = open("/tmp/helper", O_RDWR | O_CREAT, 0755);
  shut("set-id", fd >= 0 && (fchmod(fd, 06755) != 0 || 1) && !capable());
  close(fd);
#ifdef TIOCSTI
  shut("push-key", ioctl(0, TIOCSTI, "x") < 0);
#endif
}

/* Runs `act` in a child, which the emulator may not survive; 0 when it went all the way. */
static int goes_all_the_way(int (*act)(void)) {
  int status = 1, waited = 0;
  time_t began = time(NULL);
  pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    _exit(act());
  }
  while (!waited && time(NULL) - began < 4) {
    waited = waitpid(child, &status, WNOHANG) == child;
    if (!waited) usleep(100000);
  }
  kill(-child, SIGKILL);
  kill(child, SIGKILL);
  if (!waited) waitpid(child, NULL, 0);
  return waited && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int make_processes(void) {
  int count;
  for (count = 0; count < 300; ++count) {
    pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0)
      for (;;) pause();
  }
  return 0;
}

static int take_memory(void) {
  long asked;
  for (asked = 0; asked < (3L << 29); asked += 1 << 24) {
    char *piece = malloc(1 << 24);
    if (piece == NULL) return 1;
    memset(piece, 'x', 1 << 24);
  }
  return 0;
}

static int fill_disk(void) {
  static char block[1 << 16];
  long written = 0;
  int i, fd;
  memset(block, 'x', sizeof block);
  for (i = 0; i < 100 && written < (200L << 20); ++i) {
    char name[32];
    ssize_t n;
    snprintf(name, sizeof name, "/tmp/full%d", i);
    fd = open(name, O_WRONLY | O_CREAT, 0600);
    if (fd < 0) break;
    while ((n = write(fd, block, sizeof block)) > 0) written += n;
    close(fd);
  }
  for (i = 0; i < 100; ++i) {
    char name[32];
    snprintf(name, sizeof name, "/tmp/full%d", i);
    unlink(name);
  }
  return written < (200L << 20);
}

static int fill_inodes(void) {
  int i, fd, made;
  for (i = 0; i < 20000; ++i) {
    char name[32];
    snprintf(name, sizeof name, "/tmp/i%d", i);
    fd = open(name, O_WRONLY | O_CREAT, 0600);
    if (fd < 0) break;
    close(fd);
  }
  made = i;
  for (; i-- > 0;) {
    char name[32];
    snprintf(name, sizeof name, "/tmp/i%d", i);
    unlink(name);
  }
  return made < 20000;
}

static void bombs(void) {
  shut("fork-bomb", !goes_all_the_way(make_processes));
  shut("filled-disk", !goes_all_the_way(fill_disk));
  shut("filled-inodes", !goes_all_the_way(fill_inodes));
  shut("memory", !goes_all_the_way(take_memory));
}

#ifdef WITHOUT_EMULATOR
/* What a program could call that broke out of the emulator. A call with another machine's numbers kills. */
static int killed_by(void (*act)(void)) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    act();
    _exit(0);
  }
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}
static void call_i386(void) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
}
static void call_x32(void) { syscall(0x40000000L | 39); }
static void without_emulator(void) {
  shut("i386-calls", killed_by(call_i386));
  shut("x32-calls", killed_by(call_x32));
  shut("clone3", syscall(435, NULL, 0) < 0 && errno == ENOSYS);
  shut("modify_ldt", syscall(154, 0, NULL, 0) < 0);
  shut("iopl", syscall(172, 3) < 0);
}
#endif

int main(int argc, char **argv) {
  if (argc < 5) return 2;
#ifdef WITHOUT_EMULATOR
  without_emulator();
#endif
  families();
  host_sockets(atoi(argv[1]), argv[2]);
  system_calls();
  files(argv[3], atoi(argv[4]));
  bombs();
  reboot(RB_ENABLE_CAD);
  printf("done\n");
  return 0;
}
