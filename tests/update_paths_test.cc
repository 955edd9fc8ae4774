// Why: a grade that says "present" for a check that checks nothing is worse than none. Each weakness is a case of its own, beside a
// path that has everything.
#include "rules/update_paths.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "tests/small_root.h"

namespace {

using Files = std::map<std::string, std::string>;

// Fetch, verify, compare, show, ask, install, record: what the cases below take a part from.
constexpr std::string_view kGoverned = R"sh(#!/bin/sh
. /etc/update.conf
work=/tmp/update
wget -q -O $work/package.tar http://$SERVER/package.tar || { logger "refused: nothing was fetched"; exit 1; }
wget -q -O $work/package.tar.sig http://$SERVER/package.tar.sig || exit 1
openssl dgst -sha256 -verify /etc/keys/update.pem -signature $work/package.tar.sig $work/package.tar || { logger "refused: signature"; exit 1; }
tar -xf $work/package.tar -C $work/new || exit 1
offered=$(cat $work/new/version)
installed=$(cat /etc/version)
[ "$offered" -gt "$installed" ] || { logger "refused: not newer"; exit 1; }
[ "$(cat $work/new/device)" = "$(cat /etc/device)" ] || exit 1
echo "Version $offered: $(cat $work/new/notes)"
read -r answer
[ "$answer" = yes ] || exit 1
cp -f $work/new/pump /usr/sbin/pump
logger "accepted $offered"
)sh";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

std::vector<result::UpdatePath> paths_of(const std::string& script, Files more = {}) {
  Files files{{"/etc/inittab", "::sysinit:/etc/init.d/rcS\n"}, {"/etc/init.d/rcS", "#!/bin/sh\n/usr/sbin/update\n"}, {"/usr/sbin/update", script}, {"/usr/sbin/pump", "#!/bin/sh\necho run\n"},
              {"/etc/update.conf", "SERVER=\n"}, {"/etc/version", "12\n"}, {"/etc/device", "pump-4\n"}};
  files.merge(more);
  const auto result = tests::SmallRoot(files).scan();
  EXPECT_TRUE(result);
  return result ? result->update_paths : std::vector<result::UpdatePath>{};
}

std::string state(const result::UpdatePath& path, std::string_view key) {
  for (const auto& property : path.properties)
    if (property.key == key) return property.state;
  return "missing";
}

std::string state(const std::vector<result::UpdatePath>& paths, std::string_view key) { return paths.size() == 1 ? state(paths[0], key) : "there are " + std::to_string(paths.size()) + " entries"; }

TEST(UpdatePaths, every_property_is_told_once_and_with_its_reason) {
  const auto paths = paths_of(std::string(kGoverned));
  ASSERT_EQ(paths.size(), 1u);
  ASSERT_EQ(paths[0].properties.size(), rules::update_properties().size());
  for (std::size_t i = 0; i < paths[0].properties.size(); ++i) {
    const auto& property = paths[0].properties[i];
    EXPECT_EQ(property.key, rules::update_properties()[i].key);
    EXPECT_FALSE(property.because.empty()) << property.key;
    const std::set<std::string> states{"present", "absent", "fake", "not-evaluated"};
    EXPECT_TRUE(states.contains(property.state)) << property.key << ": " << property.state;
    const bool stands = property.state == "present" || property.state == "fake";
    EXPECT_TRUE(property.site || !stands) << property.key << " is shown nowhere";
  }
}

TEST(UpdatePaths, a_governed_path_has_what_it_has) {
  const auto paths = paths_of(std::string(kGoverned));
  for (const auto key : {"authenticity", "integrity", "signed-version", "source-owner-configured", "compatibility", "unchanged-between-check-and-use", "consent", "audit-record", "bounded-target"}) EXPECT_EQ(state(paths, key), "present") << key;
  for (const auto key : {"source-authenticated", "protected-transport", "audit-record-elsewhere", "survives-interruption"}) EXPECT_EQ(state(paths, key), "absent") << key;
}

TEST(UpdatePaths, without_a_signature_nothing_is_authentic) {
  const auto paths = paths_of(replaced(std::string(kGoverned), "openssl dgst -sha256 -verify /etc/keys/update.pem -signature $work/package.tar.sig $work/package.tar || { logger \"refused: signature\"; exit 1; }\n", ""));
  EXPECT_EQ(state(paths, "authenticity"), "absent");
  EXPECT_EQ(state(paths, "integrity"), "absent");
  EXPECT_EQ(state(paths, "signed-version"), "absent") << "a number that nobody signed";
  EXPECT_EQ(state(paths, "unchanged-between-check-and-use"), "absent");
}

