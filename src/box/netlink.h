// The few network settings that a box needs, as rtnetlink messages (rtnetlink(7), RFC 3549).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace box {

// The only network: eth0 in the payload's namespace, and the other end in the supervisor's, where every address is local.
inline constexpr std::array<std::uint8_t, 4> kDevice4 = {10, 77, 0, 2}, kAround4 = {10, 77, 0, 1};
inline constexpr std::array<std::uint8_t, 16> kDevice6 = {0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
inline constexpr std::array<std::uint8_t, 16> kAround6 = {0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

// The settings are written through /processes, the supervisor's own view of /proc (root.cc).
// In the supervisor's namespace: a veth pair whose far end `eth0` goes to the namespace behind the descriptor.
base::Result<void> make_pair(int payload_namespace);
// In the supervisor's namespace, after make_pair(): every address but the device's own is local.
base::Result<void> answer_for_all();
// In the payload's namespace: loopback and eth0 up, with the device's addresses and a default route.
base::Result<void> configure_device();
// True when an interface of the calling process's network namespace is up that is neither loopback nor ours.
bool has_way_out();

}  // namespace box
