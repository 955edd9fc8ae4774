// The supervisor's ears: reads one notification, records what it means, answers it. See seccomp_unotify(2).
#pragma once

#include <linux/seccomp.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "box/parts.h"
#include "box/sinks.h"

namespace box {

using Clock = std::chrono::steady_clock;

class Watcher {
 public:
  Watcher(const Plan& plan, const unpack::Firmware& firmware, Root& root, Sinks& sinks, Record& record)
      : plan_(plan), firmware_(firmware), root_(root), sinks_(sinks), record_(record), text_(canary_text(plan.secret)), began_(Clock::now()) {}

  void listen_on(Fd notifications) { notifications_ = std::move(notifications); }
  int descriptor() const { return notifications_.get(); }

  // Deals with one notification that is ready.
  void hear();
  // Answers the sleeps whose shortened time is over; milliseconds until the next one, or -1.
  int answer_sleepers();
  // Takes what was planted away again, so that only what the payload copied is left.
  void remove_planted();

  bool rebooted() const { return rebooted_; }
  bool started() const { return started_; }

 private:
  struct Answer {
    std::int64_t value = 0;
    int error = 0;      // positive errno
    bool go_on = false;
    std::optional<Clock::time_point> later;
  };
  struct Who {
    std::string program, actor;
  };
  struct Peer {
    int family = 0;
    std::string address;
    std::uint16_t port = 0;
    bool here = false;  // loopback, unspecified or the device's own
  };
  using Call = const seccomp_notif&;

  Answer decide(Call call);
  Answer on_mount(Call call);
  Answer on_umount(Call call);
  Answer on_connect(Call call);
  Answer on_send(Call call);
  Answer on_listen(Call call);
  Answer on_execute(Call call, bool at);
  Answer on_sleep(Call call, bool clock);
  Answer on_wait(Call call, unsigned argument);
  Answer on_reboot(Call call);
  Answer on_module(Call call);
  Answer on_ioctl(Call call);

  void note(Call call, Event event);
  const Who& who(std::uint32_t pid);
  Who find_out(std::uint32_t pid, unsigned depth);
  std::vector<std::string> words_of(std::uint32_t pid) const;
  std::string link_of(std::uint32_t pid, const std::string& name) const;
  std::string absolute(std::uint32_t pid, std::string path) const;
  bool still_there(Call call) const;
  bool read_memory(std::uint32_t pid, std::uint64_t at, void* out, std::size_t size) const;
  std::string read_text(std::uint32_t pid, std::uint64_t at, std::size_t most = 4096) const;
  std::optional<Peer> read_peer(std::uint32_t pid, std::uint64_t at, std::uint64_t length) const;
  std::string protocol_of(Call call, int fd, bool* listening_address, Peer* here) const;
  void plant(const std::string& target);
  void remove_planted_at(const std::string& target);

  const Plan& plan_;
  const unpack::Firmware& firmware_;
  Root& root_;
  Sinks& sinks_;
  Record& record_;
  std::string text_;
  Clock::time_point began_;
  Fd notifications_;
  bool rebooted_ = false, started_ = false;
  std::map<std::string, std::size_t> known_;  // key of an event to its place in the record
  std::map<std::uint32_t, Who> who_;
  std::map<std::string, std::vector<std::string>> planted_;  // by mount point
  struct Sleeper {
    Clock::time_point until;
    std::uint64_t id;
    bool operator<(const Sleeper& other) const { return until > other.until; }
  };
  std::priority_queue<Sleeper> sleepers_;
};

}  // namespace box
