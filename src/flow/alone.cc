// Each function read by itself, once: the calls that no root reached within the budget, and the texts that callers hand to a
// function which passes them on. Costs little more than finding the functions did, and is the same on every machine, which
// following calls under a budget is not.
//
// Nothing is followed into another function but what fetches the program counter. Loops are gone round twice, all ways back
// joined; a call forgets what it may have changed. What a parameter holds is then asked of the callers, and of theirs.
#include <algorithm>

#include <fmt/format.h>

#include "flow/engine.h"

namespace flow {

namespace {
constexpr std::size_t callers_deep = 6, most_steps = 20'000, most_calls = 400'000;

// (argument of the call, parameter of the function at hand that it came from)
using Wanted = std::vector<std::pair<std::size_t, std::size_t>>;

// How many arguments a printf format takes (C11 7.21.6.1).
std::size_t conversions(std::string_view format) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') continue;
    const std::size_t end = std::min(format.find_first_not_of("0123456789-+ #'.*hlLqjzt", i + 1), format.size());
    n += static_cast<std::size_t>(std::ranges::count(format.substr(i, end - i), '*')) + (end < format.size() && format[end] != '%' ? 1 : 0);
    i = end;
  }
  return n;
}

bool is_text(Role role) {
  return role == Role::text || role == Role::path || role == Role::format || role == Role::scan || role == Role::any || role == Role::list;
}
}  // namespace

// Registers that hold arguments although the calling convention has none: i386's local functions take their first three so.
std::vector<CodeStore::Reg> Engine::spare_registers() {
  if (elf_.machine != elf::Machine::x86) return {};
  return {code_.reg("EAX"), code_.reg("EDX"), code_.reg("ECX")};
}

Engine::Passed Engine::passed(const Value& v) const {
  Passed out;
  if (v.kind == Value::Kind::symbol) {
    const Symbol& symbol = tables_.symbol(v.id);
    if (v.off == 0 && symbol.kind == Symbol::Kind::param && symbol.origin.starts_with("arg:")) out.parameter = std::stoi(symbol.origin.substr(4));
    return out;
  }
  for (const auto& part : v.kind == Value::Kind::choice ? tables_.parts(v.id) : std::vector<Value>{v})
    if (part.is_const()) out.constants.push_back(part.off);
  return out;
}

// A call inside the program that is not followed: what it may have changed is no longer known. That is all memory but the function's
// own stack, and there what the callee was given the address of.
void Engine::pass_by(Alone call, State& s) {
  std::vector<Value> values;
  for (std::size_t i = 0; i < arguments_seen; ++i)
    values.push_back(argument(s, i));
  for (const auto& r : spare_registers()) values.push_back(r.slot < s.regs.size() ? s.regs[r.slot] : Value{0, 0, 0, Value::Kind::symbol, word_});

  for (const auto& v : values) {
    if (!v.is_const() || !is_stack(v.off)) continue;
    std::vector<std::pair<std::uint64_t, Value>> kept;  // an address in the image was put aside by the compiler, not by the callee
    for (std::uint64_t at = base::align_up(v.off, word_); at < v.off + 256; at += word_)
      if (const Page* page = s.find({0, at}); page && (page->known >> (at & 63) & 1) != 0)
        if (const Value w = load_at(s, {0, at}, word_); w.is_const() && w.off >= image_low_ && w.off < image_high_) kept.emplace_back(at, w);
    s.forget({0, v.off}, 256);
    for (const auto& [at, w] : kept) s.store_value({0, at}, w, word_, big_);
  }
  std::erase_if(s.refs(), [&](const State::Ref& r) {
    const bool other = r.base != 0 || !is_stack(r.number << 6);
    if (other) pages_.release(r.page);
    return other;
  });
  for (const auto& r : arg_regs_)
    if (r.slot < s.regs.size()) s.regs[r.slot] = {0, 0, 0, Value::Kind::symbol, r.size};

  for (const auto& v : values) call.passed.push_back(passed(v));
  note_alone(std::move(call));
}

void Engine::note_alone(Alone call) {
  if (alone_calls_.size() < most_calls) alone_calls_.push_back(std::move(call));
}

