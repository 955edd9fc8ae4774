// Functions run on states: blocks in reverse post-order, states joined where paths meet, loops followed exactly while their
// conditions are known and twice when not; calls go into the callee with what is known of its arguments.
#include <algorithm>

#include <fmt/format.h>

#include "flow/engine.h"
#include "flow/syscalls.h"

namespace flow {

namespace {
// Rounds of a loop that are followed one by one although something may have left it early: a walk over a list of steps that stops
// at the first that fails. Not of a loop without a condition of its own, which a daemon goes round for ever.
constexpr std::uint16_t early_rounds = 12;
constexpr std::uint32_t max_depth = 14, accessor_depth = 30;  // unoptimised C++ nests accessors of accessors
constexpr std::uint64_t sentinel = 0xFFFF0;
}  // namespace

void Engine::give_up(const std::string& what, std::uint64_t address) {
  if (give_ups_.size() < 256) give_ups_.insert(fmt::format("{} {:x}", what, address));
}

// The first instruction of a block from which on nothing changes the flags that a conditional jump at its end asks about;
// the block's length where there is none, or on machines without conditional instructions.
std::size_t Engine::parting_from(const Block& block) {
  if (elf_.machine != elf::Machine::arm || block.next.size() < 2) return block.insns.size();
  if (flags_.empty())
    for (const auto* name : {"NG", "ZR", "CY", "OV"}) flags_.push_back(code_.reg(name).slot);
  std::size_t from = 0;
  for (std::size_t k = 0; k < block.insns.size(); ++k) {
    const Insn insn = code_.insn(block.insns[k]);
    for (std::uint32_t i = 0; i < insn.ops; ++i) {
      const MicroOp& op = code_.ops(insn)[i];
      if (op.where[0] == Where::reg && std::find(flags_.begin(), flags_.end(), op.at[0]) != flags_.end()) from = k + 1;
    }
  }
  return from;
}

std::optional<State> Engine::invoke(const Body& body, State state, Frame& frame) {
  if (covered_.insert(body.entry).second)
    for (const auto& b : body.blocks) covered_blocks_.insert(b.start);  // a start found late may lie inside
  frame.body = &body;
  const std::size_t n = body.blocks.size();
  if (n == 0) return state;
  if (t9_.size != 0) {
    if (t9_.slot >= state.regs.size()) state.regs.resize(t9_.slot + 1, {0, 0, 0, Value::Kind::symbol, 8});
    state.regs[t9_.slot] = constant(body.entry, word_);
  }
  std::vector<bool> header(n, false);
  for (std::uint32_t b = 0; b < n; ++b)
    for (const auto t : body.blocks[b].next)
      if (t <= b) header[t] = true;
  // Blocks that decide whether a loop goes on: a global's initial value is believed there (see Frame::trust).
  std::vector<bool> leaves_loop(n, false);
  for (std::uint32_t b = 0; b < n; ++b)
    for (const auto h : body.blocks[b].next) {
      if (h > b || b - h > 64) continue;
      for (std::uint32_t c = h; c <= b; ++c)
        for (const auto t : body.blocks[c].next)
          if (t > b || t < h || c == b) leaves_loop[c] = true;
    }
  struct Waiting {
    State state;
    std::uint64_t since;
  };
  std::map<std::uint32_t, Waiting> pending;
  std::map<std::uint32_t, State> last_in;
  std::map<std::uint32_t, State> again;  // where each function is read by itself: headers' next round, all ways back joined
  // A loop is followed exactly while nothing has left it since its header: then its condition was known.
  std::uint64_t clock = 0, last_return = 0;
  std::vector<std::uint64_t> header_clock(n, 0);
  std::vector<std::uint16_t> visits(n, 0), loops(n, 0);
  constexpr std::size_t unread = ~std::size_t{0};
  std::vector<std::size_t> part_from(n, unread);
  std::vector<std::uint32_t> recorded_before(n, 0);
  std::optional<State> returned;
  const std::uint64_t started = steps_;

  const auto returns = [&](State s) {
    last_return = ++clock;
    if (!returned) returned.emplace(std::move(s));
    else join(*returned, std::move(s), false, body.entry << 1 | 1);
  };
  std::vector<std::uint32_t> reached;  // by the instruction at hand
  const auto deliver = [&](std::uint32_t from, std::uint32_t to, State s, bool certain) {
    if (to <= from && alone_) {
      if (const auto it = again.find(to); it != again.end()) join(it->second, std::move(s), false, body.blocks[to].start);
      else again.emplace(to, std::move(s));
      return;
    }
    if (to <= from && certain) {
      bool whole = last_return <= header_clock[to];
      for (const auto& [unused, w] : pending) whole &= w.since <= header_clock[to];
      certain = whole || (visits[to] < early_rounds && body.blocks[from].next.size() > 1);
    }
    if (to <= from && !certain) {
      if (loops[to] >= 2) return;
      ++loops[to];
      if (const auto last = last_in.find(to); last != last_in.end()) {
        State widened(last->second);
        join(widened, std::move(s), true, body.blocks[to].start);
        s = std::move(widened);
      }
    }
    reached.push_back(to);
    steps_ += 20 + s.refs().size() * 4;  // a copy or a join costs too: the budget is to bound time
    const auto it = pending.find(to);
    ++clock;
    if (it == pending.end()) {
      pending.emplace(to, Waiting{std::move(s), clock});
    } else {
      join(it->second.state, std::move(s), false, body.blocks[to].start);
      it->second.since = clock;
    }
  };

  pending.emplace(0, Waiting{std::move(state), 0});
  std::vector<Exit> exits;
  for (int round = 0; !pending.empty() || (!again.empty() && round < 1);) {
    if (pending.empty()) {
      ++round;
      for (auto& [to, back] : again) {
        const auto last = last_in.find(to);
        State widened(last != last_in.end() ? last->second : back);
        if (last != last_in.end()) join(widened, std::move(back), true, body.blocks[to].start);
        pending.emplace(to, Waiting{std::move(widened), ++clock});
      }
      again.clear();
    }
    if (steps_ > root_limit_ || out_of_budget_ || steps_ - started > 4'000'000) {
      give_up("steps", body.entry);
      frame.gave_up = true;
      if (!returned) returned.emplace(std::move(pending.begin()->second.state));
      break;
    }
    const std::uint32_t index = pending.begin()->first;
    State s = std::move(pending.begin()->second.state);
    pending.erase(pending.begin());
    // Rounds in which calls are made say little after a few; a decoder's rounds make none.
    if (visits[index] == 0) recorded_before[index] = frame.recorded;
    const std::uint16_t cap = frame.recorded - recorded_before[index] > 8 ? 48 : 5000;
    if (visits[index] > cap) continue;
    ++visits[index];
    const bool forced = visits[index] == cap;  // a loop that seems not to end: leave it as well
    if (header[index]) last_in.insert_or_assign(index, s), header_clock[index] = ++clock;
    const Block& block = body.blocks[index];
    frame.trust = leaves_loop[index] && !alone_;
    // ARM's conditional instructions before a branch on the same flag: both ways are followed apart up to that branch.
    if (part_from[index] == unread) part_from[index] = parting_from(block);
    std::vector<std::pair<std::size_t, State>> ways;
    bool parted = false, gone = false;
    for (std::size_t k = 0; k < block.insns.size(); ++k) {
      frame.may_part = k >= part_from[index] && ways.size() < 3;
      const Insn insn = code_.insn(block.insns[k]);
      const bool last = k + 1 == block.insns.size();
      exits.clear();
      std::optional<State> before;
      if (forced && last && insn.control) before.emplace(s);
      reached.clear();
      exec(std::move(s), insn, frame, exits);
      gone = true;
      if (exits.size() == 2 && exits[0].parted && !last) {
        parted = true;
        ways.emplace_back(k, std::move(exits[0].state));
        s = std::move(exits[1].state);
        continue;
      }
      const bool certain = exits.size() == 1 && !parted;
      const std::uint64_t next = insn.address + insn.length;
      for (auto& e : exits) {
        switch (e.kind) {
          case Exit::Kind::next:
            if (!last) {
              if (gone) s = std::move(e.state);
              else join(s, std::move(e.state), false, next);
              gone = false;
            } else if (const auto it = body.block_at.find(next); it != body.block_at.end()) {
              deliver(index, it->second, std::move(e.state), certain);
            } else if (is_start(next)) {
              if (auto after = call(std::move(e.state), constant(next, word_), insn.address, frame.return_to, frame, true)) returns(std::move(*after));
            }
            break;
          case Exit::Kind::jump: {
            const std::uint64_t target = machine_.mode_switch ? e.target.off & ~std::uint64_t{1} : e.target.off;
            if (const auto it = body.block_at.find(target); it != body.block_at.end()) {
              deliver(index, it->second, std::move(e.state), certain);
            } else if (auto after = call(std::move(e.state), e.target, insn.address, frame.return_to, frame, true)) {
              returns(std::move(*after));
            }
            break;
          }
          case Exit::Kind::call:
          case Exit::Kind::indirect_call: {
            if (e.target.is_const() && e.target.off == next) {
              if (const auto it = body.block_at.find(next); it != body.block_at.end()) deliver(index, it->second, std::move(e.state), certain);
              break;
            }
            indirect_ = e.kind == Exit::Kind::indirect_call;
            auto after = call(std::move(e.state), e.target, insn.address, next, frame, false);
            indirect_ = false;
            if (!after) break;
            if (const auto it = body.block_at.find(next); it != body.block_at.end()) deliver(index, it->second, std::move(*after), certain);
            break;
          }
          case Exit::Kind::ret: returns(std::move(e.state)); break;
          case Exit::Kind::indirect_jump: {
            const auto marked = machine_.mode_switch ? ~std::uint64_t{1} : ~std::uint64_t{0};
            std::vector<Value> targets = e.target.kind == Value::Kind::choice ? tables_.parts(e.target.id) : std::vector<Value>{e.target};
            for (const auto& t : targets) {
              if (t.is_const() && ((t.off & marked) == (frame.return_to & marked) || t.off == sentinel)) {
                returns(State(e.state));
              } else if (t.is_const() && body.block_at.contains(t.off & marked)) {
                deliver(index, body.block_at.at(t.off & marked), State(e.state), certain && targets.size() == 1);
              } else if (t.is_const() && block.next.size() > 2 && t.off > body.entry && t.off < body.end) {
                continue;  // a switch whose ways are known goes nowhere else in the function: an index that the bound forbids
              } else if (t.is_const() || (t.kind == Value::Kind::symbol && tables_.symbol(t.id).kind == Symbol::Kind::import) || block.next.empty()) {
                indirect_ = true;
                if (auto after = call(State(e.state), t, insn.address, frame.return_to, frame, true)) returns(std::move(*after));
                indirect_ = false;
              } else {
                for (const auto to : block.next) deliver(index, to, State(e.state), false);
              }
            }
            break;
          }
        }
      }
      // Where the condition is unknown both ways were taken, each with what was tested; only the way that a known one bars is forced.
      if (before)
        for (const auto t : block.next)
          if (t > index && std::find(reached.begin(), reached.end(), t) == reached.end()) deliver(index, t, State(*before), true);
      if (!gone) continue;
      if (ways.empty()) break;
      k = ways.back().first;  // the next instruction is the first on the other way
      s = std::move(ways.back().second);
      ways.pop_back();
    }
  }
  return returned;
}

// i386: how many bytes of arguments a function takes off the stack when it returns (ret N), as those marked stdcall or fastcall do.
std::uint64_t Engine::taken_by_callee(const Body& body) const {
  if (elf_.machine != elf::Machine::x86) return 0;
  for (const auto& block : body.blocks) {
    if (block.insns.empty()) continue;
    const auto bytes = elf_.view(code_.insn(block.insns.back()).address, 3);
    if (bytes.size() == 3 && bytes[0] == 0xC2) return static_cast<std::uint64_t>(bytes[1] | bytes[2] << 8);
  }
  return 0;
}

std::optional<State> Engine::call(State s, const Value& target, std::uint64_t site, std::uint64_t return_to, const Frame& frame, bool tail) {
  if (target.kind != Value::Kind::choice) return call_one(std::move(s), target, site, return_to, frame, tail);
  std::optional<State> out;
  int n = 0;
  for (const auto& t : std::vector<Value>(tables_.parts(target.id))) {
    if (++n > 32) {
      give_up("many-targets", site);
      break;
    }
    if (t.is_const() && t.off < 0x100) continue;
    auto after = call_one(State(s), t, site, return_to, frame, tail);
    if (!after) continue;
    if (!out) out.emplace(std::move(*after));
    else join(*out, std::move(*after), false, site);
  }
  return out;
}

std::optional<State> Engine::call_one(State s, const Value& target, std::uint64_t site, std::uint64_t return_to, const Frame& frame, bool tail) {
  std::string import;
  const Body* body = nullptr;
  if (machine_.table == "x86") {
    const auto bytes = elf_.view(site, 7);  // call *%gs:0x10: the kernel's entry
    if (!bytes.empty() && bytes[0] == 0x65 && bytes[1] == 0xFF && bytes[2] == 0x15 && bytes[3] == 0x10) {
      auto after = syscall(std::move(s), site, frame);
      if (after) after->regs[stack_.slot] = binary(sleigh::Op::INT_ADD, after->regs[stack_.slot], constant(word_, word_), word_, word_);
      return after;
    }
  }
  if (target.is_const()) {
    if (const auto name = import_called(s, target.off)) import = *name;
    else if (code_target(target.off)) {
      const std::uint64_t entry = machine_.mode_switch ? target.off & ~std::uint64_t{1} : target.off;
      if (const auto known = recognised_.find(entry); known != recognised_.end()) {
        import = known->second;
        // popen's helper takes the command third: the first argument that is a text stands for it.
        for (std::size_t i = 0; helpers_.contains(entry) && i < 3 && i < arg_regs_.size(); ++i) {
          const Value v = argument(s, i);
          const auto texts = texts_at(s, v, 1024);
          const bool text = !texts.empty() && texts[0].text.size() >= 2 && !texts[0].text.starts_with("${") &&
                            std::all_of(texts[0].text.begin(), texts[0].text.end(), [](char c) { return c >= 9 && c < 127; });
          if (!text) continue;
          s.regs[arg_regs_[0].slot] = v;
          break;
        }
      } else if (elf_.is_static) {
        std::vector<int> skip;
        if (const auto* symbol = elf_.function_at(entry); symbol && (model_for(symbol->name, skip) || is_cxx_text(symbol->name))) import = symbol->name;
      }
      // What is called was found when the callers were read, and so were the functions whose addresses a relocated program keeps. Anything
      // else is a number read where the program keeps something else, or a way of a switch that was not known then: a piece of the function.
      const bool thumb = frame.body && frame.body->thumb;
      const bool known = is_start(entry) || prologue_at(entry, thumb);
      const auto piece = frame.body ? pieces_.find(frame.body->entry) : pieces_.end();
      const std::uint64_t whole = piece != pieces_.end() ? piece->second : frame.body ? frame.body->entry : 0;
      auto behind = starts_.upper_bound(whole);
      while (behind != starts_.end() && pieces_.contains(behind->first)) ++behind;
      const bool within = !known && tail && frame.body && entry > whole && (behind == starts_.end() || entry < behind->first);
      if (within && import.empty() && !alone_) pieces_.emplace(entry, whole);
      if (import.empty() && (!alone_ || bodies_.contains(entry)) && (known || within || (elf_.type != 3 && !code_.has_read(entry, thumb)))) body = body_at(target.off, thumb);
    }
  } else if (target.kind == Value::Kind::symbol && tables_.symbol(target.id).kind == Symbol::Kind::import) {
    import = tables_.symbol(target.id).origin;
  }

  const Value sp = stack_.slot < s.regs.size() ? s.regs[stack_.slot] : Value{0, 0, 0, Value::Kind::symbol, word_};
  const bool pops = machine_.link.empty();
  const std::uint64_t taken = pops ? word_ + (body && import.empty() ? taken_by_callee(*body) : 0) : 0;
  const auto leave = [&](State st) -> State {
    if (stack_.slot < st.regs.size()) st.regs[stack_.slot] = pops ? binary(sleigh::Op::INT_ADD, sp, constant(taken, word_), word_, word_) : sp;
    return st;
  };

  if (frame.main_entry && !body && !import.empty() && import.find("start_main") == std::string::npos && import.find("main") != std::string::npos)
    import = "__libc_start_main";
  if (frame.main_entry && body && bench_) {  // where main is was seen when the program was started
    const Value main = constant(bench_->main(), word_);
    if (!arg_regs_.empty()) s.regs[arg_regs_[0].slot] = main, s.regs[arg_regs_[0].slot].size = arg_regs_[0].size;
    else store(s, binary(sleigh::Op::INT_ADD, s.regs[stack_.slot], constant(machine_.stack_arguments, word_), word_, word_), main, word_);
    import = "__libc_start_main", body = nullptr;
  }
  if (frame.main_entry && body && !tail) {
    const Value first = argument(s, 0);
    if (first.is_const() && code_target(first.off) && body->insn_count > 8) import = "__libc_start_main", body = nullptr;
  }

  if (!import.empty()) {
    // A stub that only jumps on stands for its caller's call.
    const bool stub = tail && frame.caller && frame.body->blocks.size() <= 2 && frame.body->insn_count <= 6;
    bool indirect_result = false;
    if (auto after = cxx_text(s, import, indirect_result)) {
      State left = leave(std::move(*after));
      if (indirect_result && pops && word_ == 4) left.regs[stack_.slot] = binary(sleigh::Op::INT_ADD, left.regs[stack_.slot], constant(word_, word_), word_, word_);
      return left;
    }
    std::vector<int> skip;
    if (import == "fclose")  // in some C libraries pclose() is the same function
      if (const Value v = argument(s, 0); v.kind == Value::Kind::symbol && tables_.symbol(v.id).path.starts_with("|")) import = "pclose";
    if (const auto* model = model_for(import, skip)) {
      auto after = library(std::move(s), import, *model, skip, stub ? frame.call_site : site, stub ? *frame.caller : frame, false);
      if (!after) return std::nullopt;
      return leave(std::move(*after));
    }
    // No model: memory that it is given and that nothing has filled may be filled by it.
    for (std::size_t i = 0; i < 4; ++i) {
      const Value v = argument(s, i);
      if (!v.is_const() || !is_stack(v.off) || v.off < sp.off) continue;
      if (const auto b = byte_at(s, {0, v.off}); !b && !defined(s, {0, v.off}))
        s.store_text({0, v.off}, tables_.text({{"${ret:" + import + "}", false, 0}}), 0);
    }
    set_result(s, tables_.keyed(fmt::format("ret {} {:x}", import, site), {Symbol::Kind::result, "ret:" + import}, word_));
    return leave(std::move(s));
  }

  if (!body) {
    if (alone_ && target.kind == Value::Kind::symbol && target.off == 0)
      if (const Symbol& from = tables_.symbol(target.id); from.kind == Symbol::Kind::memory && from.origin.starts_with("global:"))
        pass_by({frame.body->entry, site, 0, std::strtoull(from.origin.c_str() + 7, nullptr, 16), nullptr, {}, {}, {}, true}, s);
    if (!alone_) give_up("indirect-call", site);
    set_result(s, tables_.keyed(fmt::format("ret {:x}", site), {Symbol::Kind::result, "unknown"}, word_));
    return leave(std::move(s));
  }

  std::uint32_t depth = frame.depth + (tail ? 0 : 1);
  bool recursive = false;
  for (const Frame* f = &frame; f; f = f->caller) recursive |= f->body == body;
  const bool relevant = relevant_.contains(body->entry);
  const bool library = in_library(body->entry);
  const bool small = body->insn_count < (library ? 120 : 400);
  auto& count = inlined_[body->entry];
  bool inline_it = depth < (body->insn_count < 40 ? accessor_depth : max_depth) && !recursive && steps_ < root_limit_ && (relevant ? count < 120 : small && count < 600);
  // To see every function once, only wrappers are followed again.
  if (alone_) {  // only what fetches the program counter is followed
    inline_it = body->insn_count <= 4 && body->calls.empty() && body->imports.empty();
    if (!inline_it) pass_by({frame.body->entry, site, body->entry, 0, nullptr, {}, {}, {}, indirect_}, s);
  } else if (survey_ && inline_it) inline_it = body->insn_count < 80 || !covered_.contains(body->entry);
  if (!inline_it) {
    if (relevant && !recursive && !alone_) give_up("not-followed", site);
    set_result(s, tables_.keyed(fmt::format("ret {:x}", site), {Symbol::Kind::result, "ret:" + function_name(body->entry)}, word_));
    if (!body->returns) return std::nullopt;
    return leave(std::move(s));
  }
  ++count;
  Frame inner;
  inner.caller = &frame;
  inner.call_site = site;
  inner.return_to = return_to;
  inner.root = frame.root;
  inner.depth = depth;
  inner.context = (frame.context ^ site) * 0x9E3779B97F4A7C15u;
  const std::uint64_t limit = root_limit_;
  if (!relevant) root_limit_ = std::min(root_limit_, steps_ + (library ? 7'000 : 500'000));
  const auto saved = temps_;
  State before(s);
  auto after = invoke(*body, std::move(s), inner);
  temps_ = saved;
  root_limit_ = limit;
  frame.recorded += inner.recorded;
  if (inner.gave_up || (!after && library && body->returns)) {  // its registers and stack stand somewhere in its middle: go on as if it had not been followed
    set_result(before, tables_.keyed(fmt::format("ret {:x}", site), {Symbol::Kind::result, "ret:" + function_name(body->entry)}, word_));
    return leave(std::move(before));
  }
  if (!after) return std::nullopt;
  // What the callee had on its stack is gone.
  if (sp.is_const() && is_stack(sp.off)) {
    auto& refs = after->refs();
    const auto low = std::lower_bound(refs.begin(), refs.end(), std::pair(0u, stack_low_ >> 6), [](const State::Ref& r, const auto& k) { return std::pair(r.base, r.number) < k; });
    auto high = low;
    while (high != refs.end() && high->base == 0 && (high->number << 6) + 64 + 256 < sp.off) pages_.release(high->page), ++high;
    refs.erase(low, high);
  }
  return leave(std::move(*after));
}

std::optional<State> Engine::syscall(State s, std::uint64_t site, const Frame& frame) {
  const auto read = [&](const CodeStore::Reg& r) {
    return r.size != 0 && r.slot < s.regs.size() ? s.regs[r.slot] : Value{0, 0, 0, Value::Kind::symbol, word_};
  };
  Value number = read(sys_number_);
  std::vector<Value> args;
  for (const auto& r : sys_args_) args.push_back(read(r));
  if (elf_.machine == elf::Machine::mips)
    for (std::uint64_t i = 4; i < 7; ++i)
      args.push_back(load(s, binary(sleigh::Op::INT_ADD, read(stack_), constant(i * 4, word_), word_, word_), word_));
  if (elf_.machine == elf::Machine::arm) {  // the old ABI has the number in the instruction
    const auto word = base::load<std::uint32_t>(elf_.view(site, 4), 0, elf_.order);
    if (word && (*word & 0x0FF00000) == 0x0F900000) number = constant(*word & 0xFFFFF, 4);
  }
  std::string name;
  if (number.is_const()) name = syscall_name(elf_.machine, static_cast<std::uint32_t>(number.off));
  if (name == "clone") name = "fork";  // clone(2) continues where it is called, clone(3) in a function
  if (name == "wait4") name = "waitpid";
  if (name == "socketcall" && args[0].is_const()) {
    static constexpr const char* calls[] = {"", "socket", "bind", "connect", "listen", "accept", "", "", "", "send", "recv",
                                            "sendto", "recvfrom", "shutdown", "setsockopt", "", "sendmsg", "recvmsg"};
    name = args[0].off < std::size(calls) ? calls[args[0].off] : "";
    const Value array = args[1];
    for (std::uint64_t i = 0; i < 6; ++i) {
      const Value v = load(s, binary(sleigh::Op::INT_ADD, array, constant(i * word_, word_), word_, word_), word_);
      if (i < args.size()) args[i] = v;
      else args.push_back(v);
    }
  }
  std::vector<int> skip;
  const Model* model = name.empty() ? nullptr : model_for(name, skip);
  if (!model) {
    set_result(s, tables_.keyed(fmt::format("syscall {:x}", site), {Symbol::Kind::result, name.empty() ? "unknown" : "ret:" + name}, word_));
    return s;
  }
  // The library model reads its arguments from where a call would have them.
  std::vector<std::pair<std::uint32_t, Value>> saved;
  const auto put_reg = [&](const CodeStore::Reg& r, const Value& v) {
    if (r.slot >= s.regs.size()) s.regs.resize(r.slot + 1, {0, 0, 0, Value::Kind::symbol, 8});
    saved.emplace_back(r.slot, s.regs[r.slot]);
    s.regs[r.slot] = v;
    s.regs[r.slot].size = r.size;
  };
  const std::size_t in_regs = std::min(args.size(), arg_regs_.size());
  for (std::size_t i = 0; i < in_regs; ++i) put_reg(arg_regs_[i], args[i]);
  if (arg_regs_.empty() || elf_.machine == elf::Machine::arm) {  // the rest goes to a stack below the real one
    const Value sp = read(stack_);
    const Value low = binary(sleigh::Op::INT_SUB, sp, constant(0x800, word_), word_, word_);
    put_reg(stack_, low);
    for (std::size_t i = in_regs; i < args.size(); ++i)
      store(s, binary(sleigh::Op::INT_ADD, low, constant(machine_.stack_arguments + (i - arg_regs_.size()) * word_, word_), word_, word_), args[i], word_);
  }
  auto after = library(std::move(s), name, *model, skip, site, frame, true);
  if (!after) return std::nullopt;
  std::reverse(saved.begin(), saved.end());
  for (const auto& [slot, v] : saved)
    if (slot != result_.slot) after->regs[slot] = v;
  // MIPS and PowerPC say beside the result whether the call failed. That it did is followed where its result is tested.
  if (const auto failed = elf_.machine == elf::Machine::mips ? code_.reg("a3") : elf_.machine == elf::Machine::ppc ? code_.reg("cr0") : CodeStore::Reg{}; failed.size != 0) {
    if (failed.slot >= after->regs.size()) after->regs.resize(failed.slot + 1, {0, 0, 0, Value::Kind::symbol, 8});
    after->regs[failed.slot] = constant(0, failed.size);
  }
  return after;
}

void Engine::relevance() {
  std::map<std::uint64_t, std::vector<std::uint64_t>> callers;
  std::vector<std::uint64_t> todo;
  const auto mark = [&](std::uint64_t entry) {
    if (relevant_.insert(entry).second) todo.push_back(entry);
  };
  static const std::set<std::string> quiet = {"", "text", "log", "memory", "time", "compare"};
  for (const auto& [entry, body] : bodies_) {
    if (in_library(entry)) continue;  // what it does is known from outside, or not at all
    for (const auto c : body->calls) callers[c].push_back(entry);
    for (const auto c : body->code_pointers) callers[c].push_back(entry);
    bool hit = body->raw_syscall;
    std::vector<int> skip;
    for (const auto& name : body->imports) {
      const auto* m = model_for(name, skip);
      hit |= m && !quiet.contains(m->group);
    }
    for (const auto c : body->calls) {
      std::string name;
      if (const auto known = recognised_.find(c); known != recognised_.end()) name = known->second;
      else if (elf_.is_static)
        if (const auto* symbol = elf_.function_at(c)) name = symbol->name;
      const auto* m = name.empty() ? nullptr : model_for(name, skip);
      hit |= m && !quiet.contains(m->group);
    }
    if (hit) mark(entry);
  }
  while (!todo.empty()) {
    const auto entry = todo.back();
    todo.pop_back();
    for (const auto c : callers[entry]) mark(c);
  }
}

void Engine::run_root(Root root) {
  const Body* body = body_at(root.entry, false);
  if (!body || body->blocks.empty()) return;
  State s = root.state.empty() ? fresh_state(body) : std::move(root.state[0]);
  if (!root.state.empty()) {  // a callback: memory as it was when it was registered, registers anew
    State fresh = fresh_state(body);
    s.regs = fresh.regs;
    s.tested.clear(), s.passed.clear();
    auto& refs = s.refs();
    std::erase_if(refs, [&](const State::Ref& r) {
      const bool own = r.base == 0 && is_stack(r.number << 6) && (r.number << 6) < stack_low_ + 0x20000;
      if (own) pages_.release(r.page);
      return own;
    });
    // its own stack, below every frame that is kept
    const std::uint64_t low = stack_low_ + 0x10000;
    s.regs[stack_.slot] = constant(low, word_);
    if (machine_.link.empty()) s.store_value({0, low}, constant(sentinel, word_), word_, big_);
    if (arg_regs_.empty())
      for (std::uint64_t i = 0; i < root.args.size(); ++i)
        s.store_value({0, low + machine_.stack_arguments + i * word_}, root.args[i], word_, big_);
  }
  for (std::size_t i = 0; i < root.args.size() && i < arg_regs_.size(); ++i) {
    s.regs[arg_regs_[i].slot] = root.args[i];
    s.regs[arg_regs_[i].slot].size = arg_regs_[i].size;
  }
  Frame frame;
  frame.return_to = sentinel;
  frame.root = root.kinds;
  frame.context = root.entry * 0x9E3779B97F4A7C15u;
  frame.main_entry = !root.kinds.empty() && root.kinds[0] == "entry";
  if (frame.main_entry) s.from_start = true;
  invoke(*body, std::move(s), frame);
}

}  // namespace flow
