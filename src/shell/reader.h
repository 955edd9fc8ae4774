// The reader's insides: characters in, syntax tree out. Recursive descent without a separate token stream, because what a character
// means in shell depends on where it stands (XCU 2.3).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shell/ast.h"

namespace shell::ast {

inline constexpr int max_depth = 48;

inline bool is_blank(char c) { return c == ' ' || c == '\t'; }
inline bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_name(char c) { return is_name_start(c) || is_digit(c); }
// Ends an unquoted word.
inline bool is_meta(char c) { return is_blank(c) || c == '\n' || c == ';' || c == '&' || c == '|' || c == '<' || c == '>' || c == '(' || c == ')'; }
bool is_reserved(std::string_view word);

// What readers of nested texts share.
struct Shared {
  Program* program;
  std::uint64_t* steps;
  std::string where;
};

class Reader {
 public:
  Reader(std::string_view text, Shared shared, std::uint32_t first_line, int depth)
      : text_(text), shared_(shared), line_(first_line), depth_(depth) {}

  void read_program(List& out);             // everything, with resynchronisation
  bool read_complete_list(List& out);       // everything; false when something is left or wrong
  bool read_here_parts(std::vector<Part>& out);  // here-document or arithmetic: expansions only

 private:
  enum class Mode : std::uint8_t { plain, condition, quoted, here, brace, brace_quoted };

  struct Pending { std::uint32_t here; bool strip_tabs; };

  bool at_end() const { return at_ >= text_.size(); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool looking_at(std::string_view what) const { return text_.substr(at_, what.size()) == what; }
  std::uint32_t line_at(std::size_t position);
  bool fail(std::string_view name, std::string detail);
  bool charge(std::uint64_t steps);
  bool deeper();

  void skip_blanks();
  bool newline();       // consumes one and the here-documents that begin there
  void skip_newlines();
  void read_here_documents();
  std::string_view reserved_here() const;  // the reserved word at the cursor, or empty
  bool take_reserved(std::string_view word);

  bool list(List& out);
  bool body(List& out);  // a list that must not be empty
  bool and_or(AndOr& out);
  bool pipeline(Pipeline& out);
  bool command(Command& out);
  bool simple(Command& out);
  bool condition_words(Command& out);
  bool if_clause(Command& out);
  bool loop(Command& out, Command::Kind kind);
  bool for_clause(Command& out);
  bool case_clause(Command& out);
  bool do_group(Command& out);
  bool function_body(Command& out, std::string name);
  bool arithmetic_command(Command& out, bool& is_one);
  bool redirects(Command& out);
  bool redirect(std::vector<Redirect>& out, bool& is_one);
  bool assignment(Command& out, bool& is_one);
  bool word(Word& out, Mode mode = Mode::plain);
  bool parts(std::vector<Part>& out, Mode mode);
  bool dollar(std::vector<Part>& out, Mode mode);
  bool parameter(Part& part, Mode mode);
  bool substitution(Part& part);
  bool backquoted(Part& part, Mode mode);
  bool ansi_quoted(Part& part);
  std::size_t arithmetic_end(std::size_t from);  // offset of the closing )), npos when there is none

  std::string_view text_;
  Shared shared_;
  std::size_t at_ = 0;
  std::uint32_t line_;
  std::size_t line_from_ = 0;  // line_ is the number of the line at this offset
  int depth_;
  bool failed_ = false;
  bool exhausted_ = false;
  std::string failure_name_, failure_;
  std::size_t failure_at_ = 0;
  std::vector<Pending> pending_;
};

}  // namespace shell::ast
