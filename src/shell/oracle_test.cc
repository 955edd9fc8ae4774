// Why: a parser tested only against its author's reading proves little. Here two shells of others are the judge:
// dash says what is a word and what is syntax; real scripts of a router say whether we read what is in the field.
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "shell/ast.h"
#include "shell/boot.h"
#include "shell/shell.h"

namespace shell {
namespace {

struct Ran {
  int status = -1;
  std::string out;
};

// Runs dash with an empty environment on a file; the scripts are our own, and only ask for printf.
Ran dash(const std::string& text, const std::string& option) {
  const auto path = (std::filesystem::temp_directory_path() / ("shell-oracle-" + std::to_string(::getpid()) + ".sh")).string();
  std::ofstream(path, std::ios::binary) << text;
  Ran ran;
  if (FILE* pipe = ::popen(("env -i /bin/dash " + option + " " + path + " 2>/dev/null").c_str(), "r")) {
    std::array<char, 4096> buffer;
    for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) ran.out.append(buffer.data(), got);
    ran.status = ::pclose(pipe);
  }
  std::filesystem::remove(path);
  return ran;
}

bool has_dash() { return std::filesystem::exists("/bin/dash"); }

std::string pick(std::mt19937& random, const std::vector<std::string>& from) { return from[random() % from.size()]; }

// A word of harmless pieces: quotes, escapes, expansions of variables that the script sets.
std::string random_word(std::mt19937& random) {
  static const std::vector<std::string> pieces = {"a", "b.c", "/x/y", "'q r'", "\"s t\"", "\\ ", "\\$", "$v", "${v}", "\"$v\"", "$w", "\"$w\"", "${e}", "\"\"", "''", "${v#a}", "${v%.*}", "${v##*.}", "${w%% *}",
                                                  "${e:-def}", "${e-nul}", "${u:-a b}", "\"${u:-a b}\"", "${v:+set}", "${u+set}", "${#v}", "$((1+2*3))", "$(printf %s sub)", "`printf '%s' back`", "\"$(printf 'x y')\"",
                                                  "$(printf 'x y')", "${u:-'q}q'}", "\"${u:-it's}\"", "\"\\\\ \\a \\$v\"", "'\\'", "\"$\"", "{a,b}", "#", "=", "~x", "\"`printf \\\"i\\\"`\"", "${v%\"${e}c\"}", "\\\n"};
  std::string out;
  const auto count = 1 + random() % 4;
  for (std::size_t i = 0; i < count; ++i) out += pick(random, pieces);
  if (out[0] == '#') out.insert(0, "h");
  return out;
}

TEST(Oracle, words_are_those_that_dash_makes) {
  if (!has_dash()) GTEST_SKIP() << "needs /bin/dash";
  constexpr int batches = 20, words_each = 100;
  std::mt19937 random(20240613);
  int compared = 0;
  for (int batch = 0; batch < batches; ++batch) {
    const std::string head = "v=ab.c\nw='one two  three'\ne=\nunset u va vb wa wb\n";
    std::string text = head;
    std::vector<std::string> lines;
    for (int i = 0; i < words_each; ++i) {
      const auto word = random_word(random);
      lines.push_back(word);
      text += "set -f; printf '<%s>' " + word + " " + random_word(random) + "; printf '\\n%%\\n'\n";
    }
    // The same text is judged by both.
    const auto ran = dash(text, "");
    ASSERT_EQ(ran.status, 0);
    std::string ours;
    const auto script = parse(text, "/t", {});
    EXPECT_TRUE(script.doubts.empty());
    for (const auto& command : script.commands) {
      if (command.captured_by || command.words.size() < 2 || command.words[0].text != "printf") continue;
      if (command.words[1].text == "\\n%%\\n") {
        ours += "\n%\n";
        continue;
      }
      if (command.words.size() == 2) ours += "<>";
      for (std::size_t i = 2; i < command.words.size(); ++i) ours += "<" + command.words[i].text + ">";
    }
    std::size_t at = 0, other = 0;
    while (at < ran.out.size() || other < ours.size()) {
      const auto end = ran.out.find("\n%\n", at), other_end = ours.find("\n%\n", other);
      ASSERT_NE(end, std::string::npos);
      ASSERT_NE(other_end, std::string::npos);
      EXPECT_EQ(ours.substr(other, other_end - other), ran.out.substr(at, end - at)) << "batch " << batch << " line " << compared % words_each << ": " << lines[static_cast<std::size_t>(compared % words_each)];
      at = end + 3;
      other = other_end + 3;
      ++compared;
    }
  }
  std::printf("%d command lines of generated words agree with dash unless reported above\n", compared);
  EXPECT_GT(compared, batches * words_each * 9 / 10) << "a # that begins a word after a continued line hides the rest of its line";
}

TEST(Oracle, what_is_syntax_is_what_dash_says) {
  if (!has_dash()) GTEST_SKIP() << "needs /bin/dash";
  static const std::vector<std::string> tokens = {"if", "then", "else", "elif", "fi", "for i in a", "do", "done", "while", "case a in", "esac", "a)", ";;", "{", "}", "(", ")", ";", "\n", "&&", "||", "|", "!", ":", "a=1",
                                                  ">f", "f()", "'x'", "\"$a\"", "$(:)", "&", "2>&1", "in", "${a:-b}", "true;", "if :; then", "fi;", "{ :;", "while :; do"};
  std::mt19937 random(7);
  std::vector<std::string> texts;
  for (int i = 0; i < 1500; ++i) {
    std::string text;
    const auto count = 1 + random() % 9;
    for (std::size_t k = 0; k < count; ++k) text += pick(random, tokens) + " ";
    texts.push_back(text + "\n");
  }
  // One process for all: each text in a file of its own, dash -n over each.
  const auto directory = std::filesystem::temp_directory_path() / ("shell-syntax-" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  for (std::size_t i = 0; i < texts.size(); ++i) std::ofstream(directory / std::to_string(i), std::ios::binary) << texts[i];
  const auto ran = dash("i=0\nwhile [ $i -lt " + std::to_string(texts.size()) + " ]; do if /bin/dash -n " + directory.string() + "/$i; then printf 1; else printf 0; fi; i=$((i+1)); done\n", "");
  std::filesystem::remove_all(directory);
  ASSERT_EQ(ran.out.size(), texts.size());
  int accepted = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::uint64_t steps = 100'000;
    const bool ours = ast::read(texts[i], "t", steps).doubts.empty();
    accepted += ours;
    EXPECT_EQ(ours, ran.out[i] == '1') << texts[i];
  }
  std::printf("%zu token sequences, %d of them shell for both\n", texts.size(), accepted);
  EXPECT_GT(accepted, 100);
}

std::filesystem::path shared() {
  if (const char* named = std::getenv("BIOPSY_SHARED")) return named;
  return std::filesystem::path(BIOPSY_SOURCE_DIR).parent_path() / "shared";
}

TEST(Oracle, every_script_of_a_router_is_read) {
  const auto image = shared() / "firmware/images/lede-17.01.4-tl-wr841-v11-factory.bin";
  if (!std::filesystem::exists(image)) GTEST_SKIP() << "needs shared firmware: images/lede-17.01.4-tl-wr841-v11-factory.bin";
  if (std::system("command -v unsquashfs >/dev/null") != 0) GTEST_SKIP() << "needs unsquashfs";
  const auto root = std::filesystem::temp_directory_path() / ("shell-lede-" + std::to_string(::getpid()));
  const auto unpack = "unsquashfs -q -n -no-xattrs -o 1258564 -d " + root.string() + " " + image.string() + " >/dev/null 2>&1";
  (void)std::system(unpack.c_str());  // device nodes fail without root; the files are there
  int scripts = 0;
  std::uint64_t doubts = 0;
  std::size_t commands = 0;
  Environment environment;
  const auto read = [&](std::string_view path) -> std::optional<std::string> {
    const auto full = root / path.substr(1);
    std::error_code error;
    if (path.empty() || path[0] != '/' || !std::filesystem::is_regular_file(full, error)) return std::nullopt;
    std::ifstream in(full, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(in), {}};
  };
  environment.read_file = read;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root, std::filesystem::directory_options::skip_permission_denied)) {
    if (!entry.is_regular_file() || entry.is_symlink()) continue;
    const auto path = "/" + entry.path().lexically_relative(root).string();
    const auto text = read(path).value_or("");
    if (!looks_like_script(text) && !path.ends_with(".sh")) continue;
    ++scripts;
    const auto script = parse(text, path, environment);
    commands += script.commands.size();
    for (const auto& doubt : script.doubts) {
      doubts += doubt.count;
      ADD_FAILURE() << path << ": " << doubt.name << " in " << doubt.where << ": " << doubt.detail;
    }
    EXPECT_EQ(print_canonical(print_canonical(text)), print_canonical(text)) << path;
  }
  Tree tree;
  tree.read_file = read;
  tree.list_directory = [&](std::string_view path) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(root / path.substr(1), error)) names.push_back(entry.path().filename().string());
    return names;
  };
  tree.read_link = [&](std::string_view path) -> std::optional<std::string> {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(root / path.substr(1), error);
    return error ? std::nullopt : std::optional(target.string());
  };
  const auto plan = boot_plan(tree);
  const auto starts = [&](std::string_view program) { return std::ranges::any_of(plan, [&](const Start& s) { return s.program_or_script == program; }); };
  EXPECT_TRUE(starts("/etc/init.d/rcS"));
  EXPECT_TRUE(starts("/etc/init.d/dropbear"));
  EXPECT_TRUE(starts("/usr/sbin/uhttpd") || starts("/etc/init.d/uhttpd"));
  EXPECT_TRUE(starts("/etc/rc.button/reset"));
  std::printf("%d scripts, %zu commands, %zu starts, %llu doubts\n", scripts, commands, plan.size(), static_cast<unsigned long long>(doubts));
  EXPECT_GT(scripts, 80);
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace shell