TEST(UpdatePaths, a_signature_whose_outcome_is_ignored_is_none) {
  const auto paths = paths_of(replaced(std::string(kGoverned), "|| { logger \"refused: signature\"; exit 1; }", "|| logger \"signature\""));
  EXPECT_EQ(state(paths, "authenticity"), "absent");
}

TEST(UpdatePaths, a_signature_over_another_file_covers_nothing) {
  const auto paths = paths_of(replaced(std::string(kGoverned), "-signature $work/package.tar.sig $work/package.tar", "-signature $work/package.tar.sig $work/release.txt"));
  EXPECT_EQ(state(paths, "authenticity"), "absent");
  EXPECT_EQ(state(paths, "integrity"), "absent");
}

TEST(UpdatePaths, a_package_fetched_anew_after_the_check_is_not_what_was_checked) {
  const auto paths = paths_of(replaced(std::string(kGoverned), "tar -xf $work/package.tar -C $work/new", "wget -q -O $work/again.tar http://$SERVER/package.tar; tar -xf $work/again.tar -C $work/new"));
  EXPECT_EQ(state(paths, "authenticity"), "absent");
  EXPECT_NE(state(paths, "unchanged-between-check-and-use"), "present");
}

TEST(UpdatePaths, a_version_from_outside_the_signed_package_can_be_any) {
  const auto paths = paths_of(replaced(std::string(kGoverned), "offered=$(cat $work/new/version)", "wget -q -O $work/version.txt http://$SERVER/version.txt\noffered=$(cat $work/version.txt)"));
  EXPECT_EQ(state(paths, "authenticity"), "present");
  EXPECT_EQ(state(paths, "signed-version"), "absent");
}

TEST(UpdatePaths, without_a_comparison_an_older_version_is_taken) {
  const auto paths = paths_of(replaced(std::string(kGoverned), "[ \"$offered\" -gt \"$installed\" ] || { logger \"refused: not newer\"; exit 1; }\n", ""));
  EXPECT_EQ(state(paths, "authenticity"), "present");
  EXPECT_EQ(state(paths, "signed-version"), "absent");
}

TEST(UpdatePaths, nobody_is_asked) {
  const auto paths = paths_of(replaced(std::string(kGoverned), "[ \"$answer\" = yes ] || exit 1\n", ""));
  EXPECT_EQ(state(paths, "consent"), "absent");
}

TEST(UpdatePaths, whoever_is_asked_must_see_what_for) {
  const auto paths = paths_of(replaced(std::string(kGoverned), "echo \"Version $offered: $(cat $work/new/notes)\"\n", "echo \"Install?\"\n"));
  EXPECT_EQ(state(paths, "consent"), "absent");
}

TEST(UpdatePaths, a_record_of_successes_alone_is_half_a_record) {
  std::string script(kGoverned);
  for (const auto refusal : {"logger \"refused: nothing was fetched\"; ", "logger \"refused: signature\"; ", "logger \"refused: not newer\"; "}) script = replaced(script, refusal, "");
  EXPECT_EQ(state(paths_of(script), "audit-record"), "absent");
}

TEST(UpdatePaths, a_hash_from_the_same_clear_channel_is_not_authenticity) {
  const auto paths = paths_of("#!/bin/sh\ncd /tmp\nwget -O /tmp/fw.bin http://198.51.100.8/fw.bin\nwget -O /tmp/fw.md5 http://198.51.100.8/fw.md5\nmd5sum -c /tmp/fw.md5 || exit 1\nflashcp /tmp/fw.bin /dev/mtd4\n");
  EXPECT_EQ(state(paths, "authenticity"), "absent");
  EXPECT_EQ(state(paths, "integrity"), "absent");
  EXPECT_EQ(state(paths, "source-owner-configured"), "absent");
  ASSERT_EQ(paths.size(), 1u);
  EXPECT_NE(paths[0].properties[0].because.find("same clear channel"), std::string::npos) << paths[0].properties[0].because;
}

TEST(UpdatePaths, a_comparison_with_a_constant_is_a_fake_check) {
  const auto paths = paths_of("#!/bin/sh\nwget -O /tmp/fw.bin http://198.51.100.8/fw.bin\nhw_id=$(head -c 8 /tmp/fw.bin)\n[ \"$hw_id\" = PUMP-400 ] || exit 1\nflashcp /tmp/fw.bin /dev/mtd4\n");
  EXPECT_EQ(state(paths, "authenticity"), "fake");
  EXPECT_EQ(state(paths, "compatibility"), "present");
}

