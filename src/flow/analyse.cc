// The order of work: find functions, decide which matter, run the roots, collect what was seen.
#include <algorithm>

#include <fmt/format.h>

#include "flow/engine.h"

namespace flow {

Engine::Engine(const elf::Binary& binary, const sleigh::Machine& machine, sleigh::Translator& translator, const Budget& budget)
    : elf_(binary), machine_(machine), translator_(translator), budget_(budget), code_(translator, machine),
      temps_(CodeStore::temp_slots), big_(machine.order == base::ByteOrder::big), word_(machine.word) {
  // A stack and a heap where no program has anything; 32-bit addresses on 32-bit machines.
  if (word_ == 8) {
    stack_low_ = 0x7FFF'0000'0000, stack_high_ = 0x7FFF'0040'0000;
    heap_low_ = 0x6FFF'0000'0000, heap_high_ = 0x6FFF'0200'0000;
  } else {
    stack_low_ = 0xBE000000, stack_high_ = 0xBE400000;
    heap_low_ = 0xB0000000, heap_high_ = 0xB2000000;
  }
  stack_top_ = stack_high_ - 0x8000;
  for (const auto& name : machine.arguments) arg_regs_.push_back(code_.reg(name));
  for (const auto& name : machine.syscall_arguments) sys_args_.push_back(code_.reg(name));
  result_ = code_.reg(machine.result);
  stack_ = code_.reg(machine.stack);
  if (!machine.link.empty()) link_ = code_.reg(machine.link);
  if (!machine.global.empty()) global_ = code_.reg(machine.global);
  if (machine.delay_slots) t9_ = code_.reg("t9");
  if (elf_.machine == elf::Machine::ppc) table_pointer_ = code_.reg("r30");
  if (machine.mode_switch) mode_ = code_.reg("TB");
  sys_number_ = code_.reg(machine.syscall_number);
  global_value_ = binary.mips_gp;
  for (std::uint64_t i = 0; i < 65536; ++i) {
    const auto name = translator.user_op(i);
    if (name.empty()) break;
    is_syscall_op_.push_back(std::find(machine.syscall_ops.begin(), machine.syscall_ops.end(), name) != machine.syscall_ops.end());
  }
  root_limit_ = budget.steps;
  for (const auto& segment : elf_.segments) image_high_ = std::max(image_high_, segment.address + segment.memory_size);
  image_low_ = elf_.segments.empty() ? 0x1000 : std::max<std::uint64_t>(0x1000, elf_.segments.front().address);
  if (image_high_ > image_low_) named_.resize(std::min<std::uint64_t>(image_high_ - image_low_, 1u << 26));
}

Program Engine::run() {
  if (elf_.is_static) start_bench();
  find_starts();
  if (elf_.is_stripped) scan_calls();
  const auto drain = [&] {
    while (!queue_.empty() && !out_of_budget_) {
      std::sort(queue_.begin(), queue_.end(), std::greater<>());
      const auto batch = std::move(queue_);
      queue_.clear();
      for (auto it = batch.rbegin(); it != batch.rend(); ++it) body_at(*it, false);
    }
  };
  drain();
  settle_returns();
  const bool gaps = elf_.machine == elf::Machine::x86 || elf_.machine == elf::Machine::x86_64;  // behind each function found there may be a next
  for (std::size_t round = 0, before = 0; elf_.is_stripped && round < (gaps ? 16 : 1) && starts_.size() != before; ++round) {
    before = starts_.size();
    scan_prologues(), drain();
  }
  if (bench_) recognise_library();
  // Where the trials found no way to run a command: the function that makes {"sh", "-c", command} and runs "/bin/sh" is what
  // system() and popen() end in.
  const bool runs = std::any_of(recognised_.begin(), recognised_.end(), [](const auto& r) { return r.second == "system" || r.second == "popen"; });
  if (elf_.is_static && !runs && recognised_.size() < 3)
    for (const auto& [entry, body] : bodies_)
      if (body->names_shell && body->names_option && recognised_.emplace(entry, "system").second) helpers_.insert(entry);
  relevance();

  const auto share = [&](std::uint64_t most) { root_limit_ = std::min(budget_.steps, steps_ + most); };
  if (elf_.type != 1 && !elf_.interpreter.empty() | (elf_.type == 2) | elf_.is_static) {
    share(budget_.steps / 2);
    if (code_target(elf_.entry) && !relevant_.empty()) run_root({elf_.entry, {"entry"}, {}, {}});
  }
  std::set<std::uint64_t> looked_from;
  const auto run_pending = [&] {
    for (std::size_t i = 0; i < roots_.size(); ++i) {
      share(budget_.steps / 16);
      Root root = std::move(roots_[i]);
      // A handler that nothing calls may not have been known when the library was looked for.
      const std::uint64_t entry = machine_.mode_switch ? root.entry & ~std::uint64_t{1} : root.entry;
      if (recogniser_ && looked_from.insert(entry).second && body_at(root.entry, false)) recognise_from({entry}), relevance();
      run_root(std::move(root));
    }
    roots_.clear();
  };
  run_pending();
  for (const auto& s : elf_.symbols)  // programs without a start that we understood
    if (s.name == "main" && s.defined && s.kind == elf::Symbol::Kind::function && !covered_.contains(s.address)) {
      share(budget_.steps / 4);
      Root root{s.address | (s.thumb ? 1u : 0u), {"main"}, {}, {}};
      root.args = {tables_.keyed("argc", {Symbol::Kind::param, "argc"}, word_), tables_.keyed("argv", {Symbol::Kind::param, "argv"}, word_)};
      run_root(std::move(root));
    }
  run_pending();
  for (const auto f : elf_.init_functions)
    if (relevant_.contains(f & ~std::uint64_t{machine_.mode_switch ? 1u : 0u}) && !covered_.contains(f)) run_root({f, {"init"}, {}, {}});

  // What no root reached: callers first.
  std::set<std::uint64_t> exported;
  for (const auto& s : elf_.symbols)
    if (s.dynamic && s.defined && s.kind == elf::Symbol::Kind::function) exported.insert(s.address);
  std::map<std::uint64_t, int> callers;
  for (const auto entry : relevant_)
    if (const auto it = bodies_.find(entry); it != bodies_.end())
      for (const auto c : it->second->calls)
        if (c != entry) ++callers[c];
  const auto pass = [&](const auto& wanted, const char* kind) {
    for (const auto entry : std::set<std::uint64_t>(relevant_)) {
      if (covered_.contains(entry) || !wanted(entry)) continue;
      // Several exported names may lead into one body, each with an argument of its own.
      const bool named = exported.contains(entry) && elf_.type == 2;
      if (!named && covered_blocks_.contains(entry)) continue;
      // What lies mostly in functions that have been seen is no function of its own: a start that was none, or code before
      // one, after a call that never returns.
      const Body& body = *bodies_.at(entry);
      const auto seen = std::count_if(body.blocks.begin(), body.blocks.end(), [&](const Block& b) { return covered_blocks_.contains(b.start); });
      if (!named && static_cast<std::size_t>(seen) * 2 > body.blocks.size()) continue;
      if (body.insn_count <= 16 && covered_.contains(body.falls_into)) continue;
      if (steps_ >= budget_.steps) {
        out_of_budget_ = true;
        return;
      }
      share(std::max<std::uint64_t>(400'000, (budget_.steps - steps_) / 32));
      run_root({entry, {kind}, {}, {}});
      run_pending();
    }
  };
  survey_ = true;
  inlined_.clear();
  pass([&](std::uint64_t e) { return exported.contains(e); }, "exported");
  pass([&](std::uint64_t e) { return address_taken_.contains(e); }, "address-taken");
  pass([&](std::uint64_t e) { return callers[e] == 0; }, "unreached");
  pass([&](std::uint64_t) { return true; }, "unreached");

  join_children();
  const bool ran_out = out_of_budget_ || steps_ > budget_.steps;
  out_of_budget_ = false;
  read_alone();

  Program out;
  collect_functions(out);
  // By site, then context; the indices in the edges follow.
  std::vector<std::uint32_t> order(calls_.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return calls_[a].site < calls_[b].site; });
  std::vector<std::uint32_t> place(calls_.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  for (const auto i : order) {
    CallSite c = std::move(calls_[i]);
    const auto move = [&](const auto& from, std::vector<std::uint32_t>& to) {
      for (const auto x : from)
        if (x < place.size() && x != i) to.push_back(place[x]);
      std::sort(to.begin(), to.end());
    };
    move(feeds_[i], c.feeds), move(guards_[i], c.guards), move(passed_[i], c.precedes);
    for (const auto& a : c.args) {
      ++out.stats.arguments;
      out.stats.resolved += a.kind != ArgValue::Kind::unknown;
    }
    out.calls.push_back(std::move(c));
  }
  out.stats.lifted = code_.lifted();
  out.stats.steps = steps_;
  out.stats.budget_ran_out = ran_out;
  out.stats.give_ups.assign(give_ups_.begin(), give_ups_.end());
  if (out.stats.budget_ran_out) doubts_.push_back({"flow-budget", "", 0, "The step budget ran out; some functions were not evaluated."});
  out.doubts = doubts_;
  return out;
}

// What waits for a child learns how the program that the child became has ended: who tests the one tests the other.
void Engine::join_children() {
  const auto has = [](const std::vector<std::uint32_t>& v, std::uint32_t x) { return std::binary_search(v.begin(), v.end(), x); };
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;  // who waits, what was run
  for (std::uint32_t w = 0; w < calls_.size(); ++w) {
    if (calls_[w].callee != "waitpid" && calls_[w].callee != "wait") continue;
    std::set<std::uint32_t> forks(feeds_[w]);
    forks.insert(guards_[w].begin(), guards_[w].end());
    for (const auto f : forks)
      if (calls_[f].callee == "fork" || calls_[f].callee == "vfork")
        for (std::uint32_t e = 0; e < calls_.size(); ++e)
          if (calls_[e].callee.starts_with("exec") && has(guards_[e], f)) pairs.emplace_back(w, e);
  }
  for (const auto& [w, e] : pairs)
    for (std::uint32_t x = 0; x < calls_.size(); ++x)
      if (x != e && has(guards_[x], w) && !has(guards_[x], e)) guards_[x].insert(std::lower_bound(guards_[x].begin(), guards_[x].end(), e), e);
}

// Compilers set apart what rarely runs: blocks of a function that others' entries lie between.
std::vector<std::pair<std::uint64_t, std::uint64_t>> Engine::parts_of(const Body& body) const {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> blocks, parts;
  for (const auto& b : body.blocks) blocks.emplace_back(b.start, b.end);
  std::sort(blocks.begin(), blocks.end());
  for (const auto& [start, end] : blocks) {
    const auto between = parts.empty() ? bodies_.end() : bodies_.lower_bound(parts.back().second);
    if (parts.empty() || (between != bodies_.end() && between->first <= start)) parts.emplace_back(start, end);
    else parts.back().second = std::max(parts.back().second, end);
  }
  std::erase_if(parts, [&](const auto& p) { return p.first <= body.entry && body.entry < p.second; });
  return parts;
}

void Engine::collect_functions(Program& out) {
  for (const auto& [entry, body] : bodies_) {
    if (body->blocks.empty() || pieces_.contains(entry)) continue;
    Function f;
    f.address = entry, f.end = body->end, f.thumb = body->thumb;
    f.name = function_name(entry);
    f.named = elf_.function_at(entry) != nullptr;
    f.returns = body->returns;
    f.lifted = true;
    f.blocks = static_cast<std::uint32_t>(body->blocks.size());
    f.instructions = body->insn_count;
    f.calls = body->calls;
    f.parts = parts_of(*body);
    if (const auto it = recognised_.find(entry); it != recognised_.end()) f.library = it->second;
    out.stats.instructions += body->insn_count;
    out.functions.push_back(std::move(f));
  }
  out.stats.functions = out.functions.size();
}

base::Result<Program> analyse(const elf::Binary& binary, base::ByteView, const Budget& budget) {
  const auto machine = sleigh::machine_for(binary);
  if (!machine) return base::fail(base::Error::Kind::unsupported, fmt::format("No processor table for {} programs.", elf::name(binary.machine)));
  if (!models_error().empty()) return base::fail(base::Error::Kind::internal, "models/functions.yaml: " + models_error());
  auto translator = sleigh::Translator::open(*machine, binary);
  if (!translator) return std::unexpected(translator.error());
  Engine engine(binary, *machine, **translator, budget);
  return engine.run();
}

}  // namespace flow
