// Servers for a device that has only them: whatever address it dials, one of these answers. They run in the supervisor, each
// opened when the supervisor sees that its port is wanted. What is served is a canary; nothing else is ever given.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "box/parts.h"

namespace box {

class Sinks {
 public:
  // `epoll`: descriptors are added with themselves as data. `canary`: canary_text().
  Sinks(int epoll, std::string canary) : epoll_(epoll), canary_(std::move(canary)) {}

  bool ensure_tcp(std::uint16_t port);
  bool ensure_udp(std::uint16_t port);
  // Deals with an event on a descriptor of ours; false when it is none.
  bool handle(int fd);
  bool is_listening(std::uint16_t port, bool tcp) const { return (tcp ? tcp_ : udp_).contains(port); }

 private:
  struct Stream {
    Fd fd;
    std::uint16_t port = 0;
    std::string received;      // not yet understood; bounded
    int passive = -1;          // FTP: the port announced for data
    bool sends = false, takes = false;  // FTP: what the data connection is for
    int control = -1;          // FTP data: the control stream
    unsigned lines = 0;
  };
  void accept_from(int listener, std::uint16_t port);
  void hear(Stream& stream);
  void answer_datagram(int fd, std::uint16_t port);
  void say(Stream& stream, std::string_view text);
  void hang_up(int fd);
  void speak_ftp(Stream& stream, std::string_view line);
  void settle_ftp(Stream& control);
  bool speak_http(Stream& stream);
  bool speak_rpc(Stream& stream);
  int watch(Fd fd);

  int epoll_;
  std::string canary_;
  std::map<int, std::uint16_t> listeners_, datagrams_;  // descriptor to port
  std::set<std::uint16_t> tcp_, udp_;
  std::map<int, Stream> streams_;
  std::uint16_t next_passive_ = 40000;
};

// Answers to datagrams, by port; empty: none. Exposed for tests.
std::string dns_answer(std::string_view query);
std::string rpc_answer(std::string_view call);
std::string tftp_answer(std::string_view request, std::string_view canary);
std::string ntp_answer(std::string_view request);

}  // namespace box
