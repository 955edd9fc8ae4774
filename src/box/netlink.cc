#include "box/netlink.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>
#include <string_view>
#include <vector>

namespace box {
namespace {

using base::Error;
using Octets = std::span<const std::uint8_t>;

constexpr const char* kNear = "around0";
constexpr const char* kFar = "eth0";

// A message under construction; nested attributes are closed in reverse order.
class Message {
 public:
  Message(std::uint16_t type, std::uint16_t flags) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    header.nlmsg_seq = 1;
    add(header);
  }
  template <class T>
  void add(const T& value) {
    const auto* at = reinterpret_cast<const std::uint8_t*>(&value);
    bytes_.insert(bytes_.end(), at, at + sizeof value);
    pad();
  }
  void attribute(std::uint16_t type, Octets data) {
    const std::size_t at = open(type);
    bytes_.insert(bytes_.end(), data.begin(), data.end());
    close(at);
  }
  void attribute(std::uint16_t type, std::uint32_t value) {
    const std::size_t at = open(type);
    add(value);
    close(at);
  }
  void attribute(std::uint16_t type, const char* text) {
    attribute(type, Octets(reinterpret_cast<const std::uint8_t*>(text), std::strlen(text) + 1));
  }
  std::size_t open(std::uint16_t type) {
    const std::size_t at = bytes_.size();
    rtattr head{};
    head.rta_type = type;
    add(head);
    return at;
  }
  void close(std::size_t at) {
    put_length(at, bytes_.size() - at);
    pad();
  }
  std::vector<std::uint8_t>& finish() {
    nlmsghdr header{};
    std::memcpy(&header, bytes_.data(), sizeof header);
    header.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &header, sizeof header);
    return bytes_;
  }

 private:
  void put_length(std::size_t at, std::size_t length) {
    const auto value = static_cast<std::uint16_t>(length);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }
  void pad() { bytes_.resize((bytes_.size() + 3) & ~std::size_t{3}); }
  std::vector<std::uint8_t> bytes_;
};

base::Result<void> ask(Message message, const char* what) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return base::fail(Error::Kind::unsupported, fmt::format("{}: {}", what, std::strerror(errno)));
  const auto& bytes = message.finish();
  std::uint8_t answer[4096];
  const bool sent = send(fd, bytes.data(), bytes.size(), 0) >= 0;
  const ssize_t n = sent ? recv(fd, answer, sizeof answer, 0) : -1;
  close(fd);
  nlmsghdr header{};
  int code = -EIO;
  if (n >= static_cast<ssize_t>(sizeof header + sizeof code)) {
    std::memcpy(&header, answer, sizeof header);
    if (header.nlmsg_type == NLMSG_ERROR) std::memcpy(&code, answer + NLMSG_HDRLEN, sizeof code);
  }
  if (code == 0 || code == -EEXIST) return {};
  return base::fail(Error::Kind::unsupported, fmt::format("{}: {}", what, std::strerror(-code)));
}

std::uint32_t index_of(const char* name) { return if_nametoindex(name); }

base::Result<void> bring_up(const char* name) {
  Message message(RTM_NEWLINK, 0);
  ifinfomsg info{};
  info.ifi_index = static_cast<int>(index_of(name));
  info.ifi_flags = info.ifi_change = IFF_UP;
  message.add(info);
  return ask(std::move(message), "raising an interface of the box");
}

base::Result<void> add_address(const char* name, Octets address, std::uint8_t bits) {
  Message message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
  ifaddrmsg info{};
  info.ifa_family = address.size() == 4 ? AF_INET : AF_INET6;
  info.ifa_prefixlen = bits;
  info.ifa_flags = IFA_F_PERMANENT | (address.size() == 16 ? IFA_F_NODAD : 0);
  info.ifa_index = index_of(name);
  message.add(info);
  message.attribute(IFA_LOCAL, address);
  message.attribute(IFA_ADDRESS, address);
  return ask(std::move(message), "giving an address in the box");
}

// `to` empty: everything. `type` RTN_LOCAL: delivered here.
base::Result<void> add_route(int family, Octets to, const char* through, std::uint8_t type, std::uint8_t table, Octets gateway = {}) {
  Message message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  rtmsg info{};
  info.rtm_family = static_cast<std::uint8_t>(family);
  info.rtm_dst_len = static_cast<std::uint8_t>(to.size() * 8);
  info.rtm_table = table;
  info.rtm_protocol = RTPROT_BOOT;
  info.rtm_scope = type == RTN_LOCAL ? RT_SCOPE_HOST : gateway.empty() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  info.rtm_type = type;
  message.add(info);
  if (!to.empty()) message.attribute(RTA_DST, to);
  if (!gateway.empty()) message.attribute(RTA_GATEWAY, gateway);
  message.attribute(RTA_OIF, index_of(through));
  return ask(std::move(message), "setting a route in the box");
}

