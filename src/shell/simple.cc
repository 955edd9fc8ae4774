// Simple commands: their words and redirects are expanded and emitted; what the shell itself does with them is done to the state.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/text.h"
#include "shell/carriers.h"
#include "shell/evaluator.h"
#include "shell/reader.h"

namespace shell {

namespace {

constexpr std::array<std::string_view, 5> declarations = {"local", "export", "readonly", "declare", "typeset"};
// Commands that write nothing to their standard output when all is well.
constexpr std::array<std::string_view, 40> silent = {"true",  "false", ":",     "test",   "[",    "[[",    "local", "export", "readonly", "return", "exit",   "shift",  "set",    "cd",
                                                     "mkdir", "rm",    "rmdir", "touch",  "sleep", "kill", "cp",    "mv",     "ln",       "chmod",  "chown",  "mount",  "umount", "logger",
                                                     "unset", "break", "continue", "trap", "read", "usleep", "sync", "insmod", "modprobe", "eval",  "declare", "typeset"};

bool is_one_of(std::string_view name, const auto& names) { return std::ranges::find(names, name) != names.end(); }

bool is_constant(const Value& value) {
  return value.only() != nullptr && std::ranges::all_of(value.only()->origins, [](const Origin& o) { return o.kind == Origin::Kind::literal || o.kind == Origin::Kind::assignment; });
}

std::optional<long long> integer(const std::string& text) {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty() ? std::optional(value) : std::nullopt;
}

// NAME of a word NAME=..., empty when it is none.
std::string assigned_name(std::string_view raw) {
  const auto equals = raw.find('=');
  if (equals == std::string_view::npos || equals == 0 || !ast::is_name_start(raw[0])) return {};
  const auto name = raw.substr(0, equals);
  return std::ranges::all_of(name, ast::is_name) ? std::string(name) : std::string{};
}

Value without_prefix(Value value, std::size_t bytes) {
  for (auto& option : value.options) {
    std::size_t left = bytes;
    for (auto& piece : option.pieces) {
      const auto cut = std::min(left, piece.text.size());
      piece.text.erase(0, cut);
      left -= cut;
    }
    std::erase_if(option.pieces, [](const Piece& p) { return p.text.empty() && !p.quoted; });
  }
  return value;
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 >= text.size()) {
      out += text[i];
      continue;
    }
    switch (text[++i]) {
      case 'n': out += '\n'; break;
      case 't': out += '\t'; break;
      case '\\': out += '\\'; break;
      default: out += '\\', out += text[i];
    }
  }
  return out;
}

// printf's output for a known format of %s and %d; nothing otherwise.
std::optional<Value> formatted(const std::vector<Value>& arguments) {
  if (arguments.empty() || arguments[0].only() == nullptr) return std::nullopt;
  const auto format = unescaped(arguments[0].written());
  Value out = empty_value();
  std::size_t next = 1;
  do {
    std::string run;
    for (std::size_t i = 0; i < format.size(); ++i) {
      if (format[i] != '%') {
        run += format[i];
      } else if (i + 1 < format.size() && format[i + 1] == '%') {
        run += '%';
        ++i;
      } else if (i + 1 < format.size() && (format[i + 1] == 's' || format[i + 1] == 'd')) {
        out = concat(out, known_value(run, {}));
        run.clear();
        if (next < arguments.size()) out = concat(out, arguments[next]);
        ++next;
        ++i;
      } else {
        return std::nullopt;
      }
    }
    out = concat(out, known_value(run, {}));
  } while (next > 1 && next < arguments.size());
  for (auto& option : out.options) std::erase(option.origins, Origin{});
  return out;
}

}  // namespace