TEST(UpdatePaths, a_check_on_a_mounted_share_is_not_a_check_of_what_is_copied) {
  const std::string check = "openssl dgst -sha256 -verify /etc/keys/update.pem -signature /mnt/pump.sig /mnt/pump || exit 1\n";
  const auto live = paths_of("#!/bin/sh\nmount -t nfs 198.51.100.8:/fw /mnt\n" + check + "cp /mnt/pump /usr/sbin/pump\n");
  EXPECT_EQ(state(live, "authenticity"), "absent");
  EXPECT_EQ(state(live, "unchanged-between-check-and-use"), "absent");
  const auto staged = paths_of("#!/bin/sh\nmount -t nfs 198.51.100.8:/fw /mnt\ncp /mnt/pump /mnt/pump.sig /var/stage\numount /mnt\nopenssl dgst -sha256 -verify /etc/keys/update.pem -signature /var/stage/pump.sig /var/stage/pump || exit 1\ncp /var/stage/pump /usr/sbin/pump\n");
  EXPECT_EQ(state(staged, "authenticity"), "present");
  EXPECT_EQ(state(staged, "unchanged-between-check-and-use"), "present");
  const auto twice = paths_of("#!/bin/sh\nmount -t nfs 198.51.100.8:/fw /mnt\ncp /mnt/pump /mnt/pump.sig /var/stage\nopenssl dgst -sha256 -verify /etc/keys/update.pem -signature /var/stage/pump.sig /var/stage/pump || exit 1\ncp /mnt/pump /usr/sbin/pump\n");
  EXPECT_EQ(state(twice, "authenticity"), "absent") << "the copy that was checked is not the one that is installed";
}

TEST(UpdatePaths, an_encrypted_channel_is_worth_its_certificate) {
  const auto fetch = [](const std::string& options) { return "#!/bin/sh\nwget " + options + "-O /tmp/fw.bin https://198.51.100.8/fw.bin\nflashcp /tmp/fw.bin /dev/mtd4\n"; };
  EXPECT_EQ(state(paths_of(fetch("")), "source-authenticated"), "present");
  EXPECT_EQ(state(paths_of(fetch("--no-check-certificate ")), "source-authenticated"), "absent");
  EXPECT_EQ(state(paths_of(fetch("")), "protected-transport"), "present");
  EXPECT_EQ(state(paths_of(fetch("")), "authenticity"), "absent") << "a channel signs nothing";
}

TEST(UpdatePaths, a_card_is_a_way_in_as_well) {
  const auto paths = paths_of("#!/bin/sh\nmount /dev/sda1 /mnt/usb\ncp /mnt/usb/pump /usr/sbin/pump\n");
  ASSERT_EQ(paths.size(), 1u);
  EXPECT_EQ(paths[0].transport, "removable-media");
  EXPECT_EQ(paths[0].targets, std::vector<std::string>{"/usr/sbin/pump"});
  EXPECT_EQ(state(paths, "source-authenticated"), "absent");
  EXPECT_EQ(state(paths, "authenticity"), "absent");
}

std::vector<result::UpdatePath> paths_in(const Files& files) {
  const auto result = tests::SmallRoot(files).scan();
  EXPECT_TRUE(result);
  return result ? result->update_paths : std::vector<result::UpdatePath>{};
}

TEST(UpdatePaths, a_form_that_uploads_firmware_is_a_way_in) {
  const std::string form = "<html><form id=\"up\" action=\"/cgi-bin/ACTION\" method=\"post\" enctype=\"multipart/form-data\"><p>Firmware upgrade</p><input type=\"file\" name=\"fw\"></form></html>\n";
  const auto paths = paths_in({{"/www/upgrade.html", replaced(form, "ACTION", "upload.cgi")}, {"/www/cgi-bin/upload.cgi", "#!/bin/sh\n/usr/sbin/take\n"}});
  ASSERT_EQ(paths.size(), 1u);
  EXPECT_EQ(paths[0].program, "/www/cgi-bin/upload.cgi");
  EXPECT_EQ(paths[0].transport, "upload");
  for (const auto& property : paths[0].properties) EXPECT_EQ(property.state, "not-evaluated") << property.key << ": words are no proof";
  EXPECT_TRUE(paths_in({{"/www/restore.html", replaced(replaced(form, "ACTION", "restore.cgi"), "Firmware upgrade", "Settings")}, {"/www/cgi-bin/restore.cgi", "#!/bin/sh\necho ok\n"}}).empty()) << "settings are no code";
}

