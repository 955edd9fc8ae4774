// The machinery behind analyse(): one Engine reads one binary. Not for other folders.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "flow/bench.h"
#include "flow/code.h"
#include "flow/flow.h"
#include "flow/models.h"
#include "flow/recognise.h"
#include "flow/state.h"
#include "flow/values.h"

namespace flow {

inline constexpr std::uint64_t heap_step = 0x100;
inline constexpr std::uint32_t most_contexts = 48;  // in which a call is recorded apart; the rest share one record

// How control leaves an instruction.
struct Exit {
  enum class Kind : std::uint8_t { next, jump, call, indirect_jump, indirect_call, ret };
  Kind kind = Kind::next;
  Value target;
  State state;
  bool parted = false;  // one of two ways on, with the flag that decides between them known on each
};

struct Frame {
  const Body* body = nullptr;
  const Frame* caller = nullptr;
  std::uint64_t call_site = 0;      // in the caller
  std::uint64_t return_to = 0;
  std::vector<std::string> root;    // kinds of root
  std::uint32_t depth = 0;
  std::uint64_t context = 0;        // hash of the chain of call sites
  bool main_entry = false;          // this is _start: what it hands over is main
  bool trust = false;               // the block at hand decides about a loop: believe the initial values of globals
  bool may_part = false;  // the rest of the block is decided by flags that nothing in it changes
  mutable std::uint32_t recorded = 0;  // model calls seen since the frame began
  mutable bool gave_up = false;        // a limit ended it before it returned
};

struct Root {
  std::uint64_t entry = 0;
  std::vector<std::string> kinds;
  std::vector<State> state;         // empty: nothing known
  std::vector<Value> args;
};

class Engine {
 public:
  Engine(const elf::Binary& binary, const sleigh::Machine& machine, sleigh::Translator& translator, const Budget& budget);
  Program run();

 private:
  // eval.cc: one instruction
  void exec(State state, const Insn& insn, const Frame& frame, std::vector<Exit>& out);
  Value get(State& s, const MicroOp& op, int i, unsigned chunk = 0);
  bool names(State& s, const MicroOp& op);
  void put(State& s, const MicroOp& op, const Value& v, unsigned chunk = 0);
  Value unary(sleigh::Op op, const Value& a, std::uint8_t in, std::uint8_t out);
  Value binary(sleigh::Op op, const Value& a, const Value& b, std::uint8_t in, std::uint8_t out);
  void name_compared(State& s, const MicroOp& op, Value& left, Value& right);
  bool wide(State& s, const MicroOp& op);
  bool unaligned_pair(State& s, const Insn& insn);
  // A comparison's outcome, and what is made of one, with what it is about (equality.cc).
  Value compared(sleigh::Op op, const Value& a, const Value& b, std::uint8_t out, Value truth);
  // words.cc
  std::uint16_t word_compared(State& s, const Insn& insn, const Frame& frame, sleigh::Op op, const Value& left, const Value& right);
  // `truth` was taken or not: where that makes an unknown a constant, the registers that hold it are told.
  void learn(State& s, const Value& truth, bool taken) const;
  bool know_flag(State& s, const Insn& insn, std::size_t at, bool condition, std::uint16_t taint);
  void run_from(State s, std::size_t at, const Insn& insn, const Frame& frame, std::vector<Exit>& out, int forks);

  // memory.cc
  Value load(State& s, const Value& address, std::uint8_t size);
  Value load_at(State& s, Place p, std::uint8_t size);
  void store(State& s, const Value& address, const Value& v, std::uint8_t size, bool weak = false);
  std::optional<std::uint8_t> byte_at(const State& s, Place p) const;
  bool defined(const State& s, Place p) const;
  std::optional<Place> place_of(const Value& v) const;
  Value table(State& s, const Value& address, std::uint8_t size);
  std::vector<Text> texts_at(State& s, const Value& pointer, std::size_t limit = 4096);
  Text read_text(State& s, Place p, std::size_t limit, std::vector<Text>& others);
  void write_texts(State& s, const Value& pointer, std::vector<Text> texts);
  std::string origin_of(const Value& v) const;
  std::string buffer_id(const Value& v) const;
  bool is_stack(std::uint64_t a) const { return a >= stack_low_ && a < stack_high_; }
  bool is_heap(std::uint64_t a) const { return a >= heap_low_ && a < heap_high_; }

  // join.cc
  Value join(const Value& a, const Value& b, std::uint16_t taint, bool loop, std::uint64_t key);
  void join(State& into, State&& other, bool loop, std::uint64_t key);

