// Init tables, start links, units, crontabs and event rules of a root file system in, what starts what out.
// Formats: BusyBox init and sysvinit inittab(5), OpenWrt rc.common and hotplug.d, systemd.unit(5), crontab(5), mdev.conf,
// udev(7), interfaces(5), inetd.conf(5).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace shell {

struct Start {
  std::string program_or_script;  // absolute where it could be found, else as written
  std::string command_line;       // as written in the table, or path and argument
  enum class When : std::uint8_t { boot, respawn, login, timer, hotplug, network_up, network_input, card_inserted, key, unknown } when = When::unknown;
  int order = 0;                  // rank among all starts, 0 first
  std::string source_file;        // the table, unit, link or directory entry that says so
  std::uint32_t line = 0;         // 1-based; 0: the file's presence says it
  std::string detail;             // "sysinit", "start 50", "*/5 * * * *", "hotplug.d/iface", ...
};
std::string_view key(Start::When when);

// The root file system, absolute paths. Links are the tree's business, except where a name says something: read_link.
struct Tree {
  std::function<std::vector<std::string>(std::string_view path)> list_directory;  // base names, any order; empty when there is none
  std::function<std::optional<std::string>(std::string_view path)> read_file;     // follows links
  std::function<std::optional<std::string>(std::string_view path)> read_link;     // the target as stored; nothing when not a link
  std::function<bool(std::string_view path)> is_executable;                       // follows links
  std::string kernel_command_line;                                                // for init= and rdinit=; may be empty
};

std::vector<Start> boot_plan(const Tree& tree);

}  // namespace shell
