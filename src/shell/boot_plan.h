// What the readers of boot tables share.
#pragma once

#include <string>
#include <vector>

#include "shell/boot.h"

namespace shell {

struct Planner {
  const Tree& tree;
  std::vector<Start> plan;

  std::vector<std::string> entries(const std::string& directory) const;  // sorted
  std::optional<std::string> read(const std::string& path) const;
  void add(std::string program, std::string command_line, Start::When when, std::string source_file, std::uint32_t line, std::string detail);
  // One start for each command in a line of shell.
  void add_line(std::string_view command_line, Start::When when, const std::string& source_file, std::uint32_t line, const std::string& detail);
};

void plan_systemd(Planner& p);
void plan_timers(Planner& p);  // crontabs
void plan_events(Planner& p);  // hotplug, mdev, udev, network, login, inetd, keys

}  // namespace shell