Truth Evaluator::run_simple(const ast::Command& command, State& state) {
  Command out{.line = command.line, .raw = command.raw};
  line_ = command.line;
  const auto first = emitted();

  std::vector<std::vector<std::vector<Text>>> words;  // for each word, for each option, its fields
  std::vector<const std::string*> raws;
  bool declares = false;
  for (const auto& word : command.words) {
    if (declares && !assigned_name(word.raw).empty()) {
      auto& options = words.emplace_back();
      for (auto& option : expand(word, state).options) options.push_back({option});
    } else {
      words.push_back(fields(word, state));
    }
    raws.push_back(&word.raw);
    if (words.size() == 1 && !words[0].empty() && !words[0][0].empty()) declares = is_one_of(words[0][0][0].written(), declarations);
  }
  std::size_t variants = 1;
  for (const auto& options : words)
    if (std::ranges::any_of(options, [&](const auto& f) { return f.size() != options[0].size(); })) variants = std::max(variants, std::min<std::size_t>(options.size(), 4));

  std::vector<std::vector<Value>> of_variant(variants);
  std::vector<std::vector<Word>> words_of_variant(variants);
  for (std::size_t v = 0; v < variants; ++v)
    for (std::size_t w = 0; w < words.size(); ++w) {
      const auto& options = words[w];
      const auto& chosen = options[std::min(v, options.size() - 1)];
      const bool regular = std::ranges::all_of(options, [&](const auto& f) { return f.size() == options[0].size(); });
      for (std::size_t field = 0; field < chosen.size(); ++field) {
        Value value{{}};
        if (regular) {
          for (const auto& option : options) value.options.push_back(option[field]);
        } else {
          value.options.push_back(chosen[field]);
        }
        words_of_variant[v].push_back(word_of(value.options, *raws[w]));
        of_variant[v].push_back(std::move(value));
      }
    }
  const auto& values = of_variant[0];

  if (command.words.empty() || !values.empty()) {
    for (const auto& assignment : command.assignments) {
      const auto value = assignment.is_array ? empty_value() : expand(assignment.value, state);
      out.assignments.emplace_back(assignment.name, word_of(value.options, assignment.value.raw));
      if (command.words.empty() || declares) assign(assignment, value, state);
    }
  }
  out.redirects = redirects_of(command.redirects, state);
  const bool away = std::ranges::any_of(out.redirects, [](const Redirect& r) { return r.op[0] == '>' && (r.fd == -1 || r.fd == 1); });
  std::uint32_t index = 0;
  for (std::size_t v = 0; v < variants; ++v) {
    Command each = out;
    each.words = words_of_variant[v];
    const auto at = emit(std::move(each), state);
    if (v == 0) index = at;
  }
  if (dry_ == 0)
    for (std::uint32_t i = first; i < index && i < emitted(); ++i)
      if (!script_.commands[i].captured_by) script_.commands[i].captured_by = index;

  if (values.empty()) {
    if (command.assignments.empty() || !command.words.empty()) return Truth::unknown;
    return std::ranges::any_of(command.assignments, [](const auto& a) { return std::ranges::any_of(a.value.parts, [](const auto& p) { return p.kind == ast::Part::Kind::command; }); })
               ? Truth::unknown
               : Truth::yes;
  }
  const auto name = values[0].only() != nullptr ? values[0].written() : std::string{};
  const std::vector<Value> arguments(values.begin() + 1, values.end());
  const auto words_copy = words_of_variant[0];
  const bool is_config = name.starts_with("config_") && (name == "config_load" || name == "config_get" || name == "config_get_bool" || name == "config_foreach");
  if (const auto function = functions_.find(name); function != functions_.end() && !is_config) {
    if (dry_ == 0) script_.commands[index].calls_function = true;
    const auto kept = state.out;
    const auto truth = call(function->second, arguments, words_copy, state);
    if (away) state.out = kept;
    return truth;
  }
  if (is_config) {
    config_command(name, arguments, state);
    return Truth::unknown;
  }
  const auto truth = run_builtin(name, command, arguments, index, state);

  if (state.capture && !away && name != "eval") {  // what eval says, the commands that it runs say
    std::optional<Value> text;
    if (name == "echo") {
      Value line = empty_value();
      std::size_t from = 0;
      bool newline = true, escapes = false;
      for (; from < arguments.size(); ++from) {
        const auto option = arguments[from].written();
        if (option != "-n" && option != "-e" && option != "-ne" && option != "-en") break;
        newline &= option.find('n') == std::string::npos;
        escapes |= option.find('e') != std::string::npos;
      }
      for (std::size_t i = from; i < arguments.size(); ++i) {
        if (i > from) line = concat(line, known_value(" ", {}));
        line = concat(line, quoted(arguments[i], false));
      }
      if (newline) line = concat(line, known_value("\n", {}));
      for (auto& option : line.options) {
        std::erase(option.origins, Origin{});
        if (escapes)
          for (auto& piece : option.pieces)
            if (piece.known) piece.text = unescaped(piece.text);
      }
      text = std::move(line);
    } else if (name == "printf") {
      text = formatted(arguments);
    } else if (is_one_of(name, silent)) {
      return truth;
    } else {
      const auto* in = state.in ? &*state.in : nullptr;
      std::optional<Value> from_file;
      for (const auto& redirect : command.redirects)
        if (redirect.op == "<" && (from_file = produce("cat", {expand(redirect.target, state)}, nullptr))) in = &*from_file;
      text = produce(name, arguments, in);
    }
    if (!text) text = unknown_value("$(" + command.raw + ")", {Origin::Kind::command, source_->path, command.line, command.raw});
    state.out = concat(state.out, *text);
  }

  if (const auto at = shell_text_index(words_copy); at && text_depth_ < 4 && *at < values.size()) {
    Value text = values[*at];
    if (name == "eval")
      for (std::size_t i = *at + 1; i < values.size(); ++i) text = concat(concat(text, known_value(" ", {})), values[i]);
    if (name == "eval") {
      run_text(text.first(), command.line, state, false);
    } else {
      State child = state;
      child.life = state.life;
      child.capture = false;
      run_text(text.first(), command.line, child, false);
    }
  }
  return truth;
}

