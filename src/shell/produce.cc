// What a command writes to its standard output, where that can be known: files of the image, uci settings, small text filters.
#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "shell/evaluator.h"

namespace shell {

namespace {

constexpr std::size_t max_content = 4096;

// Where settings live that no file of the image holds: COMMAND [OPTION...] KEY.
bool reads_setting(const std::string& name, const std::vector<std::string>& arguments) {
  const auto has = [&](std::string_view word) { return std::ranges::find(arguments, word) != arguments.end(); };
  if (name == "nvram" || name == "nvram_get" || name == "ralink_init" || name == "flash" || name == "cfg" || name == "cfgmgr" || name == "tdb" || name == "syscfg" || name == "sysevent")
    return has("get") || name == "nvram_get";
  if (name == "fw_printenv" || name == "getprop" || name == "getcfg" || name == "get_config" || name == "config_read") return true;
  return (name == "xmldbc" || name == "rgdb") && (has("-g") || has("-w"));
}

std::optional<std::size_t> positive(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value > 0 ? std::optional(value) : std::nullopt;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text.empty() ? std::vector<std::string_view>{} : base::split(text, '\n');
}

// grep for a fixed text, with ^ and $ at its ends; nothing for a real regular expression.
std::optional<std::string> grep(std::string_view text, std::string_view pattern, bool inverse) {
  const bool at_start = pattern.starts_with('^'), at_end = pattern.ends_with('$');
  if (at_start) pattern.remove_prefix(1);
  if (at_end && !pattern.empty()) pattern.remove_suffix(1);
  if (pattern.find_first_of("[]*\\^$+?|(){}") != std::string_view::npos) return std::nullopt;
  std::string out;
  for (const auto line : lines_of(text)) {
    const bool found = at_start && at_end ? line == pattern : at_start ? line.starts_with(pattern) : at_end ? line.ends_with(pattern) : line.find(pattern) != std::string_view::npos;
    if (found != inverse) out.append(line).push_back('\n');
  }
  return out;
}

std::string column(std::string_view text, const std::string& separator, std::size_t index, bool runs) {
  std::string out;
  for (const auto line : lines_of(text)) {
    const auto parts = runs ? base::split_words(line) : base::split(line, separator[0]);
    if (parts.size() == 1 && !runs) out.append(line);  // cut passes such lines on
    else if (index <= parts.size()) out.append(parts[index - 1]);
    out += '\n';
  }
  return out;
}

// The output of a filter over `text`; nothing when it is not one of those known, or its options are not.
std::optional<std::string> filtered(const std::string& name, const std::vector<std::string>& arguments, std::string_view text) {
  const auto option = [&](std::string_view letter) -> std::optional<std::string> {
    for (std::size_t i = 0; i < arguments.size(); ++i)
      if (arguments[i].starts_with(letter)) return arguments[i].size() > letter.size() ? arguments[i].substr(letter.size()) : i + 1 < arguments.size() ? std::optional(arguments[i + 1]) : std::nullopt;
    return std::nullopt;
  };
  if (name == "cut") {
    const auto separator = option("-d").value_or("\t");
    const auto index = positive(option("-f").value_or(""));
    if (!index || separator.size() != 1) return std::nullopt;
    return column(text, separator, *index, false);
  }
  if (name == "head" || name == "tail") {
    const auto lines = lines_of(text);
    const auto count = positive(option("-n").value_or(!arguments.empty() && arguments[0].starts_with('-') ? arguments[0].substr(1) : "10"));
    if (!count) return std::nullopt;
    const auto taken = std::min(*count, lines.size());
    std::string out;
    for (std::size_t i = 0; i < taken; ++i) out.append(lines[name == "head" ? i : lines.size() - taken + i]).push_back('\n');
    return out;
  }
  if (name == "tr" && arguments.size() == 2 && arguments[0] == "-d") {
    const auto set = arguments[1] == "\\n" ? "\n" : arguments[1] == "\\r" ? "\r" : arguments[1] == "[:space:]" ? " \t\r\n" : arguments[1];
    if (set.find_first_of("[]\\-") != std::string::npos) return std::nullopt;
    std::string out;
    for (const char c : text)
      if (set.find(c) == std::string::npos) out += c;
    return out;
  }
  if (name == "awk") {
    std::string separator, program;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (arguments[i] == "-F" && i + 1 < arguments.size()) separator = arguments[++i];
      else if (arguments[i].starts_with("-F")) separator = arguments[i].substr(2);
      else if (program.empty()) program = arguments[i];
      else return std::nullopt;
    }
    std::string bare;
    for (const char c : program)
      if (c != ' ' && c != ';') bare += c;
    if (!bare.starts_with("{print$") || !bare.ends_with('}') || separator.size() > 1) return std::nullopt;
    const auto index = positive(std::string_view(bare).substr(7, bare.size() - 8));
    return index ? std::optional(column(text, separator, *index, separator.empty())) : std::nullopt;
  }
  if (name == "grep") {
    std::vector<std::string> plain;
    bool inverse = false;
    for (const auto& argument : arguments) {
      if (argument == "-v") inverse = true;
      else if (argument.starts_with('-') && argument != "-E" && argument != "-F" && argument != "-e" && argument != "-w") return std::nullopt;
      else if (!argument.starts_with('-')) plain.push_back(argument);
    }
    return plain.size() == 1 ? grep(text, plain[0], inverse) : std::nullopt;
  }
  return std::nullopt;
}

bool is_volatile(std::string_view path) {
  for (const std::string_view directory : {"/proc", "/sys", "/dev", "/tmp", "/run", "/var/run", "/var/lock", "/var/state"})
    if (base::is_beneath(path, directory)) return true;
  return false;
}

}  // namespace

