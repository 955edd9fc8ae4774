// Why: "was it fixed?" is the question whose wrong answer does harm: every verdict, and above all each way to
// a false "fixed".
#include "compare/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using comparison::Verdict;
using effects::EdgeKind;
using effects::Kind;
using result::Result;
using testing::ElementsAre;
using testing::HasSubstr;

// A device whose /opt/bin/monitor raises eth0, mounts a share and copies from it; a start script sets eth0 by
// a settings file.
struct Device {
  Result result;

  explicit Device(const std::string& name, const std::string& eth0 = "on",
                  const std::string& program = "/opt/bin/monitor") {
    result.device = name;
    result.images.push_back({});
    result.images.back().name = name;
    result.coverage.verdict = "known";
    add_file("/etc/init.d/S40network", "script");
    add_file("/etc/network.conf", "data").switches = {{"ETH0", eth0}};
    add_file(program, "binary");
    const auto script = add_program("/etc/init.d/S40network");
    const auto acting = add_program(program);
    add_effect(script, Kind::execute, "/etc/network.conf");
    add_effect(script, Kind::raise_interface, "eth0");
    const auto raise = add_effect(acting, Kind::raise_interface, "eth0");
    const auto mount = add_effect(acting, Kind::mount_remote, "/pm");
    const auto copy = add_effect(acting, Kind::copy, "/mnt/*");
    (void)raise;
    add_finding("0123456789", program, {mount.index, copy.index});
  }

  result::FileEntry& add_file(const std::string& path, const std::string& kind) {
    result::FileEntry file;
    file.path = path;
    file.kind = kind;
    file.sha256 = std::string(64, 'a');
    file.image = result.images.front().name;
    result.files.push_back(file);
    return result.files.back();
  }
  effects::ProgramId add_program(const std::string& path) {
    effects::Program program;
    program.path = path;
    program.depth = effects::Program::Depth::modelled;
    return result.graph.programs.add(program);
  }
  effects::EffectId add_effect(effects::ProgramId program, Kind kind, const std::string& object) {
    effects::Effect effect;
    effect.kind = kind;
    effect.program = program;
    effect.object.value = object;
    return result.graph.effects.add(effect);
  }
  result::Finding& add_finding(const std::string& hash, const std::string& program,
                               std::vector<std::uint32_t> effects) {
    result::Finding finding;
    finding.rule = "remote-content-replaces-programs";
    finding.id = finding.rule + "-" + hash;
    finding.severity = result::Severity::critical;
    finding.files = {program};
    finding.effects = std::move(effects);
    finding.fingerprints["peer"] = "nfs 198.51.100.7";
    finding.triggers = {{effects::Trigger::Kind::boot, ""}};
    result.findings.push_back(finding);
    return result.findings.back();
  }
  // The same program without the copy: the function is gone.
  void lose_function() {
    result.findings.clear();
    effects::Graph graph;
    graph.programs = result.graph.programs;
    for (const auto& effect : result.graph.effects)
      if (effect.kind != Kind::copy) graph.effects.add(effect);
    result.graph = graph;
  }
};

comparison::Change only(const comparison::Step& step) {
  EXPECT_EQ(step.changes.size(), 1u);
  return step.changes.empty() ? comparison::Change{} : step.changes.front();
}

std::string reasons(const comparison::Change& change) {
  std::string out;
  for (const auto& because : change.because) out += because + "\n";
  return out;
}

TEST(Compare, the_same_effects_are_still_there_with_another_program_hash_and_peer) {
  Device older("old"), newer("new");
  newer.result.findings[0].fingerprints["program-sha256"] = "b";
  newer.result.findings[0].fingerprints["peer"] = "nfs 203.0.113.9";
  const auto change = only(comparison::compare_two(older.result, newer.result));
  EXPECT_EQ(change.verdict, Verdict::still_there);
  EXPECT_THAT(reasons(change), HasSubstr("the peer was nfs 198.51.100.7 and is nfs 203.0.113.9"));
}

TEST(Compare, a_program_that_no_longer_does_it_is_fixed) {
  Device older("old"), newer("new");
  newer.lose_function();
  EXPECT_EQ(only(comparison::compare_two(older.result, newer.result)).verdict, Verdict::fixed);
}