TEST(UpdatePaths, a_command_that_is_handed_a_file_is_a_way_in) {
  const auto paths = paths_in({{"/sbin/upgrade", "#!/bin/sh\n. /lib/upgrade/common.sh\nfor each in /lib/upgrade/*.sh; do . $each; done\nboard_upgrade \"$1\"\n"},
                               {"/lib/upgrade/common.sh", "#!/bin/sh\nplain() {\n\techo ready\n}\n"},
                               {"/lib/upgrade/board.sh", "#!/bin/sh\nboard_upgrade() {\n\tcat \"$1\" | mtd write - firmware\n}\n"}});
  ASSERT_EQ(paths.size(), 1u);
  EXPECT_EQ(paths[0].program, "/sbin/upgrade");
  EXPECT_EQ(paths[0].transport, "local-file");
  EXPECT_EQ(state(paths, "authenticity"), "absent");
  EXPECT_EQ(state(paths, "bounded-target"), "present");
  EXPECT_TRUE(paths_in({{"/lib/upgrade/board.sh", "#!/bin/sh\nboard_upgrade() {\n\tcat \"$1\" | mtd write - firmware\n}\n"}}).empty()) << "nothing runs it";
}

TEST(UpdatePaths, a_mark_read_from_the_image_and_the_device_s_own_is_a_check_for_fit) {
  const std::string script = "#!/bin/sh\nown() { dd if=/dev/mtd1 bs=4 count=1 2>/dev/null | hexdump -v; }\noffered() { dd if=\"$1\" bs=4 skip=16 count=1 2>/dev/null | hexdump -v; }\n"
                             "check() {\n\tlocal have\n\thave=$(own)\n\tnew=$(offered \"$1\")\n\t[ \"$have\" != \"$new\" ] && return 1\n\treturn 0\n}\ncheck \"$1\" || exit 1\ncat \"$1\" | mtd write - firmware\n";
  const auto compared = [](const std::string& text) {
    const auto paths = paths_in({{"/sbin/upgrade", text}});
    return state(paths, "compatibility");
  };
  EXPECT_EQ(compared(script), "not-evaluated") << "the function returns its outcome: whether that decides is not followed";
  EXPECT_EQ(compared(replaced(script, "offered \"$1\"", "offered")), "absent") << "neither was read from what is offered";
  EXPECT_EQ(compared(replaced(script, "have=$(own)", "have=$(offered \"$1\")")), "absent") << "the same thing twice";
}

TEST(UpdatePaths, a_serial_line_is_a_way_in) {
  for (const std::string receive : {"rx /tmp/fw.bin\n", "kermit -l /dev/ttyS1 -r -a /tmp/fw.bin\n", "cat /dev/ttyS1 > /tmp/fw.bin\n", "dd if=/dev/ttyUSB0 of=/tmp/fw.bin\n"}) {
    const auto paths = paths_of("#!/bin/sh\n" + receive + "flashcp /tmp/fw.bin /dev/mtd2\n");
    ASSERT_EQ(paths.size(), 1u) << receive;
    EXPECT_EQ(paths[0].transport, "serial") << receive;
    EXPECT_EQ(state(paths, "authenticity"), "absent") << receive;
  }
  EXPECT_TRUE(paths_of("#!/bin/sh\ncat /dev/ttyS1 > /var/log/gps\n").empty()) << "data of a sensor";
}

TEST(UpdatePaths, remote_management_that_downloads_is_a_way_in) {
  std::ifstream in("/bin/true", std::ios::binary);
  std::string program((std::istreambuf_iterator<char>(in)), {});
  if (!program.starts_with("\177ELF")) GTEST_SKIP() << "needs a program of this host";
  EXPECT_TRUE(paths_in({{"/usr/sbin/managed", program + "urn:dslforum-org:cwmp-1-0 Inform"}}).empty()) << "it knows no download";
  const auto paths = paths_in({{"/usr/sbin/managed", program + "urn:dslforum-org:cwmp-1-0" + '\0' + "TransferComplete" + '\0' + "1 Firmware Upgrade Image" + '\0'}});
  ASSERT_EQ(paths.size(), 1u);
  EXPECT_EQ(paths[0].transport, "cwmp");
  EXPECT_EQ(state(paths, "authenticity"), "not-evaluated");
}

TEST(UpdatePaths, what_an_unread_program_checks_is_not_known) {
  const auto paths = paths_of("#!/bin/sh\nwget -O /tmp/fw.bin http://198.51.100.8/fw.bin\n/usr/sbin/fwcheck /tmp/fw.bin || exit 1\nflashcp /tmp/fw.bin /dev/mtd4\n");
  EXPECT_EQ(state(paths, "authenticity"), "not-evaluated");
}

