// Why: scope decides severity, and every kind needs a name that rules and JSON can use.
#include "effects/effects.h"

#include <gtest/gtest.h>

#include <set>

namespace effects {
namespace {

TEST(Scope, addresses) {
  EXPECT_EQ(scope_of_address("10.1.2.3"), Scope::private_);
  EXPECT_EQ(scope_of_address("172.31.255.255"), Scope::private_);
  EXPECT_EQ(scope_of_address("172.32.0.1"), Scope::public_);
  EXPECT_EQ(scope_of_address("192.168.0.1"), Scope::private_);
  EXPECT_EQ(scope_of_address("127.0.0.1"), Scope::loopback);
  EXPECT_EQ(scope_of_address("0.0.0.0"), Scope::unspecified);
  EXPECT_EQ(scope_of_address("169.254.9.9"), Scope::link_local);
  EXPECT_EQ(scope_of_address("239.255.255.250"), Scope::multicast);
  EXPECT_EQ(scope_of_address("255.255.255.255"), Scope::multicast);
  EXPECT_EQ(scope_of_address("198.51.100.7"), Scope::public_) << "documentation ranges count as public";
  EXPECT_EQ(scope_of_address("2001:db8::1"), Scope::public_);
  EXPECT_EQ(scope_of_address("fd00::1"), Scope::private_);
  EXPECT_EQ(scope_of_address("fe80::1"), Scope::link_local);
  EXPECT_EQ(scope_of_address("::1"), Scope::loopback);
  EXPECT_EQ(scope_of_address("::ffff:10.0.0.1"), Scope::private_);
  EXPECT_EQ(scope_of_address("1.2.3"), Scope::unknown);
  EXPECT_EQ(scope_of_address("300.1.1.1"), Scope::unknown);
}

TEST(Scope, names) {
  EXPECT_EQ(scope_of_host("updates.example.org"), Scope::public_);
  EXPECT_EQ(scope_of_host("server"), Scope::private_);
  EXPECT_EQ(scope_of_host("nas.local"), Scope::private_);
  EXPECT_EQ(scope_of_host("router.lan."), Scope::private_);
  EXPECT_EQ(scope_of_host("${SERVER}"), Scope::unknown);
}

TEST(Endpoint, a_literal_host_name_is_looked_up) {
  const Endpoint named = endpoint_from_name("updates.example.org", Provenance::literal);
  EXPECT_TRUE(named.looked_up);
  EXPECT_EQ(named.provenance, Provenance::literal);
  EXPECT_FALSE(endpoint_from_name("203.0.113.9", Provenance::literal).looked_up);
}

TEST(Kinds, keys_are_distinct_and_come_back) {
  std::set<std::string_view> seen;
  for (const Kind kind : all_kinds()) {
    EXPECT_TRUE(seen.insert(key(kind)).second) << key(kind);
    EXPECT_EQ(kind_from_key(key(kind)), kind);
    EXPECT_FALSE(title(kind).empty());
  }
}

}  // namespace
}  // namespace effects
