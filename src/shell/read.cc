// Shell text into a syntax tree: lists, pipelines, commands, redirects. Words are read in read_word.cc.
#include <algorithm>
#include <array>

#include "shell/reader.h"

namespace shell::ast {

namespace {

constexpr std::array<std::string_view, 18> reserved_words = {"if",    "then", "else", "elif", "fi", "do",     "done", "case",     "esac",
                                                             "while", "until", "for",  "{",    "}",  "in",     "!",    "function", "[["};
constexpr std::array<std::string_view, 8> closing_words = {"then", "else", "elif", "fi", "do", "done", "esac", "}"};
// Longest first.
constexpr std::array<std::string_view, 13> redirect_operators = {"<<<", "&>>", "<<-", "<<", "<>", "<&", ">>", ">&", ">|", "&>", "<", ">", ""};

bool is_closing(std::string_view word) { return std::ranges::find(closing_words, word) != closing_words.end(); }

bool is_declaration(const std::vector<Word>& words) {
  if (words.empty() || words[0].parts.size() != 1) return false;
  const auto& name = words[0].parts[0].text;
  return name == "local" || name == "export" || name == "readonly" || name == "declare" || name == "typeset";
}

std::string cut(std::string_view text, std::size_t limit) { return std::string(text.substr(0, limit)); }

}  // namespace

bool is_reserved(std::string_view word) { return std::ranges::find(reserved_words, word) != reserved_words.end() || word == "select"; }

std::uint32_t Reader::line_at(std::size_t position) {
  if (position < line_from_) {  // only after a resynchronisation or for a failure behind us
    line_ -= static_cast<std::uint32_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(position), text_.begin() + static_cast<std::ptrdiff_t>(line_from_), '\n'));
  } else {
    position = std::min(position, text_.size());
    line_ += static_cast<std::uint32_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(line_from_), text_.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
  }
  line_from_ = position;
  return line_;
}

bool Reader::fail(std::string_view name, std::string detail) {
  if (failed_) return false;
  failed_ = true;
  failure_name_ = name;
  failure_ = std::move(detail);
  failure_at_ = std::min(at_, text_.size());
  return false;
}

bool Reader::charge(std::uint64_t steps) {
  if (*shared_.steps >= steps) {
    *shared_.steps -= steps;
    return true;
  }
  *shared_.steps = 0;
  exhausted_ = true;
  return fail("shell-budget", "the step budget ended the reading");
}

bool Reader::deeper() { return depth_ < max_depth || fail("shell-too-deep", "nested deeper than the reader follows"); }

