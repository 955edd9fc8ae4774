// The trials. Each lays arguments out, runs the function, and compares what happened with what the function named would do;
// where two functions agree on one set of arguments, a second set decides.
#include "flow/recognise.h"

#include <algorithm>

namespace flow {

namespace {

constexpr std::uint64_t short_run = 9'000, long_run = 60'000, longest_run = 600'000;
constexpr std::int64_t at_fdcwd = -100;

// Requests that carry no meaning of their own: signals held back, memory fetched.
bool is_quiet(const std::string& name) {
  for (const char* quiet : {"sigprocmask", "gettid", "getpid", "futex", "set_robust_list", "brk", "mmap", "munmap", "mprotect", "set_tid_address", "getrandom", "clock_gettime"})
    if (name == quiet) return true;
  return false;
}

}  // namespace

// A function that comes to no end again and again is none that we know; only the resolver's take long on arguments not their own.
Bench::Outcome Recogniser::run(const Words& args, std::uint64_t limit) {
  constexpr int most_endless = 8;
  if (endless_ >= most_endless && !resolves_) return {Bench::Outcome::End::limit, 0, entry_};
  const auto out = bench_.call(entry_, args, limit, thumb_);
  if (out.end == Bench::Outcome::End::limit) ++endless_;
  resolves_ |= std::ranges::any_of(bench_.asked(), [](const Asked& a) { return a.text == "/etc/hosts"; });
  return out;
}

void Recogniser::take(std::uint64_t entry, bool thumb) {
  entry_ = entry, thumb_ = thumb, endless_ = 0, resolves_ = false;
}

void Recogniser::lay(std::uint64_t address, const std::string& text) { bench_.memory().write(address, text.c_str(), text.size() + 1); }

std::vector<std::uint8_t> Recogniser::arguments() {
  std::vector<std::uint8_t> out(0x2000);
  bench_.memory().read(bench_.arena(), out.data(), out.size());
  return out;
}

bool Recogniser::arguments_are(const std::vector<std::uint8_t>& wanted) { return arguments() == wanted; }

bool Recogniser::untouched() {
  if (!bench_.asked().empty()) return false;
  for (const auto page : bench_.memory().changed())
    if (!bench_.on_stack(page) && !bench_.in_arena(page) && !bench_.in_thread_block(page)) return false;
  return true;
}

bool Recogniser::only_asked(std::initializer_list<const char*> names) {
  return std::all_of(bench_.asked().begin(), bench_.asked().end(), [&](const Asked& a) {
    return is_quiet(a.name) || std::any_of(names.begin(), names.end(), [&](const char* n) { return a.name == n; });
  });
}

Recogniser::Words Recogniser::variable(std::uint64_t at, const Words& values) {
  const std::uint64_t list = at + 64, w = bench_.word();
  for (std::size_t i = 0; i < values.size(); ++i) bench_.store_word(list + i * w, values[i]);
  auto& memory = bench_.memory();
  switch (bench_.machine()) {
    case elf::Machine::x86_64: {
      const std::uint32_t offsets[2] = {48, 304};
      memory.write(at, offsets, 8);
      bench_.store_word(at + 8, list), bench_.store_word(at + 16, list);
      return {at};
    }
    case elf::Machine::aarch64:
      bench_.store_word(at, list), bench_.store_word(at + 8, list), bench_.store_word(at + 16, list), bench_.store_word(at + 24, 0);
      return {at};
    case elf::Machine::ppc:
      bench_.store_word(at, 0x08080000), bench_.store_word(at + 4, list), bench_.store_word(at + 8, list);
      return {at};
    default: return {list};
  }
}

// Copies, lengths, searches of texts in texts.
std::string Recogniser::strings() {
  const std::string one = "alpha/beta=1", two = "ha/be";
  const auto lay_out = [&] {
    bench_.back();
    lay(p_, one + std::string("\0.............................", 30));
    lay(q_, two + std::string("\0XYZ..........................", 30));
    return arguments();
  };
  const std::uint64_t base = bench_.arena();
  const auto with = [&](std::vector<std::uint8_t> all, std::uint64_t at, const std::string& bytes) {
    std::copy(bytes.begin(), bytes.end(), all.begin() + static_cast<std::ptrdiff_t>(at - base));
    return all;
  };
  auto before = lay_out();
  auto out = run({p_, q_, 4, 0, 0, 0}, short_run);
  if (!out.returned() || !untouched()) return "-";
  const std::uint64_t r = out.result;
  const auto mask = bench_.word() == 8 ? ~std::uint64_t{0} : 0xFFFFFFFF;
  const std::string nul(1, '\0');
  if (arguments_are(before)) {
    if ((r & mask) == one.size()) {
      bench_.back();
      lay(p_ + 3, "abc"), lay(q_, "");
      const auto first = run({p_ + 3, q_, 4}, short_run).result;
      const auto second = run({q_, p_, 4}, short_run).result;
      return first == 3 && second == 0 ? "strlen" : "";
    }
    if (r == p_ + 3) {
      bench_.back();
      lay(p_, one), lay(q_, "hax");
      return run({p_, q_, 0}, short_run).result == 0 ? "strstr" : "";
    }
    return "";
  }
  if (arguments_are(with(before, p_, two + nul))) return r == p_ ? "strcpy" : r == p_ + 5 ? "stpcpy" : "";
  if (arguments_are(with(before, p_, one + two + nul))) return r == p_ ? "strcat" : "";
  if (arguments_are(with(before, p_, one + two.substr(0, 4) + nul))) return r == p_ ? "strncat" : "";
  if (arguments_are(with(before, p_, two.substr(0, 3) + nul))) return (r & mask) == two.size() ? "strlcpy" : "";
  if (arguments_are(with(before, p_, std::string(4, static_cast<char>(q_ & 0xFF))))) return r == p_ ? "memset" : "";
  if (arguments_are(with(before, q_, one.substr(0, 4)))) return "bcopy";
  if (!arguments_are(with(before, p_, two.substr(0, 4)))) return "";
  before = lay_out();
  out = run({p_, q_, 9, 0}, short_run);
  if (!out.returned() || !untouched()) return "";
  if (arguments_are(with(before, p_, two + std::string(4, '\0')))) return r == p_ ? "strncpy" : "";
  if (arguments_are(with(before, p_, two + nul + "XYZ"))) return r == p_ ? "memcpy" : r == p_ + 4 ? "mempcpy" : "";
  return "";
}

std::string Recogniser::comparison() {
  const auto sign = [&](const std::string& a, const std::string& b, std::uint64_t n) -> int {
    bench_.back();
    lay(p_, a), lay(q_, b);
    const auto before = arguments();
    const auto out = run({p_, q_, n}, short_run);
    if (!out.returned() || !untouched() || !arguments_are(before)) return 9;
    const auto v = static_cast<std::int32_t>(out.result);
    return v < 0 ? -1 : v > 0 ? 1 : 0;
  };
  if (sign("abcde", "abcdf", 5) != -1 || sign("abd", "abc", 3) != 1 || sign("abc", "abc", 3) != 0) return {};
  const bool bounded = sign("abcX", "abcY", 3) == 0, folds = sign("ABc", "abc", 3) == 0;
  if (bounded) {
    if (folds) return "strncasecmp";
    return sign(std::string("ab\0x", 4), std::string("ab\0y", 4), 4) == 0 ? "strncmp" : "memcmp";
  }
  if (sign("abc", "ab", 3) != 1) return {};
  return folds ? "strcasecmp" : "strcmp";
}

std::string Recogniser::searching() {
  bench_.back();
  lay(p_, "-alpha/beta.");
  auto before = arguments();
  const auto out = run({p_, 'a', 0}, short_run);
  if (!out.returned() || !untouched()) return {};
  if (!arguments_are(before)) return {};
  const bool first = out.result == p_ + 1, last = out.result == p_ + 10;
  if (!first && !last) return {};
  const auto none = run({p_, 'z', 0}, short_run);
  return none.returned() && none.result == 0 ? first ? "strchr" : "strrchr" : "";
}

std::string Recogniser::numbers() {
  const std::uint64_t mask = 0xFFFFFFFF;
  bench_.back();
  lay(p_, " 1234z"), lay(q_, "............"), lay(r_, "10.11.12.13");
  auto before = arguments();
  auto out = run({p_, q_, 10, 0, 0}, short_run);
  if (out.returned() && untouched() && (out.result & mask) == 1234) {
    const bool end = bench_.load_word(q_) == p_ + 5;
    bench_.back();
    lay(p_, "-56");
    if ((run({p_, q_, 10, 0, 0}, short_run).result & mask) == (static_cast<std::uint64_t>(-56) & mask)) return end ? "strtol" : "atoi";
    return {};
  }
  bench_.back();
  out = run({3, 0}, short_run);
  if (out.returned() && !bench_.asked().empty() && bench_.asked().back().name.find("nanosleep") != std::string::npos && bench_.asked().back().args[0] == 3) return "sleep";
  bench_.back();
  lay(p_, "alpha 12"), lay(q_, "%s %d"), lay(r_, "............");
  out = run({p_, q_, r_, s_, 0}, long_run);
  if (out.returned() && out.result == 2 && bench_.memory().text(r_) == "alpha") return "sscanf";
  const auto address = [&](std::uint64_t at) {
    std::uint8_t b[4] = {};
    bench_.memory().read(at, b, 4);
    return b[0] == 10 && b[1] == 11 && b[2] == 12 && b[3] == 13;
  };
  bench_.back();
  lay(r_, "10.11.12.13"), lay(q_, "............");
  out = run({r_, q_, 0}, short_run);
  if (out.returned() && bench_.asked().empty()) {
    if (address(q_) && out.result == 1) return "inet_aton";
    bench_.memory().write(s_, "\0\0\0\0", 4);
    const std::uint32_t got = static_cast<std::uint32_t>(out.result);
    if (got == 0x0D0C0B0A || got == 0x0A0B0C0D) {
      const bool big = got == 0x0A0B0C0D;
      if (big == bench_.big()) return "inet_addr";
    }
  }
  bench_.back();
  lay(r_, "10.11.12.13"), lay(q_, "............");
  out = run({2, r_, q_}, short_run);
  if (out.returned() && bench_.asked().empty() && out.result == 1 && address(q_)) return "inet_pton";
  bench_.back();
  lay(p_, "............");
  before = arguments();
  out = run({p_, 4, 0}, short_run);
  std::copy_n("\0\0\0\0", 4, before.begin() + static_cast<std::ptrdiff_t>(p_ - bench_.arena()));
  if (out.returned() && untouched() && arguments_are(before)) return "bzero";
  return {};
}

std::string Recogniser::formats() {
  const std::string wanted = "ab-77.";
  const auto lay_out = [&] {
    bench_.back();
    lay(p_, std::string(40, '.')), lay(q_, "%s-%d."), lay(r_, "ab");
    return variable(s_, {r_, 77});
  };
  const auto made = [&](const Words& args) {
    const auto out = run(args, long_run);
    return out.returned() && (out.result & 0xFFFFFFFF) == wanted.size() && bench_.memory().text(p_) == wanted && only_asked({});
  };
  auto list = lay_out();
  if (made({p_, q_, r_, 77, 0, 0})) return "sprintf";
  list = lay_out();
  if (made({p_, 64, q_, r_, 77, 0})) return "snprintf";
  list = lay_out();
  if (made({p_, 64, q_, list[0], 0, 0})) return "vsnprintf";
  list = lay_out();
  if (made({p_, q_, list[0], 0, 0, 0})) return "vsprintf";
  list = lay_out();
  if (made({p_, 0, 64, q_, r_, 77})) return "__sprintf_chk";
  list = lay_out();
  if (made({p_, 64, 0, 64, q_, r_, 77})) return "__snprintf_chk";
  list = lay_out();
  if (made({p_, 64, 0, 64, q_, list[0], 0})) return "__vsnprintf_chk";
  list = lay_out();
  if (made({p_, 0, 64, q_, list[0], 0, 0})) return "__vsprintf_chk";
  list = lay_out();
  auto out = run({p_, q_, r_, 77, 0, 0}, long_run);
  if (out.returned() && (out.result & 0xFFFFFFFF) == wanted.size() && bench_.memory().text(bench_.load_word(p_)) == wanted) return "asprintf";
  list = lay_out();
  out = run({p_, q_, list[0], 0, 0, 0}, long_run);
  if (out.returned() && (out.result & 0xFFFFFFFF) == wanted.size() && bench_.memory().text(bench_.load_word(p_)) == wanted) return "vasprintf";
  // To the standard output, which is a terminal here: a line is written when it is whole.
  lay_out();
  lay(q_, "%s-%d\n"), lay(p_, "a line");
  const auto wrote = [&](const std::string& text) {
    std::string all;
    for (const auto& a : bench_.asked())
      if (a.name == "write" || a.name == "writev") {
        if (a.args[0] != 1) return false;
        all += a.text;
      }
    return all == text && only_asked({"write", "writev", "fstat", "fstatat", "statx", "ioctl"});
  };
  out = run({q_, r_, 77, 0}, long_run);
  if (out.returned() && wrote("ab-77\n")) return "printf";
  bench_.back(), lay_out();
  lay(q_, "%s-%d\n");
  out = run({0, q_, r_, 77, 0}, long_run);
  if (out.returned() && wrote("ab-77\n")) return "__printf_chk";
  bench_.back(), lay_out();
  lay(p_, "a line");
  out = run({p_, 0, 0, 0}, long_run);
  if (out.returned() && wrote("a line\n")) return "puts";
  return {};
}

// Functions that make one request of the kernel and hand their arguments on.
std::string Recogniser::kernel_call() {
  bench_.back();
  lay(p_, "/probe/one"), lay(q_, "/probe/two"), lay(r_, "probe three"), lay(s_, "probe four"), lay(t_, "probe five"), lay(u_, "probe six");
  const Words given = {p_, q_, r_, s_, t_, u_};
  const auto out = run(given, long_run / 4);
  using End = Bench::Outcome::End;
  std::vector<const Asked*> asked;
  for (const auto& a : bench_.asked())
    if (!is_quiet(a.name)) asked.push_back(&a);
  const std::uint64_t mask = bench_.word() == 8 ? ~std::uint64_t{0} : 0xFFFFFFFF;
  if (out.end == End::exited) return asked.size() <= 3 && asked.back()->args[0] == p_ ? "exit" : "";
  if (asked.empty()) return {};
  const auto& a = *asked.front();
  const auto same = [&](const Asked& x, std::initializer_list<int> positions) {  // -1: anything, -2: zero, -3: AT_FDCWD
    std::size_t i = 0;
    for (const int at : positions) {
      const std::uint64_t v = x.args[i++] & mask;
      if (at >= 0 && v != (given[static_cast<std::size_t>(at)] & mask)) return false;
      if (at == -2 && v != 0) return false;
      if (at == -3 && static_cast<std::int32_t>(v) != at_fdcwd) return false;
    }
    return true;
  };
  if (out.end == End::executed) return asked.size() == 1 && a.args[0] == p_ && a.args[1] == q_ && a.args[2] == r_ ? "execve" : "";
  if (!out.returned() || asked.size() != 1) return {};
  // Where a call can be made in two ways, it is listed twice.
  struct Row { const char* name; const char* asks; std::initializer_list<int> positions; };
  static const Row rows[] = {
      {"mount", "mount", {0, 1, 2, 3, 4}}, {"umount", "umount2", {0, -2}}, {"umount2", "umount2", {0, 1}}, {"umount", "umount", {0}},
      {"chroot", "chroot", {0}}, {"pivot_root", "pivot_root", {0, 1}}, {"reboot", "reboot", {-1, -1, 0}}, {"ioctl", "ioctl", {0, 1, 2}},
      {"close", "close", {0}}, {"read", "read", {0, 1, 2}}, {"write", "write", {0, 1, 2}}, {"dup", "dup", {0}}, {"dup2", "dup2", {0, 1}},
      {"dup3", "dup3", {0, 1, 2}}, {"dup2", "dup3", {0, 1, -2}}, {"pipe", "pipe", {0}}, {"pipe", "pipe2", {0, -2}},
      {"unlink", "unlink", {0}}, {"unlink", "unlinkat", {-3, 0, -2}}, {"rmdir", "rmdir", {0}}, {"rmdir", "unlinkat", {-3, 0, -1}},
      {"rename", "rename", {0, 1}}, {"rename", "renameat", {-3, 0, -3, 1}}, {"rename", "renameat2", {-3, 0, -3, 1, -2}},
      {"mkdir", "mkdir", {0, 1}}, {"mkdir", "mkdirat", {-3, 0, 1}}, {"chmod", "chmod", {0, 1}}, {"chmod", "fchmodat", {-3, 0, 1}},
      {"fchmod", "fchmod", {0, 1}}, {"fchmodat", "fchmodat", {0, 1, 2}}, {"chown", "chown", {0, 1, 2}}, {"link", "link", {0, 1}},
      {"link", "linkat", {-3, 0, -3, 1}}, {"symlink", "symlink", {0, 1}}, {"symlink", "symlinkat", {0, -3, 1}},
      {"access", "access", {0, 1}}, {"access", "faccessat", {-3, 0, 1}}, {"chdir", "chdir", {0}}, {"kill", "kill", {0, 1}},
      {"socket", "socket", {0, 1, 2}}, {"connect", "connect", {0, 1, 2}}, {"bind", "bind", {0, 1, 2}}, {"listen", "listen", {0, 1}},
      {"accept", "accept", {0, 1, 2}}, {"accept", "accept4", {0, 1, 2, -2}}, {"send", "send", {0, 1, 2, 3}}, {"send", "sendto", {0, 1, 2, 3, -2, -2}},
      {"recv", "recv", {0, 1, 2, 3}}, {"recv", "recvfrom", {0, 1, 2, 3, -2, -2}}, {"sendto", "sendto", {0, 1, 2, 3, 4, 5}},
      {"recvfrom", "recvfrom", {0, 1, 2, 3, 4, 5}}, {"sendmsg", "sendmsg", {0, 1, 2}}, {"recvmsg", "recvmsg", {0, 1, 2}},
      {"setsockopt", "setsockopt", {0, 1, 2, 3, 4}}, {"shutdown", "shutdown", {0, 1}}, {"waitpid", "waitpid", {0, 1, 2}},
      {"waitpid", "wait4", {0, 1, 2, -2}}, {"wait", "wait4", {-1, 0, -2, -2}}, {"sync", "sync", {}}, {"fsync", "fsync", {0}}, {"alarm", "alarm", {0}},
      {"sethostname", "sethostname", {0, 1}}, {"init_module", "init_module", {0, 1, 2}}, {"finit_module", "finit_module", {0, 1, 2}},
      {"delete_module", "delete_module", {0, 1}}, {"prctl", "prctl", {0, 1, 2}}, {"creat", "creat", {0, 1}}, {"setitimer", "setitimer", {0, 1, 2}},
      {"poll", "poll", {0, 1, 2}}, {"poll", "ppoll", {0, 1}}, {"select", "select", {0, 1, 2, 3, 4}}, {"select", "pselect6", {0, 1, 2, 3}},
      {"readlink", "readlink", {0, 1, 2}}, {"readlink", "readlinkat", {-3, 0, 1, 2}}, {"ftruncate", "ftruncate", {0, 1}},
      {"truncate", "truncate", {0, 1}}, {"statfs", "statfs", {0, 1}}, {"sendfile", "sendfile", {0, 1, 2, 3}}, {"time", "time", {0}},
      {"gettimeofday", "gettimeofday", {0}}, {"setsid", "setsid", {}}, {"lseek", "lseek", {0, 1, 2}}, {"fcntl", "fcntl", {0, 1}},
      {"sleep", "nanosleep", {0, -2}}, {"sleep", "clock_nanosleep", {0, -2}}, {"sleep", "clock_nanosleep64", {0, -2}},
  };
  for (const auto& row : rows)
    if (a.name == row.asks && same(a, row.positions)) return row.name;
  constexpr std::uint64_t large = 0x2A8000 | 0x2000;  // O_LARGEFILE and O_CLOEXEC, as the machines number them
  const auto flags = [&](std::uint64_t v, std::uint64_t wanted) { return ((v | large) & 0xFFFFFFFF) == ((wanted | large) & 0xFFFFFFFF); };
  if (a.name == "open" && a.args[0] == p_ && flags(a.args[1], q_)) return "open";
  if (a.name == "openat" && static_cast<std::int32_t>(a.args[0]) == at_fdcwd && a.args[1] == p_ && flags(a.args[2], q_)) return "open";
  if (a.name == "openat" && a.args[0] == p_ && a.args[1] == q_) return "openat";
  if ((a.name == "clone" && (a.args[0] & 0x100) == 0) || a.name == "fork") return a.name == "clone" && a.args[0] == p_ ? "" : "fork";
  if (a.name == "vfork") return "vfork";
  if ((a.name == "nanosleep" || a.name.starts_with("clock_nanosleep")) && a.args[0] == (p_ & 0xFFFFFFFF) / 1'000'000) return "usleep";
  const bool status = a.name == "stat" || a.name == "lstat" || a.name == "fstatat" || a.name == "statx";
  if (status && a.text == "/probe/one") return "stat";
  return {};
}

std::string Recogniser::signals() {
  bench_.back();
  const std::uint64_t w = bench_.word();
  for (std::uint64_t i = 0; i < 8; ++i) bench_.store_word(q_ + i * w, r_);
  const auto out = run({10, q_, 0}, short_run);
  if (!out.returned()) return {};
  for (const auto& a : bench_.asked()) {
    if (a.name != "sigaction" || a.args[0] != 10 || a.args[1] == 0) continue;
    for (std::size_t i = 0; i < 2 && (i + 1) * w <= a.text.size(); ++i) {
      std::uint64_t v = 0;
      for (std::size_t k = 0; k < w; ++k) v = v << 8 | static_cast<std::uint8_t>(a.text[i * w + (bench_.big() ? k : w - 1 - k)]);
      if (v == q_) return "signal";
      if (v == r_) return "sigaction";
    }
  }
  return {};
}

std::string Recogniser::programs() {
  using End = Bench::Outcome::End;
  const std::string command = "/probe/run it";
  bench_.back();
  lay(p_, command), lay(q_, "r"), lay(r_, "two");
  auto out = run({p_, q_, 0, 0}, longest_run / 4);
  if (out.end == End::executed) {
    const auto& last = bench_.asked().back();
    const bool forked = std::any_of(bench_.asked().begin(), bench_.asked().end(), [](const Asked& a) { return a.name == "fork" || a.name == "vfork" || a.name == "clone"; });
    const bool pipes = std::any_of(bench_.asked().begin(), bench_.asked().end(), [](const Asked& a) { return a.name == "pipe" || a.name == "pipe2"; });
    const bool quiet = only_asked({"sigaction", "clone", "clone3", "vfork", "fork", "pipe", "pipe2", "dup2", "dup3", "close", "fcntl", "getrlimit", "prlimit", "execve", "statx", "fstat", "fstatat"});
    if (last.text == "/bin/sh" && last.list == std::vector<std::string>{"sh", "-c", command} && forked && quiet) return pipes ? "popen" : "system";
    if (!forked && last.text == command && last.list == std::vector<std::string>{"r"} && quiet) return "execl";
  }
  bench_.back();
  const std::uint64_t w = bench_.word();
  lay(p_, "/probe/prog"), lay(r_, "one"), lay(s_, "two");
  bench_.store_word(q_, r_), bench_.store_word(q_ + w, s_), bench_.store_word(q_ + 2 * w, 0);
  out = run({p_, q_, 0}, short_run);
  if (out.end == End::executed && bench_.asked().back().text == "/probe/prog" && bench_.asked().back().list == std::vector<std::string>{"one", "two"} &&
      only_asked({"execve"}))
    return "execv";
  bench_.back();
  out = run({p_, 0, 0xFFFF0, q_}, longest_run / 4);
  for (const auto& a : bench_.asked())
    if (a.name == "clone" && (a.args[0] & 0x10000) != 0) return "pthread_create";
  return {};
}

std::string Recogniser::memory() {
  bench_.back();
  lay(p_, "a text to keep");
  auto out = run({p_, 40, 0}, long_run);
  const auto fresh = [&](std::uint64_t v) { return bench_.in_heap(v) && v % 8 == 0; };
  if (out.returned() && fresh(out.result) && only_asked({}) && bench_.memory().text(out.result) == "a text to keep") return "strdup";
  bench_.back();
  out = run({40, 0x100, 0}, long_run);
  if (!out.returned() || !fresh(out.result) || !only_asked({"getrandom", "clock_gettime"})) {
    bench_.back();
    if (malloc_ != 0) {
      const auto given = bench_.call(malloc_, Words{40}, long_run, malloc_thumb_).result;
      if (!fresh(given)) return {};
      lay(given, "kept");
      const auto freed = run({given, 0x200, 0}, long_run);
      if (!freed.returned() || !only_asked({})) return {};
      // realloc() of nothing is malloc(); a function that hands back what it is given is neither.
      if (fresh(freed.result) && bench_.memory().text(freed.result) == "kept") return fresh(run({0, 0x200, 0}, long_run).result) ? "realloc" : "";
      if (bench_.call(malloc_, Words{40}, long_run, malloc_thumb_).result == given) return "free";
    }
    return {};
  }
  const auto again = run({40, 0x100, 0}, long_run);
  if (!again.returned() || !fresh(again.result) || again.result == out.result) return {};
  const std::uint64_t distance = again.result > out.result ? again.result - out.result : out.result - again.result;
  if (distance >= 40 * 0x100) return "calloc";
  if (distance > 256) return {};
  if (malloc_ == 0) malloc_ = entry_, malloc_thumb_ = thumb_;
  return "malloc";
}

std::string Recogniser::environment() {
  bench_.back();
  lay(p_, "PROBE");
  const auto out = run({p_, 0, 0}, short_run);
  return out.returned() && untouched() && bench_.on_stack(out.result) && bench_.memory().text(out.result) == "measured" ? "getenv" : "";
}

std::string Recogniser::files() {
  const auto opened = [&](const char* mode) -> const Asked* {
    lay(p_, "/probe/file"), lay(q_, mode);
    const auto out = run({p_, q_, 0}, long_run);
    if (!out.returned() || !bench_.in_heap(out.result)) return nullptr;
    const Asked* found = nullptr;
    for (const auto& a : bench_.asked()) {
      if (is_quiet(a.name) || a.name == "ioctl" || a.name == "fcntl" || a.name == "fstat" || a.name == "fstatat" || a.name == "statx" || a.name == "lseek" || a.name == "llseek" || a.name == "getrandom") continue;
      if ((a.name != "open" && a.name != "openat") || a.text != "/probe/file" || found) return nullptr;
      found = &a;
    }
    reader_ = out.result;
    return found;
  };
  const std::uint64_t before = reader_;
  bench_.back();
  const auto* w = opened("w");
  const auto flags = [](const Asked& a) { return a.args[a.name == "openat" ? 2 : 1]; };
  const bool writes = w && (flags(*w) & 3) == 1;
  const std::uint64_t writer = reader_;
  const auto* r = writes ? opened("r") : nullptr;
  const bool reads = r && (flags(*r) & 3) == 0;
  if (!writes || !reads) {
    reader_ = before;
    return {};
  }
  if (before != 0) reader_ = before;
  else writer_ = writer, bench_.keep();
  return "fopen";
}

std::string Recogniser::resolver() {
  if (++resolver_tries_ > 60) return {};
  bench_.back();
  const std::uint64_t w = bench_.word();
  lay(p_, "probe-host"), lay(q_, "................");
  const auto wanted = [&](std::uint64_t at) {
    std::uint8_t b[4] = {};
    bench_.memory().read(at, b, 4);
    return b[0] == 10 && b[1] == 11 && b[2] == 12 && b[3] == 13;
  };
  const auto looked = [&] { return std::any_of(bench_.asked().begin(), bench_.asked().end(), [](const Asked& a) { return a.text == "/etc/hosts"; }); };
  auto out = run({p_, 0, 0, q_}, longest_run);
  if (!looked()) return {};
  if (!out.returned()) return {};
  const std::uint64_t list = bench_.load_word(out.result + (w == 8 ? 24 : 16));
  if (wanted(bench_.load_word(list))) return "gethostbyname";
  const std::uint64_t info = bench_.load_word(q_);
  if (out.result == 0 && wanted(bench_.load_word(info + (w == 8 ? 24 : 20)) + 4)) return "getaddrinfo";
  return {};
}

std::string Recogniser::stream_function(std::uint64_t entry, bool thumb) {
  if (reader_ == 0) return {};
  take(entry, thumb);
  const auto fresh = [&] {
    bench_.back();
    lay(p_, "................................................");
  };
  const auto wrote = [&](const std::string& text) {
    std::string all;
    for (const auto& a : bench_.asked())
      if (a.name == "write" || a.name == "writev") all += a.text;
    return all == text && only_asked({"write", "writev", "fstat", "fstatat", "statx", "ioctl"});
  };
  fresh();
  auto out = run({p_, 32, reader_}, long_run);
  if (out.returned() && out.result == p_ && bench_.memory().text(p_) == "alpha beta\n" && only_asked({"read", "fstat", "fstatat", "statx", "ioctl"})) return "fgets";
  fresh();
  out = run({p_, 1, 5, reader_}, long_run);
  if (out.returned() && out.result == 5 && bench_.memory().text(p_, 7) == "alpha..") return "fread";
  fresh();
  lay(p_, "line\n");
  out = run({p_, writer_, 0}, long_run);
  if (out.returned() && wrote("line\n")) return "fputs";
  fresh();
  lay(p_, "line\n");
  out = run({p_, 1, 5, writer_}, long_run);
  if (out.returned() && wrote("line\n") && out.result == 5) return "fwrite";
  fresh();
  lay(q_, "%s-%d\n"), lay(r_, "ab");
  out = run({writer_, q_, r_, 77}, long_run);
  if (out.returned() && wrote("ab-77\n")) return "fprintf";
  fresh();
  lay(q_, "%s-%d\n"), lay(r_, "ab");
  const auto list = variable(s_, {r_, 77});
  out = run({writer_, q_, list[0]}, long_run);
  if (out.returned() && wrote("ab-77\n")) return "vfprintf";
  fresh();
  lay(q_, "%s-%d\n"), lay(r_, "ab");
  out = run({writer_, 0, q_, r_, 77}, long_run);
  if (out.returned() && wrote("ab-77\n")) return "__fprintf_chk";
  fresh();
  lay(q_, "%s");
  out = run({reader_, q_, p_}, long_run);
  if (out.returned() && (out.result & 0xFFFFFFFF) == 1 && bench_.memory().text(p_) == "alpha") return "fscanf";
  fresh();
  bench_.store_word(q_, 0), bench_.store_word(r_, 0);
  out = run({q_, r_, reader_}, long_run);
  if (out.returned() && out.result == 11 && bench_.memory().text(bench_.load_word(q_)) == "alpha beta\n") return "getline";
  fresh();
  out = run({reader_, 0, 0}, long_run);
  if (out.returned()) {
    if ((out.result & 0xFFFFFFFF) == 'a' && std::any_of(bench_.asked().begin(), bench_.asked().end(), [](const Asked& a) { return a.name == "read"; })) return "fgetc";
    if ((out.result & 0xFFFFFFFF) == 0 && std::any_of(bench_.asked().begin(), bench_.asked().end(), [](const Asked& a) { return a.name == "close"; })) return "fclose";
  }
  return {};
}

std::string Recogniser::never_returns(std::uint64_t entry, bool thumb) {
  constexpr std::uint64_t sigabrt = 6;
  // C++ ABI: Exception Handling, 2.2: the header before the exception that __cxa_throw is given. Unwinding is too long for the bench.
  constexpr std::size_t header = 0x100;
  take(entry, thumb);
  p_ = bench_.arena() + 0x400, q_ = p_ + 0x400, r_ = p_ + 0x800;
  bench_.back();
  lay(p_, "alpha");
  const auto out = run({p_, q_, r_}, long_run);
  if (out.returned() || out.end == Bench::Outcome::End::executed) return {};
  bool aborts = false;
  for (const auto& a : bench_.asked()) {
    if (a.name == "tgkill") aborts |= a.args[2] == sigabrt;
    else if (a.name == "tkill" || a.name == "kill") aborts |= a.args[1] == sigabrt;
    else if (!is_quiet(a.name) && a.name != "write" && a.name != "writev" && a.name != "sigaction" && a.name != "exit_group" && a.name != "exit") return {};
  }
  if (aborts) return "abort";
  std::string before(header, 0);
  bench_.memory().read(p_ - header, before.data(), header);
  const bool named = before.contains("GNUCC++") || before.contains("++CCUNG");
  bool type = false, destructor = false;
  for (std::uint64_t at = p_ - header; at < p_; at += bench_.word()) {
    const auto v = bench_.load_word(at);
    type |= v == q_, destructor |= v == r_;
  }
  return named && type && destructor ? "__cxa_throw" : "";
}

bool Recogniser::allocates(std::uint64_t entry, bool thumb) {
  take(entry, thumb);
  p_ = bench_.arena() + 0x400;
  return memory() == "malloc";
}

std::string Recogniser::name_of(std::uint64_t entry, bool thumb, bool names_texts, bool own) {
  take(entry, thumb);
  place();
  using Trial = std::string (Recogniser::*)();
  std::string name;
  if (own) {
    if (name = strings(); !name.empty()) return name == "-" ? "" : name;
    if (name = comparison(); !name.empty()) return name;
    return searching();
  }
  if (name = programs(); !name.empty()) return name;
  if (names_texts) {
    for (const Trial trial : {&Recogniser::kernel_call, &Recogniser::memory, &Recogniser::signals, &Recogniser::resolver})
      if (name = (this->*trial)(); !name.empty()) return name;
    return {};
  }
  name = strings();
  const bool plain = name != "-";
  if (plain && !name.empty()) return name;
  if (plain)
    for (const Trial trial : {&Recogniser::comparison, &Recogniser::searching})
      if (name = (this->*trial)(); !name.empty()) return name;
  for (const Trial trial : {&Recogniser::kernel_call, &Recogniser::numbers, &Recogniser::environment, &Recogniser::formats, &Recogniser::signals,
                            &Recogniser::memory, &Recogniser::files, &Recogniser::resolver})
    if (name = (this->*trial)(); !name.empty()) return name;
  if (has_streams()) return stream_function(entry, thumb);
  return {};
}

}  // namespace flow
