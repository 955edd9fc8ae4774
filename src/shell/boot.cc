// The order of boot: init tables, start scripts, units; then what waits for a time, a card, a link, a key or a peer.
#include "shell/boot.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "shell/boot_plan.h"
#include "shell/carriers.h"
#include "shell/shell.h"

namespace shell {

std::string_view key(Start::When when) {
  switch (when) {
    case Start::When::boot: return "boot";
    case Start::When::respawn: return "respawn";
    case Start::When::login: return "login";
    case Start::When::timer: return "timer";
    case Start::When::hotplug: return "hotplug";
    case Start::When::network_up: return "network-up";
    case Start::When::network_input: return "network-input";
    case Start::When::card_inserted: return "card-inserted";
    case Start::When::key: return "key";
    case Start::When::unknown: return "unknown";
  }
  return "";
}

std::vector<std::string> Planner::entries(const std::string& directory) const {
  auto names = tree.list_directory ? tree.list_directory(directory) : std::vector<std::string>{};
  std::ranges::sort(names);
  std::erase_if(names, [](const std::string& n) { return n.empty() || n == "." || n == ".."; });
  return names;
}

std::optional<std::string> Planner::read(const std::string& path) const { return tree.read_file ? tree.read_file(path) : std::nullopt; }

void Planner::add(std::string program, std::string command_line, Start::When when, std::string source_file, std::uint32_t line, std::string detail) {
  if (program.empty()) return;
  if (program[0] != '/')
    for (const std::string_view directory : {"/sbin/", "/bin/", "/usr/sbin/", "/usr/bin/", "/usr/local/sbin/", "/usr/local/bin/"})
      if (tree.is_executable && tree.is_executable(std::string(directory) + program)) {
        program = std::string(directory) + program;
        break;
      }
  plan.push_back({std::move(program), std::move(command_line), when, static_cast<int>(plan.size()), std::move(source_file), line, std::move(detail)});
}

void Planner::add_line(std::string_view command_line, Start::When when, const std::string& source_file, std::uint32_t line, const std::string& detail) {
  const auto trimmed = base::trim(command_line);
  bool any = false;
  for (const auto& command : parse(trimmed, source_file).commands) {
    auto effective = effective_command(command);
    if (effective.name.empty() || command.captured_by) continue;
    if (effective.name == "[" || effective.name == "test" || effective.name == "cd" || effective.name == "true" || effective.name == "export") continue;
    const bool shell = effective.name == "sh" || effective.name == "ash" || effective.name == "bash" || effective.name == ".";
    if (shell && !effective.arguments.empty() && effective.arguments[0].text.starts_with('/')) effective.path = effective.arguments[0].text;
    if (shell && !effective.arguments.empty() && effective.arguments[0].text == "-c") continue;  // its text's commands follow
    add(effective.path, std::string(trimmed), when, source_file, line, detail);
    any = true;
  }
  if (!any && !trimmed.empty()) add(std::string(trimmed.substr(0, trimmed.find(' '))), std::string(trimmed), when, source_file, line, detail);
}

namespace {

// init=, then /etc/inittab, or what BusyBox init does without one.
void plan_init(Planner& p) {
  for (const auto word : base::split_words(p.tree.kernel_command_line))
    for (const std::string_view option : {"init=", "rdinit="})
      if (word.starts_with(option)) p.add(std::string(word.substr(option.size())), std::string(word), Start::When::boot, "kernel command line", 0, std::string(word));
  const auto table = p.read("/etc/inittab");
  if (!table) {
    if (p.read("/etc/init.d/rcS")) p.add("/etc/init.d/rcS", "/etc/init.d/rcS", Start::When::boot, "/etc/init.d/rcS", 0, "BusyBox init without an inittab");
    return;
  }
  struct Entry {
    int rank;
    std::uint32_t line;
    std::string action, process;
  };
  std::vector<Entry> all;
  std::uint32_t number = 0;
  for (auto line : base::split(*table, '\n')) {
    ++number;
    line = base::trim(line);
    const auto parts = base::split(line, ':');
    if (line.empty() || line[0] == '#' || parts.size() < 4) continue;
    const std::string action(base::trim(parts[2]));
    const auto at = static_cast<std::size_t>(parts[3].data() - line.data());
    auto process = base::trim(line.substr(at));
    if (process.starts_with('-') || process.starts_with('+') || process.starts_with('@')) process.remove_prefix(1);
    constexpr std::string_view order[] = {"sysinit", "boot", "bootwait", "wait", "once", "respawn", "askfirst", "ondemand"};
    const auto rank = static_cast<int>(std::ranges::find(order, action) - std::begin(order));
    if (action != "initdefault" && action != "off" && !process.empty()) all.push_back({rank, number, action, std::string(process)});
  }
  std::ranges::stable_sort(all, {}, &Entry::rank);
  for (const auto& entry : all) {
    auto when = entry.rank < 5 ? Start::When::boot : entry.rank < 7 ? Start::When::respawn : Start::When::unknown;
    if (entry.action == "ctrlaltdel" || entry.action == "kbrequest") when = Start::When::key;
    p.add_line(entry.process, when, "/etc/inittab", entry.line, entry.action);
  }
}

// The commands that procd keeps running for an rc.common script.
void plan_procd(Planner& p, const std::string& script, const std::string& text, const std::string& detail) {
  Environment environment;
  environment.read_file = p.tree.read_file;
  const auto read = parse(text, script, environment);
  const bool respawns = std::ranges::any_of(read.commands, [](const Command& c) { return c.words.size() > 1 && c.words[0].text == "procd_set_param" && c.words[1].text == "respawn"; });
  std::set<std::string> seen;
  for (const auto& command : read.commands) {
    if (command.words.size() < 3 || command.words[0].text != "procd_set_param" || command.words[1].text != "command" || !command.words[2].resolved) continue;
    std::string line;
    for (std::size_t i = 2; i < command.words.size(); ++i) line += (i > 2 ? " " : "") + command.words[i].text;
    if (seen.insert(line).second) p.add(command.words[2].text, line, respawns ? Start::When::respawn : Start::When::boot, script, command.line, "procd, " + detail);
  }
}

void plan_start_script(Planner& p, const std::string& path, const std::string& name, const std::string& from, const std::string& detail, std::set<std::string>& seen) {
  std::string real = path;
  if (const auto target = p.tree.read_link ? p.tree.read_link(path) : std::nullopt) {
    const auto resolved = base::normal_path(*target, path.substr(0, path.rfind('/')));
    if (p.read(resolved)) real = resolved;
  }
  const auto text = p.read(real);
  if (!text || !seen.insert(real).second) return;
  const bool rc_common = interpreter_of(*text).find("rc.common") != std::string::npos;
  p.add(real, real + (rc_common ? " boot" : " start"), Start::When::boot, from, 0, detail);
  (void)name;
  if (rc_common) plan_procd(p, real, *text, detail);
}

bool is_start_name(std::string_view name) {
  return name.size() > 2 && name[0] == 'S' && std::string_view("0123456789").find(name[1]) != std::string_view::npos && std::string_view("0123456789").find(name[2]) != std::string_view::npos;
}

void plan_start_scripts(Planner& p) {
  std::set<std::string> seen;
  for (const std::string directory : {"/lib/preinit", "/etc/preinit.d"})
    for (const auto& name : p.entries(directory))
      if (p.read(directory + "/" + name)) p.add(directory + "/" + name, directory + "/" + name, Start::When::boot, directory + "/" + name, 0, "preinit");
  bool links = false;
  for (const std::string directory : {"/etc/rcS.d", "/etc/rc.d/rcS.d", "/etc/rc.d", "/etc/init.d", "/etc/rc2.d", "/etc/rc3.d", "/etc/rc5.d", "/etc/rc.d/rc2.d", "/etc/rc.d/rc3.d", "/etc/rc.d/rc5.d", "/etc/init0.d"})
    for (const auto& name : p.entries(directory)) {
      if (!is_start_name(name)) continue;
      links |= directory == "/etc/rc.d";
      plan_start_script(p, directory + "/" + name, name, directory + "/" + name, "start " + name.substr(1, 2), seen);
    }
  if (!links)  // rc.common scripts that are linked at the first boot only
    for (const auto& name : p.entries("/etc/init.d")) {
      const auto path = "/etc/init.d/" + name;
      const auto text = p.read(path);
      if (!text || interpreter_of(*text).find("rc.common") == std::string::npos) continue;
      const auto at = text->find("\nSTART=");
      if (at != std::string::npos) plan_start_script(p, path, name, path, "START=" + text->substr(at + 7, 2) + " without a link", seen);
    }
  for (const auto& name : p.entries("/etc/uci-defaults"))
    p.add("/etc/uci-defaults/" + name, "/etc/uci-defaults/" + name, Start::When::boot, "/etc/uci-defaults/" + name, 0, "first boot");
  for (const std::string path : {"/etc/rc", "/etc/rc.sysinit", "/etc/rc.d/rc.sysinit", "/etc/rc.d/rcS", "/etc/rc.d/rc.local", "/etc/rc.local", "/etc/init.d/rc.local"}) {
    const auto known = std::ranges::any_of(p.plan, [&](const Start& s) { return s.program_or_script == path; });
    if (!known && p.read(path)) p.add(path, path, Start::When::boot, path, 0, "by name");
  }
}

}  // namespace

std::vector<Start> boot_plan(const Tree& tree) {
  Planner p{tree, {}};
  plan_init(p);
  plan_start_scripts(p);
  plan_systemd(p);
  plan_timers(p);
  plan_events(p);
  return std::move(p.plan);
}

}  // namespace shell
