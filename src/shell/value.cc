// Texts joined, concatenated, split into fields and matched against patterns.
#include "shell/value.h"

#include <algorithm>

namespace shell {

bool Text::resolved() const {
  return std::ranges::all_of(pieces, [](const Piece& p) { return p.known; });
}

std::string Text::written() const {
  std::string out;
  for (const auto& piece : pieces) out += piece.breaks ? " " : piece.text;
  return out;
}

std::vector<std::string> Text::unknowns() const {
  std::vector<std::string> out;
  for (const auto& piece : pieces) {
    if (piece.known) continue;
    auto name = piece.text;
    if (name.starts_with("${") && name.ends_with("}")) name = name.substr(2, name.size() - 3);
    if (std::ranges::find(out, name) == out.end()) out.push_back(name);
  }
  return out;
}

bool Text::has_glob() const {
  return std::ranges::any_of(pieces, [](const Piece& p) { return p.known && !p.quoted && p.text.find_first_of("*?[") != std::string::npos; });
}

std::string Text::pattern() const {
  std::string out;
  for (const auto& piece : pieces)
    for (const char c : piece.text) {
      if (piece.quoted && std::string_view("*?[]\\").find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  return out;
}

void Text::append(const Piece& piece) {
  if (piece.text.empty() && !piece.quoted && !piece.breaks) return;
  if (!pieces.empty() && !piece.breaks && !pieces.back().breaks && piece.known && pieces.back().known && pieces.back().quoted == piece.quoted) {
    pieces.back().text += piece.text;
    if (pieces.back().text.size() > max_text) pieces.back() = {.text = "${...}", .known = false, .quoted = piece.quoted};
  } else if (pieces.size() < 64) {
    pieces.push_back(piece);
  } else {
    pieces.back() = {.text = "${...}", .known = false, .quoted = true};
  }
}

void Text::append(const Text& other) {
  for (const auto& piece : other.pieces) append(piece);
  for (const auto& origin : other.origins) add_origin(origin);
}

void Text::add_origin(const Origin& origin) {
  if (origins.size() < 16 && std::ranges::find(origins, origin) == origins.end()) origins.push_back(origin);
}

Value known_value(std::string_view text, const Origin& origin, bool is_quoted) {
  Text out;
  out.append(Piece{.text = std::string(text), .quoted = is_quoted});
  out.add_origin(origin);
  return {{out}};
}

Value unknown_value(std::string_view written, const Origin& origin) {
  Text out;
  out.pieces.push_back({.text = std::string(written), .known = false});
  out.add_origin(origin);
  return {{out}};
}

Value empty_value() { return {{Text{}}}; }

Value concat(const Value& a, const Value& b) {
  Value out;
  for (const auto& x : a.options)
    for (const auto& y : b.options) {
      if (out.options.size() >= max_options) return out;
      out.options.push_back(x);
      out.options.back().append(y);
    }
  return out;
}

Value join(const Value& a, const Value& b) {
  Value out;
  for (const bool resolved : {true, false})
    for (const auto* from : {&a, &b})
      for (const auto& option : from->options) {
        if (option.resolved() != resolved) continue;
        const auto same = [&](const Text& t) { return t.resolved() == resolved && t.written() == option.written(); };
        const auto known = std::ranges::find_if(out.options, same);
        if (known != out.options.end()) {
          for (const auto& origin : option.origins) known->add_origin(origin);
        } else if (out.options.size() < max_options) {
          out.options.push_back(option);
        } else if (!resolved && out.options.back().resolved()) {
          out.options.back() = option;  // that something is unknown must not get lost
        }
      }
  return out;
}

Value quoted(Value value, bool is_quoted) {
  for (auto& option : value.options) {
    for (auto& piece : option.pieces)
      if (!piece.breaks) piece.quoted = is_quoted;
    if (is_quoted && option.pieces.empty()) option.pieces.push_back({.quoted = true});
  }
  return value;
}

std::vector<Text> split_fields(const Text& text, std::string_view separators) {
  std::vector<Text> fields;
  Text current;
  bool started = false;
  const auto finish = [&](bool even_empty) {
    if (started || even_empty) {
      current.origins = text.origins;
      fields.push_back(std::move(current));
    }
    current = {};
    started = false;
  };
  for (const auto& piece : text.pieces) {
    if (piece.breaks) {
      finish(false);
    } else if (piece.quoted || !piece.known) {
      current.append(piece);
      started = true;
    } else {
      std::string run;
      const auto flush = [&] {
        if (run.empty()) return;
        current.append(Piece{.text = std::move(run)});
        run.clear();
        started = true;
      };
      for (const char c : piece.text) {
        if (separators.find(c) == std::string_view::npos) {
          run += c;
          continue;
        }
        flush();
        finish(c != ' ' && c != '\t' && c != '\n');
      }
      flush();
    }
  }
  finish(false);
  return fields;
}

void strip_newlines(Value& value) {
  for (auto& option : value.options)
    while (!option.pieces.empty() && option.pieces.back().known) {
      auto& last = option.pieces.back().text;
      while (last.ends_with('\n')) last.pop_back();
      if (!last.empty()) break;
      option.pieces.pop_back();
    }
}

Word word_of(const std::vector<Text>& options, std::string_view raw) {
  Word out;
  out.raw = raw;
  if (options.empty()) return out;
  const auto& first = options.front();
  out.text = first.written();
  out.resolved = first.resolved();
  for (const auto& option : options) {
    for (const auto& name : option.unknowns())
      if (&option == &first) out.unknowns.push_back(name);
    for (const auto& origin : option.origins)
      if (std::ranges::find(out.origins, origin) == out.origins.end()) out.origins.push_back(origin);
    out.has_glob |= option.has_glob();
    const auto text = option.written();
    if (std::ranges::find(out.alternatives, text) == out.alternatives.end()) out.alternatives.push_back(text);
  }
  if (out.alternatives.size() < 2) out.alternatives.clear();
  return out;
}

namespace {

// The end of the bracket expression at `at`, and whether it holds `c`; npos when it is not one.
std::size_t match_bracket(std::string_view pattern, std::size_t at, char c, bool& holds) {
  std::size_t i = at + 1;
  const bool inverse = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (inverse) ++i;
  bool found = false;
  for (bool first = true; i < pattern.size(); first = false, ++i) {
    if (pattern[i] == ']' && !first) {
      holds = found != inverse;
      return i + 1;
    }
    if (pattern.substr(i, 2) == "[:") {
      const auto close = pattern.find(":]", i + 2);
      if (close != std::string_view::npos) {
        const auto name = pattern.substr(i + 2, close - i - 2);
        const bool digit = c >= '0' && c <= '9', lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';
        found |= (name == "digit" && digit) || (name == "lower" && lower) || (name == "upper" && upper) || (name == "alpha" && (lower || upper)) ||
                 (name == "alnum" && (digit || lower || upper)) || (name == "space" && (c == ' ' || (c >= '\t' && c <= '\r')));
        i = close + 1;
        continue;
      }
    }
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    const char low = pattern[i];
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      i += 2;
      found |= static_cast<unsigned char>(c) >= static_cast<unsigned char>(low) && static_cast<unsigned char>(c) <= static_cast<unsigned char>(pattern[i]);
    } else {
      found |= c == low;
    }
  }
  return std::string_view::npos;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, star_text = 0;
  for (;;) {
    bool matched = false;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
      continue;
    }
    if (t == text.size() && p == pattern.size()) return true;
    if (t < text.size() && p < pattern.size()) {
      if (pattern[p] == '?') {
        matched = true;
        ++p;
      } else if (pattern[p] == '[') {
        bool holds = false;
        const auto end = match_bracket(pattern, p, text[t], holds);
        if (end == std::string_view::npos ? text[t] == '[' : holds) {
          matched = true;
          p = end == std::string_view::npos ? p + 1 : end;
        }
      } else {
        const std::size_t skip = pattern[p] == '\\' && p + 1 < pattern.size() ? 1 : 0;
        if (pattern[p + skip] == text[t]) {
          matched = true;
          p += skip + 1;
        }
      }
    }
    if (matched) {
      ++t;
    } else if (star != std::string_view::npos && star_text < text.size()) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
}

}  // namespace shell