void Evaluator::run_text(const Text& text, std::uint32_t line, State& state, bool trap) {
  const auto written = text.written();
  if (written.empty() || text_depth_ >= 4 || !charge(written.size() / 8 + 1)) return;
  ++text_depth_;
  auto& source = sources_.emplace_back();
  source.program = ast::read(written, source_->path, read_steps_, line);
  source.path = source_->path;
  for (auto doubt : source.program.doubts)
    if (text.resolved()) base::add_doubt(script_.doubts, std::move(doubt));
  const auto* const outer = std::exchange(source_, &source);
  const bool in_trap = std::exchange(in_trap_, in_trap_ || trap);
  run_list(source.program.list, state);
  in_trap_ = in_trap;
  source_ = outer;
  line_ = line;
  --text_depth_;
}

std::vector<Redirect> Evaluator::redirects_of(const std::vector<ast::Redirect>& redirects, State& state) {
  std::vector<Redirect> out;
  for (const auto& each : redirects) {
    Redirect redirect{.fd = each.fd, .op = each.op};
    if (each.op == "<<" || each.op == "<<-") {
      const auto& document = source_->program.here_documents[each.here];
      redirect.target = word_of({known_value(document.delimiter, {}).first()}, each.target.raw);
      redirect.here_document = document.body;
      if (!document.quoted) {
        const auto value = expand(document.parsed, state, true);
        redirect.here_document = value.written();
        redirect.here_resolved = value.first().resolved();
      }
    } else {
      redirect.target = word_of(expand(each.target, state).options, each.target.raw);
    }
    out.push_back(std::move(redirect));
  }
  return out;
}