  // discover.cc: functions
  void find_starts();
  bool is_all_arm() const;
  bool prologue_at(std::uint64_t address, bool thumb) const;
  std::uint64_t before_prologue(std::uint64_t address, bool thumb, const std::function<bool(std::uint64_t)>& inside) const;
  std::optional<std::uint64_t> literal_at(std::uint64_t address, bool thumb) const;
  std::optional<std::uint32_t> adds_to_pc(std::uint64_t address, bool thumb);
  std::vector<std::uint64_t> branch_table(std::uint64_t address, bool thumb) const;
  bool traps_at(std::uint64_t address, bool thumb) const;
  bool data_may_call(std::uint64_t v) const;
  void add_start(std::uint64_t address, bool thumb);
  Body* body_at(std::uint64_t address, bool thumb);
  void build(Body& body, int depth);
  void virtual_tables();
  void settle_returns();
  void scan_calls();
  void scan_prologues();
  bool behind_an_end(std::uint64_t address) const;
  bool perhaps_number(std::uint64_t target) const;
  std::uint64_t behind_padding(std::uint64_t from, std::uint64_t to);
  void note_code_pointer(Body& body, const Value& v);
  State fresh_state(const Body* body);
  bool is_start(std::uint64_t address) const { return starts_.contains(address); }
  std::string function_name(std::uint64_t address) const;
  std::optional<std::string> import_at(std::uint64_t address) const;
  std::optional<std::string> import_called(const State& s, std::uint64_t address) const;  // PowerPC: the caller's r30 decides
  bool code_target(std::uint64_t address) const;

  // run.cc
  std::size_t parting_from(const Block& block);
  std::uint64_t taken_by_callee(const Body& body) const;
  std::optional<State> invoke(const Body& body, State state, Frame& frame);
  // The states after the call returns; empty when it never does.
  std::optional<State> call(State s, const Value& target, std::uint64_t site, std::uint64_t return_to, const Frame& frame, bool tail);
  std::optional<State> call_one(State s, const Value& target, std::uint64_t site, std::uint64_t return_to, const Frame& frame, bool tail);
  std::optional<State> syscall(State s, std::uint64_t site, const Frame& frame);
  void run_root(Root root);
  void relevance();
  void give_up(const std::string& what, std::uint64_t address);

  // library_found.cc: which functions of a static program are the C library's
  void start_bench();
  bool in_library(std::uint64_t entry) const { return library_low_ != 0 && entry >= library_low_; }
  void recognise_library();
  void recognise_cxx();
  std::uint64_t standard_input();
  void recognise_from(std::vector<std::uint64_t> roots);
  std::string try_name(std::uint64_t entry, const Body& body);
  std::string thrower(const Body& body);
  bool allocates(const Body& body);

  // library.cc
  std::optional<State> library(State s, const std::string& name, const Model& model, const std::vector<int>& skip,
                               std::uint64_t site, const Frame& frame, bool raw);
  struct ArgReader;
  Value argument(State& s, std::size_t i);
  ArgValue describe(State& s, const Value& v, Role role, std::vector<std::uint32_t>& feeds, bool& resolved, const Value* length);
  std::vector<Text> format(State& s, const std::vector<Text>& formats, const std::function<Value()>& next, std::vector<Value>* used);
  std::optional<Endpoint> endpoint_at(State& s, const Value& pointer, bool& resolved);
  void set_result(State& s, const Value& v);
  Value result_symbol(const std::string& callee, std::uint64_t site, std::uint32_t id, const std::string& origin);

  // cxx_text.cc: what a call of libstdc++'s strings and streams leaves; nothing when `name` is none that is known.
  // `indirect_result`: the callee took the address of its result (and, on i386, took it off the stack).
  std::optional<State> cxx_text(State& s, const std::string& name, bool& indirect_result);
  struct CxxText;
  static bool is_cxx_text(std::string_view name);  // by its class or operator

  // alone.cc: each function by itself
  static constexpr std::size_t arguments_seen = 8;
  struct Passed {  // what a call hands over, as far as its function alone tells it
    std::vector<std::uint64_t> constants;
    int parameter = -1;  // of the function
    auto operator<=>(const Passed&) const = default;
  };
  struct Alone {
    std::uint64_t function = 0, site = 0;
    std::uint64_t callee = 0;          // a function of the program, or
    std::uint64_t through = 0;         // those that this variable has been given, or
    const Model* model = nullptr;      // a library's
    std::vector<Passed> passed;
    std::vector<Role> roles;           // of a library's, by position as `passed`
    std::vector<ArgValue> described;
    bool indirect = false;             // the callee was read from somewhere
    std::optional<std::size_t> format;  // its printf format is a parameter: the last `guessed` of `passed` may be its arguments
    std::size_t guessed = 0;
  };
  std::vector<CodeStore::Reg> spare_registers();
  Passed passed(const Value& v) const;
  void pass_by(Alone call, State& s);
  void note_alone(Alone call);
  void read_alone();
  void tell_alone(const std::set<std::uint64_t>& reached);

