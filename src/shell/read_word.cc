// Words of shell text: quoting (XCU 2.2), parameter expansion (2.6.2), command substitution (2.6.3), arithmetic (2.6.4).
#include <algorithm>

#include "shell/reader.h"

namespace shell::ast {

namespace {

bool is_special_parameter(char c) { return c == '@' || c == '*' || c == '#' || c == '?' || c == '-' || c == '$' || c == '!'; }

// The text of a backquoted command with its own level of backslashes taken off (XCU 2.6.3).
std::string without_backslashes(std::string_view text, bool in_quotes) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      const char next = text[i + 1];
      if (next == '$' || next == '`' || next == '\\' || (in_quotes && next == '"')) ++i;
    }
    out += text[i];
  }
  return out;
}

}  // namespace

bool Reader::word(Word& out, Mode mode) {
  const std::size_t start = at_;
  out.line = line_at(at_);
  if (!parts(out.parts, mode)) return false;
  out.raw = std::string(text_.substr(start, at_ - start));
  return true;
}

bool Reader::read_here_parts(std::vector<Part>& out) { return parts(out, Mode::here) && !failed_; }

bool Reader::parts(std::vector<Part>& out, Mode mode) {
  if (!deeper()) return false;
  ++depth_;
  std::string run;
  const auto flush = [&] {
    if (!run.empty()) out.push_back(part_of(Part::Kind::literal, std::move(run)));
    run.clear();
  };
  const bool in_quotes = mode == Mode::quoted || mode == Mode::here || mode == Mode::brace_quoted;
  while (!at_end()) {
    if (!charge(1)) return false;
    const char c = peek();
    if (mode == Mode::plain && is_meta(c) && !((c == '<' || c == '>') && peek(1) == '(' && run.empty() && out.empty())) break;
    if (mode == Mode::condition && (is_blank(c) || c == '\n' || looking_at("&&") || looking_at("||"))) break;
    if (mode == Mode::quoted && c == '"') break;
    if ((mode == Mode::brace || mode == Mode::brace_quoted) && c == '}') break;

    if (c == '\\') {
      if (peek(1) == '\n' && at_ + 1 < text_.size()) {  // a continued line
        flush();
        at_ += 2;
        continue;
      }
      const char next = peek(1);
      const bool special = !in_quotes || next == '$' || next == '`' || next == '\\' || (next == '"' && mode != Mode::here) || (mode == Mode::brace_quoted && next == '}');
      if (at_ + 1 >= text_.size() || !special) {
        if (at_ + 1 >= text_.size() && !in_quotes) {  // a lone backslash at the end stands for itself
          flush();
          out.push_back(part_of(Part::Kind::escaped, "\\"));
          ++at_;
          continue;
        }
        run += c;
        ++at_;
        continue;
      }
      flush();
      out.push_back(part_of(Part::Kind::escaped, std::string(1, next)));
      at_ += 2;
    } else if (c == '\'' && !in_quotes) {
      const auto end = text_.find('\'', at_ + 1);
      if (end == std::string_view::npos) return fail("shell-syntax", "a single quote is not closed");
      flush();
      if (!charge(end - at_)) return false;
      out.push_back(part_of(Part::Kind::single, std::string(text_.substr(at_ + 1, end - at_ - 1))));
      at_ = end + 1;
    } else if (c == '"' && mode != Mode::here) {
      flush();
      ++at_;
      Part part = part_of(Part::Kind::double_, {});
      part.words.emplace_back();
      if (!parts(part.words[0].parts, Mode::quoted)) return false;
      if (at_end()) return fail("shell-syntax", "a double quote is not closed");
      ++at_;
      out.push_back(std::move(part));
    } else if (c == '`') {
      flush();
      Part part;
      if (!backquoted(part, mode)) return false;
      out.push_back(std::move(part));
    } else if (c == '$') {
      const char next = peek(1);
      if (next == '(' || next == '{' || is_name(next) || is_special_parameter(next) || (!in_quotes && (next == '\'' || next == '"'))) {
        flush();
        if (next == '"') {
          ++at_;  // bash: $"..." is translated text
          continue;
        }
        if (!dollar(out, mode)) return false;
      } else {
        run += c;
        ++at_;
      }
    } else if ((c == '<' || c == '>') && mode == Mode::plain) {
      Part part = part_of(Part::Kind::process, {}, std::string(1, c));
      ++at_;
      if (!substitution(part)) return false;
      out.push_back(std::move(part));
    } else {
      run += c;
      ++at_;
    }
  }
  flush();
  --depth_;
  return true;
}

