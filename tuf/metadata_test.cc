// Why: the parts that the attacks reach only from outside: canonical form, dates, patterns, hostile JSON, key
// identity.
#include "tuf/metadata.h"

#include <gtest/gtest.h>

#include <chrono>

namespace tuf {
namespace {

std::string canonical(std::string_view text) {
  const auto value = parse_json(text);
  return value ? canonical_json(*value) : "refused: " + value.error().message;
}

TEST(Json, canonical_form_sorts_by_code_point_and_escapes_two_characters) {
  EXPECT_EQ(canonical(R"( { "b" : [ 1, -2, true, null ], "a" : "q\"b\\n\n\u00e9\/" } )"),
            "{\"a\":\"q\\\"b\\\\n\n\u00e9/\",\"b\":[1,-2,true,null]}");
  EXPECT_EQ(canonical(R"({"\ud83d\ude00":1,"\uffee":2,"Z":3,"a":4})"),
            "{\"Z\":3,\"a\":4,\"\uffee\":2,\"\U0001f600\":1}")
      << "by code point: U+FFEE before U+1F600, which UTF-16 order would turn round";
  EXPECT_EQ(canonical("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(canonical("-9223372036854775808"), "-9223372036854775808");
}

TEST(Json, what_cannot_be_signed_is_not_read) {
  for (const char* text :
       {"1.0", "1e3", "18446744073709551616", "{\"a\":1,\"a\":1}", "{\"a\":{\"b\":1,\"b\":2}}", "[1,]", "",
        "nul", "\"\xff\"", "\"\\ud800\"", "[1] 2", "NaN"})
    EXPECT_FALSE(parse_json(text)) << text;
  EXPECT_TRUE(parse_json(R"([{"a":1},{"a":1}])")) << "the same name in two objects is none twice";
}

TEST(Json, depth_is_limited) {
  EXPECT_TRUE(parse_json(std::string(json_depth_limit, '[') + std::string(json_depth_limit, ']')));
  EXPECT_FALSE(parse_json(std::string(json_depth_limit + 1, '[') + std::string(json_depth_limit + 1, ']')));
  EXPECT_FALSE(parse_json(std::string(1'000'000, '[')));
}

TEST(Date, only_the_form_of_the_specification) {
  EXPECT_EQ(read_date("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(read_date("2000-02-29T12:34:56Z"), 951827696);
  EXPECT_EQ(read_date("2038-01-19T03:14:08Z"), std::int64_t{1} << 31);
  EXPECT_EQ(read_date("2000-02-29T12:34:56.789Z"), 951827696) << "tuf-js writes fractions";
  for (const char* text :
       {"", "2000-02-30T00:00:00Z", "1900-02-29T00:00:00Z", "2000-13-01T00:00:00Z", "2000-00-01T00:00:00Z",
        "2000-01-01T24:00:00Z", "2000-01-01T00:60:00Z", "2000-01-01T00:00:60Z", "2000-01-01T00:00:00",
        "2000-01-01T00:00:00z", "2000-01-01 00:00:00Z", "2000-01-01T00:00:00+00:00", "2000-01-01T00:00:00.Z",
        "+200-01-01T00:00:00Z", "2000-01-01T00:00:00ZZ", "2000-01-01T00.5:00:00Z"})
    EXPECT_FALSE(read_date(text)) << text;
}

TEST(Date, writing_is_the_inverse_of_reading) {
  for (const std::int64_t seconds :
       {std::int64_t{0}, std::int64_t{951827696}, std::int64_t{-1}, std::int64_t{253402300799}})
    EXPECT_EQ(read_date(write_date(seconds)), seconds);
}

TEST(Path, wildcards_stay_inside_a_directory) {
  EXPECT_TRUE(path_matches("a/*/c", "a/b/c"));
  EXPECT_FALSE(path_matches("a/*", "a/b/c"));
  EXPECT_FALSE(path_matches("a?c", "a/c"));
  EXPECT_FALSE(path_matches("a[!x]c", "a/c"));
  EXPECT_FALSE(path_matches("a[.-0]c", "a/c")) << "'/' lies between '.' and '0'";
  EXPECT_TRUE(path_matches("[", "[")) << "never closed: an ordinary character";
  EXPECT_TRUE(path_matches("[]]", "]"));
  EXPECT_TRUE(path_matches("a[*]", "a*"));
  EXPECT_FALSE(path_matches("a[*]", "ab"));
  EXPECT_TRUE(path_matches("", ""));
  EXPECT_TRUE(path_matches("*", ""));
  EXPECT_FALSE(path_matches("", "a"));
  EXPECT_FALSE(path_matches("*/x", "a/b/x"));
}

TEST(Path, a_pattern_of_stars_takes_no_exponential_time) {
  std::string pattern;
  for (int i = 0; i < 2000; ++i) pattern += "*a";
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_FALSE(path_matches(pattern + "b", std::string(10'000, 'a')));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
}

TEST(Key, keys_that_are_none_are_not_keys) {
  const auto key = [](const char* type, const char* scheme, const std::string& value) {
    return read_public_key(Json{{"keytype", type}, {"scheme", scheme}, {"keyval", {{"public", value}}}});
  };
  EXPECT_TRUE(key("ed25519", "ed25519", std::string(64, '1')));
  EXPECT_FALSE(key("ed25519", "ed25519", std::string(62, '1')));
  EXPECT_FALSE(key("ed25519", "ed25519", std::string(64, 'g')));
  EXPECT_FALSE(key("ed25519", "rsassa-pss-sha256", std::string(64, '1')));
  EXPECT_FALSE(key("ecdsa", "ecdsa-sha2-nistp256", "04" + std::string(128, '1')))
      << "a point that is not on the curve";
  EXPECT_FALSE(key("ecdsa", "ecdsa-sha2-nistp256", ""));
  EXPECT_FALSE(
      key("rsa", "rsassa-pss-sha256", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
  EXPECT_FALSE(read_public_key(Json::array()));
  EXPECT_FALSE(
      read_public_key(Json{{"keytype", 1}, {"scheme", nullptr}, {"keyval", {{"public", Json::array()}}}}));
}

TEST(Key, a_ring_by_hash_leaves_out_keys_under_other_names) {
  const Json key = {
      {"keytype", "ed25519"}, {"scheme", "ed25519"}, {"keyval", {{"public", std::string(64, '1')}}}};
  const Json role = {{"keyids", {"nickname"}}, {"threshold", 1}};
  const Json root = {{"_type", "root"},
                     {"spec_version", "1.0.31"},
                     {"version", 1},
                     {"expires", "2030-01-01T00:00:00Z"},
                     {"keys", {{"nickname", key}, {key_id(key), key}}},
                     {"roles", {{"root", role}, {"timestamp", role}, {"snapshot", role}, {"targets", role}}}};
  const auto envelope = open_envelope(Json{{"signatures", Json::array()}, {"signed", root}}.dump(), "root");
  ASSERT_TRUE(envelope);
  const auto lenient = read_root(*envelope, KeyIds::any_unique);
  const auto strict = read_root(*envelope, KeyIds::hashed);
  ASSERT_TRUE(lenient && strict);
  EXPECT_EQ(lenient->keys.size(), 2u);
  EXPECT_EQ(strict->keys.size(), 1u);
  EXPECT_TRUE(strict->keys.contains(key_id(key)));
}

}  // namespace
}  // namespace tuf
