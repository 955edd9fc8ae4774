// Why: a rule is data, and data is only as good as its examples. Every rule finds its hits and leaves its clean twins alone.
#include "rules/rule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/bytes.h"
#include "derive/models.h"
#include "report/explain.h"
#include "rules/reference.h"
#include "rules/severity.h"
#include "tests/small_root.h"

namespace {

std::size_t count(const result::Result& result, const std::string& rule) {
  return static_cast<std::size_t>(std::ranges::count(result.findings, rule, &result::Finding::rule));
}

class EveryRule : public testing::TestWithParam<rules::Rule> {};

TEST_P(EveryRule, finds_its_hits) {
  const rules::Rule& rule = GetParam();
  for (const auto& example : rule.hits) {
    const auto result = tests::SmallRoot(example.files).scan();
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_GT(count(*result, rule.id), 0u) << rule.id << ": " << example.name;
    for (const auto& finding : result->findings) EXPECT_FALSE(finding.evidence.parts.empty()) << finding.id << " has no evidence";
  }
}

TEST_P(EveryRule, leaves_its_clean_twins_alone) {
  const rules::Rule& rule = GetParam();
  for (const auto& example : rule.clean) {
    const auto result = tests::SmallRoot(example.files).scan();
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(count(*result, rule.id), 0u) << rule.id << ": " << example.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, EveryRule, testing::ValuesIn(rules::built_in_rules()), [](const auto& parameter) {
  std::string name = parameter.param.id;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(Rules, all_files_parse_and_are_built_in) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(BIOPSY_SOURCE_DIR "/rules")) {
    if (entry.path().extension() != ".yaml") continue;
    ++files;
    const auto text = base::read_file(entry.path().string());
    ASSERT_TRUE(text);
    const auto rule = rules::parse_rule(base::as_text(*text), entry.path().filename().string());
    ASSERT_TRUE(rule) << rule.error().message;
    EXPECT_EQ(rule->id + ".yaml", rule->file) << "a rule stands in the file of its name";
  }
  EXPECT_EQ(files, rules::built_in_rules().size());
}

TEST(Rules, the_reference_says_what_the_rules_say) {  // `./dev docs` writes it anew
  const auto page = base::read_file(BIOPSY_SOURCE_DIR "/docs/rules.md");
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_TRUE(base::as_text(*page) == rules::reference_of(rules::built_in_rules())) << "docs/rules.md is stale: biopsy rules reference > docs/rules.md";
  for (const auto& rule : rules::built_in_rules()) {
    EXPECT_FALSE(rule.misses.empty()) << rule.id;
    EXPECT_FALSE(rule.cries_wolf.empty()) << rule.id;
  }
}

TEST(Rules, ours_is_part_of_cwe) {
  const auto wrong = rules::parse_rule("id: x\ntitle: t\nclass: c\ncwe: [494]\nours: [829]\nsays: s\nadvice: a\nmisses: m\ncries_wolf: w\nnursery: true\neffect: {kinds: [fetch]}\n", "x.yaml");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("829"), std::string::npos);
}

TEST(Rules, explain_says_of_every_class_what_would_end_it) {
  for (const auto& rule : rules::built_in_rules()) EXPECT_FALSE(report::what_ends(rule.severity_class).empty()) << rule.id << ": " << rule.severity_class;
}

TEST(Rules, nonsense_is_refused_with_a_reason) {
  EXPECT_FALSE(rules::parse_rule("id: x\n", "x.yaml"));
  const auto unknown = rules::parse_rule("id: x\ntitle: t\nclass: c\nsays: s\nadvice: a\nmisses: m\ncries_wolf: w\neffect: {kinds: [teleport]}\n", "x.yaml");
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("teleport"), std::string::npos);
}

TEST(Severity, the_built_in_table_parses) {
  const auto text = base::read_file(BIOPSY_SOURCE_DIR "/severity.yaml");
  ASSERT_TRUE(text);
  const auto table = rules::parse_severity(base::as_text(*text));
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->size(), rules::built_in_severity().size());
}

TEST(Severity, the_terms_that_decide_much) {  // the words of docs/architecture.md
  const auto& table = rules::built_in_severity();
  const auto decide = [&](rules::Facts facts) { return rules::decide(table, facts).severity; };
  rules::Facts facts{{"class", "remote-code"}, {"peer", "fixed"}, {"scope", "public"}, {"verified", "no"}, {"asked", "unasked"}};
  EXPECT_EQ(decide(facts), result::Severity::critical);
  facts["asked"] = "user";
  EXPECT_EQ(decide(facts), result::Severity::high);
  facts["scope"] = "private";
  EXPECT_EQ(decide(facts), result::Severity::medium);
  facts["scope"] = "public";
  facts["peer"] = "setting";
  EXPECT_EQ(decide(facts), result::Severity::medium);
  facts["verified"] = "yes";
  EXPECT_EQ(decide(facts), result::Severity::low);
  facts["verified"] = "fake";
  facts["peer"] = "fixed";
  EXPECT_EQ(decide(facts), result::Severity::high) << "a fake check is no check";
}

TEST(Models, the_built_in_models_parse) {
  const auto commands = base::read_file(BIOPSY_SOURCE_DIR "/models/commands.yaml"), calls = base::read_file(BIOPSY_SOURCE_DIR "/models/calls.yaml");
  ASSERT_TRUE(commands && calls);
  const auto models = derive::load_models(base::as_text(*commands), base::as_text(*calls));
  ASSERT_TRUE(models) << models.error().message;
  EXPECT_FALSE(models->commands.empty());
  EXPECT_FALSE(models->calls.empty());
}

}  // namespace
