// Units, crontabs and event rules into starts.
#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "shell/boot_plan.h"

namespace shell {

namespace {

constexpr std::array<std::string_view, 3> unit_directories = {"/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"};

struct UnitLine {
  std::string section, key, value;
  std::uint32_t line;
};

std::vector<UnitLine> unit_lines(std::string_view text) {
  std::vector<UnitLine> out;
  std::string section;
  std::uint32_t number = 0;
  for (auto line : base::split(text, '\n')) {
    ++number;
    line = base::trim(line);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line[0] == '[' && line.ends_with(']')) {
      section = line.substr(1, line.size() - 2);
      continue;
    }
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    out.push_back({section, std::string(base::trim(line.substr(0, equals))), std::string(base::trim(line.substr(equals + 1))), number});
  }
  return out;
}

std::optional<std::pair<std::string, std::string>> find_unit(const Planner& p, std::string name) {
  for (int pass = 0; pass < 2; ++pass) {
    for (const auto directory : unit_directories) {
      const auto path = std::string(directory) + "/" + name;
      if (auto text = p.read(path)) return std::pair(path, std::move(*text));
    }
    const auto at = name.find('@');  // an instance: its template
    const auto dot = name.rfind('.');
    if (at == std::string::npos || dot == std::string::npos || dot < at) return std::nullopt;
    name = name.substr(0, at + 1) + name.substr(dot);
  }
  return std::nullopt;
}

void plan_unit(Planner& p, const std::string& name, const std::string& wanted_by, Start::When when, std::string detail, int depth) {
  const auto unit = find_unit(p, name);
  if (!unit || depth > 2) return;
  const auto lines = unit_lines(unit->second);
  const auto value = [&](std::string_view key) {
    const auto found = std::ranges::find(lines, key, &UnitLine::key);
    return found == lines.end() ? std::string{} : found->value;
  };
  const auto stem = name.substr(0, name.rfind('.'));
  if (name.ends_with(".timer")) {
    std::string times;
    for (const auto& line : lines)
      if (line.section == "Timer" && line.key.starts_with("On")) times += (times.empty() ? "" : ", ") + line.key + "=" + line.value;
    const auto service = value("Unit").empty() ? stem + ".service" : value("Unit");
    return plan_unit(p, service, wanted_by, Start::When::timer, times, depth + 1);
  }
  if (name.ends_with(".socket") || name.ends_with(".path")) {
    const bool socket = name.ends_with(".socket");
    const auto service = value(socket ? "Service" : "Unit").empty() ? stem + (value("Accept") == "yes" ? "@.service" : ".service") : value(socket ? "Service" : "Unit");
    return plan_unit(p, service, wanted_by, socket ? Start::When::network_input : Start::When::unknown, name + " " + value(socket ? "ListenStream" : "PathExists"), depth + 1);
  }
  const auto restart = value("Restart");
  if (when == Start::When::boot && (restart == "always" || restart == "on-failure")) when = Start::When::respawn;
  for (const auto& line : lines) {
    if (line.section != "Service" || (line.key != "ExecStart" && line.key != "ExecStartPre" && line.key != "ExecStartPost")) continue;
    const auto start = line.value.find_first_not_of("-@:+!");
    if (start != std::string::npos) p.add_line(line.value.substr(start), when, unit->first, line.line, detail.empty() ? line.key + ", wanted by " + wanted_by : detail);
  }
}

bool names_media(std::string_view rule) {
  for (const std::string_view word : {"mmcblk", "sd[", "\"sd", "^sd", "sda", "SUBSYSTEM==\"block\"", "SUBSYSTEMS==\"usb\"", "usb_storage", "[hs]d", "sr0"})
    if (rule.find(word) != std::string_view::npos) return true;
  return rule.starts_with("sd");
}

void plan_directory(Planner& p, const std::string& directory, Start::When when, const std::string& detail) {
  for (const auto& name : p.entries(directory)) {
    const auto path = directory + "/" + name;
    if (p.read(path)) p.add(path, path, when, path, 0, detail);
  }
}

void plan_crontab(Planner& p, const std::string& path, bool has_user) {
  const auto text = p.read(path);
  if (!text) return;
  std::uint32_t number = 0;
  for (auto line : base::split(*text, '\n')) {
    ++number;
    line = base::trim(line);
    const auto words = base::split_words(line);
    if (words.empty() || line[0] == '#') continue;
    const std::size_t times = line[0] == '@' ? 1 : 5;
    const auto equals = line.find('=');
    if (times == 5 && equals != std::string_view::npos && equals < words[0].size() + 2) continue;  // NAME = value
    const std::size_t first = times + (has_user ? 1 : 0);
    if (words.size() <= first) continue;
    const auto begin = static_cast<std::size_t>(words[first].data() - line.data());
    const auto last_time = static_cast<std::size_t>(words[times - 1].data() - line.data()) + words[times - 1].size();
    const std::string when(line.substr(0, last_time));
    p.add_line(line.substr(begin), when == "@reboot" ? Start::When::boot : Start::When::timer, path, number, when);
  }
}

void plan_mdev(Planner& p) {
  const auto text = p.read("/etc/mdev.conf");
  if (!text) return;
  std::uint32_t number = 0;
  for (auto line : base::split(*text, '\n')) {
    ++number;
    line = base::trim(line);
    const auto words = base::split_words(line);
    if (words.size() < 4 || line[0] == '#') continue;
    for (std::size_t i = 3; i < words.size() && i < 5; ++i) {
      const auto word = words[i];
      if (word[0] != '@' && word[0] != '$' && word[0] != '*') continue;
      const auto command = line.substr(static_cast<std::size_t>(word.data() - line.data()) + 1);
      const auto event = word[0] == '@' ? "added" : word[0] == '$' ? "removed" : "added or removed";
      p.add_line(command, names_media(words[0]) ? Start::When::card_inserted : Start::When::hotplug, "/etc/mdev.conf", number, std::string(words[0]) + " " + event);
      break;
    }
  }
}

void plan_udev(Planner& p) {
  for (const std::string directory : {"/etc/udev/rules.d", "/lib/udev/rules.d", "/usr/lib/udev/rules.d"})
    for (const auto& name : p.entries(directory)) {
      const auto path = directory + "/" + name;
      const auto text = p.read(path);
      if (!text || !name.ends_with(".rules")) continue;
      std::uint32_t number = 0;
      for (const auto line : base::split(*text, '\n')) {
        ++number;
        if (base::trim(line).starts_with('#')) continue;
        for (const std::string_view key : {"RUN+=\"", "RUN=\"", "RUN{program}+=\"", "RUN{program}=\"", "PROGRAM==\"", "PROGRAM=\""})
          for (auto at = line.find(key); at != std::string_view::npos; at = line.find(key, at + 1)) {
            const auto begin = at + key.size();
            const auto end = line.find('"', begin);
            if (end == std::string_view::npos) break;
            const auto card = names_media(line);
            p.add_line(line.substr(begin, end - begin), card ? Start::When::card_inserted : Start::When::hotplug, path, number, std::string(base::trim(line.substr(0, std::min<std::size_t>(at, 120)))));
          }
      }
    }
}

void plan_network(Planner& p) {
  for (const std::string directory : {"/etc/network/if-pre-up.d", "/etc/network/if-up.d", "/etc/ppp/ip-up.d", "/etc/dhcp/dhclient-exit-hooks.d", "/etc/udhcpc.d", "/etc/NetworkManager/dispatcher.d"})
    plan_directory(p, directory, Start::When::network_up, directory.substr(5));
  for (const std::string path : {"/usr/share/udhcpc/default.script", "/etc/udhcpc.script", "/etc/udhcpc/default.script", "/etc/udhcpc/udhcpc.script", "/lib/netifd/dhcp.script", "/etc/ppp/ip-up"})
    if (p.read(path)) p.add(path, path, Start::When::network_up, path, 0, "by name");
  if (const auto text = p.read("/etc/network/interfaces")) {
    std::uint32_t number = 0;
    for (auto line : base::split(*text, '\n')) {
      ++number;
      line = base::trim(line);
      for (const std::string_view word : {"pre-up ", "up ", "post-up "})
        if (line.starts_with(word)) p.add_line(line.substr(word.size()), Start::When::network_up, "/etc/network/interfaces", number, std::string(base::trim(word)));
    }
  }
}

void plan_inetd(Planner& p) {
  for (const std::string path : {"/etc/inetd.conf"})
    if (const auto text = p.read(path)) {
      std::uint32_t number = 0;
      for (auto line : base::split(*text, '\n')) {
        ++number;
        line = base::trim(line);
        const auto words = base::split_words(line);
        if (words.size() < 6 || line[0] == '#') continue;
        const bool tcpd = words[5].ends_with("tcpd") && words.size() > 6;
        const auto program = words[5] == "internal" ? std::string_view{} : tcpd ? words[6] : words[5];
        std::string command(program);  // the word after the server is its name for itself, argument 0
        for (std::size_t i = 7; i < words.size(); ++i) command += " " + std::string(words[i]);
        p.add(std::string(program), command, Start::When::network_input, path, number,
              "inetd " + std::string(words[0]) + " " + std::string(words[2]));
      }
    }
  for (const auto& name : p.entries("/etc/xinetd.d")) {
    const auto path = "/etc/xinetd.d/" + name;
    const auto text = p.read(path);
    if (!text) continue;
    const auto lines = unit_lines(*text);
    const auto off = std::ranges::any_of(lines, [](const UnitLine& l) { return l.key == "disable" && l.value == "yes"; });
    for (const auto& line : lines)
      if (line.key == "server" && !off) p.add(line.value, line.value, Start::When::network_input, path, line.line, "xinetd " + name);
  }
}

}  // namespace

