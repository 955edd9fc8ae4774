// Why: a trigger decides severity; a program that nothing starts is not the same finding as one that every boot starts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "shell/boot.h"
#include "shell/uci.h"

namespace shell {
namespace {

using When = Start::When;

Tree tree_of(const std::map<std::string, std::string>& files, const std::map<std::string, std::string>& links = {}) {
  Tree tree;
  tree.list_directory = [=](std::string_view path) {
    std::set<std::string> names;
    for (const auto* all : {&files, &links})
      for (const auto& [name, content] : *all)
        if (name.starts_with(std::string(path) + "/")) names.insert(name.substr(path.size() + 1, name.find('/', path.size() + 1) - path.size() - 1));
    return std::vector<std::string>(names.begin(), names.end());
  };
  tree.read_file = [=](std::string_view path) -> std::optional<std::string> {
    const auto known = files.find(std::string(path));
    return known == files.end() ? std::nullopt : std::optional(known->second);
  };
  tree.read_link = [=](std::string_view path) -> std::optional<std::string> {
    const auto known = links.find(std::string(path));
    return known == links.end() ? std::nullopt : std::optional(known->second);
  };
  tree.is_executable = [=](std::string_view path) { return files.contains(std::string(path)); };
  return tree;
}

const Start& find(const std::vector<Start>& plan, std::string_view program) {
  for (const auto& start : plan)
    if (start.program_or_script == program) return start;
  static const Start none;
  ADD_FAILURE() << "nothing starts " << program;
  return none;
}

TEST(Boot, inittab_in_the_order_of_init) {
  const auto plan = boot_plan(tree_of({{"/etc/inittab", "# c\nttyS0::respawn:-/sbin/getty -L ttyS0\n::sysinit:/etc/init.d/rcS S boot\nca::ctrlaltdel:/sbin/reboot\nid:3:initdefault:\n::once:telnetd -l /bin/sh\n"},
                                       {"/usr/sbin/telnetd", ""}}));
  ASSERT_EQ(plan.size(), 4u);
  EXPECT_EQ(plan[0].program_or_script, "/etc/init.d/rcS");
  EXPECT_EQ(plan[0].detail, "sysinit");
  EXPECT_EQ(plan[0].line, 3u);
  EXPECT_EQ(plan[1].program_or_script, "/usr/sbin/telnetd") << "found on the path";
  EXPECT_EQ(plan[1].when, When::boot);
  EXPECT_EQ(plan[2].program_or_script, "/sbin/getty");
  EXPECT_EQ(plan[2].when, When::respawn);
  EXPECT_EQ(plan[3].when, When::key);
}

TEST(Boot, openwrt_start_links_and_procd) {
  const auto plan = boot_plan(tree_of({{"/etc/init.d/agent", "#!/bin/sh /etc/rc.common\nSTART=95\nUSE_PROCD=1\nstart_service() {\n procd_open_instance\n procd_set_param command /usr/sbin/agent -s 203.0.113.5\n procd_set_param respawn\n}\n"},
                                       {"/etc/init.d/idle", "#!/bin/sh /etc/rc.common\nSTART=96\nstart() { x; }\n"}},
                                      {{"/etc/rc.d/S95agent", "../init.d/agent"}}));
  ASSERT_EQ(plan.size(), 2u) << "a script without a link is not started";
  EXPECT_EQ(plan[0].program_or_script, "/etc/init.d/agent");
  EXPECT_EQ(plan[0].detail, "start 95");
  EXPECT_EQ(plan[1].program_or_script, "/usr/sbin/agent");
  EXPECT_EQ(plan[1].command_line, "/usr/sbin/agent -s 203.0.113.5");
  EXPECT_EQ(plan[1].when, When::respawn);
}

TEST(Boot, start_scripts_by_number) {
  const auto plan = boot_plan(tree_of({{"/etc/init.d/S50b", "#!/bin/sh\n"}, {"/etc/init.d/S10a", "#!/bin/sh\n"}, {"/etc/init.d/K10c", "#!/bin/sh\n"}, {"/etc/init.d/rcS", "#!/bin/sh\n"}, {"/etc/rc.local", "x\n"}}));
  ASSERT_EQ(plan.size(), 4u);
  EXPECT_EQ(plan[0].program_or_script, "/etc/init.d/rcS");
  EXPECT_EQ(plan[1].program_or_script, "/etc/init.d/S10a");
  EXPECT_EQ(plan[2].program_or_script, "/etc/init.d/S50b");
  EXPECT_EQ(plan[3].program_or_script, "/etc/rc.local");
}

TEST(Boot, systemd_units_that_are_wanted) {
  const auto plan = boot_plan(tree_of({{"/lib/systemd/system/a.service", "[Unit]\nDescription=x\n[Service]\nExecStart=-/usr/bin/a --x\nRestart=always\n"},
                                       {"/lib/systemd/system/b.timer", "[Timer]\nOnCalendar=daily\n"},
                                       {"/lib/systemd/system/b.service", "[Service]\nExecStart=/usr/bin/b\n"},
                                       {"/lib/systemd/system/c.service", "[Service]\nExecStart=/usr/bin/c\n"}},
                                      {{"/etc/systemd/system/multi-user.target.wants/a.service", "/lib/systemd/system/a.service"}, {"/etc/systemd/system/timers.target.wants/b.timer", "x"}}));
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_EQ(plan[0].program_or_script, "/usr/bin/a");
  EXPECT_EQ(plan[0].when, When::respawn);
  EXPECT_EQ(plan[0].line, 4u);
  EXPECT_EQ(plan[1].program_or_script, "/usr/bin/b");
  EXPECT_EQ(plan[1].when, When::timer);
  EXPECT_EQ(plan[1].detail, "OnCalendar=daily");
}

TEST(Boot, crontabs_with_and_without_a_user) {
  const auto plan = boot_plan(tree_of({{"/etc/crontab", "PATH=/bin\n*/5 * * * * root /usr/bin/poll -q\n@reboot root /usr/bin/once\n"}, {"/etc/crontabs/root", "0 3 * * 1 sh /opt/up.sh && reboot\n"}, {"/etc/cron.daily/rot", "x"}}));
  EXPECT_EQ(find(plan, "/usr/bin/poll").when, When::timer);
  EXPECT_EQ(find(plan, "/usr/bin/poll").detail, "*/5 * * * *");
  EXPECT_EQ(find(plan, "/usr/bin/once").when, When::boot);
  EXPECT_EQ(find(plan, "/opt/up.sh").detail, "0 3 * * 1");
  EXPECT_EQ(find(plan, "/etc/cron.daily/rot").when, When::timer);
}

TEST(Boot, events) {
  const auto plan = boot_plan(tree_of({{"/etc/hotplug.d/block/10-mount", "x"},
                                       {"/etc/hotplug.d/iface/20-fw", "x"},
                                       {"/etc/rc.button/reset", "x"},
                                       {"/etc/mdev.conf", "# c\nmmcblk[0-9]p[0-9] 0:0 0660 */etc/card.sh\nttyUSB.* 0:0 660 @/etc/tty.sh\n"},
                                       {"/etc/udev/rules.d/9.rules", "KERNEL==\"sd[a-z]1\", ACTION==\"add\", RUN+=\"/usr/bin/usbup %k\"\n# RUN+=\"/no\"\n"},
                                       {"/etc/network/interfaces", "auto eth0\n  post-up /etc/net.sh\n"},
                                       {"/etc/network/if-up.d/ntp", "x"},
                                       {"/etc/inetd.conf", "telnet stream tcp nowait root /usr/sbin/telnetd telnetd\n"},
                                       {"/etc/profile", "x"}}));
  EXPECT_EQ(find(plan, "/etc/hotplug.d/block/10-mount").when, When::card_inserted);
  EXPECT_EQ(find(plan, "/etc/hotplug.d/iface/20-fw").when, When::network_up);
  EXPECT_EQ(find(plan, "/etc/rc.button/reset").when, When::key);
  EXPECT_EQ(find(plan, "/etc/card.sh").when, When::card_inserted);
  EXPECT_EQ(find(plan, "/etc/card.sh").line, 2u);
  EXPECT_EQ(find(plan, "/etc/tty.sh").when, When::hotplug);
  EXPECT_EQ(find(plan, "/usr/bin/usbup").when, When::card_inserted);
  EXPECT_EQ(find(plan, "/etc/net.sh").when, When::network_up);
  EXPECT_EQ(find(plan, "/etc/network/if-up.d/ntp").when, When::network_up);
  EXPECT_EQ(find(plan, "/usr/sbin/telnetd").when, When::network_input);
  EXPECT_EQ(find(plan, "/etc/profile").when, When::login);
  for (const auto& start : plan) EXPECT_NE(start.program_or_script, "/no");
}

TEST(Boot, the_kernel_may_name_another_init) {
  auto tree = tree_of({});
  tree.kernel_command_line = "console=ttyS0 init=/linuxrc root=/dev/mtdblock2";
  const auto plan = boot_plan(tree);
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].program_or_script, "/linuxrc");
}

TEST(Uci, sections_options_and_lists) {
  const auto package = read_uci("# c\npackage x\nconfig dropbear\n\toption Port '22'\n\tlist a 'x'\n\tlist a \"y z\"\nconfig b name # c\n option k v\noption\n");
  ASSERT_EQ(package.sections.size(), 2u);
  EXPECT_EQ(package.sections[0].name, "@dropbear[0]");
  EXPECT_EQ(option_of(*package.find("@dropbear[-1]"), "a")->value, "x y z");
  EXPECT_EQ(option_of(*package.find("name"), "k")->line, 8u);
  EXPECT_EQ(package.find("@dropbear[9]"), nullptr);
  EXPECT_FALSE(option_of(package.sections[1], "none").has_value());
}

}  // namespace
}  // namespace shell
