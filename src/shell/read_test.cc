// Why: what the reader misreads, every later stage misjudges; and hostile text must end in a doubt, never in a crash.
#include <gtest/gtest.h>

#include "shell/ast.h"
#include "shell/shell.h"

namespace shell {
namespace {

ast::Program read(std::string_view text) {
  std::uint64_t steps = 1'000'000;
  return ast::read(text, "test", steps);
}

TEST(Read, canonical_form_of_every_construct) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"a=1 b c>d 2>&1", "a=1 b c >d 2>&1\n"},
      {"a&&b||c;d&", "a && b || c\nd &\n"},
      {"! a|b", "! a | b\n"},
      {"if a;then b;elif c;then d;else e;fi>f", "if\na\nthen\nb\nelif\nc\nthen\nd\nelse\ne\nfi >f\n"},
      {"while a;do b;done", "while\na\ndo\nb\ndone\n"},
      {"for i in 1 2;do x $i;done", "for i in 1 2\ndo\nx ${i}\ndone\n"},
      {"for i do x;done", "for i\ndo\nx\ndone\n"},
      {"case $1 in a|b) x;; (*) y;esac", "case ${1} in\n(a | b)\nx\n;;\n(*)\ny\n;;\nesac\n"},
      {"f(){ a; }", "f() {\na\n}\n"},
      {"function g { a; }", "g() {\na\n}\n"},
      {"(a;b)", "(\na\nb\n)\n"},
      {"a `b \\`c\\``", "a $(\nb $(\nc\n)\n)\n"},
      {"cat <<E|wc\n$x\nE\n", "cat <<E | wc\n$x\nE\n"},
      {"cat <<-'E'\n\t$x\n\tE\n", "cat <<'E'\n$x\nE\n"},
      {"a $((1+$x)) $( (b) )", "a $((1+$x)) $(\n(\nb\n)\n)\n"},
      {"[[ a == b && c =~ ^(x|y)$ ]]", "[[ a == b && c =~ ^(x|y)$ ]]\n"},
      {"a=(x \"y z\")", "a=(x \"y z\")\n"},
  };
  for (const auto& [text, printed] : cases) {
    const auto program = read(text);
    EXPECT_TRUE(program.doubts.empty()) << text << ": " << (program.doubts.empty() ? "" : program.doubts[0].detail);
    EXPECT_EQ(ast::print(program), printed) << text;
    EXPECT_EQ(print_canonical(printed), printed);
  }
}

TEST(Read, quoting_decides_what_is_a_command) {
  const auto program = read("echo 'a;b' \"c;d\" e\\;f #g;h\n");
  ASSERT_EQ(program.list.size(), 1u);
  EXPECT_EQ(program.list[0].pipelines[0].commands[0].words.size(), 4u);
}

TEST(Read, what_is_not_shell_is_a_doubt_and_reading_goes_on) {
  for (const std::string_view text : {"if true\nmount x\n", "echo 'a\nmount x\n", ")\nmount x\n", "fi\nmount x", "a ${\nmount x\n", "x( y\nmount x\n", "; \nmount x\n"}) {
    const auto program = read(text);
    ASSERT_FALSE(program.doubts.empty()) << text;
    EXPECT_EQ(program.doubts[0].name, "shell-syntax");
    EXPECT_NE(ast::print(program).find("mount x"), std::string::npos) << text;
  }
}

TEST(Read, depth_and_steps_are_bounded) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "$(";
  EXPECT_EQ(read(deep).doubts[0].name, "shell-too-deep");
  std::string parens(100'000, '(');
  EXPECT_FALSE(read(parens).doubts.empty());
  std::string ifs;
  for (int i = 0; i < 20'000; ++i) ifs += "if\n";
  EXPECT_FALSE(read(ifs).doubts.empty());
  std::uint64_t steps = 10;
  EXPECT_EQ(ast::read("a b c d e f g h i j k l m n\n", "test", steps).doubts[0].name, "shell-budget");
}

TEST(Read, carriage_returns_are_read_as_line_ends_and_said) {
  const auto program = read("if a\r\nthen b\r\nfi\r\n");
  ASSERT_EQ(program.doubts.size(), 1u);
  EXPECT_EQ(program.doubts[0].name, "shell-carriage-returns");
  EXPECT_EQ(ast::print(program), "if\na\nthen\nb\nfi\n");
}

}  // namespace
}  // namespace shell
