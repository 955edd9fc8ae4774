// An IP address as sixteen bytes (an IPv4 address in its mapped form, RFC 4291 2.5.5.2) and what can be said
// of it alone.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace witness {

struct Address {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Address&) const = default;
  bool operator==(const Address& other) const { return words() == other.words(); }
  // The bytes as two machine words: for hashing and equality, in an order that means nothing.
  std::array<std::uint64_t, 2> words() const { return std::bit_cast<std::array<std::uint64_t, 2>>(bytes); }
  bool is_v4() const;
  std::uint32_t v4() const;  // host order; only when is_v4()
};

Address address_v4(std::uint32_t host_order);
Address address_v4(base::ByteView four);     // exactly four bytes, else the unspecified address
Address address_v6(base::ByteView sixteen);  // exactly sixteen bytes, else the unspecified address

// As people write it (inet_ntop).
std::string to_text(const Address& address);

// public, private (RFC 1918, RFC 4193), loopback, link-local, multicast (limited broadcast included) or
// unspecified.
std::string_view scope_of(const Address& address);

// A six-byte hardware address as aa:bb:cc:dd:ee:ff; empty for any other length.
std::string mac_text(base::ByteView six);

struct AddressHash {
  std::size_t operator()(const Address& address) const;
};

}  // namespace witness