TEST(UpdatePaths, data_that_is_copied_about_is_no_way_in) {
  EXPECT_TRUE(paths_of("#!/bin/sh\nmount -t nfs 198.51.100.8:/log /mnt\ncp /mnt/names /var/data\n").empty());
  EXPECT_TRUE(paths_of("#!/bin/sh\nwget -O /tmp/list.txt http://198.51.100.8/list.txt\ncat /tmp/list.txt\n").empty());
}

// What the severity table calls verified is held to the same measure.
TEST(Verified, a_signature_over_something_else_excuses_nothing) {
  const auto severity = [](const std::string& script) {
    const auto result = tests::SmallRoot({{"/etc/inittab", "::sysinit:/usr/sbin/update\n"}, {"/usr/sbin/update", script}, {"/usr/sbin/pump", "#!/bin/sh\necho run\n"}}).scan();
    EXPECT_TRUE(result);
    for (const auto& finding : result->findings)
      if (finding.rule == "remote-content-replaces-programs") return result::key(finding.severity);
    return std::string_view("not found");
  };
  const std::string mount = "#!/bin/sh\nmount -t nfs 198.51.100.8:/fw /mnt\n", verify = "openssl dgst -sha256 -verify /etc/keys/update.pem -signature ";
  EXPECT_EQ(severity(mount + "cp /mnt/pump /mnt/pump.sig /var/stage\n" + verify + "/var/stage/pump.sig /var/stage/pump || exit 1\ncp /var/stage/pump /usr/sbin/pump\n"), "low");
  EXPECT_EQ(severity(mount + verify + "/mnt/pump.sig /mnt/pump || exit 1\ncp /mnt/pump /usr/sbin/pump\n"), "critical") << "the share is read again";
  EXPECT_EQ(severity(mount + "cp /mnt/readme /mnt/readme.sig /var/stage\n" + verify + "/var/stage/readme.sig /var/stage/readme || exit 1\ncp /mnt/pump /usr/sbin/pump\n"), "critical") << "another file is signed";
}

// ---- the lab's packages, line by line

struct Line {
  const char *key, *planted, *clean;
};
constexpr Line kLines[] = {
    {"authenticity", "absent", "present"},
    {"integrity", "absent", "present"},
    {"signed-version", "absent", "present"},
    {"source-authenticated", "absent", "present"},  // by Kerberos
    {"source-owner-configured", "absent", "present"},
    {"protected-transport", "absent", "present"},
    {"compatibility", "absent", "present"},
    {"verified-at-boot", "not-evaluated", "present"},
    {"unchanged-between-check-and-use", "absent", "present"},
    {"consent", "absent", "present"},
    {"audit-record", "absent", "present"},
    {"audit-record-elsewhere", "absent", "present"},  // once the owner names a log host
    {"readable-by-owner", "not-evaluated", "not-evaluated"},
    {"survives-interruption", "absent", "present"},  // two renames; a start in between puts the old ones back
    {"recovery-authenticated", "not-evaluated", "not-evaluated"},
};

class LabPackage : public testing::TestWithParam<std::string> {};

TEST_P(LabPackage, is_graded_line_by_line) {
  const std::string file = std::string(BIOPSY_SOURCE_DIR) + "/build/lab/monitor-" + GetParam() + ".bin";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "needs the lab's packages: cmake --build build/release --target lab";
  app::ScanOptions options;
  options.cache = false;
  const auto result = app::scan_device({file}, options, {});
  ASSERT_TRUE(result) << result.error().message;
  const bool clean = GetParam() == "clean";
  std::set<std::string> programs;
  for (const auto& path : result->update_paths) {
    programs.insert(path.program);
    EXPECT_EQ(path.transport, "nfs");
    EXPECT_FALSE(path.targets.empty());
    for (const auto& line : kLines) EXPECT_EQ(state(path, line.key), clean ? line.clean : line.planted) << path.program << ": " << line.key;
    // The planted `update` copies whatever lies on the share; `monitor` and the twin name what they write.
    EXPECT_EQ(state(path, "bounded-target"), !clean && path.program == "/opt/bin/update" ? "absent" : "present") << path.program;
  }
  EXPECT_EQ(programs, (std::set<std::string>{"/opt/bin/monitor", "/opt/bin/update"}));
  EXPECT_EQ(result->update_paths.size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(All, LabPackage, testing::Values("2.0.6", "prerelease", "2.0.8-pre", "clean"), [](const auto& package) {
  std::string name = "monitor_" + package.param;
  for (char& c : name)
    if (c == '.' || c == '-') c = '_';
  return name;
});

}  // namespace