std::size_t Reader::arithmetic_end(std::size_t from) {
  int open = 0;
  for (std::size_t i = from; i < text_.size(); ++i) {
    const char c = text_[i];
    if (!charge(1)) return std::string_view::npos;
    if (c == '\\') ++i;
    else if (c == '(') ++open;
    else if (c == ')' && open-- == 0) return text_.substr(i, 2) == "))" ? i : std::string_view::npos;
    else if (c == '\'' || (c == '#' && i > from && is_blank(text_[i - 1]))) return std::string_view::npos;  // a command, not a sum
  }
  return std::string_view::npos;
}

bool Reader::dollar(std::vector<Part>& out, Mode mode) {
  Part part;
  const char next = peek(1);
  if (next == '\'') {
    ++at_;
    if (!ansi_quoted(part)) return false;
  } else if (next == '{') {
    const std::size_t start = at_;
    at_ += 2;
    if (!parameter(part, mode)) return false;
    part.raw = std::string(text_.substr(start, at_ - start));
  } else if (next == '(') {
    const auto end = peek(2) == '(' ? arithmetic_end(at_ + 3) : std::string_view::npos;
    if (failed_) return false;
    if (end != std::string_view::npos) {
      part.kind = Part::Kind::arithmetic;
      part.text = std::string(text_.substr(at_ + 3, end - at_ - 3));
      part.raw = std::string(text_.substr(at_, end + 2 - at_));
      part.words.emplace_back();
      Reader inner(part.text, shared_, line_at(at_), depth_ + 1);
      if (!inner.read_here_parts(part.words[0].parts)) return fail("shell-syntax", "an arithmetic expansion that cannot be read");
      at_ = end + 2;
    } else {
      ++at_;
      part.kind = Part::Kind::command;
      if (!substitution(part)) return false;
    }
  } else {
    part.kind = Part::Kind::parameter;
    std::size_t end = at_ + 2;
    if (is_name_start(next))
      while (end < text_.size() && is_name(text_[end])) ++end;
    part.text = std::string(text_.substr(at_ + 1, end - at_ - 1));
    part.raw = std::string(text_.substr(at_, end - at_));
    at_ = end;
  }
  out.push_back(std::move(part));
  return true;
}

bool Reader::substitution(Part& part) {  // at the opening parenthesis; one character, $ < or >, before it
  const std::size_t start = at_ - 1;
  ++at_;
  const auto pending = std::move(pending_);
  pending_.clear();
  if (!list(part.body)) return false;
  if (at_end() || peek() != ')') return fail("shell-syntax", "a command substitution is not closed");
  ++at_;
  pending_ = pending;
  part.raw = std::string(text_.substr(start, std::min<std::size_t>(at_ - start, 4096)));
  return true;
}

bool Reader::backquoted(Part& part, Mode mode) {
  const std::size_t start = at_;
  std::size_t end = at_ + 1;
  while (end < text_.size() && text_[end] != '`') end += text_[end] == '\\' ? 2 : 1;
  if (end >= text_.size()) return fail("shell-syntax", "a backquote is not closed");
  if (!charge(end - at_)) return false;
  const auto inside = without_backslashes(text_.substr(start + 1, end - start - 1), mode == Mode::quoted || mode == Mode::brace_quoted);
  Reader inner(inside, shared_, line_at(start), depth_ + 1);
  part.kind = Part::Kind::command;
  if (!inner.read_complete_list(part.body)) {
    exhausted_ |= inner.exhausted_;
    return fail(inner.failure_name_, inner.failure_);
  }
  part.raw = "$(" + inside.substr(0, 4096) + ")";
  at_ = end + 1;
  return true;
}

