// Process 1 of the box: builds it, starts the payload, and serves, watches and records until there is an end.
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

#include <arpa/inet.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <fmt/format.h>

#include "base/text.h"
#include "box/netlink.h"
#include "box/watcher.h"

namespace box {
namespace {

using base::Error;

constexpr int kFrameMost = 262144;

// What passes the box's network, to a pcap.
class Capturing {
 public:
  ~Capturing() {
    if (dumper_) pcap_dump_close(dumper_);
    if (pcap_) pcap_close(pcap_);
  }
  bool open(int file, std::uint64_t most) {
    most_ = most;
    socket_ = Fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL)));
    const int room = 16 << 20;
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    sockaddr_ll where{};
    where.sll_family = AF_PACKET;
    where.sll_protocol = htons(ETH_P_ALL);
    where.sll_ifindex = static_cast<int>(if_nametoindex("around0"));
    if (!socket_.ok() || bind(socket_.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) return false;
    pcap_ = pcap_open_dead(DLT_EN10MB, kFrameMost);
    FILE* out = pcap_ ? fdopen(dup(file), "wb") : nullptr;
    dumper_ = out ? pcap_dump_fopen(pcap_, out) : nullptr;
    return dumper_ != nullptr;
  }
  int descriptor() const { return socket_.get(); }
  // False once the room is used up; what follows is not kept.
  bool drain() {
    static std::uint8_t frame[kFrameMost];
    for (;;) {
      const ssize_t n = recv(socket_.get(), frame, sizeof frame, 0);
      if (n <= 0) return !full_;
      timespec now{};
      clock_gettime(CLOCK_REALTIME, &now);
      pcap_pkthdr head{};
      head.ts.tv_sec = now.tv_sec;
      head.ts.tv_usec = now.tv_nsec / 1000;
      head.caplen = head.len = static_cast<bpf_u_int32>(n);
      full_ = full_ || used_ + static_cast<std::uint64_t>(n) > most_;
      if (full_) continue;
      used_ += static_cast<std::uint64_t>(n);
      pcap_dump(reinterpret_cast<u_char*>(dumper_), &head, frame);
    }
  }
  std::uint64_t lost() const {
    tpacket_stats stats{};
    socklen_t size = sizeof stats;
    return getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0 ? stats.tp_drops : 0;
  }
  void finish() {
    drain();
    pcap_dump_flush(dumper_);
  }

 private:
  Fd socket_;
  pcap_t* pcap_ = nullptr;
  pcap_dumper_t* dumper_ = nullptr;
  std::uint64_t used_ = 0, most_ = 0;
  bool full_ = false;
};

// What is started: the program that was named, or what starts the device.
base::Result<std::vector<std::string>> words_to_start(const unpack::Firmware& firmware, const Plan& plan, bool& as_init) {
  as_init = false;
  const auto startable = [&](std::string_view path) {
    const auto* node = firmware.root.resolve(path);
    return node && node->type == unpack::NodeType::regular && (node->mode & 0111) != 0;
  };
  std::vector<std::string> words;
  if (!plan.program.empty()) {
    if (!startable(plan.program)) return base::fail(Error::Kind::unreadable, fmt::format("{}: no program of that path in the image", plan.program));
    words = {plan.program};
    words.insert(words.end(), plan.arguments.begin(), plan.arguments.end());
    return words;
  }
  for (const char* init : {"/sbin/init", "/init", "/etc/init", "/bin/init", "/linuxrc"})
    if (startable(init)) {
      as_init = true;
      return std::vector<std::string>{init};
    }
  for (const char* script : {"/etc/init.d/rcS", "/etc/rcS", "/etc/rc.d/rcS", "/etc/rc", "/etc_ro/rcS", "/usr/etc/rcS", "/etc/rc.local"})
    if (startable(script)) return std::vector<std::string>{script, "S", "boot"};
  return base::fail(Error::Kind::unreadable, "the image has no init and no first script that could be started; name a program");
}

