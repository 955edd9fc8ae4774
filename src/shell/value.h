// What a shell variable or word can be: up to eight texts, each of known and unknown pieces with their origins.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shell/shell.h"

namespace shell {

inline constexpr std::size_t max_options = 8;
inline constexpr std::size_t max_text = 16384;  // bytes; a longer text becomes unknown

struct Piece {
  std::string text{};    // an unknown one as written: ${NAME} or $(command)
  bool known = true;
  bool quoted = false;   // neither split nor globbed
  bool breaks = false;   // a field ends here, as between the fields of "$@"
  bool operator==(const Piece&) const = default;
};

struct Text {
  std::vector<Piece> pieces;
  std::vector<Origin> origins;

  bool resolved() const;
  std::string written() const;  // breaks as spaces
  std::vector<std::string> unknowns() const;
  bool has_glob() const;
  std::string pattern() const;  // quoted characters that a pattern would interpret get a backslash
  void append(const Piece& piece);
  void append(const Text& other);
  void add_origin(const Origin& origin);
};

struct Value {
  std::vector<Text> options;  // never empty; resolved ones first after join()

  const Text& first() const { return options.front(); }
  // The one text that it must be, or nothing.
  const Text* only() const { return options.size() == 1 && options[0].resolved() ? &options[0] : nullptr; }
  std::string written() const { return first().written(); }
};

Value known_value(std::string_view text, const Origin& origin, bool quoted = false);
Value unknown_value(std::string_view written, const Origin& origin);  // "${NAME}" or "$(command)"
Value empty_value();

Value concat(const Value& a, const Value& b);      // all pairs, at most eight
Value join(const Value& a, const Value& b);        // either; equal texts once
Value quoted(Value value, bool is_quoted);         // as inside double quotes, or as stored in a variable
std::vector<Text> split_fields(const Text& text, std::string_view separators);  // XCU 2.6.5
void strip_newlines(Value& value);                 // trailing ones, as $(...) does
Word word_of(const std::vector<Text>& options, std::string_view raw);

// XCU 2.13 pattern matching. Linear space, quadratic time at most.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace shell
