// The kernel's part of a bench run: what a system call is answered, and what is written down of it. Everything succeeds that can,
// a fork is seen from the child (that is where the program that it runs is named), and nothing is done.
#include <algorithm>

#include "base/bytes.h"
#include "flow/bench.h"
#include "flow/syscalls.h"

namespace flow {

namespace {
constexpr std::int64_t no_entry = -2, no_device = -19, no_such_call = -38;
constexpr std::uint32_t terminal_mode = 0x2180;  // S_IFCHR | 0600, in every word of a stat: layouts differ, the mode is found
constexpr const char* socket_calls[] = {"", "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "send",
                                        "recv", "sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg"};
}  // namespace

std::string Bench::bytes(std::uint64_t address, std::uint64_t n) {
  std::string out(std::min<std::uint64_t>(n, 512), '\0');
  if (!memory_.read(address, out.data(), out.size())) out.clear();
  return out;
}

void Bench::fill_words(std::uint64_t address, std::size_t n, std::uint32_t word) {
  for (std::size_t i = 0; i < n; ++i) store(address + i * 4, word, 4);
}

std::optional<Bench::Outcome::End> Bench::kernel(std::uint64_t site) {
  Asked a;
  std::uint64_t number = reg_get(number_) & 0xFFFFFFFF;
  if (elf_.machine == elf::Machine::arm && !thumb_) {  // the old ABI has the number in the instruction
    const auto word = base::load<std::uint32_t>(elf_.view(site, 4), 0, elf_.order);
    if (word && (*word & 0x00FFFFFF) != 0) number = *word & 0x00F00000 ? (*word & 0xFFFFF) | ((*word & 0xF0000) == 0xF0000 ? 0xF0000u : 0u) : *word & 0xFFFFFF;
  }
  for (std::size_t i = 0; i < 6; ++i) {
    if (i < sys_args_.size()) a.args[i] = reg_get(sys_args_[i]);
    else if (elf_.machine == elf::Machine::mips) a.args[i] = load_word(reg_get(stack_) + i * 4);
  }
  a.name = syscall_name(elf_.machine, static_cast<std::uint32_t>(number));
  if (a.name.empty()) a.name = "#" + std::to_string(number);
  if (a.name == "socketcall") {
    const std::uint64_t which = a.args[0], array = a.args[1];
    a.name = which < std::size(socket_calls) ? socket_calls[which] : "";
    for (std::size_t i = 0; i < 6; ++i) a.args[i] = load_word(array + i * machine_.word);
  }
  if (a.name == "mmap" && elf_.machine == elf::Machine::x86 && number == 90) {
    const std::uint64_t array = a.args[0];
    for (std::size_t i = 0; i < 6; ++i) a.args[i] = load_word(array + i * 4);
  }
  std::optional<Outcome::End> end;
  const std::int64_t result = answer(a, end);
  if (asked_.size() < 512) asked_.push_back(std::move(a));
  if (end) return end;
  const bool failed = result < 0 && result > -4096;
  if (elf_.machine == elf::Machine::mips) {
    reg_put(result_, static_cast<std::uint64_t>(failed ? -result : result));
    reg_put(error_, failed ? 1 : 0);
  } else if (elf_.machine == elf::Machine::ppc) {
    reg_put(result_, static_cast<std::uint64_t>(failed ? -result : result));
    reg_put(error_, (reg_get(error_) & 0xE) | (failed ? 1 : 0));
  } else {
    reg_put(result_, static_cast<std::uint64_t>(result));
  }
  return std::nullopt;
}

std::int64_t Bench::answer(Asked& a, std::optional<Outcome::End>& end) {
  const auto& n = a.name;
  const auto is = [&](auto... names) { return ((n == names) || ...); };
  const auto descriptor = [&](const std::string& content) -> std::int64_t {
    const int fd = kernel_.next_fd++;
    kernel_.content[fd] = content;
    return fd;
  };
  if (is("exit_group", "_exit")) {
    end = Outcome::End::exited;
    return 0;
  }
  if (is("execve")) {
    a.text = memory_.text(a.args[0]);
    for (std::uint64_t i = 0; i < 16; ++i) {
      const std::uint64_t p = load_word(a.args[1] + i * machine_.word);
      if (p == 0) break;
      a.list.push_back(memory_.text(p));
    }
    end = Outcome::End::executed;
    return 0;
  }
  if (is("open", "creat", "openat")) {
    a.text = memory_.text(a.args[n == "openat" ? 1 : 0]);
    if (a.text == "/etc/hosts") return descriptor("10.11.12.13 probe-host\n");
    if (!a.text.starts_with("/probe/")) return no_entry;
    return descriptor("alpha beta\ngamma\n");
  }
  if (is("read", "readv")) {
    const auto it = kernel_.content.find(static_cast<int>(a.args[0]));
    if (it == kernel_.content.end()) return 0;
    std::uint64_t to = a.args[1], most = a.args[2];
    std::size_t done = 0;
    const std::uint64_t vectors = n == "readv" ? std::min<std::uint64_t>(a.args[2], 8) : 1;
    for (std::uint64_t k = 0; k < vectors; ++k) {
      if (n == "readv") to = load_word(a.args[1] + k * 2 * machine_.word), most = load_word(a.args[1] + (k * 2 + 1) * machine_.word);
      const std::size_t part = std::min<std::size_t>(it->second.size(), most);
      if (!memory_.write(to, it->second.data(), part)) return -14;
      it->second.erase(0, part);
      done += part;
    }
    return static_cast<std::int64_t>(done);
  }
  if (is("write", "send", "sendto", "pwrite")) {
    a.text = bytes(a.args[1], a.args[2]);
    return static_cast<std::int64_t>(a.args[2]);
  }
  if (is("writev")) {
    std::uint64_t total = 0;
    for (std::uint64_t k = 0; k < std::min<std::uint64_t>(a.args[2], 8); ++k) {
      const std::uint64_t size = load_word(a.args[1] + (k * 2 + 1) * machine_.word);
      a.text += bytes(load_word(a.args[1] + k * 2 * machine_.word), size);
      total += size;
    }
    return static_cast<std::int64_t>(total);
  }
  if (is("brk")) {
    if (a.args[0] >= heap_low_ && a.args[0] < map_low_) kernel_.brk = a.args[0];
    return static_cast<std::int64_t>(kernel_.brk);
  }
  if (is("mmap")) {
    if (static_cast<std::int32_t>(a.args[4]) >= 0) return no_device;
    const std::uint64_t size = base::align_up(std::max<std::uint64_t>(a.args[1], 1), 0x1000);
    if (size > map_high_ - kernel_.map - 0x1000) return -12;
    const std::uint64_t at = kernel_.map;
    kernel_.map += size;
    return static_cast<std::int64_t>(at);
  }
  if (is("fork", "vfork")) return 0;  // we are the child
  if (is("clone")) {
    if (a.args[1] != 0) reg_put(stack_, a.args[1]);
    return 0;
  }
  if (is("set_thread_area") && elf_.machine == elf::Machine::x86) {
    store(a.args[0], 6, 4);
    kernel_.thread = static_cast<std::uint64_t>(load(a.args[0] + 4, 4).value_or(0));
    reg_put(thread_, kernel_.thread);
    return 0;
  }
  if (is("set_thread_area", "set_tls")) {
    kernel_.thread = a.args[0];
    return 0;
  }
  if (is("arch_prctl")) {
    if (a.args[0] == 0x1002) kernel_.thread = a.args[1], reg_put(thread_, a.args[1]);
    return a.args[0] == 0x1002 ? 0 : -22;
  }
  if (is("stat", "lstat", "fstat", "fstatat", "statx")) {
    const bool by_path = is("fstatat", "statx");
    if (!is("fstat")) a.text = memory_.text(a.args[by_path ? 1 : 0]);
    const std::uint64_t to = a.args[n == "statx" ? 4 : by_path ? 2 : 1];
    fill_words(to, 16, terminal_mode);
    if (n == "statx" && big_) store(to + 28, terminal_mode << 16 | terminal_mode, 4);
    return 0;
  }
  if (is("getrlimit", "prlimit")) {
    const std::uint64_t to = a.args[n == "prlimit" ? 3 : 1];
    if (to != 0) {
      const unsigned size = n == "prlimit" ? 8 : machine_.word;
      store(to, 8 << 20, size), store(to + size, n == "prlimit" ? ~std::uint64_t{0} : 64 << 20, size);
    }
    return 0;
  }
  if (is("uname")) {
    memory_.write(a.args[0], "Linux", 6);
    memory_.write(a.args[0] + 130, "6.1.0", 6);
    return 0;
  }
  if (is("sigaction")) a.text = bytes(a.args[1], 4 * machine_.word);
  if (is("getrandom")) return static_cast<std::int64_t>(a.args[1]);
  if (is("pipe", "pipe2")) {
    const auto one = kernel_.next_fd++, two = kernel_.next_fd++;
    store(a.args[0], static_cast<std::uint64_t>(one), 4), store(a.args[0] + 4, static_cast<std::uint64_t>(two), 4);
    return 0;
  }
  if (is("socket")) return descriptor("");
  if (is("connect")) {
    a.text = bytes(a.args[1], std::min<std::uint64_t>(a.args[2] & 0xFFFF, 128));
    const bool local = a.text.size() > 1 && (a.text[0] == 1 || a.text[1] == 1);
    return local ? no_entry : 0;
  }
  if (is("nanosleep", "clock_nanosleep", "clock_nanosleep64")) {
    const std::uint64_t t = a.args[n == "nanosleep" ? 0 : 2];
    const unsigned size = n == "clock_nanosleep64" ? 8 : machine_.word;
    a.args[0] = static_cast<std::uint64_t>(load(t, size).value_or(0));
    a.args[1] = static_cast<std::uint64_t>(load(t + size, size).value_or(0));
    return 0;
  }
  if (is("waitpid", "wait4")) return static_cast<std::int64_t>(static_cast<std::int32_t>(a.args[0]) > 0 ? a.args[0] : 4242);
  if (is("dup", "dup2", "dup3")) return static_cast<std::int64_t>(n == "dup" ? static_cast<std::uint64_t>(kernel_.next_fd++) : a.args[1] & 0xFFFF);
  if (is("readlink", "readlinkat", "getcwd", "getsockopt", "faccessat2")) return no_entry;
  if (is("getpid", "gettid", "set_tid_address")) return 4242;
  if (is("recv", "recvfrom", "poll", "ppoll", "select", "pselect6", "getdents")) return 0;
  if (n == "clone3" || n.starts_with("#")) return no_such_call;
  return 0;
}

}  // namespace flow