void Evaluator::set(const std::string& name, Value value, std::uint32_t line, State& state) {
  if (state.life != State::Life::alive) return;
  const bool from_conf = source_ != nullptr && source_->is_conf && source_depth_ > 0;
  const auto path = source_ != nullptr ? source_->path : script_.path;
  value = quoted(std::move(value), false);
  if (from_conf && value.options.size() == 1 && value.first().written().empty()) {
    state.variables[name] = unknown_value("${" + name + "}", {Origin::Kind::setting, path, line, name});
    return;
  }
  for (auto& option : value.options) {
    std::vector<Origin> origins;
    origins.swap(option.origins);
    for (auto& origin : origins) {
      if (origin.kind == Origin::Kind::literal) origin = {from_conf ? Origin::Kind::sourced_file : Origin::Kind::assignment, path, line, name};
      option.add_origin(origin);
    }
  }
  state.variables[name] = std::move(value);
}

void Evaluator::assign(const ast::Assignment& assignment, Value value, State& state) {
  if (state.life != State::Life::alive) return;
  if (assignment.is_array) {
    auto& array = state.arrays[assignment.name];
    if (!assignment.append) array.clear();
    for (const auto& element : assignment.elements) {
      const auto options = fields(element, state);
      for (const auto& field : options[0])
        if (array.size() < 256) array.push_back({{field}});
    }
    state.variables[assignment.name] = array.empty() ? empty_value() : quoted(array[0], false);
    return;
  }
  if (!assignment.subscript.empty()) {
    const auto index = integer(assignment.subscript);
    auto& array = state.arrays[assignment.name];
    if (index && *index >= 0 && static_cast<std::size_t>(*index) < array.size()) array[static_cast<std::size_t>(*index)] = value;
    else if (index && static_cast<std::size_t>(*index) == array.size() && array.size() < 256) array.push_back(value);
    else state.arrays.erase(assignment.name);
    return;
  }
  if (assignment.append) {
    bool is_set = false;
    auto before = look_up(assignment.name, state, is_set);
    value = concat(before, value);
  }
  set(assignment.name, std::move(value), line_, state);
}

void Evaluator::source(const Value& path, State& state) {
  const Text* only = path.only();
  const auto written = path.written();
  if (only == nullptr) {
    if (missing_source_.empty()) missing_source_ = written;
    return;
  }
  const auto slash = script_.path.rfind('/');
  const auto full = base::normal_path(written, slash == std::string::npos ? "/" : script_.path.substr(0, slash));
  if (std::ranges::find(script_.sources, full) == script_.sources.end()) script_.sources.push_back(full);
  const auto text = read_file(full);
  if (!text) {
    if (missing_source_.empty()) missing_source_ = full;
    return;
  }
  if (source_depth_ >= max_source_depth || ++sourced_[full] > 3 * (1 + dry_)) return;
  ++source_depth_;
  const Source* loaded = nullptr;
  for (const auto& each : sources_)
    if (&each != &sources_.front() && each.path == full && each.whole) loaded = &each;
  if (loaded == nullptr) {
    loaded = load(*text, full);
    sources_.back().whole = true;
  }
  const auto* const outer = std::exchange(source_, loaded);
  const auto line = line_;
  run_list(loaded->program.list, state);
  if (state.life == State::Life::returned) state.life = State::Life::alive;
  line_ = line;
  source_ = outer;
  --source_depth_;
}