void set(const std::string& name, const char* value) { std::ofstream("/processes/sys/net/" + name) << value; }

}  // namespace

base::Result<void> make_pair(int payload_namespace) {
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  message.add(ifinfomsg{});
  message.attribute(IFLA_IFNAME, kNear);
  const auto link = message.open(IFLA_LINKINFO);
  message.attribute(IFLA_INFO_KIND, "veth");
  const auto data = message.open(IFLA_INFO_DATA);
  const auto peer = message.open(VETH_INFO_PEER);
  message.add(ifinfomsg{});
  message.attribute(IFLA_IFNAME, kFar);
  message.attribute(IFLA_NET_NS_FD, static_cast<std::uint32_t>(payload_namespace));
  message.close(peer);
  message.close(data);
  message.close(link);
  return ask(std::move(message), "making the box's network");
}

base::Result<void> answer_for_all() {
  for (const char* off : {"ipv6/conf/all/accept_dad", "ipv6/conf/default/accept_dad", "ipv6/conf/around0/accept_dad", "ipv4/conf/all/rp_filter",
                          "ipv4/conf/around0/rp_filter"})
    set(off, "0");
  for (const char* quiet : {"ipv6/conf/default/addr_gen_mode", "ipv6/conf/around0/addr_gen_mode"}) set(quiet, "1");  // no words of the kernel's own
  set("ipv6/ip_nonlocal_bind", "1");
  set("ipv4/ip_nonlocal_bind", "1");
  set("ipv4/ip_unprivileged_port_start", "0");
  for (const char* name : {"lo", kNear})
    if (auto up = bring_up(name); !up) return up;
  if (auto done = add_address(kNear, kAround4, 24); !done) return done;
  if (auto done = add_route(AF_INET, kDevice4, kNear, RTN_UNICAST, RT_TABLE_LOCAL); !done) return done;
  if (auto done = add_route(AF_INET, {}, "lo", RTN_LOCAL, RT_TABLE_LOCAL); !done) return done;
  // A kernel without IPv6 is no reason to refuse.
  if (add_address(kNear, kAround6, 64) && add_route(AF_INET6, kDevice6, kNear, RTN_UNICAST, RT_TABLE_LOCAL))
    (void)add_route(AF_INET6, {}, "lo", RTN_LOCAL, RT_TABLE_LOCAL);
  return {};
}

base::Result<void> configure_device() {
  for (const char* off : {"ipv6/conf/all/accept_dad", "ipv6/conf/default/accept_dad", "ipv6/conf/eth0/accept_dad"}) set(off, "0");
  set("ipv4/ip_unprivileged_port_start", "0");
  set("ipv6/conf/eth0/addr_gen_mode", "1");
  set("ipv4/ping_group_range", "0 0");
  for (const char* name : {"lo", kFar})
    if (auto up = bring_up(name); !up) return up;
  if (auto done = add_address(kFar, kDevice4, 24); !done) return done;
  if (auto done = add_route(AF_INET, {}, kFar, RTN_UNICAST, RT_TABLE_MAIN, kAround4); !done) return done;
  if (add_address(kFar, kDevice6, 64)) (void)add_route(AF_INET6, {}, kFar, RTN_UNICAST, RT_TABLE_MAIN, kAround6);
  return {};
}

bool has_way_out() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct if_nameindex* all = if_nameindex();
  bool found = fd < 0 || all == nullptr;
  for (auto* one = all; one && one->if_index != 0 && one->if_name != nullptr; ++one) {
    if (std::string_view(one->if_name) == "lo" || std::string_view(one->if_name) == kNear || std::string_view(one->if_name) == kFar) continue;
    ifreq request{};
    std::strncpy(request.ifr_name, one->if_name, IFNAMSIZ - 1);
    found = found || ioctl(fd, SIOCGIFFLAGS, &request) != 0 || (request.ifr_flags & IFF_UP) != 0;
  }
  if (all) if_freenameindex(all);
  if (fd >= 0) close(fd);
  return found;
}

}  // namespace box
