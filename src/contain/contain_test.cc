// Generated rules carry typed values and nothing else, the validators accept them, a broken copy is refused,
// and a kernel that loads them stops what was found and lets the rest pass. Outside programs are skipped by
// name when absent.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "contain/contain.h"

namespace {

using namespace contain;

bool have(const std::string& program) {
  return std::system(("command -v " + program + " > /dev/null 2>&1").c_str()) == 0;
}

int run(const std::string& command) {
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string write_file(const std::string& name, const std::string& text) {
  const auto folder =
      std::filesystem::path(testing::TempDir()) / ("contain_test_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = (folder / name).string();
  std::ofstream(path) << text;
  return path;
}

std::string shared() {
  const char* set = std::getenv("BIOPSY_SHARED");
  return set ? set : std::string(BIOPSY_SOURCE_DIR) + "/../shared";
}

Plan sample() {
  Plan plan;
  add(plan, "203.0.113.9", 515, "tcp", {"patient-data-clear-0a1b"});
  add(plan, "203.0.113.9", 0, "nfs", {"unverified-update-77aa", "remote-code-12cd"});
  add(plan, "198.51.100.7", 2049, "nfs", {"unverified-update-77aa"});
  add(plan, "2001:db8::7", 69, "tftp", {"tftp-fetch-01"});
  add(plan, "Updates.Example", 443, "https", {"hidden-peer-9"});
  add(plan, "10.0.0.9", 515, "tcp", {"patient-data-clear-0a1b"});
  return plan;
}

std::string rendered(Format format, const Plan& plan) {
  const auto out = render(format, plan);
  EXPECT_TRUE(out) << out.error().message;
  return out ? *out : "";
}

constexpr Format kFormats[] = {Format::suricata, Format::zeek, Format::nftables, Format::mud, Format::csv};

TEST(Target, TakesOnlyTypedValues) {
  const std::vector<std::string> id{"rule-0a1b"};
  for (const char* place :
       {"203.0.113.9; flush ruleset", "203.0.113.9\n", "\"quoted\"", "a'b", "", "host name", "-a.example",
        "a..example", "203.0.113.999", "0x7f.1", "1.2.3", "$(id)", "a;drop", "host\\x22", "::1%eth0; accept"})
    EXPECT_FALSE(Target::make(place, 1, "tcp", id)) << place;
  EXPECT_FALSE(Target::make(std::string_view("203.0.113.9\0;", 13), 1, "tcp", id));
  for (const char* bad : {"a b", "x\"; sid:1", "y;", "z\n", "", "{}", "a\\"})
    EXPECT_FALSE(Target::make("203.0.113.9", 1, "tcp", {bad})) << bad;
  EXPECT_FALSE(Target::make("203.0.113.9", 1, "tcp", {})) << "a rule needs its finding";
  EXPECT_TRUE(Target::make("xn--bcher-kva.example", 443, "https", id));
  EXPECT_EQ(Target::make("2001:DB8:0:0::7", 1, "udp", id)->place(), "2001:db8::7");
}

TEST(Plan, HostileEndpointsAreCountedAndNeverQuoted) {
  Plan plan = sample();
  add(plan, "203.0.113.1; flush ruleset; \"", 80, "tcp\"; accept", {"rule-1"});
  add(plan, "203.0.113.2", 80, "tcp", {"rule\"; flush ruleset"});
  ASSERT_EQ(plan.refused.size(), 1u);
  EXPECT_EQ(plan.refused[0].count, 2u);
  for (const Format format : kFormats) EXPECT_EQ(rendered(format, plan).find("flush"), std::string::npos);
}

TEST(Plan, OptionsAreTypedToo) {
  Plan plan = sample();
  plan.outside = "eth0\" accept; #";
  EXPECT_FALSE(render(Format::nftables, plan));
  plan.outside = "";
  plan.mud_url = "https://x/\"},";
  EXPECT_FALSE(render(Format::mud, plan));
}

TEST(Plan, EqualPlacesBecomeOneWithBothFindings) {
  Plan plan;
  add(plan, "203.0.113.9", 515, "tcp", {"b"});
  add(plan, "203.0.113.9", 515, "hl7", {"a"});
  ASSERT_EQ(plan.stop.size(), 1u);
  EXPECT_EQ(plan.stop[0].findings(), (std::vector<std::string>{"a", "b"}));
}

TEST(Render, EveryFormatNamesEachFindingAndAsks) {
  for (const Format format : {Format::suricata, Format::zeek, Format::nftables, Format::csv}) {
    const std::string text = rendered(format, sample());
    for (const char* id : {"patient-data-clear-0a1b", "unverified-update-77aa", "remote-code-12cd",
                           "tftp-fetch-01", "hidden-peer-9"})
      EXPECT_NE(text.find(id), std::string::npos) << id << " in format " << static_cast<int>(format);
    EXPECT_NE(text.find("Does a machine of your own use this address?"), std::string::npos);
  }
}

TEST(Render, NothingInsideIsStopped) {
  EXPECT_EQ(rendered(Format::nftables, sample()).find("daddr 10.0.0.9"), std::string::npos);
  EXPECT_EQ(rendered(Format::suricata, sample()).find("-> 10.0.0.9"), std::string::npos);
  EXPECT_EQ(rendered(Format::mud, sample()).find("10.0.0.9"), std::string::npos);
  EXPECT_NE(rendered(Format::csv, sample()).find("10.0.0.9,,515,tcp,private,egress,ask,"), std::string::npos);
}

TEST(Render, IsTheSameWhateverTheOrder) {
  Plan forward = sample(), backward = sample();
  std::reverse(backward.stop.begin(), backward.stop.end());
  for (const Format format : kFormats) EXPECT_EQ(rendered(format, forward), rendered(format, backward));
}

bool namespaces() { return run("unshare -rn true 2> /dev/null") == 0; }

TEST(Nftables, AreAcceptedByNft) {
  if (!have("nft") || !namespaces()) GTEST_SKIP() << "needs nft and user namespaces";
  for (const bool watch : {false, true})
    for (const char* outside : {"", "eth0"}) {
      Plan plan = sample();
      plan.watch = watch;
      plan.outside = outside;
      const std::string path = write_file("rules.nft", rendered(Format::nftables, plan));
      EXPECT_EQ(run("unshare -rn nft -c -f " + path), 0);
    }
  std::string broken = rendered(Format::nftables, sample());
  broken.replace(broken.find(" daddr "), 7, " dadr ");
  EXPECT_NE(run("unshare -rn nft -c -f " + write_file("broken.nft", broken) + " 2> /dev/null"), 0);
}

// Inside a network namespace nobody listens: what passes is refused at once (status 1), what is dropped stays
// silent until the time is up (status 124).
TEST(Nftables, StopWhatWasFoundAndLetTheRestPass) {
  if (!have("nft") || !have("ip") || !have("bash") || !namespaces())
    GTEST_SKIP() << "needs nft, ip, bash and user namespaces";
  Plan plan;
  add(plan, "203.0.113.9", 515, "tcp", {"rule-1"});
  const std::string path = write_file("stop.nft", rendered(Format::nftables, plan));
  const auto try_port = [&](const std::string& place) {
    return run(
        "unshare -rn bash -c 'ip link set lo up && ip address add 203.0.113.9/32 dev lo && ip address add "
        "198.51.100.7/32 dev lo && nft -f " +
        path + " && timeout 1 bash -c \"exec 3<>/dev/tcp/" + place + "\" 2> /dev/null'");
  };
  EXPECT_EQ(try_port("203.0.113.9/515"), 124) << "the peer that was found";
  EXPECT_EQ(try_port("203.0.113.9/80"), 1) << "another port of it";
  EXPECT_EQ(try_port("198.51.100.7/515"), 1) << "declared traffic";
}

TEST(Mud, IsAcceptedByYanglint) {
  const std::string yang = shared() + "/schemas/yang";
  if (!have("yanglint")) GTEST_SKIP() << "needs yanglint";
  if (!std::filesystem::exists(yang)) GTEST_SKIP() << "needs shared schemas: yang";
  const std::string lint = "yanglint -p " + yang + " -F ietf-access-control-list:* -t config " + yang +
                           "/ietf-mud@2019-01-28.yang " + yang +
                           "/ietf-access-control-list@2019-03-04.yang " + yang +
                           "/ietf-acldns@2019-01-28.yang ";
  Plan declared = sample();
  declared.declared.push_back(*Target::make("198.51.100.20", 123, "ntp", {"declared"}));
  Plan needed = declared;
  needed.profile = needed.controllers = true;
  Plan nothing;
  nothing.profile = true;
  for (const Plan& plan : {sample(), declared, Plan{}, needed, nothing})
    EXPECT_EQ(run(lint + write_file("mud.json", rendered(Format::mud, plan))), 0);
  std::string broken = rendered(Format::mud, sample());
  broken.replace(broken.find("\"drop\""), 6, "\"burn\"");
  EXPECT_NE(run(lint + write_file("broken.json", broken) + " > /dev/null 2>&1"), 0);
}

TEST(Mud, AProfileNeverAcceptsTheRest) {
  Plan plan;
  EXPECT_NE(rendered(Format::mud, plan).find("everything-else"), std::string::npos);
  plan.profile = true;
  EXPECT_EQ(rendered(Format::mud, plan).find("accept"), std::string::npos);
  plan.controllers = true;
  EXPECT_NE(rendered(Format::mud, plan).find("my-controller"), std::string::npos);
  plan.declared.push_back(*Target::make("198.51.100.20", 123, "ntp", {"needed"}));
  EXPECT_NE(rendered(Format::mud, plan).find("198.51.100.20/32"), std::string::npos);
}

TEST(Suricata, RulesAreAccepted) {
  if (!have("suricata")) GTEST_SKIP() << "needs suricata";
  const std::string path = write_file("contain.rules", rendered(Format::suricata, sample()));
  EXPECT_EQ(run("suricata -T -l " + testing::TempDir() + " -S " + path + " > /dev/null 2>&1"), 0);
}

TEST(Suricata, EachRuleHasANumberOfItsOwn) {
  const std::string text = rendered(Format::suricata, sample());
  std::vector<std::string> numbers;
  for (std::size_t at = text.find("sid:"); at != text.npos; at = text.find("sid:", at + 1))
    numbers.push_back(text.substr(at, 11));
  // 515, whole address, 2049 over tcp and udp, tftp; a name as dns, tls and http.
  EXPECT_EQ(numbers.size(), 8u);
  std::sort(numbers.begin(), numbers.end());
  EXPECT_EQ(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

}  // namespace