Truth Evaluator::run_builtin(const std::string& name, const ast::Command& command, const std::vector<Value>& arguments, std::uint32_t, State& state) {
  const bool alive = state.life == State::Life::alive;
  const auto unknown_input = [&](const std::string& variable, Origin::Kind kind) {
    state.variables[variable] = unknown_value("${" + variable + "}", here(kind, variable));
  };
  if (name == "true" || name == ":") return Truth::yes;
  if (name == "false") return Truth::no;
  if (name == "[" || name == "[[" || name == "test") {
    auto words = arguments;
    if (name != "test" && !words.empty()) words.pop_back();
    return test(words);
  }
  if (name == "exit" || name == "exec") {
    if (name == "exit" || !arguments.empty()) {
      if (alive) state.life = State::Life::exited;
    }
    return Truth::unknown;
  }
  if (name == "return") {
    if (alive && returns_ != nullptr && returns_->size() < 8) returns_->push_back(state);
    if (alive) state.life = State::Life::returned;
    return Truth::unknown;
  }
  if (name == "break" || name == "continue") {
    auto* const to = name == "break" ? breaks_ : continues_;
    if (to == nullptr) return Truth::unknown;
    if (alive && to->size() < 8) to->push_back(state);
    if (alive) state.life = State::Life::broke;
    return Truth::unknown;
  }
  if (name == "." || name == "source") {
    if (!arguments.empty() && alive) source(arguments[0], state);
    return Truth::unknown;
  }
  if (is_one_of(name, declarations)) {
    for (const auto& argument : arguments) {
      const auto variable = assigned_name(argument.written());
      const auto plain = argument.written();
      if (name == "local" && locals_ != nullptr) {
        const auto& key = variable.empty() ? plain : variable;
        const auto known = state.variables.find(key);
        locals_->try_emplace(key, known == state.variables.end() ? std::nullopt : std::optional(known->second));
        if (variable.empty() && alive && !key.empty() && ast::is_name_start(key[0])) state.variables[key] = empty_value();
      }
      if (!variable.empty()) set(variable, without_prefix(argument, variable.size() + 1), command.line, state);
    }
    return Truth::unknown;
  }
  if (name == "unset") {
    for (const auto& argument : arguments) {
      if (!alive || !argument.first().resolved()) continue;
      state.variables.erase(argument.written());
      state.unset.insert(argument.written());
    }
    return Truth::yes;
  }
  if (name == "read") {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const auto variable = arguments[i].written();
      if (variable == "-p" || variable == "-t" || variable == "-n" || variable == "-d" || variable == "-u") ++i;
      else if (!variable.empty() && ast::is_name_start(variable[0])) unknown_input(variable, Origin::Kind::input);
    }
    return Truth::unknown;
  }
  if (name == "getopts" && arguments.size() > 1) {
    unknown_input(arguments[1].written(), Origin::Kind::argument);
    unknown_input("OPTARG", Origin::Kind::argument);
    return Truth::unknown;
  }
  if (name == "json_get_var" || name == "json_get_vars" || name == "network_get_ipaddr" || name == "network_get_device") {
    if (!arguments.empty()) unknown_input(arguments[0].written(), Origin::Kind::command);
    return Truth::unknown;
  }
  if (name == "shift") {
    long long count = arguments.empty() ? 1 : integer(arguments[0].written()).value_or(-1);
    if (!state.arguments_known || count < 0 || static_cast<std::size_t>(count) > state.arguments.size()) state.arguments_known = false;
    else state.arguments.erase(state.arguments.begin(), state.arguments.begin() + static_cast<std::ptrdiff_t>(count));
    return Truth::unknown;
  }
  if (name == "set" && !arguments.empty()) {
    const auto option = arguments[0].written();
    if (!option.starts_with('-') && !option.starts_with('+')) {
      state.arguments = arguments;
      state.arguments_known = arguments[0].first().resolved();
    } else if (option == "--") {
      state.arguments.assign(arguments.begin() + 1, arguments.end());
      state.arguments_known = true;
    }
    return Truth::unknown;
  }
  if (name == "trap" && arguments.size() > 1 && arguments[0].written() != "-" && !arguments[0].written().starts_with("--")) {
    State child = state;
    run_text(arguments[0].first(), command.line, child, true);
    return Truth::unknown;
  }
  return Truth::unknown;
}