  // analyse.cc
  void join_children();
  std::vector<std::pair<std::uint64_t, std::uint64_t>> parts_of(const Body& body) const;
  void collect_functions(Program& out);

  const elf::Binary& elf_;
  const sleigh::Machine& machine_;
  sleigh::Translator& translator_;
  Budget budget_;
  Tables tables_;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> equalities_;  // symbol, and what it is where they hold
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> equality_ids_;
  PageStore pages_;
  CodeStore code_;
  std::unique_ptr<Bench> bench_;  // of a static program
  std::unique_ptr<Recogniser> recogniser_;
  std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> virtual_tables_;  // where an object points to -> entries
  std::set<std::uint64_t> tried_;  // entries that the trials have seen
  std::set<std::uint64_t> allocators_;  // C++'s operator new
  std::vector<Value> temps_;
  bool big_;
  std::uint8_t word_;
  std::uint64_t stack_low_, stack_high_, stack_top_, heap_low_, heap_high_;

  bool all_arm_ = false;                  // an ARM program without Thumb code
  std::map<std::uint64_t, bool> starts_;  // entry -> thumb
  std::unordered_set<std::uint64_t> pool_;  // addresses of constants among the code
  std::vector<bool> named_;  // by distance from image_low_: addresses that code makes, where things begin
  std::uint64_t image_low_ = 0x1000, image_high_ = 0;
  std::unordered_set<std::uint64_t> relative_;  // values that code added its own address to
  std::unordered_set<std::uint64_t> switch_bases_;  // what a jump table's entries are added to: no function, though it stays in a register
  std::unordered_set<std::uint64_t> doubtful_;  // starts that only a constant named, and that do not look it
  std::vector<std::uint64_t> queue_;
  std::map<std::uint64_t, std::unique_ptr<Body>> bodies_;
  std::unordered_map<std::uint64_t, std::string> stubs_;      // code address -> import
  struct Slot {
    bool import = false;
    std::string name;
    std::uint64_t value = 0;
  };
  std::unordered_map<std::uint64_t, Slot> slots_;             // relocated word -> what it holds
  std::unordered_map<std::uint64_t, std::string> recognised_;  // entry -> library function (static programs)
  std::set<std::uint64_t> helpers_;       // of those, what system() and popen() share: the command may be any of its first three
  std::uint64_t library_low_ = 0;         // where the C library's code begins in a static program
  std::set<std::uint64_t> relevant_, covered_, covered_blocks_;
  std::set<std::uint64_t> address_taken_;
  std::set<std::string> user_syscalls_;
  std::vector<bool> is_syscall_op_;
  std::vector<std::uint32_t> flags_;  // ARM: slots of the condition flags

  std::vector<CodeStore::Reg> arg_regs_, sys_args_;
  CodeStore::Reg result_, stack_, link_, global_, sys_number_, t9_, mode_, table_pointer_;  // the last: PowerPC's r30
  std::uint64_t global_value_ = 0;

  std::vector<CallSite> calls_;
  std::vector<std::set<std::uint32_t>> feeds_;
  std::vector<std::vector<std::uint32_t>> guards_, passed_;
  std::vector<std::uint16_t> visits_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint32_t> call_ids_;  // (site, context)
  std::map<std::uint64_t, std::uint32_t> contexts_of_;
  std::map<std::uint64_t, std::uint32_t> inlined_;
  std::vector<Root> roots_;
  std::map<std::uint64_t, std::uint64_t> pieces_;  // bodies that begin in the middle of a function: its entry
  std::set<std::uint64_t> rooted_;
  std::uint64_t next_insn_ = 0;  // a call pushes this; it is no code pointer
  bool light_ = false;
  bool survey_ = false;  // what no root reached is read: each function for itself
  bool indirect_ = false;  // the call at hand goes where a value says
  bool alone_ = false;   // each function is read by itself: calls into the program are noted, not followed
  std::vector<Alone> alone_calls_;
  std::map<std::uint64_t, std::set<std::uint64_t>> kept_functions_;  // variable -> entries that functions read by themselves store there
  Body* building_ = nullptr;
  std::uint64_t steps_ = 0, root_limit_ = 0;
  bool out_of_budget_ = false;
  std::set<std::string> give_ups_;
  base::Doubts doubts_;
};

}  // namespace flow
