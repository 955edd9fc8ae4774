// Shell text in, the simple commands that it can run out, in program order, with every constant word resolved.
// Reads POSIX shell (IEEE Std 1003.1-2017, XCU chapter 2) and the parts of ash and bash that firmware uses.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace shell {

// Where a part of a word comes from.
struct Origin {
  enum class Kind : std::uint8_t {
    literal,            // written in the word itself
    assignment,         // assigned in the script: `key` is the variable
    sourced_file,       // assigned in a file that the script sources and the image holds: a shipped default
    default_expansion,  // the word of ${key:-word}
    config_get,         // a uci option with a value in the image: a shipped default; `key` is package.section.option
    file_content,       // the content of a file of the image: a shipped default
    setting,            // a key that is absent or empty in the image: uci, nvram, or a variable of an empty or missing conf file
    argument,           // $1 of the script, getopts
    input,              // `read`
    environment,        // a variable that nobody assigns
    command,            // the output of a command that is not evaluated
  } kind = Kind::literal;
  std::string file{};        // where it stands; for setting: the file that would hold it, or empty
  std::uint32_t line = 0;  // 1-based; 0: not known
  std::string key;         // variable, option or command
  bool operator==(const Origin&) const = default;
};
std::string_view key(Origin::Kind kind);

// One word after expansion, quote removal and field splitting.
struct Word {
  std::string text;                       // unknown parts are written ${NAME} or $(command)
  bool resolved = true;                   // no unknown part in `text`
  std::vector<std::string> unknowns;      // the unknown parts: "NAME", "1", "$(command)"
  std::vector<Origin> origins;            // of all parts, in order, without repeats
  std::vector<std::string> alternatives;  // all values that were seen possible, `text` first, when more than one (at most 8)
  bool has_glob = false;                  // an unquoted * ? or [ is left in it (pathname expansion is not done)
  std::string raw{};                        // as written in the source
};

struct Redirect {
  int fd = -1;                // -1: the operator's own default; -2: {name} (bash)
  std::string op;             // < > >> >| <> <& >& << <<- <<< &> &>>
  Word target{};                // for << the delimiter
  std::string here_document{};  // expanded unless the delimiter was quoted; unknown parts as in a word
  bool here_resolved = true;
};

// A condition under which a command runs.
struct Condition {
  // early_exit: an earlier `condition || exit` (or if-exit-fi) that was passed; loop: for over a list.
  enum class Kind : std::uint8_t { if_, while_, case_, and_, or_, early_exit, loop } kind = Kind::if_;
  std::string text;                     // the source text of the condition, or `SUBJECT in PATTERN|PATTERN`
  std::vector<std::uint32_t> commands;  // indices of the commands that make the condition
  bool negated = false;                 // the command runs when the condition fails
};

struct Command {
  std::vector<std::pair<std::string, Word>> assignments{};
  std::vector<Word> words{};  // empty for a bare assignment or redirect
  std::vector<Redirect> redirects{};
  std::uint32_t line = 0;   // 1-based, in `file`
  std::string file{};         // the script, or a file that it sources
  std::string raw{};          // the source text of the simple command, for evidence
  std::vector<Condition> guards{};  // outermost first
  int pipe_id = -1;         // commands of one pipeline share it; -1: not in a pipeline
  int pipe_position = 0;
  bool background = false;
  bool in_loop = false;
  std::string function{};     // enclosing function; "" at top level
  std::vector<Word> call_arguments{};  // $1 ... of that function in this instance
  bool reached = true;      // false: after an unconditional exit, on a branch whose condition is constant, or in a function that nobody calls
  std::optional<std::uint32_t> captured_by{};  // runs inside $(...) of that command
  bool calls_function = false;  // words[0] is a function of the script, not a program
  bool is_trap = false;     // the action of a trap
};

struct Function {
  std::string name;
  std::string file{};
  std::uint32_t line = 0;
  std::uint32_t calls = 0;  // instances in Script::commands that are reached
};

// `commands` is flat and in program order: index order is `precedes` within one instance of the script. A function body
// appears once for each call (up to 8 instances), with its arguments bound; a function that nobody calls appears last.
struct Script {
  std::string path;
  std::string interpreter;  // "/bin/sh", "/bin/sh /etc/rc.common"; empty without #!
  std::vector<Command> commands;
  std::vector<Function> functions;
  std::vector<std::string> sources;  // files sourced, those that the image lacks included
  base::Doubts doubts;               // names: doubt_names()
};

struct Environment {
  // A file of the firmware: for `. /etc/x.conf`, $(cat /etc/x), uci. May be empty.
  std::function<std::optional<std::string>(std::string_view path)> read_file;
  std::map<std::string, std::string> variables;
  std::vector<std::string> arguments;  // $1 ...; unknown when empty
};

// Never fails: what cannot be read is a doubt, and reading goes on at the next line. Work is bounded by steps, depth and commands;
// a bound that ends the work is the doubt "shell-budget".
Script parse(std::string_view text, std::string_view path, const Environment& environment = {});

// True for text whose first line names a shell (sh, ash, bash, dash, ksh, rc.common, busybox sh).
bool looks_like_script(std::string_view text);
// The #! line's words joined by one space, without "#!"; empty when there is none.
std::string interpreter_of(std::string_view text);

// What a command runs in the end: the program's base name and its arguments, with what only carries it taken off
// (busybox, env, nohup, exec, time, timeout, nice, setsid, sudo, su -c, start-stop-daemon, procd_set_param command, xargs, find -exec, ...).
struct Effective {
  std::string name;                    // base name; "" when there is none
  std::string path;                    // as written
  std::vector<Word> arguments;
  std::vector<std::string> carriers;   // what was taken off, outermost first
  std::string peer;                    // runs on another host (ssh, rsh): its name; not local then
  bool background = false;             // start-stop-daemon -b, setsid, ...
};
Effective effective_command(const Command& command);

// Commands that a command gives to a shell as text: sh -c '...', eval, su -c, ssh HOST '...', trap (parsed already when
// constant: they follow the command in Script::commands). For command strings from elsewhere.
std::optional<std::string> shell_text_of(const Command& command);

// The canonical form: print_canonical(print_canonical(x)) == print_canonical(x). Text that is not shell is left out.
std::string print_canonical(std::string_view text);

// Every name that a doubt of this folder can have.
const std::vector<std::string_view>& doubt_names();

}  // namespace shell
