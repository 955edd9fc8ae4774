// The syntax tree of shell text. Plain values: a tree is copied and destroyed like any other value; its depth is bounded by the reader.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace shell::ast {

struct Part;
struct AndOr;
using List = std::vector<AndOr>;

struct Word {
  std::vector<Part> parts;
  std::string raw{};  // as written
  std::uint32_t line = 0;
};

// `text` by kind: literal, single, ansi: the characters; escaped: one; parameter: the name; arithmetic: the source.
struct Part {
  enum class Kind : std::uint8_t { literal, escaped, single, ansi, double_, parameter, command, arithmetic, process } kind = Kind::literal;
  std::string text;
  std::string op;            // parameter: "" # (length) :- - := = :? ? :+ + % %% # ## / // : (substring) ^ , [..] !; process: < or >
  bool length = false;       // ${#name}
  bool indirect = false;     // ${!name}
  std::string subscript;     // ${name[subscript]}
  std::vector<Word> words;   // parameter: the operand; double_ and arithmetic: words[0] holds the parts inside
  List body;               // command, process
  std::string raw;           // command, process, parameter: as written
};

struct Assignment {
  std::string name;
  std::string subscript;
  bool append = false;
  bool is_array = false;
  Word value;
  std::vector<Word> elements;
};

struct Redirect {
  int fd = -1;
  std::string op{};
  Word target;
  std::uint32_t here = 0;  // << and <<-: index into Program::here_documents
};

struct HereDocument {
  std::string delimiter;
  bool quoted = false;  // nothing in the body is expanded
  std::string body;     // as read, leading tabs taken off for <<-
  Word parsed;          // when not quoted
};

struct CaseItem {
  std::vector<Word> patterns;
  List body;
  std::string terminator = ";;";
  std::uint32_t line = 0;
};

struct Command {
  enum class Kind : std::uint8_t { simple, subshell, group, if_, while_, until, for_, select, case_, function, arithmetic } kind = Kind::simple;
  std::uint32_t line = 0;
  std::string raw{};                  // simple: as written
  std::vector<Assignment> assignments;
  std::vector<Word> words;          // simple: the words; for: the list; case: the subject
  std::vector<Redirect> redirects;
  std::string name;                 // for: the variable; function: the name; arithmetic: the source
  bool has_in = false;              // for x in ...
  std::vector<List> conditions;     // if, elif ...; while, until
  std::vector<List> bodies;         // if: one a condition, then else; loops, groups, functions: one
  std::vector<CaseItem> items;
};

struct Pipeline {
  bool negated = false;
  std::vector<Command> commands;
};

struct AndOr {
  std::vector<Pipeline> pipelines;
  std::vector<std::string> operators;  // && or ||, one fewer than pipelines
  bool background = false;
  std::string raw{};  // as written, cut at 512 bytes
};

struct Program {
  List list;
  std::vector<HereDocument> here_documents;
  base::Doubts doubts;
};

inline Part part_of(Part::Kind kind, std::string text, std::string op = {}) {
  Part part;
  part.kind = kind;
  part.text = std::move(text);
  part.op = std::move(op);
  return part;
}

// Reads the whole text; what is not shell becomes a doubt and reading goes on at the next line. `steps` is lowered by the work done;
// at 0 reading ends with the doubt "shell-budget". `first_line` is the line number of the first character.
Program read(std::string_view text, std::string_view where, std::uint64_t& steps, std::uint32_t first_line = 1);

std::string print(const Program& program);

}  // namespace shell::ast