TEST(Compare, an_interface_that_starts_down_masks_where_the_program_raises_it) {
  Device older("old"), newer("new", "off");
  const auto change = only(comparison::compare_two(older.result, newer.result));
  EXPECT_EQ(change.verdict, Verdict::masked);
  EXPECT_THAT(reasons(change), HasSubstr("/etc/network.conf: ETH0 was on and is off"));
  // the other way round nothing stands in the way
  EXPECT_EQ(only(comparison::compare_two(newer.result, older.result)).verdict, Verdict::still_there);
}

TEST(Compare, a_switch_that_nobody_reads_masks_nothing) {
  Device older("old"), newer("new", "off");
  for (auto* device : {&older, &newer})
    for (auto& effect : device->result.graph.effects)
      if (effect.kind == Kind::execute) effect.object.value = "/etc/other.conf";
  EXPECT_EQ(only(comparison::compare_two(older.result, newer.result)).verdict, Verdict::still_there);
}

TEST(Compare, an_interface_that_the_program_cannot_raise_is_not_called_masked) {
  Device older("old"), newer("new", "off");
  for (auto* device : {&older, &newer})
    for (auto& effect : device->result.graph.effects)
      if (effect.kind == Kind::raise_interface && effect.program.index == 1) effect.object.value = "wlan0";
  EXPECT_EQ(only(comparison::compare_two(older.result, newer.result)).verdict, Verdict::still_there);
}

TEST(Compare, a_raiser_that_is_gone_masks_only_where_no_other_keeps_the_interface_up) {
  Device older("old"), newer("new");
  older.add_effect(older.add_program("/opt/bin/update"), Kind::raise_interface, "eth0");
  EXPECT_EQ(only(comparison::compare_two(older.result, newer.result)).verdict, Verdict::still_there);
  // held down by its setting all along, it was the other program that raised it
  Device held("old", "off"), later("new", "off");
  held.add_effect(held.add_program("/opt/bin/update"), Kind::raise_interface, "eth0");
  const auto change = only(comparison::compare_two(held.result, later.result));
  EXPECT_EQ(change.verdict, Verdict::masked);
  EXPECT_THAT(reasons(change), HasSubstr("/opt/bin/update no longer brings eth0 up"));
}

TEST(Compare, another_trigger_or_a_new_check_masks) {
  Device older("old"), newer("new");
  newer.result.findings[0].triggers = {{effects::Trigger::Kind::menu, ""}};
  EXPECT_EQ(only(comparison::compare_two(older.result, newer.result)).verdict, Verdict::masked);
  // a trigger that was not found says nothing
  newer.result.findings[0].triggers = {{effects::Trigger::Kind::unknown, ""}};
  EXPECT_EQ(only(comparison::compare_two(older.result, newer.result)).verdict, Verdict::still_there);
  newer.result.findings[0].triggers = older.result.findings[0].triggers;
  newer.result.findings[0].fingerprints["guards"] = "[ -f /etc/allowed ]";
  EXPECT_EQ(only(comparison::compare_two(older.result, newer.result)).verdict, Verdict::masked);
}

TEST(Compare, another_path_is_moved) {
  Device older("old"), newer("new", "on", "/usr/bin/monitor");
  newer.result.findings[0].id = newer.result.findings[0].rule + "-9876543210";
  const auto change = only(comparison::compare_two(older.result, newer.result));
  EXPECT_EQ(change.verdict, Verdict::moved);
  EXPECT_THAT(reasons(change), HasSubstr("from /opt/bin/monitor to /usr/bin/monitor"));
}

TEST(Compare, steps_that_remain_without_their_finding_are_not_fixed_unless_verified) {
  Device older("old"), newer("new");
  newer.result.findings.clear();
  EXPECT_EQ(only(comparison::compare_two(older.result, newer.result)).verdict, Verdict::masked);
  const auto verify = newer.add_effect(effects::ProgramId{1}, Kind::verify_signature, "image");
  newer.result.graph.edges.push_back(
      {verify, effects::EffectId{older.result.findings[0].effects[1]}, EdgeKind::guards, false, ""});
  EXPECT_EQ(only(comparison::compare_two(older.result, newer.result)).verdict, Verdict::fixed);
}