bool Reader::parameter(Part& part, Mode mode) {  // after ${
  part.kind = Part::Kind::parameter;
  if (peek() == '#' && peek(1) != '}' && (is_name(peek(1)) || peek(1) == '@' || peek(1) == '*')) {
    part.length = true;
    ++at_;
  } else if (peek() == '!' && is_name(peek(1))) {
    part.indirect = true;
    ++at_;
  }
  if (is_name_start(peek())) {
    while (!at_end() && is_name(peek())) part.text += text_[at_++];
  } else if (is_digit(peek())) {
    while (!at_end() && is_digit(peek())) part.text += text_[at_++];
  } else if (!at_end() && is_special_parameter(peek())) {
    part.text = text_[at_++];
  } else {
    return fail("shell-syntax", "a parameter expansion without a name");
  }
  if (peek() == '[') {
    const auto close = text_.find(']', at_);
    const auto inside = close == std::string_view::npos ? std::string_view{} : text_.substr(at_ + 1, close - at_ - 1);
    if (inside.empty() || inside.size() > 128 || inside.find_first_of("\n}`\"'\\[ ") != std::string_view::npos) return fail("shell-syntax", "an array subscript that cannot be read");
    part.subscript = std::string(inside);
    at_ = close + 1;
  }
  if (peek() == '}' && !at_end()) {
    ++at_;
    return true;
  }
  if (part.length) return fail("shell-syntax", "a length with an operator");
  for (const std::string_view op : {":-", ":=", ":?", ":+", "%%", "##", "//", "^^", ",,", "-", "=", "?", "+", "%", "#", "/", ":", "^", ",", "@"})
    if (looking_at(op)) {
      part.op = op;
      break;
    }
  if (part.op.empty()) return fail("shell-syntax", "a parameter expansion that cannot be read");
  at_ += part.op.size();
  // Inside double quotes the word of :- and its like is quoted text; a pattern is not (XCU 2.6.2).
  const char last = part.op.back();
  const bool pattern = last == '%' || last == '#' || last == '/';
  const bool in_quotes = mode == Mode::quoted || mode == Mode::here || mode == Mode::brace_quoted;
  part.words.emplace_back();
  if (!parts(part.words[0].parts, in_quotes && !pattern ? Mode::brace_quoted : Mode::brace)) return false;
  if (at_end()) return fail("shell-syntax", "a parameter expansion is not closed");
  ++at_;
  return true;
}

bool Reader::ansi_quoted(Part& part) {  // at the quote of $'
  part.kind = Part::Kind::ansi;
  std::size_t end = at_ + 1;
  while (end < text_.size() && text_[end] != '\'') end += text_[end] == '\\' ? 2 : 1;
  if (end >= text_.size()) return fail("shell-syntax", "a $' quote is not closed");
  part.raw = std::string(text_.substr(at_ + 1, end - at_ - 1));
  at_ = end + 1;
  const std::string_view in = part.raw;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] != '\\' || i + 1 >= in.size()) {
      part.text += in[i];
      continue;
    }
    const char c = in[++i];
    constexpr std::string_view letters = "abefnrtv\\'\"?", values = "\a\b\033\f\n\r\t\v\\'\"?";
    if (const auto known = letters.find(c); known != std::string_view::npos) {
      part.text += values[known];
    } else if (c == 'x' || (c >= '0' && c <= '7')) {
      const unsigned base = c == 'x' ? 16 : 8;
      std::size_t from = c == 'x' ? i + 1 : i, count = 0;
      unsigned value = 0;
      for (; count < (c == 'x' ? 2u : 3u) && from + count < in.size(); ++count) {
        const auto digit = std::string_view("0123456789abcdefABCDEF").find(in[from + count]);
        if (digit == std::string_view::npos || (base == 8 && digit > 7)) break;
        value = value * base + static_cast<unsigned>(digit > 15 ? digit - 6 : digit);
      }
      if (count == 0) part.text += "\\x";
      else part.text += static_cast<char>(value & 0xFF);
      i = from + count - 1;
    } else {
      part.text += '\\';
      part.text += c;
    }
  }
  return true;
}

}  // namespace shell::ast
