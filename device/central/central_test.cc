// Why: what leaves the device goes only where its owner said, in a form that others read; names with separators must not forge segments.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "device/central/config.h"
#include "device/central/hl7.h"
#include "device/central/mud.h"

namespace bedside {
namespace {

constexpr const char* good =
    R"({"bed":"B7","device":"d1","central":{"host":"198.51.100.7","port":2575,"interval":10,"ca":"ca.pem","certificate":"c.pem","key":"k.pem"}})";

TEST(Config, reads_what_the_owner_wrote_and_refuses_the_rest) {
  const auto config = parse_central_config(good, "/etc/bedside");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->host, "198.51.100.7");
  EXPECT_EQ(config->ca, "/etc/bedside/ca.pem");
  const auto alone = parse_central_config("{}", "");
  ASSERT_TRUE(alone);
  EXPECT_TRUE(alone->host.empty()) << "no central station is named, none is talked to";
  for (const char* bad : {"", "[]", "{\"central\":{}}", "{\"central\":{\"host\":\"x\"}}", "{\"bed\":1}", "{\"hosts\":\"x\"}",
                          R"({"central":{"host":"a b","ca":"x","certificate":"x","key":"x"}})",
                          R"({"central":{"host":"a","port":0,"ca":"x","certificate":"x","key":"x"}})",
                          R"({"central":{"host":"a","port":2.5,"ca":"x","certificate":"x","key":"x"}})"})
    EXPECT_FALSE(parse_central_config(bad, "")) << bad;
}

TEST(Hl7, separators_in_names_are_escaped) {
  EXPECT_EQ(escape_hl7("a|b^c&d~e\\f\rg"), "a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f\\X0D\\g");
  CentralConfig config;
  Numerics n;
  n.heart_rate = 72.4F;
  const auto message = observation_message(config, {"1", "Evil\rOBX|9", "A", "", "U", Age::adult}, n, {});
  std::size_t obx = 0;
  for (const auto segment : base::split(message, '\r')) obx += segment.starts_with("OBX");
  EXPECT_EQ(obx, 2u) << "the device and one value";
  EXPECT_NE(message.find("|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|72|264864^MDC_DIM_BEAT_PER_MIN^MDC"), std::string::npos);
  EXPECT_EQ(message.find("MDC_PULS_OXIM_SAT_O2"), std::string::npos) << "no value, no segment";
}

TEST(Hl7, an_audit_line_is_carried_whole) {
  const auto message = audit_message({}, "{\"n\":1,\"detail\":\"a|b\\nc\"}\n", {});
  EXPECT_NE(message.find("|{\"n\":1,\"detail\":\"a\\F\\b\\E\\nc\"}|"), std::string::npos) << message;
  EXPECT_EQ(message.find("PID"), std::string::npos) << "no patient is concerned";
}

TEST(Hl7, only_the_right_acknowledgement_counts) {
  EXPECT_TRUE(acknowledges("MSH|^~\\&|\rMSA|AA|42\r", "42"));
  EXPECT_FALSE(acknowledges("MSH|^~\\&|\rMSA|AA|41\r", "42"));
  EXPECT_FALSE(acknowledges("MSH|^~\\&|\rMSA|AE|42\r", "42"));
  EXPECT_FALSE(acknowledges("", "42"));
}

TEST(Mud, names_the_peers_that_were_set_and_nobody_else) {
  const auto mud = nlohmann::json::parse(mud_file(*parse_central_config(good, "")));
  const auto& lists = mud["ietf-access-control-list:acls"]["acl"];
  ASSERT_EQ(lists.size(), 2u);
  EXPECT_EQ(lists[0]["aces"]["ace"][0]["matches"]["ipv4"]["destination-ipv4-network"], "198.51.100.7/32");
  EXPECT_EQ(lists[0]["aces"]["ace"][0]["matches"]["tcp"]["destination-port"]["port"], 2575);
  const auto both = nlohmann::json::parse(mud_file(*parse_central_config(good, ""), "https://[2001:db8::7]:8443/site"));
  const auto& four = both["ietf-access-control-list:acls"]["acl"];
  ASSERT_EQ(four.size(), 4u);
  EXPECT_EQ(four[2]["aces"]["ace"][0]["matches"]["ipv6"]["destination-ipv6-network"], "2001:db8::7/128");
  EXPECT_EQ(four[2]["aces"]["ace"][0]["matches"]["tcp"]["destination-port"]["port"], 8443);
  const auto named = nlohmann::json::parse(mud_file({}, "http://updates.example.org/site"));
  EXPECT_EQ(named["ietf-access-control-list:acls"]["acl"][0]["aces"]["ace"][0]["matches"]["ipv4"]["ietf-acldns:dst-dnsname"], "updates.example.org");
  EXPECT_EQ(named["ietf-access-control-list:acls"]["acl"][0]["aces"]["ace"][0]["matches"]["tcp"]["destination-port"]["port"], 80);
  EXPECT_FALSE(nlohmann::json::parse(mud_file({}, "file:///media/stick")).contains("ietf-access-control-list:acls"));
  const auto alone = nlohmann::json::parse(mud_file({}));
  EXPECT_FALSE(alone.contains("ietf-access-control-list:acls"));
}

}  // namespace
}  // namespace bedside
