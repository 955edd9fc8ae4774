// Why: "it is the same device under another name" is said to people who act on it. What everybody has must
// not say it, and what could not be read must not deny it.
#include "compare/alike.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace {

using comparison::Sketch;
using comparison::Traits;

Traits traits(const std::string& path, const std::string& machine, std::vector<std::string> strings,
              std::vector<std::string> functions = {}) {
  Traits out;
  out.path = path;
  out.sha256 = path + machine;
  for (const auto& text : strings) out.sha256 += text;
  out.machine = machine;
  out.strings = std::move(strings);
  out.functions = std::move(functions);
  return out;
}

Sketch device(const std::string& name, std::vector<Traits> programs) {
  Sketch out;
  out.device = name;
  out.programs = std::move(programs);
  return out;
}

const std::vector<std::string> kShapes = {"10/50/2", "11/50/2", "12/50/2", "13/50/2",
                                          "14/50/2", "15/50/2", "16/50/2", "17/50/2"};

TEST(Alike, TextsOfARecompiledProgramAreEnough) {
  const auto known =
      device("known", {traits("/bin/a", "arm", {"alpha one", "beta two", "gamma three", "mine"}, kShapes)});
  auto other = traits("/opt/b", "arm", {"alpha one", "beta two", "gamma three", "yours"},
                      {"1/2/3", "2/2/3", "3/2/3", "4/2/3", "5/2/3", "6/2/3", "7/2/3", "8/2/3"});
  const auto list = comparison::liken({known, device("other", {other})});
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].likeness, 60);  // three of five
  EXPECT_TRUE(list[0].alike);
  ASSERT_EQ(list[0].programs.size(), 1u);
  EXPECT_EQ(list[0].programs[0].functions, 0u);
  EXPECT_EQ(list[0].programs[0].of_functions, 16u);
}

TEST(Alike, FunctionsOfATranslatedProgramAreEnoughOnOneMachineAlone) {
  const auto known = device("known", {traits("/bin/a", "arm", {"english text"}, kShapes)});
  EXPECT_EQ(comparison::liken({known, device("o", {traits("/bin/a", "arm", {"deutscher Text"}, kShapes)})})[0]
                .likeness,
            100);
  EXPECT_EQ(
      comparison::liken({known, device("o", {traits("/bin/a", "mips", {"deutscher Text"}, kShapes)})})[0]
          .likeness,
      0);
}

TEST(Alike, ThePlatformsScriptsDoNotCountBesidePrograms) {
  const auto script = traits("/etc/init.d/rcS", "script", {"mount -a", "for script in *; do", "done"});
  const auto known = device("known", {script, traits("/bin/a", "arm", {"alpha one", "beta two"})});
  const auto list = comparison::liken(
      {known, device("other", {script, traits("/bin/b", "arm", {"delta one", "epsilon two"})}),
       device("scripts", {script})});
  EXPECT_EQ(list[0].likeness, 0);
  EXPECT_FALSE(list[0].alike);
  ASSERT_EQ(list[0].programs.size(), 1u);  // shown all the same
  EXPECT_TRUE(list[0].programs[0].identical);
  EXPECT_FALSE(list[1].by_scripts);
  EXPECT_EQ(list[1].likeness, 0);
  EXPECT_TRUE(comparison::liken({device("a", {script}), device("b", {script})})[0].by_scripts);
  EXPECT_TRUE(comparison::liken({device("a", {script}), device("b", {script})})[0].alike);
}

TEST(Alike, TheCompanyChangesNoAnswer) {
  const auto known = device("known", {traits("/bin/a", "arm", {"alpha one", "beta two", "mine"})});
  const auto twin = device("twin", {traits("/bin/a", "arm", {"alpha one", "beta two", "yours"})});
  const auto alone = comparison::liken({known, twin})[0].likeness;
  EXPECT_EQ(alone, 50);
  EXPECT_EQ(comparison::liken({known, twin, twin, twin})[0].likeness, alone);
}

TEST(Alike, WhatHasNoProgramIsNotEvaluated) {
  const auto known = device("known", {traits("/bin/a", "arm", {"alpha one"})});
  const auto list =
      comparison::liken({known, device("empty", {}), device("unread", {traits("/bin/a", "", {})})});
  EXPECT_FALSE(list[0].evaluated);
  EXPECT_FALSE(list[0].alike);
  EXPECT_FALSE(list[1].evaluated);
}

TEST(Alike, WhatMayBeASecretIsNotQuoted) {
  const auto program =
      traits("/bin/a", "arm",
             {"admin password=hunter2 here", "mail someone@host now", "please wait for the update"});
  const auto json = nlohmann::json::parse(
      comparison::to_json(comparison::liken({device("a", {program}), device("b", {program})})));
  EXPECT_EQ(json["others"][0]["programs"][0]["such_as"],
            nlohmann::json::array({"please wait for the update"}));
}

}  // namespace
