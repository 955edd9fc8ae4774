#include "box/sinks.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/text.h"

namespace box {
namespace {

constexpr std::size_t kReceivedMost = 64 << 10;
constexpr std::size_t kStreamsMost = 400;

// A socket for both families, so that one answers for every address.
Fd open_at(int type, std::uint16_t port) {
  Fd fd(socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int off = 0, on = 1;
  sockaddr_in6 name{};
  name.sin6_family = AF_INET6;
  name.sin6_port = htons(port);
  setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (type == SOCK_DGRAM) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return Fd();
  if (type == SOCK_STREAM && listen(fd.get(), 128) != 0) return Fd();
  return fd;
}

}  // namespace

int Sinks::watch(Fd fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd.get();
  if (!fd.ok() || epoll_ctl(epoll_, EPOLL_CTL_ADD, fd.get(), &event) != 0) return -1;
  return fd.release();
}

bool Sinks::ensure_tcp(std::uint16_t port) {
  if (port == 0 || tcp_.contains(port)) return true;
  const int fd = watch(open_at(SOCK_STREAM, port));
  if (fd < 0) return false;
  listeners_[fd] = port;
  tcp_.insert(port);
  return true;
}

bool Sinks::ensure_udp(std::uint16_t port) {
  if (port == 0 || udp_.contains(port)) return true;
  const int fd = watch(open_at(SOCK_DGRAM, port));
  if (fd < 0) return false;
  datagrams_[fd] = port;
  udp_.insert(port);
  return true;
}

bool Sinks::handle(int fd) {
  if (const auto listener = listeners_.find(fd); listener != listeners_.end()) return accept_from(fd, listener->second), true;
  if (const auto socket = datagrams_.find(fd); socket != datagrams_.end()) return answer_datagram(fd, socket->second), true;
  const auto stream = streams_.find(fd);
  if (stream == streams_.end()) return false;
  hear(stream->second);
  return true;
}

void Sinks::accept_from(int listener, std::uint16_t port) {
  Fd fd(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.ok() || streams_.size() >= kStreamsMost) return;
  const int number = watch(std::move(fd));
  if (number < 0) return;
  Stream& stream = streams_[number];
  stream.fd = Fd(number);
  stream.port = port;
  if (port == 21) say(stream, "220 ready\r\n");
  if (port == 23) say(stream, "\r\nlogin: ");
  if (port == 25) say(stream, "220 ready\r\n");
  for (auto& [other, control] : streams_)
    if (control.passive == port && other != number) {
      stream.control = other;
      settle_ftp(control);
      return;
    }
}

void Sinks::say(Stream& stream, std::string_view text) { (void)!send(stream.fd.get(), text.data(), text.size(), MSG_NOSIGNAL); }

void Sinks::hang_up(int fd) {
  const auto stream = streams_.find(fd);
  if (stream == streams_.end()) return;
  const int control = stream->second.control;
  streams_.erase(stream);  // closing takes it out of the epoll set
  const auto other = streams_.find(control);
  if (other != streams_.end() && other->second.takes) {
    other->second.takes = false;
    say(other->second, "226 done\r\n");
  }
}

void Sinks::hear(Stream& stream) {
  char buffer[16384];
  const int fd = stream.fd.get();
  const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return hang_up(fd);
  if (stream.control >= 0 || stream.received.size() > kReceivedMost) return;
  stream.received.append(buffer, static_cast<std::size_t>(n));
  if (stream.port == 111 || stream.port == 2049 || stream.port == 635) {
    while (speak_rpc(stream)) {}
    return;
  }
  if (stream.port != 21 && stream.port != 23 && stream.port != 25) {
    if (speak_http(stream)) hang_up(fd);
    return;
  }
  for (std::size_t end; (end = stream.received.find('\n')) != std::string::npos;) {
    const std::string line(base::trim(std::string_view(stream.received).substr(0, end)));
    stream.received.erase(0, end + 1);
    ++stream.lines;
    if (stream.port == 21) speak_ftp(stream, line);
    else if (stream.port == 23) say(stream, stream.lines == 1 ? "Password: " : "\r\n# ");
    else say(stream, base::lower(line).starts_with("data") ? "354 go on\r\n" : "250 ok\r\n");
  }
}

// RFC 9112; one request, one answer, and the end. True when answered.
bool Sinks::speak_http(Stream& stream) {
  bool request = false;
  for (const char* method : {"GET ", "POST ", "PUT ", "HEAD "}) request = request || stream.received.starts_with(method);
  const auto end = stream.received.find("\r\n\r\n");
  if (!request || (end == std::string::npos && stream.received.find("\n\n") == std::string::npos)) return false;
  const std::string head = base::lower(stream.received.substr(0, end));
  if (const auto at = head.find("content-length:"); at != std::string::npos && end != std::string::npos) {
    const auto length = std::strtoull(head.c_str() + at + 15, nullptr, 10);
    if (length < kReceivedMost && stream.received.size() < end + 4 + length) return false;
  }
  const std::string body = canary_contents(canary_, "http");
  say(stream, fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", body.size(),
                          stream.received.starts_with("HEAD") ? "" : body));
  shutdown(stream.fd.get(), SHUT_WR);
  return true;
}

// RFC 5531, record marking. True when a record was taken.
bool Sinks::speak_rpc(Stream& stream) {
  const auto mark = base::load_be32(base::as_bytes(stream.received), 0);
  if (!mark) return false;
  const std::uint32_t length = *mark & 0x7fffffff;
  if (stream.received.size() - 4 < length) return false;
  const std::string answer = rpc_answer(std::string_view(stream.received).substr(4, length));
  stream.received.erase(0, 4 + std::size_t{length});
  if (answer.empty()) return true;
  std::string out;
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>((answer.size() | 0x80000000u) >> shift & 0xff);
  say(stream, out + answer);
  return true;
}

// RFC 959 and the passive half of RFC 2428.
void Sinks::speak_ftp(Stream& stream, std::string_view line) {
  const std::string verb = base::lower(line.substr(0, line.find(' ')));
  if (verb == "user") return say(stream, "331 password\r\n");
  if (verb == "pass") return say(stream, "230 welcome\r\n");
  if (verb == "syst") return say(stream, "215 UNIX Type: L8\r\n");
  if (verb == "size") return say(stream, fmt::format("213 {}\r\n", canary_contents(canary_, "ftp").size()));
  if (verb == "quit") return say(stream, "221 bye\r\n");
  if (verb == "pasv" || verb == "epsv") {
    sockaddr_in6 here{};
    socklen_t length = sizeof here;
    getsockname(stream.fd.get(), reinterpret_cast<sockaddr*>(&here), &length);
    stream.passive = next_passive_ = static_cast<std::uint16_t>(next_passive_ >= 60000 ? 40000 : next_passive_ + 1);
    if (!ensure_tcp(next_passive_)) return say(stream, "425 no\r\n");
    const auto* at = here.sin6_addr.s6_addr;
    if (verb == "epsv") return say(stream, fmt::format("229 Entering Extended Passive Mode (|||{}|)\r\n", next_passive_));
    return say(stream, fmt::format("227 Entering Passive Mode ({},{},{},{},{},{})\r\n", at[12], at[13], at[14], at[15], next_passive_ >> 8, next_passive_ & 0xff));
  }
  if (verb == "retr" || verb == "list" || verb == "nlst" || verb == "stor" || verb == "appe") {
    (verb == "stor" || verb == "appe" ? stream.takes : stream.sends) = true;
    say(stream, "150 go on\r\n");
    return settle_ftp(stream);
  }
  say(stream, "200 ok\r\n");
}

void Sinks::settle_ftp(Stream& control) {
  if (!control.sends) return;
  for (auto& [fd, data] : streams_) {
    if (data.control != control.fd.get()) continue;
    say(data, canary_contents(canary_, "ftp"));
    control.sends = false;
    hang_up(fd);
    return say(control, "226 done\r\n");
  }
}

void Sinks::answer_datagram(int fd, std::uint16_t port) {
  char buffer[65536], control[256];
  sockaddr_in6 from{};
  iovec part{buffer, sizeof buffer};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = recvmsg(fd, &message, 0);
  if (n < 0) return;
  const std::string_view said(buffer, static_cast<std::size_t>(n));
  std::string answer;
  if (port == 53) answer = dns_answer(said);
  else if (port == 69) answer = tftp_answer(said, canary_contents(canary_, "tftp"));
  else if (port == 123) answer = ntp_answer(said);
  else if (port == 111 || port == 2049 || port == 635) answer = rpc_answer(said);
  if (answer.empty()) return;
  // From the address that was asked: the packet information received is the one to send with.
  part = {answer.data(), answer.size()};
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head))
    if (head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(head), sizeof info);
      info.ipi6_ifindex = 0;
      std::memcpy(CMSG_DATA(head), &info, sizeof info);
    }
  (void)!sendmsg(fd, &message, MSG_NOSIGNAL);
}

}  // namespace box
