// Words into values: parameter, command and arithmetic expansion, then field splitting (XCU 2.6).
#include <algorithm>
#include <charconv>

#include "shell/evaluator.h"
#include "shell/reader.h"

namespace shell {

namespace {

std::optional<long long> number_of(std::string_view text) {
  long long value = 0;
  const int base = text.starts_with("0x") ? 16 : 10;
  if (base == 16) text.remove_prefix(2);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// + - * / % and parentheses over constants; nothing for the rest. Overflow and division by zero give nothing.
class Sum {
 public:
  explicit Sum(std::string_view text) : text_(text) {}
  std::optional<long long> value() {
    const auto out = sum(0);
    blanks();
    return at_ == text_.size() ? out : std::nullopt;
  }

 private:
  void blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }
  std::optional<long long> sum(int depth) {
    auto left = product(depth);
    for (;;) {
      blanks();
      if (!left || at_ >= text_.size() || (text_[at_] != '+' && text_[at_] != '-')) return left;
      const char op = text_[at_++];
      const auto right = product(depth);
      long long out = 0;
      if (!right || (op == '+' ? __builtin_add_overflow(*left, *right, &out) : __builtin_sub_overflow(*left, *right, &out))) return std::nullopt;
      left = out;
    }
  }
  std::optional<long long> product(int depth) {
    auto left = atom(depth);
    for (;;) {
      blanks();
      if (!left || at_ >= text_.size() || (text_[at_] != '*' && text_[at_] != '/' && text_[at_] != '%')) return left;
      const char op = text_[at_++];
      const auto right = atom(depth);
      if (!right || (op != '*' && (*right == 0 || *right == -1))) return std::nullopt;
      long long out = 0;
      if (op == '*' && __builtin_mul_overflow(*left, *right, &out)) return std::nullopt;
      if (op == '/') out = *left / *right;
      if (op == '%') out = *left % *right;
      left = out;
    }
  }
  std::optional<long long> atom(int depth) {
    blanks();
    if (depth > 32 || at_ >= text_.size()) return std::nullopt;
    if (text_[at_] == '(') {
      ++at_;
      const auto inside = sum(depth + 1);
      blanks();
      if (at_ >= text_.size() || text_[at_] != ')') return std::nullopt;
      ++at_;
      return inside;
    }
    const auto start = at_;
    if (text_[at_] == '-') ++at_;
    while (at_ < text_.size() && ((text_[at_] >= '0' && text_[at_] <= '9') || text_[at_] == 'x' || (text_[at_] >= 'a' && text_[at_] <= 'f'))) ++at_;
    return number_of(text_.substr(start, at_ - start));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string without_prefix(const std::string& text, const std::string& pattern, bool longest) {
  std::size_t best = std::string::npos;
  for (std::size_t n = 0; n <= text.size(); ++n) {
    if (!glob_match(pattern, std::string_view(text).substr(0, n))) continue;
    best = n;
    if (!longest) break;
  }
  return best == std::string::npos ? text : text.substr(best);
}

std::string without_suffix(const std::string& text, const std::string& pattern, bool longest) {
  std::size_t best = std::string::npos;
  for (std::size_t n = text.size() + 1; n-- > 0;) {
    if (!glob_match(pattern, std::string_view(text).substr(n))) continue;
    best = n;
    if (!longest) break;
  }
  return best == std::string::npos ? text : text.substr(0, best);
}

bool is_blank_text(const Text& text) { return text.resolved() && text.written().empty(); }

}  // namespace

Origin Evaluator::here(Origin::Kind kind, std::string key) const {
  return {kind, source_ != nullptr ? source_->path : script_.path, line_, std::move(key)};
}

Value Evaluator::look_up(const std::string& name, State& state, bool& is_set) {
  is_set = true;
  const auto joined = [&](const std::vector<Value>& all) {
    Value out = empty_value();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i > 0)
        for (auto& option : out.options) option.append(Piece{.breaks = true});
      out = concat(out, all[i]);
    }
    return out;
  };
  if (name == "0") return known_value(script_.path, here(Origin::Kind::literal));
  if (name == "@" || name == "*") {
    is_set = state.arguments_known && !state.arguments.empty();
    return state.arguments_known ? joined(state.arguments) : unknown_value("${@}", here(Origin::Kind::argument, "@"));
  }
  if (name == "#" && state.arguments_known) return known_value(std::to_string(state.arguments.size()), here(Origin::Kind::literal));
  if (const auto index = number_of(name); index && *index > 0) {
    if (!state.arguments_known) {
      is_set = false;
      return unknown_value("${" + name + "}", here(Origin::Kind::argument, name));
    }
    is_set = static_cast<std::size_t>(*index) <= state.arguments.size();
    return is_set ? state.arguments[static_cast<std::size_t>(*index) - 1] : empty_value();
  }
  if (const auto known = state.variables.find(name); known != state.variables.end()) return known->second;
  is_set = false;
  if (state.unset.contains(name)) return empty_value();
  if (name.size() == 1 && !ast::is_name_start(name[0])) return unknown_value("${" + name + "}", here(Origin::Kind::command, name));
  Origin origin = here(Origin::Kind::environment, name);
  if (!missing_source_.empty()) origin = {Origin::Kind::setting, missing_source_, 0, name};
  return unknown_value("${" + name + "}", origin);
}

Value Evaluator::expand(const ast::Word& word, State& state, bool in_quotes) {
  Value out = empty_value();
  if (word.line != 0) line_ = word.line;
  for (const auto& part : word.parts) {
    if (!charge(1)) break;
    out = concat(out, expand_part(part, state, in_quotes));
  }
  return out;
}

Value Evaluator::expand_part(const ast::Part& part, State& state, bool in_quotes) {
  using Kind = ast::Part::Kind;
  switch (part.kind) {
    case Kind::literal: return known_value(part.text, here(Origin::Kind::literal), in_quotes);
    case Kind::escaped:
    case Kind::single:
    case Kind::ansi: return known_value(part.text, here(Origin::Kind::literal), true);
    case Kind::double_: {
      if (part.words[0].parts.empty()) return known_value("", here(Origin::Kind::literal), true);
      const bool all = part.words[0].parts.size() == 1 && part.words[0].parts[0].kind == Kind::parameter && part.words[0].parts[0].text == "@";
      if (all && state.arguments_known && state.arguments.empty()) return empty_value();
      return quoted(expand(part.words[0], state, true), true);
    }
    case Kind::parameter: {
      auto value = expand_parameter(part, state, in_quotes);
      return in_quotes ? quoted(std::move(value), true) : value;
    }
    case Kind::command: return quoted(expand_command(part, state), in_quotes);
    case Kind::arithmetic: return quoted(expand_arithmetic(part, state), in_quotes);
    case Kind::process: {
      State child = state;
      child.capture = false;
      run_list(part.body, child);
      return unknown_value(part.raw, here(Origin::Kind::command, part.raw));
    }
  }
  return empty_value();
}

Value Evaluator::expand_parameter(const ast::Part& part, State& state, bool in_quotes) {
  bool is_set = false;
  std::string name = part.text;
  if (part.indirect) {
    const auto pointer = look_up(name, state, is_set);
    if (pointer.only() == nullptr) return unknown_value(part.raw, here(Origin::Kind::environment, name));
    name = pointer.written();
  }
  Value value;
  if (!part.subscript.empty()) {
    const auto array = state.arrays.find(name);
    if (array == state.arrays.end()) return unknown_value(part.raw, here(Origin::Kind::environment, name));
    is_set = true;
    if (part.subscript == "@" || part.subscript == "*") {
      if (part.length) return known_value(std::to_string(array->second.size()), here(Origin::Kind::literal));
      value = empty_value();
      for (std::size_t i = 0; i < array->second.size(); ++i) {
        if (i > 0)
          for (auto& option : value.options) option.append(Piece{.breaks = true});
        value = concat(value, array->second[i]);
      }
    } else {
      const auto index = number_of(part.subscript);
      if (!index || *index < 0 || static_cast<std::size_t>(*index) >= array->second.size()) return unknown_value(part.raw, here(Origin::Kind::environment, name));
      value = array->second[static_cast<std::size_t>(*index)];
    }
  } else {
    value = look_up(name, state, is_set);
  }
  value = quoted(std::move(value), false);

  if (part.length) {
    Value out{{}};
    for (const auto& option : value.options)
      out = option.resolved() ? (out.options.empty() ? known_value(std::to_string(option.written().size()), here(Origin::Kind::literal))
                                                     : join(out, known_value(std::to_string(option.written().size()), here(Origin::Kind::literal))))
                              : unknown_value("${#" + name + "}", here(Origin::Kind::environment, name));
    return out;
  }
  if (part.op.empty()) return value;

  const bool colon = part.op.size() == 2 && part.op[0] == ':';
  const char last = part.op.back();
  const bool plain_op = part.op.size() == 1 || colon;
  if (plain_op && (last == '-' || last == '=' || last == '?')) {
    Value kept{{}};
    bool needs_word = false;
    for (auto& option : value.options) {
      const bool empty = is_blank_text(option);
      if (!option.resolved()) {
        needs_word = true;
        kept.options.push_back(option);
      } else if ((empty && colon) || !is_set) {
        needs_word = true;
      } else {
        kept.options.push_back(option);
      }
    }
    if (!needs_word || last == '?') return kept.options.empty() ? value : kept;
    auto word = expand(part.words[0], state, in_quotes);
    for (auto& option : word.options)
      for (auto& origin : option.origins)
        if (origin.kind == Origin::Kind::literal) origin = {Origin::Kind::default_expansion, origin.file, origin.line, name};
    auto out = kept.options.empty() ? word : join(word, kept);
    if (last == '=' && ast::is_name_start(name[0])) state.variables[name] = out;
    return out;
  }
  if (plain_op && last == '+') {
    auto word = expand(part.words[0], state, in_quotes);
    const bool maybe_unset = std::ranges::any_of(value.options, [&](const Text& t) { return !t.resolved() || (colon && is_blank_text(t)); }) || !is_set;
    const bool never = std::ranges::all_of(value.options, [&](const Text& t) { return colon ? is_blank_text(t) : false; }) || (!is_set && value.first().resolved());
    if (never) return empty_value();
    return maybe_unset ? join(word, empty_value()) : word;
  }

  const auto operand = part.words.empty() ? empty_value() : expand(part.words[0], state, false);
  Value out{{}};
  for (const auto& option : value.options) {
    const auto text = option.written();
    std::optional<std::string> result;
    if (option.resolved() && operand.only() != nullptr && text.size() <= 4096 && charge(text.size() * (part.op[0] == '%' || part.op[0] == '#' ? text.size() / 16 + 1 : 1))) {
      const auto pattern = operand.only()->pattern();
      if (part.op == "#" || part.op == "##") result = without_prefix(text, pattern, part.op.size() == 2);
      else if (part.op == "%" || part.op == "%%") result = without_suffix(text, pattern, part.op.size() == 2);
      else if (part.op == "/" || part.op == "//") {
        const auto slash = pattern.find('/');
        auto from = pattern.substr(0, slash);
        const auto to = slash == std::string::npos ? "" : pattern.substr(slash + 1);
        if (!from.empty() && from.find_first_of("*?[\\") == std::string::npos) {
          result = text;
          for (auto at = result->find(from); at != std::string::npos && result->size() < max_text; at = result->find(from, at + to.size())) {
            result->replace(at, from.size(), to);
            if (part.op == "/") break;
          }
        }
      } else if (part.op == ":") {
        const auto colon_at = pattern.find(':');
        const auto offset = number_of(pattern.substr(0, colon_at));
        const auto length = colon_at == std::string::npos ? std::optional<long long>(static_cast<long long>(text.size())) : number_of(pattern.substr(colon_at + 1));
        if (offset && length && *offset >= 0 && *length >= 0)
          result = static_cast<std::size_t>(*offset) >= text.size() ? "" : text.substr(static_cast<std::size_t>(*offset), static_cast<std::size_t>(*length));
      }
    }
    Value one = result ? known_value(*result, {}) : unknown_value("${" + name + part.op + (part.words.empty() ? "" : part.words[0].parts.empty() ? "" : operand.written()) + "}", {});
    one.options[0].origins = option.origins;
    out = out.options.empty() ? one : join(out, one);
  }
  return out;
}

Value Evaluator::expand_arithmetic(const ast::Part& part, State& state) {
  const auto text = expand(part.words[0], state, true);
  std::string source;
  if (const auto* only = text.only()) {
    const auto written = only->written();
    for (std::size_t i = 0; i < written.size();) {  // bare names are variables
      if (!ast::is_name_start(written[i]) || (i > 0 && written[i - 1] >= '0' && written[i - 1] <= '9')) {
        source += written[i++];
        continue;
      }
      std::size_t end = i;
      while (end < written.size() && (ast::is_name_start(written[end]) || (written[end] >= '0' && written[end] <= '9'))) ++end;
      bool is_set = false;
      const auto value = look_up(written.substr(i, end - i), state, is_set);
      source += value.only() != nullptr ? value.written() : "?";
      i = end;
    }
    if (const auto value = Sum(source).value()) return known_value(std::to_string(*value), here(Origin::Kind::literal));
  }
  return unknown_value(part.raw, here(Origin::Kind::command, part.raw));
}

Value Evaluator::expand_command(const ast::Part& part, State& state) {
  if (part.body.size() == 1 && part.body[0].pipelines.size() == 1 && part.body[0].pipelines[0].commands.size() == 1) {
    const auto& only = part.body[0].pipelines[0].commands[0];
    if (only.kind == ast::Command::Kind::simple && only.words.empty() && only.assignments.empty() && only.redirects.size() == 1 && only.redirects[0].op == "<") {
      if (auto value = produce("cat", {expand(only.redirects[0].target, state)}, nullptr)) {  // bash: $(< file)
        strip_newlines(*value);
        return *value;
      }
    }
  }
  State child = state;
  child.capture = true;
  child.out = empty_value();
  child.in.reset();
  const auto pipe = std::pair(pipe_id_, pipe_position_);
  pipe_id_ = -1;
  auto* const breaks = std::exchange(breaks_, nullptr);
  auto outer = std::exchange(outer_redirects_, {});
  const auto line = line_;
  run_list(part.body, child);
  line_ = line;
  outer_redirects_ = std::move(outer);
  breaks_ = breaks;
  std::tie(pipe_id_, pipe_position_) = pipe;
  strip_newlines(child.out);
  return child.out;
}

std::vector<std::vector<Text>> Evaluator::fields(const ast::Word& word, State& state) {
  const auto value = expand(word, state);
  bool is_set = false;
  std::string separators = " \t\n";
  if (state.variables.contains("IFS")) {
    const auto ifs = look_up("IFS", state, is_set);
    if (ifs.only() != nullptr) separators = ifs.written();
  }
  // Literal text is not split, however it came about: only expansions are.
  const bool plain = std::ranges::all_of(word.parts, [](const ast::Part& p) {
    return p.kind != ast::Part::Kind::parameter && p.kind != ast::Part::Kind::command && p.kind != ast::Part::Kind::arithmetic && p.kind != ast::Part::Kind::double_;
  });
  std::vector<std::vector<Text>> out;
  for (const auto& option : value.options) {
    if (plain) out.push_back({option});
    else out.push_back(split_fields(option, separators));
  }
  return out;
}

}  // namespace shell