void Engine::read_alone() {
  if (budget_.alone == Budget::Alone::none) return;
  const std::set<std::uint64_t> reached = covered_;  // by a root
  alone_ = true;
  budget_.steps = ~std::uint64_t{0};  // each function has a limit of its own
  std::set<std::uint64_t> crowded;  // functions that have more callers than were followed
  for (const auto& call : calls_)
    if (contexts_of_[call.site] >= most_contexts) crowded.insert(call.function_address);
  for (const auto& [entry, body] : bodies_) {
    if (body->blocks.empty() || pieces_.contains(entry) || in_library(entry) || recognised_.contains(entry)) continue;
    // What a root reached is known, but for wrappers, which others call that no root reached, and for those that call a crowded one.
    const bool again = body->insn_count < 80 || std::ranges::any_of(body->calls, [&](auto c) { return crowded.contains(c); });
    if (budget_.alone == Budget::Alone::unreached && (!relevant_.contains(entry) || (reached.contains(entry) && !again))) continue;
    tables_ = Tables();  // no function's unknowns are another's
    equalities_.clear(), equality_ids_.clear();
    State s = fresh_state(body.get());
    // Position-independent i386 code keeps the table's address in ebx; a part that was set apart has it from the rest.
    if (elf_.machine == elf::Machine::x86 && elf_.type == 3 && elf_.got != 0)
      if (const auto ebx = code_.reg("EBX"); ebx.size != 0) s.regs[ebx.slot] = constant(elf_.got, ebx.size);
    root_limit_ = steps_ + 20'000 + 400 * std::uint64_t{body->insn_count};
    Frame frame;
    frame.return_to = 0xFFFF0;
    frame.context = entry;
    invoke(*body, std::move(s), frame);
  }
  alone_ = false;
  // A call through a variable is one of each function that the variable holds at first or is given.
  const auto entry_of = [&](std::uint64_t v) { return machine_.mode_switch ? v & ~std::uint64_t{1} : v; };
  std::multimap<std::uint64_t, std::uint64_t> held;  // entry -> the variables that hold it at first
  for (const auto& [variable, unused] : kept_functions_) {
    const auto slot = slots_.find(variable);
    const auto first = slot != slots_.end() && !slot->second.import ? slot->second.value : elf_.word(variable).value_or(0);
    if (code_target(first)) held.emplace(entry_of(first), variable);
  }
  for (std::size_t i = 0, n = alone_calls_.size(); i < n; ++i) {
    if (!alone_calls_[i].indirect) continue;
    std::set<std::uint64_t> targets;
    if (alone_calls_[i].through != 0) targets = kept_functions_[alone_calls_[i].through];
    const auto [from, to] = held.equal_range(alone_calls_[i].callee);
    for (auto it = from; it != to && alone_calls_[i].callee != 0; ++it) targets.insert(kept_functions_[it->second].begin(), kept_functions_[it->second].end());
    for (const auto target : targets) {
      if (target == alone_calls_[i].callee) continue;
      Alone call = alone_calls_[i];
      call.callee = target, call.through = 0;
      note_alone(std::move(call));
    }
  }
  tell_alone(reached);
}

