#include "box/watcher.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/text.h"
#include "box/filter.h"
#include "box/netlink.h"

namespace box {
namespace {

constexpr std::size_t kEventsMost = 20'000;
constexpr std::size_t kPlantedMost = 400;
constexpr const char* kEmulators = "/tmp/emulators/";

// What acts for whoever called it: shells, and commands of the system that stand as programs of their own where there is no busybox.
bool is_tool(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (const char* tool : {"busybox", "toybox", "sh", "ash", "bash", "dash", "hush", "env", "init", "procd", "mount", "mount.nfs", "mount.cifs", "umount",
                           "wget", "curl", "tftp", "ftpget", "ftpput", "nc", "cp", "mv", "dd", "tar", "ifconfig", "ip", "route", "insmod", "modprobe", "reboot"})
    if (name == tool) return true;
  return false;
}

bool is_shell(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (const char* shell : {"sh", "ash", "bash", "dash", "hush"})
    if (name == shell) return true;
  return false;
}

std::uint64_t ms_between(Clock::time_point from, Clock::time_point to) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count());
}

// A medium that a person plugs in.
bool is_removable(std::string_view source) {
  for (const char* start : {"/dev/sd", "/dev/mmcblk", "/dev/hd", "/dev/ub", "/dev/sr", "/dev/scsi"})
    if (source.starts_with(start)) return true;
  return false;
}

}  // namespace

void Watcher::hear() {
  seccomp_notif call{};
  if (ioctl(notifications_.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) return;
  const auto from = Clock::now();
  ++record_.notified_calls;
  const Answer answer = decide(call);
  if (answer.later) {
    sleepers_.push({*answer.later, call.id});
  } else {
    seccomp_notif_resp response{};
    response.id = call.id;
    response.val = answer.value;
    response.error = -answer.error;
    response.flags = answer.go_on ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
    ioctl(notifications_.get(), SECCOMP_IOCTL_NOTIF_SEND, &response);
  }
  record_.supervisor_us += static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - from).count());
}

int Watcher::answer_sleepers() {
  while (!sleepers_.empty()) {
    const auto now = Clock::now();
    if (sleepers_.top().until > now) return static_cast<int>(ms_between(now, sleepers_.top().until)) + 1;
    seccomp_notif_resp response{};
    response.id = sleepers_.top().id;
    sleepers_.pop();
    ioctl(notifications_.get(), SECCOMP_IOCTL_NOTIF_SEND, &response);
  }
  return -1;
}

Watcher::Answer Watcher::decide(Call call) {
  Answer go_on;
  go_on.go_on = true;
  Answer nothing;  // succeed and do nothing
  switch (call.data.nr) {
    case SYS_mount: return on_mount(call);
    case SYS_umount2: return on_umount(call);
    case SYS_connect: return on_connect(call);
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg: return on_send(call);
    case SYS_listen: return on_listen(call);
    case SYS_execve: return on_execute(call, false);
    case SYS_execveat: return on_execute(call, true);
    case SYS_nanosleep: return on_sleep(call, false);
    case SYS_clock_nanosleep: return on_sleep(call, true);
    case SYS_pselect6: return on_wait(call, 4);
    case SYS_ppoll: return on_wait(call, 2);
    case SYS_reboot: return on_reboot(call);
    case SYS_init_module:
    case SYS_finit_module:
    case SYS_delete_module: return on_module(call);
    case SYS_ioctl: return on_ioctl(call);
    case SYS_chroot:
    case SYS_swapon:
    case SYS_swapoff:
    case SYS_syslog: return nothing;
    default: break;
  }
  Answer refused;
  refused.error = EPERM;
  ++record_.unanswered[fmt::format("call {}", call.data.nr == SYS_ptrace ? "ptrace" : call.data.nr == SYS_pivot_root ? "pivot_root" : std::to_string(call.data.nr))];
  return refused;
}

