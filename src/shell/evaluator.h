// The evaluator's insides: a syntax tree run over sets of possible values. Branches are both taken and joined, loops over
// constants are unrolled, functions are run at each call. Nothing outside is touched.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "shell/ast.h"
#include "shell/shell.h"
#include "shell/uci.h"
#include "shell/value.h"

namespace shell {

inline constexpr std::uint64_t parse_steps = 4'000'000;     // characters and words read, sourced files included
inline constexpr std::uint64_t evaluation_steps = 2'000'000;
inline constexpr std::size_t max_commands = 20'000;
inline constexpr std::uint32_t max_instances = 8;           // of one function
inline constexpr int max_call_depth = 12;
inline constexpr int max_source_depth = 4;
inline constexpr std::size_t max_unroll = 16;               // iterations of one for
inline constexpr int max_unroll_product = 64;               // of nested ones

enum class Truth : std::uint8_t { unknown, yes, no };
inline Truth operator!(Truth t) { return t == Truth::unknown ? t : t == Truth::yes ? Truth::no : Truth::yes; }

// One point of the evaluation.
struct State {
  enum class Life : std::uint8_t { alive, broke, returned, exited };
  Life life = Life::alive;
  std::map<std::string, Value> variables;
  std::set<std::string> unset;  // known not to be set
  std::map<std::string, std::vector<Value>> arrays;
  std::vector<Value> arguments;
  bool arguments_known = false;
  std::vector<Condition> guards;
  bool capture = false;  // standard output is collected in `out`
  Value out = empty_value();
  std::optional<Value> in;  // what a pipe brings, when known
};

class Evaluator {
 public:
  Evaluator(Script& script, const Environment& environment);
  void run(std::string_view text);

 private:
  struct Source {
    ast::Program program;
    std::string path;
    bool is_conf = false;  // nothing but assignments
    bool whole = false;    // a sourced file, not a command string
  };
  struct Defined {
    const ast::Command* body = nullptr;
    const Source* source = nullptr;
    std::size_t index = 0;  // in Script::functions
    std::uint32_t instances = 0;
  };
  // What return and break leave behind, to be joined where they lead.
  using Leavers = std::vector<State>;

  // evaluate.cc: the flow of control
  const Source* load(std::string_view text, std::string path);
  void run_uncalled();
  Truth run_list(const ast::List& list, State& state);
  Truth run_and_or(const ast::AndOr& what, State& state);
  Truth run_pipeline(const ast::Pipeline& pipeline, State& state);
  Truth run_command(const ast::Command& command, State& state);
  Truth run_if(const ast::Command& command, State& state);
  void run_while(const ast::Command& command, State& state);
  void run_for(const ast::Command& command, State& state);
  void run_case(const ast::Command& command, State& state);
  void run_body(const ast::Command& command, State& state, const Condition& guard);
  void join_into(State& state, const State& other);
  void absorb(State& state, Leavers& leavers, State::Life life);
  Truth call(Defined& function, std::vector<Value> arguments, std::vector<Word> words, State& state);
  bool charge(std::uint64_t steps);
  std::uint32_t emitted() const { return static_cast<std::uint32_t>(script_.commands.size()); }
  std::vector<std::uint32_t> since(std::uint32_t first) const;
  std::uint32_t emit(Command command, const State& state);

  // simple.cc: simple commands and what the shell itself does with them
  Truth run_simple(const ast::Command& command, State& state);
  Truth run_builtin(const std::string& name, const ast::Command& command, const std::vector<Value>& arguments, std::uint32_t index, State& state);
  void assign(const ast::Assignment& assignment, Value value, State& state);
  void set(const std::string& name, Value value, std::uint32_t line, State& state);
  void source(const Value& path, State& state);
  void run_text(const Text& text, std::uint32_t line, State& state, bool trap);
  Truth test(const std::vector<Value>& words) const;
  std::vector<Redirect> redirects_of(const std::vector<ast::Redirect>& redirects, State& state);
  void config_command(const std::string& name, const std::vector<Value>& arguments, State& state);

  // expand.cc: words
  Value expand(const ast::Word& word, State& state, bool in_quotes = false);
  Value expand_part(const ast::Part& part, State& state, bool in_quotes);
  Value expand_parameter(const ast::Part& part, State& state, bool in_quotes);
  Value expand_command(const ast::Part& part, State& state);
  Value expand_arithmetic(const ast::Part& part, State& state);
  Value look_up(const std::string& name, State& state, bool& is_set);
  std::vector<std::vector<Text>> fields(const ast::Word& word, State& state);  // one list for each option
  Origin here(Origin::Kind kind, std::string key = {}) const;

  // produce.cc: the output of commands that can be known
  std::optional<Value> produce(const std::string& name, const std::vector<Value>& arguments, const Value* in);
  std::optional<std::string> read_file(const std::string& path);
  std::optional<Value> uci_value(const std::string& path);
  const UciPackage* uci_package(const std::string& name);

  Script& script_;
  const Environment& environment_;
  std::deque<Source> sources_;
  std::map<std::string, Defined> functions_;
  std::map<std::string, std::optional<UciPackage>> uci_;
  std::map<std::string, int> sourced_;
  std::string missing_source_;  // the first conf file that the image lacks
  std::uint64_t steps_ = evaluation_steps, read_steps_ = parse_steps;
  const Source* source_ = nullptr;
  std::uint32_t line_ = 0;
  int dry_ = 0;  // above 0 nothing is emitted
  int call_depth_ = 0, source_depth_ = 0, text_depth_ = 0, unrolled_ = 1, next_pipe_ = 0;
  bool in_loop_ = false, background_ = false, in_trap_ = false, uncalled_ = false, dispatches_ = false;
  std::string function_;
  std::vector<Word> call_words_;
  std::vector<Redirect> outer_redirects_;
  int pipe_id_ = -1, pipe_position_ = 0;
  Leavers* breaks_ = nullptr;
  Leavers* continues_ = nullptr;
  Leavers* returns_ = nullptr;
  std::map<std::string, std::optional<Value>>* locals_ = nullptr;
  std::vector<std::string> config_packages_;  // config_load
};

}  // namespace shell