void plan_systemd(Planner& p) {
  std::set<std::string> seen;
  for (const auto directory : unit_directories)
    for (const auto& target : p.entries(std::string(directory))) {
      if (!target.ends_with(".wants") && !target.ends_with(".requires")) continue;
      for (const auto& unit : p.entries(std::string(directory) + "/" + target))
        if (seen.insert(unit).second) plan_unit(p, unit, target.substr(0, target.rfind('.')), Start::When::boot, "", 0);
    }
}

void plan_timers(Planner& p) {
  plan_crontab(p, "/etc/crontab", true);
  for (const auto& name : p.entries("/etc/cron.d")) plan_crontab(p, "/etc/cron.d/" + name, true);
  for (const std::string directory : {"/etc/crontabs", "/var/spool/cron/crontabs", "/var/spool/cron", "/etc/cron/crontabs"})
    for (const auto& name : p.entries(directory)) plan_crontab(p, directory + "/" + name, false);
  for (const std::string period : {"hourly", "daily", "weekly", "monthly", "15min"}) {
    plan_directory(p, "/etc/cron." + period, Start::When::timer, period);
    plan_directory(p, "/etc/periodic/" + period, Start::When::timer, period);
  }
}

void plan_events(Planner& p) {
  for (const auto& subsystem : p.entries("/etc/hotplug.d")) {
    auto when = Start::When::hotplug;
    if (subsystem == "block" || subsystem == "mmc" || subsystem == "mount") when = Start::When::card_inserted;
    if (subsystem == "iface" || subsystem == "dhcp" || subsystem == "online") when = Start::When::network_up;
    if (subsystem == "button") when = Start::When::key;
    plan_directory(p, "/etc/hotplug.d/" + subsystem, when, "hotplug.d/" + subsystem);
  }
  plan_directory(p, "/etc/rc.button", Start::When::key, "rc.button");
  plan_directory(p, "/etc/hotplug", Start::When::hotplug, "hotplug");
  plan_mdev(p);
  plan_udev(p);
  plan_network(p);
  plan_inetd(p);
  for (const std::string path : {"/etc/profile", "/root/.profile", "/.profile", "/root/.bashrc", "/root/.ashrc"})
    if (p.read(path)) p.add(path, path, Start::When::login, path, 0, "login shell");
  plan_directory(p, "/etc/profile.d", Start::When::login, "profile.d");
}

}  // namespace shell
