// Commands that only carry another command, and what remains when they are taken off.
#include "shell/carriers.h"

#include <algorithm>
#include <array>

namespace shell {

namespace {

struct Carrier {
  std::string_view name;
  std::string_view with_value;  // option letters that take the next word
  int operands;                 // words before the command, after the options
};
// Option letters as in BusyBox, coreutils, util-linux and procps.
constexpr std::array<Carrier, 24> carriers = {{
    {"busybox", "", 0},  {"env", "uSC", 0},    {"nohup", "", 0},   {"exec", "a", 0},     {"time", "fo", 0},     {"timeout", "stk", 1},
    {"nice", "n", 0},    {"ionice", "cn", 0},  {"setsid", "", 0},  {"sudo", "ugCp", 0},  {"command", "", 0},    {"builtin", "", 0},
    {"stdbuf", "ioe", 0}, {"chroot", "", 1},   {"xargs", "IinPLsEd", 0}, {"chrt", "", 1}, {"taskset", "", 1},  {"unshare", "", 0},
    {"strace", "oesp", 0}, {"setuidgid", "", 1}, {"softlimit", "acdmlnopst", 0}, {"watch", "n", 0}, {"doas", "uC", 0}, {"eatmydata", "", 0},
}};

bool is_assignment(std::string_view word) {
  const auto equals = word.find('=');
  return equals != std::string_view::npos && equals > 0 && word.find_first_of("/-. ") > equals;
}

bool is_shell(std::string_view name) {
  constexpr std::array<std::string_view, 7> shells = {"sh", "ash", "bash", "dash", "ksh", "hush", "mksh"};
  return std::ranges::find(shells, name) != shells.end();
}

// The index after the options that start at `at`.
std::size_t after_options(const std::vector<Word>& words, std::size_t at, std::string_view with_value) {
  while (at < words.size() && words[at].text.size() > 1 && words[at].text[0] == '-') {
    const auto& option = words[at].text;
    ++at;
    if (option == "--") break;
    if (option[1] != '-' && option.size() == 2 && with_value.find(option[1]) != std::string_view::npos) ++at;
  }
  return std::min(at, words.size());
}

// Where the carried command begins, or 0.
std::size_t carried(const std::vector<Word>& words, std::size_t at, Effective& out) {
  const auto name = base_name(words[at].text);
  for (const auto& carrier : carriers) {
    if (carrier.name != name) continue;
    if (name == "command" && at + 1 < words.size() && (words[at + 1].text == "-v" || words[at + 1].text == "-V")) return 0;
    auto next = after_options(words, at + 1, carrier.with_value);
    if (name == "timeout" && next < words.size() && words[next].text.find_first_not_of("0123456789smhd.") != std::string::npos) return next;  // old BusyBox: -t SECONDS
    if (name == "env" || name == "sudo" || name == "exec")
      while (next < words.size() && is_assignment(words[next].text)) ++next;
    if (name == "setsid") out.background = true;
    next += static_cast<std::size_t>(carrier.operands);
    return next < words.size() ? next : 0;
  }
  if (name == "find")
    for (std::size_t i = at + 1; i + 1 < words.size(); ++i)
      if (words[i].text == "-exec" || words[i].text == "-execdir" || words[i].text == "-ok") return i + 1;
  if ((name == "procd_set_param" || name == "procd_append_param") && at + 2 < words.size() && words[at + 1].text == "command") return at + 2;
  if ((name == "service_start" || name == "daemon" || name == "start_daemon" || name == "run_command") && at + 1 < words.size()) {
    const auto next = after_options(words, at + 1, "np");
    return next < words.size() ? next : 0;
  }
  if ((name == "ssh" || name == "dbclient" || name == "rsh") && at + 2 < words.size()) {
    const auto host = after_options(words, at + 1, "bcDeFiIlLmopRSwWBJKy");
    if (host + 1 < words.size()) {
      const auto user = words[host].text.find('@');
      out.peer = user == std::string::npos ? words[host].text : words[host].text.substr(user + 1);
      return host + 1;
    }
  }
  return 0;
}

// start-stop-daemon -S -x PROGRAM [-b] -- ARGUMENTS; also -a, and the word after the options.
bool take_start_stop_daemon(std::vector<Word>& words, Effective& out) {
  std::optional<Word> program, started_as;
  std::vector<Word> rest;
  bool stops = false;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto& option = words[i].text;
    if (option == "--") {
      rest.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      break;
    }
    if (option == "--stop") stops = true;
    if (option == "--background") out.background = true;
    if (option == "--exec" || option == "--startas") {
      if (i + 1 < words.size()) (option == "--exec" ? program : started_as) = words[++i];
    } else if (option.starts_with("--exec=")) {
      program = words[i];
      program->text = option.substr(7);
    } else if (option == "--pidfile" || option == "--name" || option == "--user" || option == "--chuid" || option == "--signal" || option == "--retry" || option == "--chdir" || option == "--nicelevel" || option == "--group") {
      ++i;
    } else if (option.starts_with("-") && !option.starts_with("--") && option.size() > 1) {
      for (std::size_t k = 1; k < option.size(); ++k) {
        stops |= option[k] == 'K' && k == 1;
        out.background |= option[k] == 'b';
        const bool takes = std::string_view("xapnucsRdNgkIPr").find(option[k]) != std::string_view::npos;
        if (!takes) continue;
        if (k + 1 == option.size() && i + 1 < words.size()) {
          ++i;
          if (option[k] == 'x') program = words[i];
          if (option[k] == 'a') started_as = words[i];
        }
        break;
      }
    } else if (!option.starts_with("-")) {
      rest.push_back(words[i]);
    }
  }
  if (stops) return false;
  if (started_as) program = started_as;
  if (!program) return false;
  words.assign(1, *program);
  words.insert(words.end(), rest.begin(), rest.end());
  return true;
}

}  // namespace

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }  // npos + 1 is 0