void Engine::tell_alone(const std::set<std::uint64_t>& reached) {
  // A loop's rounds see a call again: the same values are one.
  std::set<std::tuple<std::uint64_t, std::uint64_t, std::vector<Passed>>> known;
  std::erase_if(alone_calls_, [&](const Alone& call) { return !known.emplace(call.site, call.callee + call.through, call.passed).second; });
  std::multimap<std::uint64_t, const Alone*> callers;
  for (const auto& call : alone_calls_)
    if (call.callee != 0) callers.emplace(call.callee, &call);

  // What the roots saw is not told again. In a function that they reached a call is told for a text that no call of its kind has been
  // given (a stub's call stands where its caller is), in another for any text that is new there.
  std::set<std::uint64_t> sites;
  std::set<std::tuple<std::uint64_t, std::size_t, std::string>> told;
  std::set<std::tuple<std::string, std::size_t, std::string>> told_anywhere;
  const auto remember = [&](const CallSite& call) {
    bool here = sites.insert(call.site).second, anywhere = false;
    for (std::size_t i = 0; i < call.args.size(); ++i) {
      if (call.args[i].kind != ArgValue::Kind::text) continue;
      for (const auto& text : call.args[i].values) {
        here |= told.emplace(call.site, i, text).second;
        anywhere |= told_anywhere.emplace(call.callee, i, text).second;
      }
    }
    return reached.contains(call.function_address) ? anywhere : here;
  };
  for (const auto& call : calls_) remember(call);

  const auto tell = [&](const Alone& call, std::vector<ArgValue> args, const std::vector<std::string>& chain) {
    CallSite out;
    out.function_address = call.function;
    out.function = function_name(call.function);
    out.site = call.site;
    out.callee = call.model->name;
    out.args = std::move(args);
    out.result_id = fmt::format("ret:{}@{:x}", out.callee, out.site);
    out.inferred = elf_.is_static && elf_.is_stripped;
    out.reached_from = {"unreached"};
    out.reached_from.insert(out.reached_from.end(), chain.rbegin(), chain.rend());
    if (!remember(out)) return;
    calls_.push_back(std::move(out));
    feeds_.emplace_back(), guards_.emplace_back(), passed_.emplace_back(), visits_.push_back(1);
  };
  const auto literals = [&](const Passed& passed) {
    std::vector<std::string> out;
    for (const auto at : passed.constants) {
      if (at < image_low_ || !elf_.segment_of(at)) continue;
      const auto text = elf_.c_string(at, 4096);
      const bool printable = text && !text->empty() && std::all_of(text->begin(), text->end(), [](unsigned char c) { return c >= 32 || (c >= 7 && c <= 13) || c == 27; });
      if (printable) out.emplace_back(*text);
    }
    return out;
  };

  struct Step {
    std::uint64_t function;
    std::vector<ArgValue> args;
    Wanted wanted;
    std::vector<std::string> chain;  // function names, innermost first
    std::size_t guessed;             // arguments at the end that may be none
  };
  for (const auto& call : alone_calls_) {
    if (!call.model) continue;
    const auto said = [](std::vector<ArgValue> args, std::size_t guessed) {
      args.resize(args.size() - guessed);
      return args;
    };
    tell(call, said(call.described, call.guessed), {function_name(call.function)});
    Wanted wanted;
    for (std::size_t i = 0; i < call.passed.size(); ++i)
      if (is_text(call.roles[i]) && call.passed[i].parameter >= 0) wanted.emplace_back(i, call.passed[i].parameter);
    std::set<std::pair<std::uint64_t, Wanted>> been;
    std::vector<Step> todo;
    if (!wanted.empty()) todo.push_back({call.function, call.described, std::move(wanted), {function_name(call.function)}, call.guessed});
    for (std::size_t at = 0; at < todo.size() && at < most_steps; ++at) {
      const Step step = std::move(todo[at]);
      const auto [from, to] = callers.equal_range(step.function);
      for (auto it = from; it != to; ++it) {
        const Alone& caller = *it->second;
        auto args = step.args;
        std::size_t guessed = step.guessed;
        Wanted still;
        bool found = false;
        for (const auto& [i, p] : step.wanted) {
          if (p >= caller.passed.size()) continue;
          if (caller.passed[p].parameter >= 0) still.emplace_back(i, caller.passed[p].parameter);
          auto texts = literals(caller.passed[p]);
          if (texts.empty()) continue;
          if (call.roles[i] == Role::format) {
            if (call.format == i) guessed = call.guessed - std::min(conversions(texts.front()), call.guessed);
            std::erase_if(texts, [](const std::string& text) { return text.contains('%'); });  // the text that it makes is not known
            if (texts.empty()) {
              found = call.format == i;
              continue;
            }
          }
          args[i] = {};
          args[i].kind = ArgValue::Kind::text, args[i].values = std::move(texts);
          found = true;
        }
        auto chain = step.chain;
        chain.push_back(function_name(caller.function));
        std::erase_if(still, [&](const auto& w) { return w.first >= args.size() - guessed && guessed < step.guessed; });
        if (found) tell(call, said(args, guessed), chain);
        if (!still.empty() && chain.size() <= callers_deep && been.emplace(caller.function, still).second) todo.push_back({caller.function, std::move(args), std::move(still), std::move(chain), guessed});
      }
    }
  }
}

}  // namespace flow