Truth Evaluator::test(const std::vector<Value>& words) const {
  if (words.size() > 1 && words[0].written() == "!") return !test({words.begin() + 1, words.end()});
  const auto all_constant = std::ranges::all_of(words, is_constant);
  if (!all_constant) return Truth::unknown;
  const auto is = [](bool b) { return b ? Truth::yes : Truth::no; };
  if (words.size() == 2 && words[0].written() == "-z") return is(words[1].written().empty());
  if (words.size() == 2 && words[0].written() == "-n") return is(!words[1].written().empty());
  if (words.size() != 3) return Truth::unknown;
  const auto left = words[0].written(), op = words[1].written(), right = words[2].written();
  if (op == "=" || op == "==") return words[2].first().has_glob() ? Truth::unknown : is(left == right);
  if (op == "!=") return words[2].first().has_glob() ? Truth::unknown : is(left != right);
  const auto a = integer(left), b = integer(right);
  if (!a || !b) return Truth::unknown;
  if (op == "-eq") return is(*a == *b);
  if (op == "-ne") return is(*a != *b);
  if (op == "-lt") return is(*a < *b);
  if (op == "-le") return is(*a <= *b);
  if (op == "-gt") return is(*a > *b);
  if (op == "-ge") return is(*a >= *b);
  return Truth::unknown;
}

// OpenWrt's lib/functions.sh: config_load PACKAGE, config_get VARIABLE SECTION OPTION [DEFAULT], config_foreach FUNCTION [TYPE] [ARGUMENT...].
void Evaluator::config_command(const std::string& name, const std::vector<Value>& arguments, State& state) {
  if (arguments.empty()) return;
  if (name == "config_load") {
    config_packages_ = {arguments[0].written()};
    return;
  }
  if (name == "config_foreach") {
    const auto function = functions_.find(arguments[0].written());
    if (function == functions_.end()) return;
    const auto type = arguments.size() > 1 ? arguments[1].written() : std::string{};
    bool any = false;
    int left = 4;
    for (const auto& package : config_packages_) {
      const auto* const known = uci_package(package);
      if (known == nullptr) continue;
      for (const auto& section : known->sections) {
        if ((!type.empty() && section.type != type) || left-- <= 0) continue;
        any = true;
        std::vector<Value> given = {known_value(section.name, {Origin::Kind::config_get, "/etc/config/" + package, section.line, package + "." + section.name})};
        if (arguments.size() > 2) given.insert(given.end(), arguments.begin() + 2, arguments.end());
        std::vector<Word> words = {word_of(arguments[0].options, "")};
        for (const auto& each : given) words.push_back(word_of(each.options, ""));
        call(function->second, given, words, state);
      }
    }
    if (!any) {
      State child = state;
      std::vector<Value> given = {unknown_value("${1}", {Origin::Kind::setting, config_packages_.empty() ? "" : "/etc/config/" + config_packages_[0], 0, type})};
      call(function->second, given, {word_of(arguments[0].options, ""), word_of(given[0].options, "")}, child);
      join_into(state, child);
    }
    return;
  }
  if (arguments.size() < 3) return;
  const auto variable = arguments[0].written();
  const auto package = config_packages_.empty() ? std::string{} : config_packages_[0];
  const auto file = package.empty() ? std::string{} : "/etc/config/" + package;
  const auto path = package + "." + arguments[1].written() + "." + arguments[2].written();
  std::optional<Value> value;
  if (arguments[1].first().resolved() && arguments[2].first().resolved()) {
    value = uci_value(path);
  } else if (const auto* const known = uci_package(package); known != nullptr && arguments[2].first().resolved()) {
    for (const auto& section : known->sections)
      if (const auto one = option_of(section, arguments[2].written()); one && !one->value.empty()) {
        const auto each = known_value(one->value, {Origin::Kind::config_get, file, one->line, package + "." + section.name + "." + one->key});
        value = value ? join(*value, each) : each;
      }
  }
  const auto absent = unknown_value("${" + variable + "}", {Origin::Kind::setting, file, 0, path});
  if (!value || !value->first().resolved()) {
    value = absent;
    if (arguments.size() > 3 && name != "config_foreach") {
      auto fallback = arguments[3];
      for (auto& option : fallback.options)
        for (auto& origin : option.origins)
          if (origin.kind == Origin::Kind::literal) origin = {Origin::Kind::default_expansion, origin.file, origin.line, path};
      value = join(fallback, absent);
    }
  }
  if (state.life == State::Life::alive) state.variables[variable] = quoted(*value, false);
}

}  // namespace shell