void Watcher::note(Call call, Event event) {
  const Who& actor = who(call.pid);
  event.program = actor.program;
  event.actor = actor.actor;
  event.pid = call.pid;
  event.first_ms = ms_between(began_, Clock::now());
  const std::string key = fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", event.call, event.program, event.actor, event.object, event.target, event.address, event.port,
                                      event.protocol, event.answer);
  const auto [known, fresh] = known_.try_emplace(key, record_.events.size());
  if (!fresh) {
    ++record_.events[known->second].count;
    return;
  }
  if (record_.events.size() >= kEventsMost) {
    known_.erase(known);
    base::add_doubt(record_.doubts, {"events-cut", "run", 0, "More different events than are kept; later ones are not in the record.", 1});
    return;
  }
  record_.events.push_back(std::move(event));
}

// ---- who acts

std::vector<std::string> Watcher::words_of(std::uint32_t pid) const {
  const Fd file(openat(root_.processes.get(), fmt::format("{}/cmdline", pid).c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[4096];
  const ssize_t n = file.ok() ? read(file.get(), buffer, sizeof buffer) : -1;
  std::vector<std::string> words;
  if (n <= 0) return words;
  for (const auto word : base::split(std::string_view(buffer, static_cast<std::size_t>(n)), '\0')) words.emplace_back(word);
  if (!words.empty() && words.back().empty()) words.pop_back();
  return words;
}

std::string Watcher::link_of(std::uint32_t pid, const std::string& name) const {
  char buffer[4096];
  const ssize_t n = readlinkat(root_.processes.get(), fmt::format("{}/{}", pid, name).c_str(), buffer, sizeof buffer);
  return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
}

std::string Watcher::absolute(std::uint32_t pid, std::string path) const {
  if (path.empty() || path[0] == '/') return base::normal_path(path);
  std::string directory = link_of(pid, "cwd");
  if (directory.starts_with("/image/root")) directory.erase(0, 11);
  return base::normal_path(path, directory.empty() ? "/" : directory);
}

const Watcher::Who& Watcher::who(std::uint32_t pid) {
  const auto known = who_.find(pid);
  if (known != who_.end()) return known->second;
  return who_[pid] = find_out(pid, 0);
}

// The emulator's words are its own path, the program's path, then the program's words from argv[0] on.
Watcher::Who Watcher::find_out(std::uint32_t pid, unsigned depth) {
  Who out;
  const auto words = words_of(pid);
  const bool emulated = words.size() >= 2 && words[0].starts_with(kEmulators);
  if (!emulated) return out;
  out.program = absolute(pid, words[1]);
  bool by_others = is_tool(out.program);
  if (const auto* node = firmware_.root.resolve(out.program)) by_others = by_others || is_tool(node->path);
  if (is_shell(out.program) && words.size() > 3 && is_shell(words[2]) && !words[3].starts_with("-")) {
    out.program = absolute(pid, words[3]);  // a script
    by_others = false;
  }
  const auto* real = firmware_.root.resolve(out.program);
  out.actor = real && !by_others ? real->path : out.program;
  if (!by_others || depth > 16) return out;
  const Fd file(openat(root_.processes.get(), fmt::format("{}/status", pid).c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[2048];
  const ssize_t n = file.ok() ? read(file.get(), buffer, sizeof buffer) : -1;
  const std::string_view status(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
  const auto at = status.find("PPid:");
  if (at == std::string_view::npos) return out;
  const auto parent = static_cast<std::uint32_t>(std::strtoul(std::string(status.substr(at + 5, 16)).c_str(), nullptr, 10));
  const Who above = parent > 1 ? find_out(parent, depth + 1) : Who{};
  if (!above.actor.empty()) out.actor = above.actor;
  return out;
}

// ---- the payload's memory

bool Watcher::still_there(Call call) const { return ioctl(notifications_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &call.id) == 0; }

bool Watcher::read_memory(std::uint32_t pid, std::uint64_t at, void* out, std::size_t size) const {
  const iovec here{out, size};
  const iovec there{reinterpret_cast<void*>(at), size};
  return process_vm_readv(static_cast<pid_t>(pid), &here, 1, &there, 1, 0) == static_cast<ssize_t>(size);
}

std::string Watcher::read_text(std::uint32_t pid, std::uint64_t at, std::size_t most) const {
  std::string out;
  while (at != 0 && out.size() < most) {
    char part[256];
    const std::size_t size = std::min<std::size_t>(sizeof part, 4096 - at % 4096);  // never beyond a page
    if (!read_memory(pid, at, part, size)) break;
    const auto* end = static_cast<const char*>(std::memchr(part, 0, size));
    out.append(part, end ? static_cast<std::size_t>(end - part) : size);
    if (end) return out;
    at += size;
  }
  out.resize(std::min(out.size(), most));
  return out;
}

std::optional<Watcher::Peer> Watcher::read_peer(std::uint32_t pid, std::uint64_t at, std::uint64_t length) const {
  std::uint8_t bytes[sizeof(sockaddr_in6)]{};
  const std::size_t size = std::min<std::uint64_t>(length, sizeof bytes);
  if (at == 0 || size < 2 || !read_memory(pid, at, bytes, size)) return std::nullopt;
  Peer peer;
  std::uint16_t family = 0;
  std::memcpy(&family, bytes, sizeof family);
  peer.family = family;
  char text[INET6_ADDRSTRLEN] = "";
  const base::ByteView view(bytes, sizeof bytes);
  if (family == AF_INET && size >= 8) {
    inet_ntop(AF_INET, bytes + 4, text, sizeof text);
    peer.here = bytes[4] == 127 || base::load_be32(view, 4) == 0u || std::equal(kDevice4.begin(), kDevice4.end(), bytes + 4);
  } else if (family == AF_INET6 && size >= 24) {
    in6_addr address{};
    std::memcpy(&address, bytes + 8, sizeof address);
    inet_ntop(AF_INET6, &address, text, sizeof text);
    if (IN6_IS_ADDR_V4MAPPED(&address)) inet_ntop(AF_INET, bytes + 20, text, sizeof text);
    peer.here = IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_UNSPECIFIED(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && bytes[20] == 127);
  } else {
    return peer;
  }
  peer.address = text;
  peer.port = base::load<std::uint16_t>(view, 2, base::ByteOrder::big).value_or(0);
  return peer;
}

// "tcp" or "udp" of the payload's socket `fd`; its own address into `here` when given.
std::string Watcher::protocol_of(Call call, int fd, bool* found, Peer* here) const {
  if (found) *found = false;
  const Fd process(static_cast<int>(syscall(SYS_pidfd_open, call.pid, 0)));
  const Fd copy(process.ok() ? static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), fd, 0)) : -1);
  int type = SOCK_STREAM;
  socklen_t length = sizeof type;
  if (copy.ok()) getsockopt(copy.get(), SOL_SOCKET, SO_TYPE, &type, &length);
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (copy.ok() && here && getsockname(copy.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0) {
    here->family = name.ss_family;
    char text[INET6_ADDRSTRLEN] = "";
    if (name.ss_family == AF_INET) {
      sockaddr_in four{};
      std::memcpy(&four, &name, sizeof four);
      inet_ntop(AF_INET, &four.sin_addr, text, sizeof text);
      here->port = ntohs(four.sin_port);
    } else if (name.ss_family == AF_INET6) {
      sockaddr_in6 six{};
      std::memcpy(&six, &name, sizeof six);
      inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof text);
      here->port = ntohs(six.sin6_port);
    }
    here->address = text;
    if (found) *found = true;
  }
  return type == SOCK_DGRAM ? "udp" : "tcp";
}

// ---- mounts

void Watcher::plant(const std::string& target) {
  std::vector<std::string> names = plan_.share_names;
  for (const auto& node : firmware_.root.nodes())
    if (node.type == unpack::NodeType::regular && (node.mode & 0111) != 0 && names.size() < kPlantedMost) names.push_back(node.path.substr(node.path.rfind('/') + 1));
  auto& planted = planted_[target];
  for (const auto& name : names) {
    const std::string path = (target == "/" ? "" : target) + "/" + name;
    struct stat there {};
    const Fd exists = open_inside(root_.top.get(), path, O_PATH);
    if (name.empty() || (exists.ok() && fstat(exists.get(), &there) == 0)) continue;  // nothing of the image is covered
    if (write_inside(root_.top.get(), path, canary_contents(text_, path), 0755)) planted.push_back(path);
  }
}

void Watcher::remove_planted_at(const std::string& target) {
  const auto planted = planted_.find(target);
  if (planted == planted_.end()) return;
  for (const auto& path : planted->second) {
    const auto slash = path.rfind('/');
    const Fd folder = open_inside(root_.top.get(), slash == 0 ? "/" : path.substr(0, slash), O_PATH | O_DIRECTORY);
    if (folder.ok()) unlinkat(folder.get(), path.c_str() + slash + 1, 0);
  }
  planted_.erase(planted);
}

void Watcher::remove_planted() {
  while (!planted_.empty()) remove_planted_at(std::string(planted_.begin()->first));
}

Watcher::Answer Watcher::on_mount(Call call) {
  Event event;
  event.call = "mount";
  event.object = read_text(call.pid, call.data.args[0]);
  event.target = absolute(call.pid, read_text(call.pid, call.data.args[1]));
  event.protocol = read_text(call.pid, call.data.args[2], 64);
  const std::string options = read_text(call.pid, call.data.args[4], 1024);
  Answer answer;
  if (!still_there(call)) return answer;
  const std::uint64_t flags = call.data.args[3];
  const bool new_mount = (flags & (MS_REMOUNT | MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)) == 0;
  const bool remote = new_mount && is_remote_share(event.object, event.protocol);
  event.answer = "answered";
  if (!open_inside(root_.top.get(), event.target, O_PATH | O_DIRECTORY).ok()) {
    event.answer = "refused";
    answer.error = ENOENT;
  } else if (remote || (new_mount && is_removable(event.object))) {
    plant(event.target);
    event.answer = "canary";
  }
  if (remote) {
    const auto colon = event.object.find(':');
    event.address = event.object.starts_with("//") ? event.object.substr(2, event.object.find('/', 2) - 2) : event.object.substr(0, colon);
    event.port = event.protocol.starts_with("nfs") ? 2049 : event.object.starts_with("//") ? 445 : 0;
    if (const auto at = options.find("addr="); at != std::string::npos && (event.address.empty() || event.address.find_first_not_of("0123456789.") != std::string::npos))
      event.address = options.substr(at + 5, options.find(',', at) - at - 5);
  }
  note(call, std::move(event));
  return answer;
}

Watcher::Answer Watcher::on_umount(Call call) {
  Event event;
  event.call = "umount";
  event.target = absolute(call.pid, read_text(call.pid, call.data.args[0]));
  event.answer = "answered";
  if (!still_there(call)) return {};
  remove_planted_at(event.target);
  note(call, std::move(event));
  return {};
}

// ---- the network

Watcher::Answer Watcher::on_connect(Call call) {
  Answer answer;
  answer.go_on = true;
  const auto peer = read_peer(call.pid, call.data.args[1], call.data.args[2]);
  if (!peer || !still_there(call) || peer->address.empty()) return answer;
  Event event;
  event.call = "connect";
  event.address = peer->address;
  event.port = peer->port;
  event.protocol = protocol_of(call, static_cast<int>(call.data.args[0]), nullptr, nullptr);
  event.answer = "continued";
  if (!peer->here && (event.protocol == "udp" ? sinks_.ensure_udp(peer->port) : sinks_.ensure_tcp(peer->port))) event.answer = "answered";
  if (event.protocol == "tcp" || event.port != 0) note(call, std::move(event));
  return answer;
}

Watcher::Answer Watcher::on_send(Call call) {
  Answer answer;
  answer.go_on = true;
  std::uint64_t name = call.data.args[4], length = call.data.args[5];
  if (call.data.nr != SYS_sendto) {
    std::uint64_t head[2] = {0, 0};  // msghdr: msg_name, then msg_namelen and padding
    if (!read_memory(call.pid, call.data.args[1], head, sizeof head)) return answer;
    name = head[0];
    length = head[1] & 0xffffffff;
  }
  if (name == 0) return answer;
  const auto peer = read_peer(call.pid, name, length);
  if (!peer || !still_there(call) || peer->address.empty()) return answer;
  Event event;
  event.call = "send";
  event.address = peer->address;
  event.port = peer->port;
  event.protocol = "udp";
  event.answer = !peer->here && sinks_.ensure_udp(peer->port) ? "answered" : "continued";
  note(call, std::move(event));
  return answer;
}

Watcher::Answer Watcher::on_listen(Call call) {
  Answer answer;
  answer.go_on = true;
  Peer here;
  bool found = false;
  Event event;
  event.call = "listen";
  event.protocol = protocol_of(call, static_cast<int>(call.data.args[0]), &found, &here);
  if (!found || here.address.empty()) return answer;
  event.address = here.address;
  event.port = here.port;
  event.answer = "continued";
  note(call, std::move(event));
  return answer;
}

// ---- programs

Watcher::Answer Watcher::on_execute(Call call, bool at) {
  Answer answer;
  answer.go_on = true;
  Event event;
  event.call = "execute";
  const std::uint64_t path_at = call.data.args[at ? 1 : 0], words_at = call.data.args[at ? 2 : 1];
  const std::string path = read_text(call.pid, path_at);
  std::uint64_t pointers[12]{};
  for (std::size_t i = 0; i < std::size(pointers); ++i)
    if (!read_memory(call.pid, words_at + i * 8, &pointers[i], 8) || pointers[i] == 0) break;
  for (std::size_t i = 0; i < std::size(pointers) && pointers[i] != 0; ++i) event.target += (i ? " " : "") + read_text(call.pid, pointers[i], 256);
  if (!still_there(call)) return answer;
  if (path.empty() && !started_) {  // the first start: its memory is the supervisor's own copy and closed
    event.object = record_.started.substr(0, record_.started.find(' '));
    event.target = record_.started;
  } else {
    event.object = absolute(call.pid, path);
  }
  started_ = true;
  const Fd file = open_inside(root_.top.get(), event.object, O_RDONLY);
  event.answer = file.ok() ? "continued" : errno == ENOENT || errno == ENOTDIR ? "missing" : "continued";
  if (file.ok()) {
    char head[512];
    const ssize_t n = pread(file.get(), head, sizeof head, 0);
    const std::string_view start(head, n > 0 ? static_cast<std::size_t>(n) : 0);
    if (start.find(text_) != std::string_view::npos) event.answer = "canary";
    // A device refuses to write into a program that runs (ETXTBSY). The kernel does not see that the emulator runs this file.
    struct stat about {};
    if (start.starts_with("\x7f" "ELF") && fstat(file.get(), &about) == 0) fchmod(file.get(), about.st_mode & 07555);
  }
  note(call, std::move(event));
  who_.erase(call.pid);
  return answer;
}

Watcher::Answer Watcher::on_module(Call call) {
  Event event;
  event.call = "module";
  const auto words = words_of(call.pid);
  event.object = call.data.nr == SYS_finit_module   ? link_of(call.pid, fmt::format("fd/{}", static_cast<int>(call.data.args[0])))
                 : call.data.nr == SYS_delete_module ? read_text(call.pid, call.data.args[0], 256)
                 : words.empty()                     ? ""
                                                     : words.back();
  event.target = call.data.nr == SYS_delete_module ? "unload" : "load";
  event.answer = "answered";
  if (still_there(call)) note(call, std::move(event));
  return {};
}

Watcher::Answer Watcher::on_reboot(Call call) {
  const auto command = static_cast<std::uint32_t>(call.data.args[2]);
  Event event;
  event.call = "reboot";
  event.object = command == LINUX_REBOOT_CMD_HALT ? "halt" : command == LINUX_REBOOT_CMD_POWER_OFF ? "power off"
                 : command == LINUX_REBOOT_CMD_CAD_ON || command == LINUX_REBOOT_CMD_CAD_OFF       ? "ctrl-alt-del"
                                                                                                   : "restart";
  event.answer = "answered";
  rebooted_ = rebooted_ || event.object != "ctrl-alt-del";
  note(call, std::move(event));
  return {};
}

Watcher::Answer Watcher::on_ioctl(Call call) {
  Answer answer;
  const auto request = static_cast<std::uint32_t>(call.data.args[1]);
  if (is_harmless_request(request)) {
    answer.go_on = true;
    return answer;
  }
  Event event;
  event.call = "interface";
  event.answer = "answered";
  ifreq wanted{};
  switch (request) {
    case SIOCSIFFLAGS:
    case SIOCSIFADDR:
    case SIOCSIFNETMASK:
    case SIOCSIFBRDADDR:
    case SIOCSIFMTU:
    case SIOCSIFHWADDR:
    case SIOCSIFTXQLEN:
    case SIOCSIFNAME: {
      if (!read_memory(call.pid, call.data.args[2], &wanted, sizeof wanted) || !still_there(call)) break;
      event.object.assign(wanted.ifr_name, strnlen(wanted.ifr_name, IFNAMSIZ));
      if (request == SIOCSIFFLAGS) event.target = (wanted.ifr_flags & IFF_UP) ? "up" : "down";
      else if (request == SIOCSIFADDR || request == SIOCSIFNETMASK || request == SIOCSIFBRDADDR) {
        sockaddr_in name{};
        std::memcpy(&name, &wanted.ifr_addr, sizeof name);
        char text[INET_ADDRSTRLEN] = "";
        inet_ntop(AF_INET, &name.sin_addr, text, sizeof text);
        event.target = fmt::format("{} {}", request == SIOCSIFADDR ? "address" : request == SIOCSIFNETMASK ? "netmask" : "broadcast", text);
      } else event.target = "setting";
      note(call, std::move(event));
      return answer;
    }
    case SIOCADDRT:
    case SIOCDELRT:
      event.target = request == SIOCADDRT ? "route added" : "route removed";
      note(call, std::move(event));
      return answer;
    default: break;
  }
  const std::string on = link_of(call.pid, fmt::format("fd/{}", static_cast<int>(call.data.args[0])));
  ++record_.unanswered[fmt::format("ioctl 0x{:x} on {}", request, on.starts_with("socket:") ? "a socket" : on)];
  answer.error = ENOTTY;
  return answer;
}

// ---- time

Watcher::Answer Watcher::on_sleep(Call call, bool clock) {
  Answer answer;
  timespec wanted{};
  if (!read_memory(call.pid, call.data.args[clock ? 2 : 0], &wanted, sizeof wanted)) return answer;
  std::int64_t ns = 0;
  if (__builtin_mul_overflow(static_cast<std::int64_t>(wanted.tv_sec), std::int64_t{1'000'000'000}, &ns) || __builtin_add_overflow(ns, wanted.tv_nsec, &ns)) ns = INT64_MAX / 2;
  if (clock && (call.data.args[1] & TIMER_ABSTIME) != 0) {
    timespec now{};
    clock_gettime(static_cast<clockid_t>(call.data.args[0]), &now);
    ns -= static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
  }
  if (ns <= 0) return answer;
  // At least a moment, so that a loop of short sleeps does not become a busy one.
  const std::int64_t shortened = std::clamp<std::int64_t>(ns / std::max(1u, plan_.speed), std::min<std::int64_t>(ns, 500'000), 86'400'000'000'000);
  answer.later = Clock::now() + std::chrono::nanoseconds(shortened);
  return answer;
}

Watcher::Answer Watcher::on_wait(Call call, unsigned argument) {
  Answer answer;
  answer.go_on = true;
  timespec wanted{};
  const std::uint64_t at = call.data.args[argument];
  if (plan_.speed <= 1 || !read_memory(call.pid, at, &wanted, sizeof wanted) || wanted.tv_sec < 0 || wanted.tv_sec > 1'000'000'000) return answer;
  const std::int64_t ns = wanted.tv_sec * std::int64_t{1'000'000'000} + wanted.tv_nsec;
  if (ns <= 500'000 || !still_there(call)) return answer;
  const std::int64_t shortened = std::max<std::int64_t>(ns / plan_.speed, 500'000);
  timespec shorter{shortened / 1'000'000'000, shortened % 1'000'000'000};
  const iovec here{&shorter, sizeof shorter};
  const iovec there{reinterpret_cast<void*>(at), sizeof shorter};
  (void)process_vm_writev(static_cast<pid_t>(call.pid), &here, 1, &there, 1, 0);
  return answer;
}

}  // namespace box
