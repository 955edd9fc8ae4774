// The flow of control: lists, branches, loops, functions, pipelines; and what is called by nobody.
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "shell/evaluator.h"

namespace shell {

namespace {

std::string text_of(const ast::Pipeline& pipeline) {
  std::string out = pipeline.negated ? "! " : "";
  for (std::size_t i = 0; i < pipeline.commands.size(); ++i) {
    if (i > 0) out += " | ";
    out += pipeline.commands[i].raw.empty() ? "{...}" : pipeline.commands[i].raw;
  }
  return out.substr(0, 512);
}

std::string text_of(const ast::List& list) {
  std::string out;
  for (const auto& each : list) out += (out.empty() ? "" : "; ") + each.raw;
  return out.substr(0, 512);
}

bool is_conf(const ast::List& list) {
  for (const auto& each : list) {
    if (each.pipelines.size() != 1 || each.pipelines[0].commands.size() != 1) return false;
    const auto& command = each.pipelines[0].commands[0];
    if (command.kind != ast::Command::Kind::simple) return false;
    if (!command.words.empty() && command.words[0].raw != "export") return false;
  }
  return true;
}

// Functions that rc.common, the caller of OpenWrt's init scripts, calls by name.
bool is_entry_of_rc_common(std::string_view name) {
  for (const std::string_view entry : {"boot", "start", "stop", "restart", "reload", "start_service", "stop_service", "reload_service", "service_triggers", "service_started",
                                       "service_stopped", "shutdown", "init_config", "service_running", "status", "enable", "disable", "enabled", "service_data", "service_interface"})
    if (name == entry) return true;
  return false;
}

}  // namespace

Evaluator::Evaluator(Script& script, const Environment& environment) : script_(script), environment_(environment) {}

bool Evaluator::charge(std::uint64_t steps) {
  if (steps_ > steps) {
    steps_ -= steps;
    return true;
  }
  if (steps_ != 0) base::add_doubt(script_.doubts, {"shell-budget", script_.path, 0, "the step budget ended the evaluation, line " + std::to_string(line_)});
  steps_ = 0;
  return false;
}

const Evaluator::Source* Evaluator::load(std::string_view text, std::string path) {
  auto& source = sources_.emplace_back();
  source.program = ast::read(text, path, read_steps_);
  source.path = std::move(path);
  source.is_conf = is_conf(source.program.list);
  for (const auto& doubt : source.program.doubts) base::add_doubt(script_.doubts, doubt);
  return &source;
}

void Evaluator::run(std::string_view text) {
  State state;
  for (const auto& [name, value] : environment_.variables) state.variables[name] = known_value(value, {Origin::Kind::environment, "", 0, name});
  state.arguments_known = !environment_.arguments.empty();
  for (const auto& argument : environment_.arguments) state.arguments.push_back(known_value(argument, {Origin::Kind::argument, "", 0, ""}));
  source_ = load(text, script_.path);
  run_list(source_->program.list, state);
  state.life = State::Life::alive;
  state.guards.clear();
  // What rc.common calls is run with whatever it asks for.
  if (script_.interpreter.find("rc.common") != std::string::npos)
    for (auto& [name, function] : functions_)
      if (is_entry_of_rc_common(name) && function.instances == 0) {
        State fresh = state;
        call(function, {}, {}, fresh);
      }
  dispatches_ |= std::ranges::any_of(script_.commands, [](const Command& c) {
    return c.reached && !c.words.empty() && !c.words[0].resolved && std::ranges::any_of(c.words[0].origins, [](const Origin& o) { return o.kind == Origin::Kind::argument; });
  });
  for (const bool again : {true, false}) {
    uncalled_ = !dispatches_;
    for (auto& [name, function] : functions_)
      if (function.instances == 0 && function.source == &sources_.front()) {
        State fresh = state;
        fresh.arguments_known = false;
        call(function, {}, {}, fresh);
      }
    if (!again) break;
  }
}

std::vector<std::uint32_t> Evaluator::since(std::uint32_t first) const {
  std::vector<std::uint32_t> out;
  for (std::uint32_t i = first; i < emitted() && out.size() < 64; ++i) out.push_back(i);
  return out;
}

std::uint32_t Evaluator::emit(Command command, const State& state) {
  if (dry_ > 0) return 0;
  if (script_.commands.size() >= max_commands) {
    base::add_doubt(script_.doubts, {"shell-budget", script_.path, 0, "more commands than are kept"});
    steps_ = 0;
    return 0;
  }
  command.file = source_->path;
  command.guards = state.guards;
  command.pipe_id = pipe_id_;
  command.pipe_position = pipe_position_;
  command.background = background_;
  command.in_loop = in_loop_;
  command.function = function_;
  command.call_arguments = call_words_;
  command.reached = state.life == State::Life::alive && !uncalled_;
  command.is_trap = in_trap_;
  for (const auto& outer : outer_redirects_)
    if (std::ranges::none_of(command.redirects, [&](const Redirect& own) { return own.fd == outer.fd && (own.op[0] == '<') == (outer.op[0] == '<'); }))
      command.redirects.push_back(outer);
  script_.commands.push_back(std::move(command));
  return emitted() - 1;
}

void Evaluator::join_into(State& state, const State& other) {
  if (other.life != State::Life::alive) return;
  if (state.life != State::Life::alive) {
    auto guards = std::move(state.guards);
    state = other;
    state.guards = std::move(guards);
    return;
  }
  charge(other.variables.size() / 4 + 1);
  const auto missing = [&](const State& in, const std::string& name) {
    return in.unset.contains(name) ? empty_value() : unknown_value("${" + name + "}", here(Origin::Kind::environment, name));
  };
  for (const auto& [name, value] : other.variables) {
    const auto mine = state.variables.find(name);
    if (mine != state.variables.end()) mine->second = join(mine->second, value);
    else state.variables[name] = join(value, missing(state, name));
  }
  for (auto& [name, value] : state.variables)
    if (!other.variables.contains(name)) value = join(value, missing(other, name));
  std::erase_if(state.unset, [&](const std::string& name) { return state.variables.contains(name) || !other.unset.contains(name); });
  for (const auto& [name, value] : other.arrays) state.arrays.insert({name, value});
  if (state.arguments_known != other.arguments_known || state.arguments.size() != other.arguments.size()) {
    state.arguments_known = false;
  } else {
    for (std::size_t i = 0; i < state.arguments.size(); ++i) state.arguments[i] = join(state.arguments[i], other.arguments[i]);
  }
  if (state.capture) state.out = join(state.out, other.out);
}

// The states that left by return or break arrive here.
void Evaluator::absorb(State& state, Leavers& leavers, State::Life life) {
  if (state.life == life) state.life = State::Life::exited;  // it is among the leavers
  for (auto& each : leavers) {
    each.life = State::Life::alive;
    join_into(state, each);
  }
}

Truth Evaluator::run_list(const ast::List& list, State& state) {
  Truth last = Truth::unknown;
  for (const auto& each : list) {
    if (!charge(1)) return Truth::unknown;
    last = run_and_or(each, state);
  }
  return last;
}

Truth Evaluator::run_and_or(const ast::AndOr& what, State& state) {
  const bool background = std::exchange(background_, background_ || what.background);
  const auto first = emitted();
  Truth truth = run_pipeline(what.pipelines[0], state);
  std::string text = text_of(what.pipelines[0]);
  for (std::size_t i = 1; i < what.pipelines.size(); ++i) {
    const bool is_and = what.operators[i - 1] == "&&";
    const Condition guard{is_and ? Condition::Kind::and_ : Condition::Kind::or_, text, since(first), !is_and};
    const bool never = truth == (is_and ? Truth::no : Truth::yes);
    if (truth != Truth::unknown && !never) {
      truth = run_pipeline(what.pipelines[i], state);
    } else {
      State right = state;
      charge(right.variables.size() / 4 + 1);
      if (never) right.life = State::Life::exited;
      right.guards.push_back(guard);
      run_pipeline(what.pipelines[i], right);
      const bool leaves = right.life != State::Life::alive && state.life == State::Life::alive;
      if (!never && leaves) {
        if (state.guards.size() < 32) state.guards.push_back({Condition::Kind::early_exit, text, guard.commands, is_and});
        truth = is_and ? Truth::no : Truth::yes;
      } else if (!never) {
        right.guards.pop_back();
        join_into(state, right);
        truth = Truth::unknown;
      }
    }
    text = (text + " " + what.operators[i - 1] + " " + text_of(what.pipelines[i])).substr(0, 512);
  }
  background_ = background;
  return what.background ? Truth::yes : truth;
}

Truth Evaluator::run_pipeline(const ast::Pipeline& pipeline, State& state) {
  if (pipeline.commands.size() == 1) {
    const auto truth = run_command(pipeline.commands[0], state);
    return pipeline.negated ? !truth : truth;
  }
  const auto outer = std::pair(pipe_id_, pipe_position_);
  const int id = next_pipe_++;
  std::optional<Value> in = state.in;
  for (std::size_t i = 0; i < pipeline.commands.size(); ++i) {
    State stage = state;
    charge(stage.variables.size() / 4 + 1);
    stage.in = i > 0 ? in : state.in;
    stage.capture = state.capture || i + 1 < pipeline.commands.size();
    stage.out = empty_value();
    pipe_id_ = id;
    pipe_position_ = static_cast<int>(i);
    run_command(pipeline.commands[i], stage);
    in = stage.out;
    if (i + 1 == pipeline.commands.size() && state.capture) state.out = concat(state.out, stage.out);
  }
  std::tie(pipe_id_, pipe_position_) = outer;
  return Truth::unknown;
}

Truth Evaluator::run_command(const ast::Command& command, State& state) {
  using Kind = ast::Command::Kind;
  if (!charge(1)) return Truth::unknown;
  line_ = command.line;
  if (command.kind == Kind::simple) return run_simple(command, state);
  if (command.kind == Kind::function) {
    auto& slot = functions_[command.name];
    if (slot.body == nullptr) {
      slot.index = script_.functions.size();
      script_.functions.push_back({command.name, source_->path, command.line, 0});
    }
    slot.body = &command;
    slot.source = source_;
    return Truth::yes;
  }
  const auto outer = outer_redirects_;
  auto own = redirects_of(command.redirects, state);
  outer_redirects_.insert(outer_redirects_.begin(), own.begin(), own.end());
  const bool away = state.capture && std::ranges::any_of(own, [](const Redirect& r) { return r.op[0] == '>' && (r.fd == -1 || r.fd == 1); });
  const Value kept_out = state.out;
  Truth truth = Truth::unknown;
  switch (command.kind) {
    case Kind::if_: truth = run_if(command, state); break;
    case Kind::while_:
    case Kind::until: run_while(command, state); break;
    case Kind::for_:
    case Kind::select: run_for(command, state); break;
    case Kind::case_: run_case(command, state); break;
    case Kind::group: truth = run_list(command.bodies[0], state); break;
    case Kind::subshell: {
      State child = state;
      run_list(command.bodies[0], child);
      if (state.capture) state.out = child.out;
      break;
    }
    case Kind::arithmetic: {
      Command sum{.line = command.line, .raw = "((" + command.name + "))"};
      emit(std::move(sum), state);
      break;
    }
    case Kind::simple:
    case Kind::function: break;
  }
  if (away) state.out = kept_out;
  outer_redirects_ = outer;
  return truth;
}

Truth Evaluator::run_if(const ast::Command& command, State& state) {
  State after = state;  // joins what comes out of the branches
  after.life = State::Life::exited;
  const auto guards = state.guards;
  std::vector<Condition> passed;  // conditions that failed on the way to where we are
  std::vector<Condition> exits;
  bool any = false;
  const auto finish = [&](State& branch) {
    branch.guards = guards;
    if (branch.life != State::Life::alive) return false;
    join_into(after, branch);
    return any = true;
  };
  for (std::size_t i = 0; i < command.conditions.size(); ++i) {
    const auto first = emitted();
    const Truth truth = run_list(command.conditions[i], state);
    Condition guard{Condition::Kind::if_, text_of(command.conditions[i]), since(first), false};
    State branch = state;
    charge(branch.variables.size() / 4 + 1);
    if (truth == Truth::no) branch.life = State::Life::exited;
    branch.guards.push_back(guard);
    const bool was_alive = branch.life == State::Life::alive;
    run_list(command.bodies[i], branch);
    if (!finish(branch) && was_alive) exits.push_back({Condition::Kind::early_exit, guard.text, guard.commands, true});
    guard.negated = true;
    state.guards.push_back(guard);
    if (truth == Truth::yes) state.life = State::Life::exited;
  }
  const bool was_alive = state.life == State::Life::alive;
  if (command.bodies.size() > command.conditions.size()) run_list(command.bodies.back(), state);
  const auto last = state.guards.back();
  const bool leaves = !finish(state) && was_alive;
  if (leaves && command.conditions.size() == 1 && any) exits.push_back({Condition::Kind::early_exit, last.text, last.commands, false});
  const auto life = state.life;
  state = std::move(after);
  if (!any) state.life = life == State::Life::alive ? State::Life::exited : life;
  state.guards = guards;
  if (any)
    for (auto& each : exits)
      if (state.guards.size() < 32) state.guards.push_back(std::move(each));
  return Truth::unknown;
}

void Evaluator::run_body(const ast::Command& command, State& state, const Condition& guard) {
  state.guards.push_back(guard);
  const bool in_loop = std::exchange(in_loop_, true);
  Leavers leavers;
  auto* const continues = std::exchange(continues_, &leavers);
  run_list(command.bodies[0], state);
  continues_ = continues;
  absorb(state, leavers, State::Life::broke);
  in_loop_ = in_loop;
}

void Evaluator::run_while(const ast::Command& command, State& state) {
  const bool is_until = command.kind == ast::Command::Kind::until;
  const auto guards = state.guards;
  Leavers leavers;
  auto* const breaks = std::exchange(breaks_, &leavers);
  // Once without output, to see what an iteration changes; then with what may be after any number of them.
  if (dry_ == 0) {
    ++dry_;
    State once = state;
    run_list(command.conditions[0], once);
    run_body(command, once, {});
    for (auto& [name, value] : once.variables) {
      const auto before = state.variables.find(name);
      const bool same = before != state.variables.end() && before->second.options.size() == value.options.size() && before->second.written() == value.written();
      if (!same && state.life == State::Life::alive) {
        const auto unknown = unknown_value("${" + name + "}", value.first().origins.empty() ? Origin{} : value.first().origins[0]);
        state.variables[name] = before != state.variables.end() ? join(join(before->second, value), unknown) : join(value, unknown);
      }
    }
    leavers.clear();
    --dry_;
  }
  const auto first = emitted();
  Truth truth = run_list(command.conditions[0], state);
  if (is_until) truth = !truth;
  const Condition guard{Condition::Kind::while_, text_of(command.conditions[0]), since(first), is_until};
  State body = state;
  if (truth == Truth::no) body.life = State::Life::exited;
  run_body(command, body, guard);
  breaks_ = breaks;
  body.guards = guards;
  if (truth == Truth::yes) state.life = State::Life::exited;  // only a break leads on
  else join_into(state, body);
  state.guards = guards;
  absorb(state, leavers, State::Life::broke);
  state.guards = guards;
}

void Evaluator::run_for(const ast::Command& command, State& state) {
  const auto guards = state.guards;
  std::vector<Value> items;
  bool regular = true;
  const auto first = emitted();
  if (!command.has_in) {
    regular = state.arguments_known;
    items = state.arguments;
  }
  std::string text = command.name + " in";
  for (const auto& word : command.words) {
    text += " " + word.raw;
    for (const auto& option : fields(word, state)) {
      for (const auto& field : option) {
        if (items.size() < 256) items.push_back({{field}});
        regular &= field.resolved();
      }
      if (!regular) break;
    }
  }
  const Condition guard{Condition::Kind::loop, text.substr(0, 512), since(first), false};
  Leavers leavers;
  auto* const breaks = std::exchange(breaks_, &leavers);
  const auto set_to = [&](const Value& value, State& at) { at.variables[command.name] = quoted(value, false); };
  const auto count = static_cast<int>(std::min<std::size_t>(items.size(), 10'000));
  if (regular && items.empty()) {
    State body = state;
    body.life = State::Life::exited;
    run_body(command, body, guard);
  } else if (regular && items.size() <= max_unroll && unrolled_ * count <= max_unroll_product) {
    unrolled_ *= count;
    for (const auto& item : items) {
      set_to(item, state);
      run_body(command, state, guard);
      state.guards = guards;
    }
    unrolled_ /= count;
  } else {
    Value any = items.empty() ? unknown_value("${" + command.name + "}", here(command.has_in ? Origin::Kind::command : Origin::Kind::argument, text)) : items[0];
    for (const auto& item : items) any = join(any, item);
    if (items.size() > max_options || (regular && items.empty())) any = join(any, unknown_value("${" + command.name + "}", here(Origin::Kind::assignment, command.name)));
    State body = state;
    set_to(any, body);
    run_body(command, body, guard);
    body.guards = guards;
    join_into(state, body);
  }
  breaks_ = breaks;
  absorb(state, leavers, State::Life::broke);
  state.guards = guards;
}

void Evaluator::run_case(const ast::Command& command, State& state) {
  const auto guards = state.guards;
  const auto first = emitted();
  const auto subject = expand(command.words[0], state);
  const auto conditions = since(first);
  const Text* constant = subject.only();
  if (constant != nullptr && std::ranges::any_of(constant->origins, [](const Origin& o) { return o.kind != Origin::Kind::literal && o.kind != Origin::Kind::assignment; })) constant = nullptr;
  State after = state;
  after.life = State::Life::exited;
  bool any = false, decided = false, complete = false;
  for (const auto& item : command.items) {
    bool matches = false, may_match = constant == nullptr;
    std::string text = command.words[0].raw + " in ";
    for (std::size_t i = 0; i < item.patterns.size(); ++i) {
      text += (i > 0 ? "|" : "") + item.patterns[i].raw;
      complete |= item.patterns[i].raw == "*";
      const auto pattern = expand(item.patterns[i], state);
      if (constant != nullptr && pattern.only() != nullptr) matches |= glob_match(pattern.only()->pattern(), constant->written());
      else may_match = true;
    }
    State branch = state;
    charge(branch.variables.size() / 4 + 1);
    if (decided || (!matches && !may_match)) branch.life = State::Life::exited;
    decided |= matches;
    branch.guards.push_back({Condition::Kind::case_, text.substr(0, 512), conditions, false});
    run_list(item.body, branch);
    branch.guards = guards;
    if (branch.life != State::Life::alive) continue;
    join_into(after, branch);
    any = true;
  }
  if (!decided && !complete && state.life == State::Life::alive) {
    join_into(after, state);
    any = true;
  }
  state = std::move(after);
  state.guards = guards;
  if (!any) state.life = State::Life::exited;
}

Truth Evaluator::call(Defined& function, std::vector<Value> arguments, std::vector<Word> words, State& state) {
  if (call_depth_ >= max_call_depth || function.body == nullptr) return Truth::unknown;
  if (dry_ == 0 && function.instances >= max_instances) return Truth::unknown;
  if (dry_ == 0 && function.instances > 0 && (uncalled_ || state.life != State::Life::alive)) return Truth::unknown;
  if (dry_ == 0) ++function.instances;
  if (state.life == State::Life::alive && !uncalled_ && dry_ == 0) ++script_.functions[function.index].calls;
  ++call_depth_;
  const auto guards = state.guards;
  auto outer_arguments = std::exchange(state.arguments, std::move(arguments));
  const bool outer_known = std::exchange(state.arguments_known, !words.empty() || !state.arguments.empty());
  std::map<std::string, std::optional<Value>> locals;
  Leavers leavers;
  const auto* const body = function.body;
  auto* const outer_locals = std::exchange(locals_, &locals);
  auto* const returns = std::exchange(returns_, &leavers);
  auto* const breaks = std::exchange(breaks_, nullptr);
  const auto* const source = std::exchange(source_, function.source);
  auto name = std::exchange(function_, body->name);
  auto outer_words = std::exchange(call_words_, words);
  if (!call_words_.empty()) call_words_.erase(call_words_.begin());
  const auto line = line_;
  Truth truth = Truth::unknown;
  for (const auto& each : body->bodies[0]) truth = run_and_or(each, state);
  if (!leavers.empty()) truth = Truth::unknown;
  absorb(state, leavers, State::Life::returned);
  line_ = line;
  call_words_ = std::move(outer_words);
  function_ = std::move(name);
  source_ = source;
  breaks_ = breaks;
  returns_ = returns;
  locals_ = outer_locals;
  for (auto& [local, value] : locals) {
    if (value) state.variables[local] = *value;
    else state.variables.erase(local);
  }
  state.arguments = std::move(outer_arguments);
  state.arguments_known = outer_known;
  state.guards = guards;
  --call_depth_;
  return truth;
}

Script parse(std::string_view text, std::string_view path, const Environment& environment) {
  Script script;
  script.path = path;
  script.interpreter = interpreter_of(text);
  Evaluator(script, environment).run(text);
  return script;
}

}  // namespace shell