Effective effective_command(const Command& command) {
  Effective out;
  std::vector<Word> words = command.words;
  bool from_find = false;
  for (int depth = 0; depth < 8 && !words.empty(); ++depth) {
    const auto name = base_name(words[0].text);
    if (name == "start-stop-daemon") {
      if (!take_start_stop_daemon(words, out)) break;
      out.carriers.emplace_back("start-stop-daemon");
      continue;
    }
    Effective trial = out;
    const auto at = carried(words, 0, trial);
    if (at == 0) break;
    from_find |= name == "find";
    trial.carriers.emplace_back(name);
    out = std::move(trial);
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at));
  }
  if (from_find)
    while (!words.empty() && (words.back().text == ";" || words.back().text == "+")) words.pop_back();
  if (words.empty()) return out;
  out.path = words[0].text;
  out.name = base_name(out.path);
  out.arguments.assign(words.begin() + 1, words.end());
  return out;
}

std::optional<std::size_t> shell_text_index(const std::vector<Word>& words) {
  std::size_t at = 0;
  for (int depth = 0; depth < 8 && at < words.size(); ++depth) {
    const auto name = base_name(words[at].text);
    if (name == "eval") return at + 1 < words.size() ? std::optional(at + 1) : std::nullopt;
    if (is_shell(name) || name == "su") {
      for (std::size_t i = at + 1; i + 1 < words.size(); ++i) {
        const auto& option = words[i].text;
        if (option == "--command" || (option.size() > 1 && option[0] == '-' && option[1] != '-' && option.ends_with('c'))) return i + 1;
        if (name != "su" && !option.starts_with("-")) return std::nullopt;
      }
      return std::nullopt;
    }
    Effective scratch;
    const auto next = carried(words, at, scratch);
    if (next <= at || !scratch.peer.empty()) return std::nullopt;
    at = next;
  }
  return std::nullopt;
}

std::optional<std::string> shell_text_of(const Command& command) {
  const auto at = shell_text_index(command.words);
  if (!at) return std::nullopt;
  std::string text = command.words[*at].text;
  if (base_name(command.words[0].text) == "eval")
    for (std::size_t i = *at + 1; i < command.words.size(); ++i) text += " " + command.words[i].text;
  return text;
}

}  // namespace shell
