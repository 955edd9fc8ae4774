// Address bytes into text and scope.
#include "witness/address.h"

#include <arpa/inet.h>

#include <algorithm>

#include <fmt/format.h>

namespace witness {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

std::string_view scope_of_v4(std::uint32_t a) {
  if (a == 0) return "unspecified";
  if (a >> 24 == 127) return "loopback";
  if (a >> 16 == 0xA9FE) return "link-local";                                    // 169.254/16
  if (a >> 24 == 10 || a >> 20 == 0xAC1 || a >> 16 == 0xC0A8) return "private";  // RFC 1918
  if (a >> 28 == 0xE || a == 0xFFFFFFFF) return "multicast";
  return "public";
}

}  // namespace

bool Address::is_v4() const { return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin()); }

std::uint32_t Address::v4() const { return base::load_be32(bytes, 12).value_or(0); }

Address address_v4(std::uint32_t host_order) {
  Address out;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out.bytes.begin());
  for (std::size_t i = 0; i < 4; ++i)
    out.bytes[12 + i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return out;
}

Address address_v4(base::ByteView four) {
  if (four.size() != 4) return {};
  Address out;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out.bytes.begin());
  std::copy(four.begin(), four.end(), out.bytes.begin() + 12);
  return out;
}

Address address_v6(base::ByteView sixteen) {
  Address out;
  if (sixteen.size() == 16) std::copy(sixteen.begin(), sixteen.end(), out.bytes.begin());
  return out;
}

std::string to_text(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.is_v4())
    inet_ntop(AF_INET, address.bytes.data() + 12, text, sizeof text);
  else
    inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
  return text;
}

std::string_view scope_of(const Address& address) {
  if (address.is_v4()) return scope_of_v4(address.v4());
  const auto& b = address.bytes;
  const bool zero_head = std::all_of(b.begin(), b.begin() + 15, [](std::uint8_t x) { return x == 0; });
  if (zero_head && b[15] == 0) return "unspecified";
  if (zero_head && b[15] == 1) return "loopback";
  if (b[0] == 0xFF) return "multicast";
  if (b[0] == 0xFE && (b[1] & 0xC0) == 0x80) return "link-local";
  if ((b[0] & 0xFE) == 0xFC) return "private";  // RFC 4193
  return "public";
}

std::string mac_text(base::ByteView six) {
  if (six.size() != 6) return {};
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", six[0], six[1], six[2], six[3], six[4],
                     six[5]);
}

std::size_t AddressHash::operator()(const Address& address) const {
  const auto [high, low] = address.words();
  const std::uint64_t mixed = (high * 0x9E3779B97F4A7C15ULL) ^ (low + 0x7F4A7C15ULL) * 0xD6E8FEB86659FD93ULL;
  return mixed ^ (mixed >> 32);
}

}  // namespace witness