void Reader::skip_blanks() {
  for (;;) {
    if (is_blank(peek()) && !at_end()) {
      ++at_;
    } else if (looking_at("\\\n")) {
      at_ += 2;
    } else if (!at_end() && peek() == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else {
      return;
    }
  }
}

bool Reader::newline() {
  if (at_end() || peek() != '\n') return false;
  ++at_;
  read_here_documents();
  return true;
}

void Reader::skip_newlines() {
  do skip_blanks();
  while (newline());
}

void Reader::read_here_documents() {
  const auto pending = std::move(pending_);
  pending_.clear();
  for (const auto& each : pending) {
    auto& documents = shared_.program->here_documents;
    const std::string delimiter = documents[each.here].delimiter;
    const std::uint32_t first_line = line_at(at_);
    std::string body;
    bool closed = false;
    while (!at_end() && !closed) {
      const auto end = std::min(text_.find('\n', at_), text_.size());
      auto line = text_.substr(at_, end - at_);
      at_ = std::min(end + 1, text_.size());
      if (each.strip_tabs) line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
      closed = line == delimiter;
      if (!closed) body.append(line).push_back('\n');
    }
    if (!charge(body.size() + 1)) return;
    if (!closed)
      base::add_doubt(shared_.program->doubts, {"shell-here-document", shared_.where, at_, "a here-document is not closed, line " + std::to_string(first_line)});
    Word parsed;
    parsed.line = first_line;
    if (!documents[each.here].quoted) {
      Reader inner(body, shared_, first_line, depth_ + 1);
      if (!inner.read_here_parts(parsed.parts)) {
        parsed.parts.clear();
        parsed.parts.push_back(part_of(Part::Kind::literal, body));
      }
    }
    auto& document = shared_.program->here_documents[each.here];  // the inner reader may have grown the vector
    document.body = std::move(body);
    document.parsed = std::move(parsed);
  }
}

std::string_view Reader::reserved_here() const {
  std::size_t end = at_;
  while (end < text_.size() && !is_meta(text_[end]) && text_[end] != '\\' && end - at_ < 10) ++end;
  const auto word = text_.substr(at_, end - at_);
  while (text_.substr(end, 2) == "\\\n") end += 2;
  if (end < text_.size() && !is_meta(text_[end])) return {};
  return is_reserved(word) ? word : std::string_view{};
}

bool Reader::take_reserved(std::string_view word) {
  skip_newlines();
  if (failed_) return false;
  if (reserved_here() != word) return fail("shell-syntax", "expected " + std::string(word));
  at_ += word.size();
  return true;
}

void Reader::read_program(List& out) {
  const int depth = depth_;
  for (;;) {
    depth_ = depth;
    skip_newlines();
    if (exhausted_) break;
    if (at_end()) break;
    const std::size_t start = at_;
    AndOr read;
    bool ok = charge(1) && and_or(read);
    if (ok) {
      skip_blanks();
      if (peek() == '&' && !at_end()) {
        read.background = true;
        ++at_;
      } else if (peek() == ';' && peek(1) != ';') {
        ++at_;
      } else if (!at_end() && peek() != '\n') {
        ok = fail("shell-syntax", std::string("unexpected ") + peek());
      }
    }
    if (ok) {
      out.push_back(std::move(read));
      continue;
    }
    base::add_doubt(shared_.program->doubts, {failure_name_, shared_.where, failure_at_, failure_ + ", line " + std::to_string(line_at(failure_at_))});
    if (exhausted_) break;
    if (!charge(failure_at_ > start ? failure_at_ - start : 1)) {
      base::add_doubt(shared_.program->doubts, {"shell-budget", shared_.where, start, "the step budget ended the reading"});
      break;
    }
    failed_ = false;
    pending_.clear();
    const auto next = text_.find('\n', start);
    at_ = next == std::string_view::npos ? text_.size() : next + 1;
  }
  if (exhausted_ && std::ranges::none_of(shared_.program->doubts, [](const auto& d) { return d.name == "shell-budget"; }))
    base::add_doubt(shared_.program->doubts, {"shell-budget", shared_.where, at_, "the step budget ended the reading"});
}

bool Reader::read_complete_list(List& out) {
  if (!list(out)) return false;
  skip_newlines();
  return at_end() ? !failed_ : fail("shell-syntax", "unexpected text in a substitution");
}

bool Reader::list(List& out) {
  if (!deeper()) return false;
  ++depth_;
  for (;;) {
    skip_newlines();
    if (failed_) return false;
    if (at_end() || peek() == ')' || looking_at(";;") || looking_at(";&") || is_closing(reserved_here())) break;
    AndOr read;
    if (!charge(1) || !and_or(read)) return false;
    skip_blanks();
    bool separated = false;
    if (!at_end() && peek() == '&') {
      read.background = true;
      separated = true;
      ++at_;
    } else if (!at_end() && peek() == ';' && peek(1) != ';' && peek(1) != '&') {
      separated = true;
      ++at_;
    } else if (!at_end() && peek() == '\n') {
      separated = true;
    }
    out.push_back(std::move(read));
    if (!separated) break;
  }
  --depth_;
  return true;
}

bool Reader::body(List& out) {
  if (!list(out)) return false;
  return !out.empty() || fail("shell-syntax", "an empty body");
}

bool Reader::and_or(AndOr& out) {
  skip_blanks();
  const std::size_t start = at_;
  for (;;) {
    out.pipelines.emplace_back();
    if (!pipeline(out.pipelines.back())) return false;
    const std::size_t end = at_;
    skip_blanks();
    if (!looking_at("&&") && !looking_at("||")) {
      out.raw = cut(text_.substr(start, end - start), 512);
      return true;
    }
    out.operators.emplace_back(text_.substr(at_, 2));
    at_ += 2;
    skip_newlines();
  }
}

bool Reader::pipeline(Pipeline& out) {
  skip_blanks();
  if (reserved_here() == "!") {
    out.negated = true;
    ++at_;
    skip_blanks();
  }
  for (;;) {
    out.commands.emplace_back();
    if (!command(out.commands.back())) return false;
    const std::size_t end = at_;
    skip_blanks();
    if (at_end() || peek() != '|' || peek(1) == '|') {
      at_ = end;
      return true;
    }
    ++at_;
    if (peek() == '&') {  // bash: |& is 2>&1 |
      ++at_;
      Redirect both;
      both.fd = 2;
      both.op = ">&";
      both.target.parts.push_back(part_of(Part::Kind::literal, "1"));
      both.target.raw = "1";
      out.commands.back().redirects.push_back(std::move(both));
    }
    skip_newlines();
  }
}

bool Reader::command(Command& out) {
  if (failed_ || !deeper()) return false;
  ++depth_;
  skip_blanks();
  out.line = line_at(at_);
  bool ok = false;
  const auto reserved = reserved_here();
  if (peek() == '(' && !at_end()) {
    bool arithmetic = false;
    if (!arithmetic_command(out, arithmetic)) return false;
    if (arithmetic) {
      ok = redirects(out);
    } else {
      ++at_;
      out.kind = Command::Kind::subshell;
      out.bodies.emplace_back();
      ok = body(out.bodies[0]);
      if (ok && (at_end() || peek() != ')')) ok = fail("shell-syntax", "a subshell is not closed");
      if (ok) ++at_;
      ok = ok && redirects(out);
    }
  } else if (reserved == "if") {
    ok = if_clause(out) && redirects(out);
  } else if (reserved == "while" || reserved == "until") {
    ok = loop(out, reserved == "while" ? Command::Kind::while_ : Command::Kind::until) && redirects(out);
  } else if (reserved == "for" || reserved == "select") {
    out.kind = reserved == "for" ? Command::Kind::for_ : Command::Kind::select;
    at_ += reserved.size();
    ok = for_clause(out) && redirects(out);
  } else if (reserved == "case") {
    ok = case_clause(out) && redirects(out);
  } else if (reserved == "{") {
    ++at_;
    out.kind = Command::Kind::group;
    out.bodies.emplace_back();
    ok = body(out.bodies[0]) && take_reserved("}") && redirects(out);
  } else if (reserved == "function") {
    at_ += reserved.size();
    skip_blanks();
    const std::size_t start = at_;
    while (!at_end() && !is_meta(peek())) ++at_;
    std::string name(text_.substr(start, at_ - start));
    skip_blanks();
    if (peek() == '(' && !at_end()) {
      ++at_;
      skip_blanks();
      if (peek() != ')') return fail("shell-syntax", "expected ) after a function's name");
      ++at_;
    }
    ok = function_body(out, std::move(name));
  } else if (reserved == "[[") {
    ok = condition_words(out) && redirects(out);
  } else if (!reserved.empty()) {
    ok = fail("shell-syntax", "unexpected " + std::string(reserved));
  } else {
    ok = simple(out);
  }
  --depth_;
  return ok;
}

bool Reader::if_clause(Command& out) {
  out.kind = Command::Kind::if_;
  at_ += 2;
  for (;;) {
    out.conditions.emplace_back();
    if (!list(out.conditions.back()) || !take_reserved("then")) return false;
    if (out.conditions.back().empty()) return fail("shell-syntax", "an if without a condition");
    out.bodies.emplace_back();
    if (!body(out.bodies.back())) return false;
    skip_newlines();
    const auto reserved = reserved_here();
    if (reserved == "elif") {
      at_ += 4;
      continue;
    }
    if (reserved == "else") {
      at_ += 4;
      out.bodies.emplace_back();
      if (!body(out.bodies.back())) return false;
    }
    return take_reserved("fi");
  }
}

bool Reader::do_group(Command& out) {
  out.bodies.emplace_back();
  return take_reserved("do") && body(out.bodies.back()) && take_reserved("done");
}

bool Reader::loop(Command& out, Command::Kind kind) {
  out.kind = kind;
  at_ += 5;  // while, until
  out.conditions.emplace_back();
  return list(out.conditions.back()) && do_group(out);
}

bool Reader::for_clause(Command& out) {
  skip_blanks();
  if (looking_at("((")) {
    bool arithmetic = false;
    Command condition;
    condition.line = line_at(at_);
    if (!arithmetic_command(condition, arithmetic)) return false;
    if (!arithmetic) return fail("shell-syntax", "a for (( is not closed");
    out.kind = Command::Kind::while_;
    AndOr test;
    test.raw = "((" + condition.name + "))";
    test.pipelines.emplace_back();
    test.pipelines[0].commands.push_back(std::move(condition));
    out.conditions.emplace_back().push_back(std::move(test));
    skip_blanks();
    if (peek() == ';') ++at_;
    return do_group(out);
  }
  while (!at_end() && is_name(peek())) out.name += text_[at_++];
  if (out.name.empty() || !is_name_start(out.name[0])) return fail("shell-syntax", "expected a name after for");
  skip_newlines();
  if (reserved_here() == "in") {
    at_ += 2;
    out.has_in = true;
    for (;;) {
      skip_blanks();
      if (at_end() || peek() == '\n' || peek() == ';') break;
      if (is_meta(peek())) return fail("shell-syntax", std::string("unexpected ") + peek() + " in a for list");
      out.words.emplace_back();
      if (!word(out.words.back())) return false;
    }
  }
  skip_blanks();
  if (peek() == ';' && peek(1) != ';' && !at_end()) ++at_;
  return do_group(out);
}

bool Reader::case_clause(Command& out) {
  out.kind = Command::Kind::case_;
  at_ += 4;
  skip_blanks();
  out.words.emplace_back();
  if (at_end() || is_meta(peek())) return fail("shell-syntax", "expected a word after case");
  if (!word(out.words.back()) || !take_reserved("in")) return false;
  for (;;) {
    skip_newlines();
    if (failed_) return false;
    if (at_end()) return fail("shell-syntax", "a case is not closed");
    if (reserved_here() == "esac") break;
    CaseItem item;
    item.line = line_at(at_);
    if (peek() == '(') ++at_;
    for (;;) {
      skip_blanks();
      item.patterns.emplace_back();
      if (at_end() || is_meta(peek())) return fail("shell-syntax", "expected a case pattern");
      if (!word(item.patterns.back())) return false;
      skip_blanks();
      if (at_end() || peek() != '|') break;
      ++at_;
    }
    if (at_end() || peek() != ')') return fail("shell-syntax", "expected ) after a case pattern");
    ++at_;
    if (!list(item.body)) return false;
    skip_newlines();
    bool last = false;
    if (looking_at(";;&")) item.terminator = ";;&";
    else if (looking_at(";;")) item.terminator = ";;";
    else if (looking_at(";&")) item.terminator = ";&";
    else if (reserved_here() == "esac") last = true;
    else return fail("shell-syntax", "expected ;; or esac");
    if (!last) at_ += item.terminator.size();
    out.items.push_back(std::move(item));
  }
  return take_reserved("esac");
}

bool Reader::function_body(Command& out, std::string name) {
  const auto bad = [](char c) { return !is_name(c) && c != '-' && c != '.' && c != ':' && c != '+' && c != '@' && c != ','; };
  if (name.empty() || is_reserved(name) || std::ranges::any_of(name, bad)) return fail("shell-syntax", "not a function name");
  out.kind = Command::Kind::function;
  out.name = std::move(name);
  skip_newlines();
  if (failed_) return false;
  AndOr body;
  body.pipelines.emplace_back();
  body.pipelines[0].commands.emplace_back();
  auto& inner = body.pipelines[0].commands[0];
  if (!command(inner)) return false;
  out.bodies.emplace_back().push_back(std::move(body));
  return true;
}

bool Reader::arithmetic_command(Command& out, bool& is_one) {
  is_one = false;
  if (!looking_at("((")) return true;
  const auto end = arithmetic_end(at_ + 2);
  if (failed_) return false;
  if (end == std::string_view::npos) return true;
  is_one = true;
  out.kind = Command::Kind::arithmetic;
  out.name = std::string(text_.substr(at_ + 2, end - at_ - 2));
  at_ = end + 2;
  return true;
}

bool Reader::redirects(Command& out) {
  for (;;) {
    const std::size_t before = at_;
    skip_blanks();
    bool is_one = false;
    if (!redirect(out.redirects, is_one)) return false;
    if (!is_one) {
      at_ = before;
      return true;
    }
  }
}

bool Reader::redirect(std::vector<Redirect>& out, bool& is_one) {
  is_one = false;
  std::size_t digits = at_;
  while (digits < text_.size() && is_digit(text_[digits]) && digits - at_ < 4) ++digits;
  const auto rest = text_.substr(digits);
  if (rest.empty() || (rest[0] != '<' && rest[0] != '>' && !(rest.starts_with("&>") && digits == at_))) return true;
  if (rest.size() > 1 && rest[1] == '(' && digits == at_) return true;  // process substitution is a word
  is_one = true;
  Redirect read;
  if (digits > at_) read.fd = std::stoi(std::string(text_.substr(at_, digits - at_)));
  for (const auto op : redirect_operators)
    if (rest.starts_with(op)) {
      read.op = op;
      break;
    }
  at_ = digits + read.op.size();
  skip_blanks();
  if (at_end() || (is_meta(peek()) && !((peek() == '<' || peek() == '>') && peek(1) == '('))) return fail("shell-syntax", "a redirection without a target");
  if (!word(read.target)) return false;
  if (read.op == "<<" || read.op == "<<-") {
    HereDocument document;
    for (const auto& part : read.target.parts) {
      const bool plain = part.kind == Part::Kind::literal;
      document.quoted |= !plain && part.kind != Part::Kind::parameter && part.kind != Part::Kind::command;
      if (part.kind == Part::Kind::double_) {
        for (const auto& inner : part.words[0].parts) document.delimiter += inner.raw.empty() ? inner.text : inner.raw;
      } else {
        document.delimiter += part.raw.empty() ? part.text : part.raw;
      }
    }
    if (document.delimiter.find('\n') != std::string::npos || read.target.raw.find('\n') != std::string::npos)
      return fail("shell-syntax", "a here-document's delimiter spans lines");
    read.here = static_cast<std::uint32_t>(shared_.program->here_documents.size());
    pending_.push_back({read.here, read.op == "<<-"});
    shared_.program->here_documents.push_back(std::move(document));
  }
  out.push_back(std::move(read));
  return true;
}

bool Reader::assignment(Command& out, bool& is_one) {
  is_one = false;
  std::size_t end = at_;
  if (at_end() || !is_name_start(peek())) return true;
  while (end < text_.size() && is_name(text_[end])) ++end;
  Assignment read;
  read.name = std::string(text_.substr(at_, end - at_));
  if (end < text_.size() && text_[end] == '[') {
    const auto close = text_.find(']', end);
    if (close == std::string_view::npos || close - end > 128) return true;
    read.subscript = std::string(text_.substr(end + 1, close - end - 1));
    if (std::ranges::any_of(read.subscript, [](char c) { return is_meta(c) || c == '[' || c == '`' || c == '"' || c == '\'' || c == '\\'; })) return true;
    if (read.subscript.empty()) return true;
    end = close + 1;
  }
  if (text_.substr(end, 2) == "+=") {
    read.append = true;
    end += 2;
  } else if (end < text_.size() && text_[end] == '=') {
    end += 1;
  } else {
    return true;
  }
  if (end < text_.size() && text_[end] == '(') {
    if (!out.words.empty() && !is_declaration(out.words)) return true;
    read.is_array = true;
    read.value.line = line_at(at_);
    at_ = end + 1;
    for (;;) {
      skip_newlines();
      if (failed_) return false;
      if (at_end()) return fail("shell-syntax", "an array is not closed");
      if (peek() == ')') break;
      if (is_meta(peek())) return fail("shell-syntax", std::string("unexpected ") + peek() + " in an array");
      read.elements.emplace_back();
      if (!word(read.elements.back())) return false;
    }
    ++at_;
  } else {
    if (!out.words.empty()) return true;
    at_ = end;
    if (!word(read.value)) return false;
  }
  is_one = true;
  out.assignments.push_back(std::move(read));
  return true;
}

bool Reader::simple(Command& out) {
  out.kind = Command::Kind::simple;
  const std::size_t start = at_;
  std::size_t end = at_;
  for (;;) {
    skip_blanks();
    if (at_end()) break;
    bool taken = false;
    if (!redirect(out.redirects, taken)) return false;
    if (!taken && (out.words.empty() || is_declaration(out.words)) && !assignment(out, taken)) return false;
    if (!taken) {
      const bool process = (peek() == '<' || peek() == '>') && peek(1) == '(';
      if (is_meta(peek()) && !process) {
        const bool definition = peek() == '(' && out.words.size() == 1 && out.assignments.empty() && out.redirects.empty();
        if (!definition) break;
        ++at_;
        skip_blanks();
        if (at_end() || peek() != ')') return fail("shell-syntax", "unexpected (");
        ++at_;
        std::string name = out.words[0].parts.size() == 1 && out.words[0].parts[0].kind == Part::Kind::literal ? out.words[0].parts[0].text : "";
        out.words.clear();
        return function_body(out, std::move(name));
      }
      out.words.emplace_back();
      if (!word(out.words.back())) return false;
    }
    end = at_;
    if (!charge(1)) return false;
  }
  at_ = end;
  if (out.words.empty() && out.assignments.empty() && out.redirects.empty())
    return fail("shell-syntax", at_end() ? std::string("unexpected end") : std::string("unexpected ") + peek());
  out.raw = cut(text_.substr(start, end - start), 4096);
  return true;
}

bool Reader::condition_words(Command& out) {
  out.kind = Command::Kind::simple;
  const std::size_t start = at_;
  out.words.emplace_back();
  if (!word(out.words.back(), Mode::condition)) return false;
  for (;;) {
    while (!at_end() && (is_blank(peek()) || peek() == '\n' || looking_at("\\\n"))) at_ += peek() == '\\' ? 2 : 1;
    if (at_end()) return fail("shell-syntax", "a [[ is not closed");
    if (!charge(1)) return false;
    out.words.emplace_back();
    auto& read = out.words.back();
    read.line = line_at(at_);
    const bool closes = looking_at("]]") && (at_ + 2 >= text_.size() || is_meta(peek(2)) || text_.substr(at_ + 2, 2) == "\\\n");
    for (const std::string_view op : {closes ? "]]" : "&&", "||", "(", ")"})
      if (read.parts.empty() && looking_at(op)) {
        read.parts.push_back(part_of(Part::Kind::literal, std::string(op)));
        read.raw = op;
        at_ += op.size();
      }
    if (read.parts.empty() && !word(read, Mode::condition)) return false;
    if (read.raw == "]]") break;
  }
  out.raw = cut(text_.substr(start, at_ - start), 4096);
  return true;
}

Program read(std::string_view text, std::string_view where, std::uint64_t& steps, std::uint32_t first_line) {
  Program program;
  std::string clean;
  if (text.find('\r') != std::string_view::npos) {
    clean.reserve(text.size());
    for (const char c : text)
      if (c != '\r') clean += c;
    text = clean;
    base::add_doubt(program.doubts, {"shell-carriage-returns", std::string(where), 0, "carriage returns are left out"});
  }
  Reader reader(text, {&program, &steps, std::string(where)}, first_line, 0);
  reader.read_program(program.list);
  return program;
}

}  // namespace shell::ast