std::optional<std::string> Evaluator::read_file(const std::string& path) {
  if (!environment_.read_file || !charge(16)) return std::nullopt;
  return environment_.read_file(path);
}

const UciPackage* Evaluator::uci_package(const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos) return nullptr;
  auto& slot = uci_[name];
  if (!slot) {
    const auto text = read_file("/etc/config/" + name);
    slot = text ? read_uci(*text) : UciPackage{};
  }
  return slot->sections.empty() ? nullptr : &*slot;
}

// PACKAGE.SECTION.OPTION or PACKAGE.SECTION (its type). Absent or empty: unknown, a setting.
std::optional<Value> Evaluator::uci_value(const std::string& path) {
  const auto parts = base::split(path, '.');
  if (parts.size() < 2) return std::nullopt;
  const std::string package(parts[0]);
  const auto file = "/etc/config/" + package;
  if (const auto* const known = uci_package(package))
    if (const auto* const section = known->find(parts[1])) {
      if (parts.size() == 2) return known_value(section->type, {Origin::Kind::config_get, file, section->line, path});
      if (const auto option = option_of(*section, path.substr(package.size() + parts[1].size() + 2)); option && !option->value.empty())
        return known_value(option->value, {Origin::Kind::config_get, file, option->line, path});
    }
  return unknown_value("$(uci get " + path + ")", {Origin::Kind::setting, file, 0, path});
}

std::optional<Value> Evaluator::produce(const std::string& name, const std::vector<Value>& arguments, const Value* in) {
  std::vector<std::string> words;
  for (const auto& argument : arguments) words.push_back(argument.written());
  const auto tool = name.substr(name.rfind('/') + 1);
  if (tool == "busybox" && !words.empty()) return produce(words[0], {arguments.begin() + 1, arguments.end()}, in);

  if ((tool == "basename" || tool == "dirname") && !arguments.empty()) {
    Value out{{}};
    for (const auto& option : arguments[0].options) {
      auto text = option.written();
      while (text.size() > 1 && text.ends_with('/')) text.pop_back();
      const auto slash = text.rfind('/');
      if (tool == "basename") {
        if (slash != std::string::npos && text.size() > 1) text.erase(0, slash + 1);
        if (words.size() > 1 && text.ends_with(words[1]) && text != words[1]) text.erase(text.size() - words[1].size());
      } else {
        text = slash == std::string::npos ? "." : slash == 0 ? "/" : text.substr(0, slash);
      }
      auto one = option.resolved() ? known_value(text, {}) : unknown_value("$(" + tool + " " + option.written() + ")", {});
      one.options[0].origins = option.origins;
      out = out.options.empty() ? one : join(out, one);
    }
    return out;
  }
  if (tool == "uci") {
    for (std::size_t i = 0; i + 1 < words.size(); ++i)
      if (words[i] == "get" && arguments[i + 1].first().resolved()) return uci_value(words[i + 1]);
  }
  if (reads_setting(tool, words))
    return unknown_value("$(" + tool + " " + base::join(words, " ") + ")", {Origin::Kind::setting, "", line_, words.empty() ? "" : words.back()});

  // Files named as arguments: cat FILE..., grep PATTERN FILE, head FILE ...
  std::vector<Value> rest;
  std::optional<Value> content;
  bool skip_pattern = tool == "grep" || tool == "awk" || tool == "sed" || tool == "tr";
  const bool reads_files = tool == "cat" || tool == "grep" || tool == "head" || tool == "tail" || tool == "cut" || tool == "awk" || tool == "sed";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& word = words[i];
    if (!reads_files || word.empty() || word[0] != '/' || !arguments[i].first().resolved() || skip_pattern) {
      if (!word.empty() && word[0] != '-') skip_pattern = false;
      rest.push_back(arguments[i]);
      continue;
    }
    const auto path = base::normal_path(word);
    const auto text = read_file(path);
    Value one;
    if (text && !base::trim(*text).empty() && text->size() <= (tool == "cat" ? max_content : 16 * max_content) && text->find('\0') == std::string::npos)
      one = known_value(*text, {Origin::Kind::file_content, path, 0, ""});
    else
      one = unknown_value("$(cat " + path + ")", {is_volatile(path) || text ? Origin::Kind::command : Origin::Kind::setting, path, 0, "cat " + path});
    content = content ? concat(*content, one) : one;
  }
  if (tool == "cat") return content ? content : in != nullptr && arguments.empty() ? std::optional(*in) : std::nullopt;
  if (content) in = &*content;
  if (in == nullptr) return std::nullopt;
  std::vector<std::string> plain;
  for (const auto& each : rest) plain.push_back(each.written());
  Value out{{}};
  for (const auto& option : in->options) {
    const auto text = option.resolved() && std::ranges::all_of(rest, [](const Value& v) { return v.only() != nullptr; }) ? filtered(tool, plain, option.written()) : std::nullopt;
    Value one;
    if (text && !base::trim(*text).empty()) {
      one = known_value(*text, {});
    } else {
      one = unknown_value("$(" + tool + (plain.empty() ? "" : " ") + base::join(plain, " ") + ")", {});
    }
    one.options[0].origins = option.origins;
    // A key that the file does not hold is a setting.
    if (text && base::trim(*text).empty())
      for (auto& origin : one.options[0].origins)
        if (origin.kind == Origin::Kind::file_content) origin = {Origin::Kind::setting, origin.file, 0, plain.empty() ? "" : plain.back()};
    out = out.options.empty() ? one : join(out, one);
  }
  return out;
}

}  // namespace shell
