// What a branch on "this is that constant" says of the registers: on the way where it is so, the unknown is the constant. Compilers
// use the zero that they have just tested for (a decoder's index that starts as the result of the call before it).
// A truth value needs no identity; which comparison it came from, in which bit, and whether it was turned round stand in its offset.
#include "flow/engine.h"

namespace flow {
namespace {

using sleigh::Op;

constexpr std::uint64_t kMark = 0xE9A1;  // the upper 16 bits; then 7 of the bit, one for "turned round", 40 of the index

struct Tag {
  std::uint64_t index = 0;
  unsigned bit = 0;
  bool turned = false;
};

bool tagged(const Value& v) { return v.kind == Value::Kind::symbol && v.id == 0 && v.off >> 48 == kMark; }
Tag tag_of(const Value& v) {
  return {v.off & 0xFF'FFFF'FFFF, static_cast<unsigned>(v.off >> 41 & 0x7F), (v.off >> 40 & 1) != 0};
}
Value with_tag(Value v, const Tag& tag) {
  v.off = kMark << 48 | std::uint64_t{tag.bit} << 41 | std::uint64_t{tag.turned} << 40 | tag.index;
  return v;
}

}  // namespace

Value Engine::compared(Op op, const Value& a, const Value& b, std::uint8_t out, Value truth) {
  if (truth.kind != Value::Kind::symbol || truth.id != 0) return truth;
  truth.off = 0;
  if ((op == Op::INT_EQUAL || op == Op::INT_NOTEQUAL) && a.kind == Value::Kind::symbol && a.id != 0 && b.is_const()) {
    if (equalities_.size() >= 1'000'000) return truth;
    const auto [at, is_new] = equality_ids_.try_emplace({a.id, b.off - a.off}, equalities_.size());
    if (is_new) equalities_.emplace_back(a.id, b.off - a.off);
    return with_tag(truth, {at->second, 0, op == Op::INT_NOTEQUAL});
  }
  if (out != 1) return truth;
  const bool on_left = tagged(a);
  if (!on_left && !tagged(b)) return truth;
  Tag tag = tag_of(on_left ? a : b);
  const Value& other = on_left ? b : a;
  switch (op) {
    case Op::INT_OR:  // PowerPC's condition register: less, greater and equal have a bit each
      if (tagged(other)) return truth;
      break;
    case Op::BOOL_NEGATE:
      if (tag.bit != 0) return truth;
      tag.turned = !tag.turned;
      break;
    case Op::INT_EQUAL:
    case Op::INT_NOTEQUAL:
      if (!other.is_const() || other.off != 0 || tag.bit != 0) return truth;
      if (op == Op::INT_EQUAL) tag.turned = !tag.turned;
      break;
    case Op::INT_AND:
      if (!other.is_const() || other.off != 1 || tag.bit != 0) return truth;
      break;
    case Op::INT_LEFT:
      if (!on_left || !other.is_const() || tag.bit + other.off > 7) return truth;
      tag.bit += static_cast<unsigned>(other.off);
      break;
    case Op::INT_RIGHT:
      if (!on_left || !other.is_const() || tag.bit < other.off) return truth;
      tag.bit -= static_cast<unsigned>(other.off);
      break;
    default:
      return truth;
  }
  return with_tag(truth, tag);
}

void Engine::learn(State& s, const Value& truth, bool taken) const {
  if (!tagged(truth)) return;
  const Tag tag = tag_of(truth);
  if (tag.bit != 0 || tag.index >= equalities_.size() || taken == tag.turned) return;
  const auto& [id, value] = equalities_[tag.index];
  for (auto& r : s.regs)
    if (r.kind == Value::Kind::symbol && r.id == id) r = constant((value + r.off) & mask_of(r.size), r.size, r.taint);
}

}  // namespace flow