std::uint64_t resident_bytes(int processes) {
  std::uint64_t pages = 0;
  const Fd again(openat(processes, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::uint8_t buffer[32768];
  for (;;) {
    const auto n = syscall(SYS_getdents64, again.get(), buffer, sizeof buffer);
    if (n <= 0) break;
    for (long at = 0; at < n;) {
      std::uint16_t length = 0;
      std::memcpy(&length, buffer + at + 16, sizeof length);
      const std::string name(reinterpret_cast<const char*>(buffer + at + 19));
      at += length;
      if (name.empty() || name[0] < '2' || name[0] > '9') {
        if (name.size() < 2 || name[0] != '1') continue;  // process 1 is the supervisor
      }
      const Fd file(openat(processes, (name + "/statm").c_str(), O_RDONLY | O_CLOEXEC));
      char text[128] = "";
      if (!file.ok() || read(file.get(), text, sizeof text - 1) <= 0) continue;
      const char* second = std::strchr(text, ' ');
      const char* third = second ? std::strchr(second + 1, ' ') : nullptr;
      const std::uint64_t all = second ? std::strtoull(second, nullptr, 10) : 0, shared = third ? std::strtoull(third, nullptr, 10) : 0;
      pages += all > shared ? all - shared : 0;
    }
  }
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

class Supervisor {
 public:
  Supervisor(const unpack::Firmware& firmware, const Plan& plan, int lifeline) : firmware_(firmware), plan_(plan), lifeline_(lifeline) {}

  base::Result<Record> run(int capture_fd) {
    record_.secret = plan_.secret;
    auto words = words_to_start(firmware_, plan_, as_init_);
    if (!words) return std::unexpected(words.error());
    record_.boot = plan_.program.empty();
    record_.started = base::join(*words, " ");
    auto root = build_root(firmware_, plan_);
    if (!root) return std::unexpected(root.error());
    root_ = std::move(*root);
    record_.doubts = root_.doubts;
    if (auto made = start_payload(*words, capture_fd); !made) return std::unexpected(made.error());
    serve();
    finish();
    return std::move(record_);
  }

 private:
  base::Result<void> start_payload(const std::vector<std::string>& words, int capture_fd) {
    int go[2], answer[2];
    if (pipe2(go, O_CLOEXEC) != 0 || pipe2(answer, O_CLOEXEC) != 0) return system_error("pipe");
    // The table of descriptors is shared until the filter's notification descriptor is in it and the payload has left it:
    // until then nothing that it uses may be closed here.
    go_in_ = Fd(go[0]);
    go_out_ = Fd(go[1]);
    answer_ = Fd(answer[0]);
    answer_out_ = Fd(answer[1]);
    payload_ = static_cast<pid_t>(syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
    if (payload_ < 0) return system_error("starting a process in namespaces of its own");
    if (payload_ == 0) become_payload(plan_, {go[0], answer[1]}, root_.console, as_init_, words);

    const Fd network(openat(root_.processes.get(), fmt::format("{}/ns/net", payload_).c_str(), O_RDONLY | O_CLOEXEC));
    prctl(PR_SET_DUMPABLE, 0);
    if (!network.ok()) return system_error("finding the payload's network");
    if (auto made = make_pair(network.get()); !made) return made;
    if (auto made = answer_for_all(); !made) return made;
    if (!capturing_.open(capture_fd, plan_.limits.capture_bytes)) return system_error("listening on the box's network");
    if (!drop_capabilities()) return system_error("dropping privileges");

    int said[2] = {-9, 0};
    if (write(go_out_.get(), "n", 1) != 1 || read(answer_.get(), said, sizeof said) != sizeof said || said[0] != 0) {
      static constexpr const char* kStages[] = {"starting the payload", "configuring the network", "the payload's network has an interface that is not the box's",
                                                "entering the root", "dropping capabilities", "installing the filter"};
      errno = said[1];
      return system_error(kStages[said[0] < 0 && said[0] >= -5 ? -said[0] : 0]);
    }
    notifications_ = Fd(said[1]);
    fcntl(notifications_.get(), F_SETFD, FD_CLOEXEC);
    if (write(go_out_.get(), "s", 1) != 1) return system_error("starting the payload");
    return {};
  }

  void watch(int epoll, int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }

  void serve() {
    const Fd epoll(epoll_create1(EPOLL_CLOEXEC));
    Sinks sinks(epoll.get(), canary_text(plan_.secret));
    Watcher watcher(plan_, firmware_, root_, sinks, record_);
    const int notifications = notifications_.get();
    watcher.listen_on(std::move(notifications_));
    const int terminal = root_.terminal.get();
    termios raw{};
    if (tcgetattr(terminal, &raw) == 0) {
      cfmakeraw(&raw);
      tcsetattr(terminal, TCSANOW, &raw);
    }
    for (const int fd : {notifications, terminal, answer_.get(), capturing_.descriptor(), lifeline_}) watch(epoll.get(), fd);
    const auto began = Clock::now();
    const auto end = began + std::chrono::seconds(plan_.limits.wall_seconds);
    auto look = began;  // when memory is next looked at
    std::optional<Clock::time_point> last;
    std::string typed = plan_.input;
    while (record_.ended.empty()) {
      const int next = watcher.answer_sleepers();
      epoll_event events[64];
      const int count = epoll_wait(epoll.get(), events, std::size(events), next < 0 ? 50 : std::min(next, 50));
      for (int i = 0; i < count; ++i) {
        const int fd = events[i].data.fd;
        if (fd == notifications) {
          if (events[i].events & EPOLLIN) watcher.hear();
          else epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd, nullptr);  // nobody is left under the filter
        } else if (fd == terminal) hear_terminal();
        else if (fd == capturing_.descriptor()) {
          if (!capturing_.drain()) base::add_doubt(record_.doubts, {"capture-cut", "run", 0, "More passed the network than is kept.", 0});
        } else if (fd == lifeline_) _exit(0);
        else if (fd == answer_.get()) {
          int said[2] = {0, 0};
          if (read(fd, said, sizeof said) == sizeof said && said[0] == 1) {
            record_.status = WIFEXITED(said[1]) ? WEXITSTATUS(said[1]) : 128 + WTERMSIG(said[1]);
            last = Clock::now() + std::chrono::milliseconds(plan_.linger_ms);
          } else epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
        } else sinks.handle(fd);
      }
      if (!typed.empty() && watcher.started()) {
        const ssize_t n = write(terminal, typed.data(), std::min<std::size_t>(typed.size(), 1024));
        if (n > 0) typed.erase(0, static_cast<std::size_t>(n));
      }
      const auto now = Clock::now();
      int status = 0;
      if (waitpid(payload_, &status, WNOHANG) == payload_) {
        record_.ended = WIFSIGNALED(status) ? "killed" : "exited";
        if (as_init_ || !last) record_.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        payload_ = -1;
      } else if (last && now >= *last) record_.ended = "exited";
      else if (watcher.rebooted()) record_.ended = "rebooted";
      else if (now >= end) record_.ended = "wall-clock";
      else if (record_.notified_calls > plan_.limits.notified_calls) record_.ended = "calls";
      else if (now >= look) {
        look = now + std::chrono::milliseconds(200);
        if (resident_bytes(root_.processes.get()) > plan_.limits.memory_bytes) record_.ended = "memory";
      }
    }
    record_.run_ms = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count());
    // Process 1 of the payload's namespace takes all others with it.
    if (payload_ > 0) {
      kill(payload_, SIGKILL);
      waitpid(payload_, nullptr, 0);
    }
    hear_terminal();
    watcher.remove_planted();
  }

  void hear_terminal() {
    char buffer[8192];
    for (int turns = 0; turns < 64; ++turns) {
      const ssize_t n = read(root_.terminal.get(), buffer, sizeof buffer);
      if (n <= 0) return;
      const std::size_t room = plan_.limits.output_bytes - std::min<std::uint64_t>(plan_.limits.output_bytes, record_.output.size());
      record_.output.append(buffer, std::min<std::size_t>(room, static_cast<std::size_t>(n)));
    }
  }

  void finish() {
    capturing_.finish();
    if (const auto lost = capturing_.lost()) base::add_doubt(record_.doubts, {"capture-lost", "run", 0, "Frames passed faster than they were kept.", lost});
    record_.landings = find_landings(root_.top.get(), canary_text(plan_.secret), firmware_.root);
    std::stable_sort(record_.events.begin(), record_.events.end(), [](const Event& a, const Event& b) { return a.first_ms < b.first_ms; });
    name_missing();
  }

  // Programs that nobody found anywhere, and libraries of which a loader said so.
  void name_missing() {
    for (const auto& event : record_.events)
      if (event.call == "execute" && event.answer == "missing") {
        const std::string name = event.object.substr(event.object.rfind('/') + 1);
        const bool elsewhere = std::any_of(record_.events.begin(), record_.events.end(), [&](const Event& e) {
          return e.call == "execute" && e.answer != "missing" && e.object.ends_with("/" + name);
        });
        if (!elsewhere) record_.missing.push_back(name);
      }
    for (const auto line : base::split(record_.output, '\n'))
      for (const char* words : {"error while loading shared libraries: ", "can't load library '"})
        if (const auto at = line.find(words); at != std::string_view::npos) {
          const auto name = line.substr(at + std::strlen(words));
          record_.missing.emplace_back(name.substr(0, name.find_first_of(":'")));
        }
    std::sort(record_.missing.begin(), record_.missing.end());
    record_.missing.erase(std::unique(record_.missing.begin(), record_.missing.end()), record_.missing.end());
  }

  const unpack::Firmware& firmware_;
  const Plan& plan_;
  int lifeline_;
  bool as_init_ = false;
  Record record_;
  Root root_;
  Capturing capturing_;
  Fd go_in_, go_out_, answer_, answer_out_, notifications_;
  pid_t payload_ = -1;
};

}  // namespace

void supervise(const unpack::Firmware& firmware, const Plan& plan, int record_fd, int capture_fd, int lifeline) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "box-supervisor");
  const rlimit many{4096, 4096};
  setrlimit(RLIMIT_NOFILE, &many);
  const auto record = Supervisor(firmware, plan, lifeline).run(capture_fd);
  const std::string text = record ? to_json(*record) : record.error().message;
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t n = write(record_fd, left.data(), left.size());
    if (n <= 0) _exit(3);
    left.remove_prefix(static_cast<std::size_t>(n));
  }
  _exit(record ? 0 : record.error().kind == Error::Kind::unreadable ? 1 : 2);
}

}  // namespace box