TEST(Compare, a_peer_that_the_owner_sets_fixes_and_one_of_unknown_origin_does_not) {
  Device older("old"), newer("new");
  auto peer = effects::endpoint_from_name("198.51.100.7", effects::Provenance::literal);
  older.result.findings[0].endpoints = {peer};
  const auto mount = effects::EffectId{older.result.findings[0].effects[0]};
  newer.result.findings.clear();
  newer.result.graph.effects[mount].peer = peer;
  EXPECT_EQ(only(comparison::compare_two(older.result, newer.result)).verdict, Verdict::masked);
  newer.result.graph.effects[mount].peer->provenance = effects::Provenance::unknown;
  EXPECT_EQ(only(comparison::compare_two(older.result, newer.result)).verdict, Verdict::not_compared);
  newer.result.graph.effects[mount].peer->provenance = effects::Provenance::setting;
  EXPECT_EQ(only(comparison::compare_two(older.result, newer.result)).verdict, Verdict::fixed);
}

TEST(Compare, what_was_not_read_is_never_fixed) {
  Device older("old"), newer("new");
  newer.lose_function();
  auto shallow = newer.result;
  for (auto& program : shallow.graph.programs) program.depth = effects::Program::Depth::recognised;
  EXPECT_EQ(only(comparison::compare_two(older.result, shallow)).verdict, Verdict::not_compared);
  // As deep as before, and in neither version in full: what went is not shown to be gone.
  auto partly = newer.result, before = older.result;
  for (auto* result : {&partly, &before})
    for (auto& program : result->graph.programs) program.depth = effects::Program::Depth::lifted;
  EXPECT_EQ(only(comparison::compare_two(before, partly)).verdict, Verdict::not_compared);
  auto unjudged = newer.result;
  unjudged.coverage.not_evaluated.push_back({"remote-content-replaces-programs", "needs an edge", 1});
  EXPECT_EQ(only(comparison::compare_two(older.result, unjudged)).verdict, Verdict::not_compared);
  auto unknown = newer.result;
  unknown.coverage.verdict = "unknown";
  EXPECT_EQ(only(comparison::compare_two(older.result, unknown)).verdict, Verdict::not_compared);
}

TEST(Compare, a_partition_that_one_side_lacks_is_not_compared) {
  Device older("old"), newer("new");
  for (auto* device : {&older, &newer}) device->result.images.front().name = "rootfs.bin";
  older.result.images.push_back(older.result.images.front());
  older.result.images.back().name = "opt.bin";
  older.result.files.back().image = "opt.bin";
  newer.lose_function();
  newer.result.files.pop_back();
  auto step = comparison::compare_two(older.result, newer.result);
  EXPECT_EQ(only(step).verdict, Verdict::not_compared);
  EXPECT_THAT(step.not_compared, ElementsAre("opt.bin"));
  EXPECT_EQ(step.files.back().change, "not-compared");
  // and seen from the other side it is not new
  EXPECT_EQ(only(comparison::compare_two(newer.result, older.result)).verdict, Verdict::not_compared);
}

TEST(Compare, a_boot_loader_whose_image_one_side_lacks_is_not_compared) {
  Device older("old", "on", "/uboot.bin"), newer("new", "on", "/uboot.bin");
  for (auto* device : {&older, &newer}) {
    device->result.images.front().name = "rootfs.bin";
    device->result.files.pop_back();  // it acts, and is a file of no image
  }
  older.result.images.push_back(older.result.images.front());
  older.result.images.back().name = "uboot.bin";
  older.result.update_paths.push_back({});
  older.result.update_paths.back().program = "/uboot.bin";
  older.result.update_paths.back().properties.push_back({"signed-version", "absent", "", {}});
  newer.result.findings.clear();
  const auto step = comparison::compare_two(older.result, newer.result);
  EXPECT_EQ(only(step).verdict, Verdict::not_compared);
  EXPECT_TRUE(step.grades.empty());
  const auto back = comparison::compare_two(newer.result, older.result);
  EXPECT_EQ(only(back).verdict, Verdict::not_compared);
  EXPECT_TRUE(back.grades.empty());
}

