// A comparison of eight bytes at once with eight letters, as compilers write for a text whose length they know, into the call site
// that it was in the source: a memcmp() of the bytes with that part of the text. Its outcome decides as a call's would.
// Four letters or fewer are left alone: too many numbers look like them.
#include <algorithm>

#include <fmt/format.h>

#include "flow/engine.h"
#include "flow/library.h"

namespace flow {
namespace {

using sleigh::Op;

// The bytes of the word in the order in which they lie in memory; empty unless all of them can be printed.
std::string letters(std::uint64_t word, bool big) {
  std::string out(8, ' ');
  for (std::size_t i = 0; i < 8; ++i) {
    const auto c = static_cast<unsigned char>(word >> 8 * (big ? 7 - i : i));
    if (c < 0x20 || c > 0x7E) return {};
    out[i] = static_cast<char>(c);
  }
  return out;
}

}  // namespace

// The taint of the comparison, or 0 where there is none.
std::uint16_t Engine::word_compared(State& s, const Insn& insn, const Frame& frame, Op op, const Value& left, const Value& right) {
  if (light_ || alone_ || (op != Op::INT_EQUAL && op != Op::INT_NOTEQUAL && op != Op::INT_SUB && op != Op::INT_XOR)) return 0;
  const Value &a = left.is_const() ? right : left, &b = left.is_const() ? left : right;
  if (a.kind != Value::Kind::symbol || a.taint == 0 || !b.is_const()) return 0;
  const bool asked = op == Op::INT_EQUAL || op == Op::INT_NOTEQUAL;  // else the difference is, further on, whether it is 0
  if (asked ? a.id == 0 : a.off != 0) return 0;
  const std::string text = letters(b.off - a.off, big_);
  if (text.empty()) return 0;
  std::vector<std::uint32_t> feeds;
  add_feeds(tables_, a.taint, feeds);
  if (feeds.empty()) return 0;

  auto key = std::pair(insn.address, frame.context);
  if (!call_ids_.contains(key) && contexts_of_[insn.address] >= most_contexts) key.second = ~std::uint64_t{0};
  const auto [it, fresh] = call_ids_.emplace(key, static_cast<std::uint32_t>(calls_.size()));
  const std::uint32_t id = it->second;
  ++frame.recorded;
  std::vector<std::uint32_t> guards;
  for (const auto t : s.tested) guards.push_back(static_cast<std::uint32_t>(t >> 32));
  std::sort(guards.begin(), guards.end());
  guards.erase(std::unique(guards.begin(), guards.end()), guards.end());
  if (fresh) {
    ++contexts_of_[insn.address];
    CallSite& call = calls_.emplace_back();
    feeds_.emplace_back(), guards_.push_back(guards), passed_.push_back(s.passed), visits_.push_back(1);
    call.function_address = frame.body ? frame.body->entry : 0;
    call.function = function_name(call.function_address);
    call.site = insn.address;
    call.callee = "memcmp";
    call.inferred = true;
    call.result_id = fmt::format("ret:memcmp@{:x}", insn.address);
    ArgValue bytes, constant_text, length;
    bytes.values = {"unknown"};
    constant_text.kind = ArgValue::Kind::text, constant_text.values = {text}, constant_text.buffer_id = fmt::format("code:{:x}", insn.address);
    length.kind = ArgValue::Kind::number, length.numbers = {8};
    call.args = {bytes, constant_text, length};
    call.reached_from = frame.root;
    std::vector<std::string> chain;
    for (const Frame* f = &frame; f; f = f->caller)
      if (f->body) chain.push_back(function_name(f->body->entry));
    call.reached_from.insert(call.reached_from.end(), chain.rbegin(), chain.rend());
  } else {
    const auto meet = [](std::vector<std::uint32_t>& have, const std::vector<std::uint32_t>& other) {
      std::vector<std::uint32_t> out;
      std::set_intersection(have.begin(), have.end(), other.begin(), other.end(), std::back_inserter(out));
      have = std::move(out);
    };
    meet(guards_[id], guards), meet(passed_[id], s.passed);
  }
  for (const auto f : feeds)
    if (f != id) feeds_[id].insert(f);
  const auto at = std::lower_bound(s.passed.begin(), s.passed.end(), id);
  if ((at == s.passed.end() || *at != id) && s.passed.size() < 512) s.passed.insert(at, id);
  return tables_.taint_of(id);
}

}  // namespace flow