TEST(Compare, equal_ids_are_matched_by_peer_first) {
  Device older("old"), newer("new");
  for (auto* device : {&older, &newer}) {
    auto& second = device->add_finding("0123456789", "/opt/bin/monitor", device->result.findings[0].effects);
    second.id += "-2";
    second.fingerprints["peer"] = "nfs 203.0.113.9";
  }
  // in the newer one the first peer is gone, so that the second lost its suffix
  newer.result.findings.erase(newer.result.findings.begin());
  newer.result.findings[0].id = older.result.findings[0].id;
  const auto step = comparison::compare_two(older.result, newer.result);
  ASSERT_EQ(step.changes.size(), 2u);
  EXPECT_EQ(step.changes[1].id, older.result.findings[1].id);
  EXPECT_EQ(step.changes[1].verdict, Verdict::still_there);
  EXPECT_THAT(step.changes[1].because, ElementsAre());
}

TEST(Compare, the_matrix_has_a_cell_for_every_version) {
  Device first("one"), second("two", "off"), third("three");
  third.lose_function();
  const auto all = comparison::compare_all({first.result, second.result, third.result});
  ASSERT_EQ(all.rows.size(), 1u);
  EXPECT_THAT(all.rows[0].cells, ElementsAre("there", "masked", "fixed"));
  EXPECT_EQ(comparison::to_json(all), comparison::to_json(all));
}

TEST(Compare, only_switches_of_a_settings_file_are_kept) {
  const auto found =
      result::switches_of("ETH0=on\nPASSWORD=hunter2\n# X=y\nWLAN = \"No\"\nADDRESS=198.51.100.7\n");
  EXPECT_EQ(found, (std::map<std::string, std::string>{{"ETH0", "on"}, {"WLAN", "no"}}));
}

result::Component component(const std::string& name, const std::string& version, const std::string& path, const std::string& sha256) {
  result::Component out;
  out.name = name;
  out.version = version;
  out.kind = "library";
  out.path = path;
  out.sha256 = sha256;
  return out;
}

TEST(Compare, components_by_name_where_the_file_name_holds_the_version) {
  Device before("old"), after("new");
  before.result.components = {component("openssl", "1.0.2f", "/lib/libssl.so.1.0.0", "a"), component("zlib", "1.2.8", "/lib/libz.so.1", "b"),
                              component("pcre", "", "/lib/libpcre.so", "c"), component("gone", "1", "/lib/gone.so", "d"), component("same", "1", "/lib/same.so", "e")};
  after.result.components = {component("openssl", "1.1.1w", "/lib/libssl.so.1.1", "f"), component("zlib", "1.2.8", "/lib/libz.so.1", "g"),
                             component("pcre", "8.4", "/lib/libpcre.so", "c"), component("come", "2", "/lib/come.so", "h"), component("same", "1", "/lib/same.so", "e")};
  std::vector<std::string> told;
  for (const auto& one : comparison::compare_two(before.result, after.result).components)
    told.push_back(one.name + " " + one.change + " " + one.before + ">" + one.after);
  EXPECT_THAT(told, ElementsAre("come added >2", "gone removed 1>", "openssl version 1.0.2f>1.1.1w", "pcre version >8.4", "zlib rebuilt 1.2.8>1.2.8"));
}

TEST(Compare, components_of_a_partition_that_one_side_lacks_are_not_compared) {
  Device before("old"), after("new");
  before.result.images = {before.result.images.front(), before.result.images.front()};
  before.result.images[0].name = "rootfs.bin";
  before.result.images[1].name = "app.bin";
  after.result.images[0].name = "rootfs.bin";
  before.add_file("/app/libx.so", "binary").image = "app.bin";
  before.result.components = {component("x", "1", "/app/libx.so", "a")};
  const auto step = comparison::compare_two(before.result, after.result);
  ASSERT_EQ(step.components.size(), 1u);
  EXPECT_EQ(step.components[0].change, "not-compared");
}

TEST(Compare, an_image_without_files_that_differs_is_named) {
  Device before("old"), after("new");
  for (auto* side : {&before, &after}) {
    side->result.images.resize(2);
    side->result.images[0].name = "rootfs.bin";
    side->result.images[1].name = "kernel.bin";
    side->result.images[1].sha256 = side == &before ? "a" : "b";
    for (auto& file : side->result.files) file.image = "rootfs.bin";
  }
  EXPECT_THAT(comparison::compare_two(before.result, after.result).opaque, ElementsAre("kernel.bin"));
  EXPECT_THAT(comparison::compare_two(before.result, before.result).opaque, ElementsAre());
}

}  // namespace
