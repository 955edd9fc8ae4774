// One instruction's operations on a state. Unknown conditions inside an instruction (ARM's conditional forms) join what was
// with what would be; those that leave it fork the state.
#include <algorithm>
#include <bit>

#include "flow/engine.h"

namespace flow {

using sleigh::Op;

namespace {

std::int64_t extend(std::uint64_t v, std::uint8_t size) {
  if (size >= 8) return static_cast<std::int64_t>(v);
  const unsigned unused = 64 - size * 8;
  return static_cast<std::int64_t>(v << unused) >> unused;
}

bool is_control(Op op) {
  return op == Op::BRANCH || op == Op::CBRANCH || op == Op::BRANCHIND || op == Op::CALL || op == Op::CALLIND || op == Op::RETURN;
}

bool is_compare(Op op) {
  switch (op) {
    case Op::INT_EQUAL: case Op::INT_NOTEQUAL: case Op::INT_SLESS: case Op::INT_SLESSEQUAL: case Op::INT_LESS:
    case Op::INT_LESSEQUAL: case Op::INT_CARRY: case Op::INT_SCARRY: case Op::INT_SBORROW: case Op::BOOL_XOR:
    case Op::BOOL_AND: case Op::BOOL_OR: case Op::BOOL_NEGATE: case Op::FLOAT_EQUAL: case Op::FLOAT_NOTEQUAL:
    case Op::FLOAT_LESS: case Op::FLOAT_LESSEQUAL: case Op::FLOAT_NAN: return true;
    default: return false;
  }
}

// The result of a two-operand operation on constants, or nothing (division by zero, floating point).
std::optional<std::uint64_t> compute(Op op, std::uint64_t a, std::uint64_t b, std::uint8_t in) {
  const std::int64_t sa = extend(a, in), sb = extend(b, in);
  const std::uint64_t mask = mask_of(in);
  const std::uint64_t sign = std::uint64_t{1} << (std::min<unsigned>(in, 8) * 8 - 1);
  switch (op) {
    case Op::INT_EQUAL: return a == b;
    case Op::INT_NOTEQUAL: return a != b;
    case Op::INT_SLESS: return sa < sb;
    case Op::INT_SLESSEQUAL: return sa <= sb;
    case Op::INT_LESS: return a < b;
    case Op::INT_LESSEQUAL: return a <= b;
    case Op::INT_ADD: return a + b;
    case Op::INT_SUB: return a - b;
    case Op::INT_CARRY: return ((a + b) & mask) < a;
    case Op::INT_SCARRY: return ((~(a ^ b) & (a ^ (a + b))) & sign) != 0;
    case Op::INT_SBORROW: return (((a ^ b) & (a ^ (a - b))) & sign) != 0;
    case Op::INT_XOR: case Op::BOOL_XOR: return a ^ b;
    case Op::INT_AND: case Op::BOOL_AND: return a & b;
    case Op::INT_OR: case Op::BOOL_OR: return a | b;
    case Op::INT_LEFT: return b >= in * 8u ? 0 : a << b;
    case Op::INT_RIGHT: return b >= in * 8u ? 0 : a >> b;
    case Op::INT_SRIGHT: return static_cast<std::uint64_t>(sa >> std::min<std::uint64_t>(b, 63));
    case Op::INT_MULT: return a * b;
    case Op::INT_DIV: if (b == 0) return std::nullopt; return a / b;
    case Op::INT_REM: if (b == 0) return std::nullopt; return a % b;
    case Op::INT_SDIV:
      if (sb == 0 || (sb == -1 && sa == INT64_MIN)) return std::nullopt;
      return static_cast<std::uint64_t>(sa / sb);
    case Op::INT_SREM:
      if (sb == 0 || (sb == -1 && sa == INT64_MIN)) return std::nullopt;
      return static_cast<std::uint64_t>(sa % sb);
    default: return std::nullopt;
  }
}

}  // namespace

Value Engine::get(State& s, const MicroOp& op, int i, unsigned chunk) {
  const unsigned whole = op.size[i];
  const auto size = static_cast<std::uint8_t>(std::min(8u, whole - std::min(whole, chunk * 8)));
  switch (op.where[i]) {
    case Where::none: return constant(0, size);
    case Where::constant: return constant(chunk == 0 ? op.at[i] & mask_of(size) : 0, size);
    case Where::ram: {
      const std::uint64_t at = op.at[i] + (big_ && whole > 8 ? whole - 8 - chunk * 8 : chunk * 8);
      return load(s, constant(at, word_), size);
    }
    case Where::reg:
    case Where::temp: {
      const auto slot = op.at[i] + chunk;
      Value v;
      if (op.where[i] == Where::temp) {
        v = temps_[slot];
      } else {
        if (slot >= s.regs.size()) s.regs.resize(std::max<std::size_t>(code_.slots(), slot + 1), {0, 0, 0, Value::Kind::symbol, 8});
        v = s.regs[slot];
      }
      const auto shift = op.shift[i];
      if (shift == 0 && v.size == size) return v;
      if (v.is_const()) return constant((v.off >> shift * 8) & mask_of(size), size, v.taint);
      if (shift == 0 && (size >= 4 || size >= v.size || (v.kind == Value::Kind::symbol && tables_.symbol(v.id).table_size == size))) {
        v.size = size;
        return v;
      }
      return tables_.derived(0x20000u + shift, v, constant(size), Symbol::Kind::unknown, size);
    }
  }
  return {};
}

// Whether an operation makes an address, and does not hand on one that there was, or step to the next thing behind it.
bool Engine::names(State& s, const MicroOp& op) {
  using sleigh::Op;
  if (op.op == Op::LOAD) return true;
  if (op.op == Op::COPY) return op.where[1] == Where::constant || op.where[1] == Where::ram;
  if ((op.op != Op::INT_ADD && op.op != Op::INT_SUB && op.op != Op::INT_OR) || op.inputs != 2) return false;
  const auto small = [&](const Value& v) { return v.is_const() && static_cast<std::int32_t>(v.off) <= 64 && static_cast<std::int32_t>(v.off) >= -64; };
  const Value a = get(s, op, 1), b = get(s, op, 2);
  return !(small(b) && a.off >= image_low_) && !(small(a) && b.off >= image_low_);
}

void Engine::put(State& s, const MicroOp& op, const Value& value, unsigned chunk) {
  const unsigned whole = op.size[0];
  const auto size = static_cast<std::uint8_t>(std::min(8u, whole - std::min(whole, chunk * 8)));
  Value v = value;
  v.size = size;
  if (v.is_const()) v.off &= mask_of(size);
  if (op.where[0] == Where::ram) {
    store(s, constant(op.at[0] + (big_ && whole > 8 ? whole - 8 - chunk * 8 : chunk * 8), word_), v, size);
    return;
  }
  if (op.where[0] != Where::reg && op.where[0] != Where::temp) return;
  if (light_ && v.is_const() && v.off - image_low_ < named_.size() && names(s, op)) named_[v.off - image_low_] = true;
  const auto slot = op.at[0] + chunk;
  // MIPS: gp is the same in the whole program; where what it was saved in is no longer known, it still is.
  if (global_.size != 0 && global_value_ != 0 && op.where[0] == Where::reg && slot == global_.slot && !v.is_const()) v = constant(global_value_, size);
  if (op.where[0] == Where::reg && slot >= s.regs.size())
    s.regs.resize(std::max<std::size_t>(code_.slots(), slot + 1), {0, 0, 0, Value::Kind::symbol, 8});
  Value& cell = op.where[0] == Where::temp ? temps_[slot] : s.regs[slot];
  const auto shift = op.shift[0];
  if (op.whole || (shift == 0 && size >= cell.size)) {
    cell = v;
  } else if (v.is_const() && cell.is_const()) {
    const std::uint64_t mask = mask_of(size) << shift * 8;
    cell.off = (cell.off & ~mask) | (v.off << shift * 8 & mask);
    cell.size = std::max<std::uint8_t>(cell.size, static_cast<std::uint8_t>(shift + size));
    cell.taint = tables_.taint_union(cell.taint, v.taint);
  } else if (shift == 0) {
    cell = v;  // the bytes above are taken to be zero: code that sets DL goes on to use DL
  } else {
    cell = tables_.derived(0x21000u + shift, v, cell, Symbol::Kind::unknown, std::max<std::uint8_t>(cell.size, size));
  }
}

Value Engine::unary(Op op, const Value& a, std::uint8_t in, std::uint8_t out) {
  if (a.is_const()) {
    switch (op) {
      case Op::COPY: case Op::INT_ZEXT: case Op::CAST: return constant(a.off & mask_of(in), out, a.taint);
      case Op::INT_SEXT: return constant(static_cast<std::uint64_t>(extend(a.off, in)), out, a.taint);
      case Op::INT_2COMP: return constant(~a.off + 1, out, a.taint);
      case Op::INT_NEGATE: return constant(~a.off, out, a.taint);
      case Op::BOOL_NEGATE: return constant(a.off == 0, out, a.taint);
      case Op::POPCOUNT: return constant(static_cast<std::uint64_t>(std::popcount(a.off & mask_of(in))), out, a.taint);
      case Op::LZCOUNT: return constant(static_cast<std::uint64_t>(std::countl_zero(a.off & mask_of(in))) - (64 - in * 8u), out, a.taint);
      default: break;
    }
  }
  if (op == Op::COPY || op == Op::INT_ZEXT || op == Op::INT_SEXT || op == Op::CAST) {
    // A case's number less the least one, an index into a table of bytes: the difference is no address, and stands for itself.
    if (op == Op::INT_ZEXT && in < out && a.kind == Value::Kind::symbol && a.id != 0 && extend(a.off, in) < 0)
      return tables_.derived(static_cast<std::uint32_t>(op), a, constant(0), Symbol::Kind::index, out);
    if (a.kind != Value::Kind::choice || op == Op::COPY) {
      Value v = a;
      v.size = out;
      if (op == Op::INT_SEXT && a.kind == Value::Kind::symbol && tables_.symbol(a.id).table_size == in && !tables_.symbol(a.id).table_signed) {
        Symbol entry = tables_.symbol(a.id);
        v = tables_.derived(static_cast<std::uint32_t>(op), a, constant(0), entry.kind, out);
        entry.table_signed = true;
        if (v.id != 0) tables_.symbol(v.id) = entry;
        v.off = a.off;
      }
      return v;
    }
  }
  if (a.kind == Value::Kind::choice) {
    std::vector<Value> parts;
    for (auto p : std::vector<Value>(tables_.parts(a.id))) {
      p.taint = a.taint;
      parts.push_back(unary(op, p, in, out));
    }
    return tables_.choice(std::move(parts), out);
  }
  const Value d = tables_.derived(static_cast<std::uint32_t>(op), a, constant(0), is_compare(op) ? Symbol::Kind::boolean : Symbol::Kind::unknown, out);
  return compared(op, a, constant(0), out, d);
}

Value Engine::binary(Op op, const Value& left, const Value& right, std::uint8_t in, std::uint8_t out) {
  // A constant stands on the right where the order does not matter.
  const bool swap = left.is_const() && !right.is_const() &&
                    (op == Op::INT_ADD || op == Op::INT_AND || op == Op::INT_OR || op == Op::INT_XOR || op == Op::INT_MULT ||
                     op == Op::INT_EQUAL || op == Op::INT_NOTEQUAL);
  const Value &a = swap ? right : left, &b = swap ? left : right;
  const std::uint16_t taint = tables_.taint_union(a.taint, b.taint);
  if (a.is_const() && b.is_const()) {
    const auto v = compute(op, a.off & mask_of(in), op == Op::INT_LEFT || op == Op::INT_RIGHT || op == Op::INT_SRIGHT ? b.off : b.off & mask_of(in), in);
    if (v) return constant(*v & mask_of(out), out, taint);
    return tables_.derived(static_cast<std::uint32_t>(op), a, b, Symbol::Kind::unknown, out);
  }
  if ((op == Op::INT_OR || op == Op::INT_AND) && a.same(b) && in == out) {  // how PowerPC copies a register
    Value v = a;
    v.taint = taint;
    return v;
  }
  const bool sa = a.kind == Value::Kind::symbol, sb = b.kind == Value::Kind::symbol;
  if (a.kind == Value::Kind::choice || b.kind == Value::Kind::choice) {
    std::vector<Value> xs = a.kind == Value::Kind::choice ? tables_.parts(a.id) : std::vector<Value>{a};
    std::vector<Value> ys = b.kind == Value::Kind::choice ? tables_.parts(b.id) : std::vector<Value>{b};
    if (xs.size() * ys.size() <= 64) {
      std::vector<Value> parts;
      for (auto& x : xs)
        for (auto& y : ys) {
          x.taint = y.taint = taint;
          parts.push_back(binary(op, x, y, in, out));
        }
      return tables_.choice(std::move(parts), out);
    }
    return tables_.derived(static_cast<std::uint32_t>(op), a, b, Symbol::Kind::unknown, out);
  }
  if (op == Op::INT_LESS || op == Op::INT_LESSEQUAL) {
    // Where a comparison sets flags, equal is asked beside less; MIPS asks less alone.
    const std::uint64_t equal = op == Op::INT_LESS && elf_.machine == elf::Machine::mips ? 0 : 1;
    if (sa && a.id != 0 && b.is_const() && b.off < 4096) tables_.symbol(a.id).bound = b.off + equal;
    if (sb && b.id != 0 && a.is_const() && a.off < 4096) tables_.symbol(b.id).bound = a.off + 1;
  }
  Value v;
  v.kind = Value::Kind::symbol, v.taint = taint, v.size = out;
  switch (op) {
    case Op::INT_ADD:
      if (sa && b.is_const()) { v.id = a.id, v.off = (a.off + b.off) & mask_of(out); return v; }
      if (sb && a.is_const()) { v.id = b.id, v.off = (a.off + b.off) & mask_of(out); return v; }
      break;
    case Op::INT_SUB:
      if (sa && b.is_const()) { v.id = a.id, v.off = (a.off - b.off) & mask_of(out); return v; }
      if (sa && sb && a.id == b.id && a.id != 0) return constant((a.off - b.off) & mask_of(out), out, taint);
      break;
    case Op::INT_EQUAL: case Op::INT_NOTEQUAL:
      if (sa && sb && a.id == b.id && a.id != 0) return constant((a.off == b.off) == (op == Op::INT_EQUAL), out, taint);
      break;
    case Op::INT_AND:
      if (sa && b.is_const() && (b.off & mask_of(in)) == mask_of(in)) { v = a, v.taint = taint, v.size = out; return v; }
      if (sa && b.is_const() && static_cast<std::int64_t>(extend(b.off, in)) < 0 && extend(b.off, in) >= -4096) {
        v.id = a.id, v.off = a.off & b.off;  // aligned: the unknown's own low bits are left out
        return v;
      }
      if ((a.is_const() && a.off == 0) || (b.is_const() && b.off == 0)) return constant(0, out, taint);
      break;
    case Op::INT_OR: case Op::INT_XOR:
      if (sa && b.is_const() && b.off == 0) { v = a, v.taint = taint, v.size = out; return v; }
      if (sb && a.is_const() && a.off == 0) { v = b, v.taint = taint, v.size = out; return v; }
      if (op == Op::INT_XOR && sa && sb && a.id == b.id && a.id != 0 && a.off == b.off) return constant(0, out, taint);
      break;
    case Op::INT_LEFT: case Op::INT_MULT: {
      if (b.is_const() && b.off == (op == Op::INT_LEFT ? 0u : 1u)) { v = a, v.taint = taint, v.size = out; return v; }
      if (sa && b.is_const()) {
        v = tables_.derived(static_cast<std::uint32_t>(op), a, b, Symbol::Kind::index, out);
        if (v.id == 0) return compared(op, a, b, out, v);
        tables_.symbol(v.id).stride = op == Op::INT_LEFT ? std::uint64_t{1} << std::min<std::uint64_t>(b.off, 20) : b.off;
        if (tables_.symbol(a.id).table_size != 0 && a.off == 0) {
          const std::uint64_t scale = tables_.symbol(v.id).stride;
          const Symbol entry = tables_.symbol(a.id);
          tables_.symbol(v.id) = entry;
          tables_.symbol(v.id).table_scale = entry.table_scale * scale;
        } else if (tables_.symbol(a.id).stride != 0) {
          tables_.symbol(v.id).stride *= tables_.symbol(a.id).stride;
        }
        v.taint = taint;
        return v;
      }
      break;
    }
    case Op::INT_RIGHT: case Op::INT_SRIGHT:
      if (b.is_const() && b.off == 0) { v = a, v.taint = taint, v.size = out; return v; }
      break;
    case Op::BOOL_AND:
      if ((a.is_const() && a.off == 0) || (b.is_const() && b.off == 0)) return constant(0, out, taint);
      break;
    case Op::BOOL_OR:
      if ((a.is_const() && a.off != 0) || (b.is_const() && b.off != 0)) return constant(1, out, taint);
      break;
    default: break;
  }
  Value d = tables_.derived(static_cast<std::uint32_t>(op), a, b, is_compare(op) ? Symbol::Kind::boolean : Symbol::Kind::unknown, out);
  if (op == Op::INT_ADD && sa && sb && d.id != 0) {  // a pointer and an index: keep the pointer's distance and the index's stride
    auto& d_symbol = tables_.symbol(d.id);
    d_symbol.kind = Symbol::Kind::index;
    d_symbol.stride = std::max(tables_.symbol(a.id).stride, tables_.symbol(b.id).stride);
  }
  d.taint = taint;
  return compared(op, a, b, out, d);
}

// While a function's shape is being found, a register of which nothing is known gets a name where it is asked whether it is less than a
// number, so that the switch that it chooses from keeps its bound.
void Engine::name_compared(State& s, const MicroOp& op, Value& left, Value& right) {
  for (const int i : {1, 2}) {
    Value &asked = i == 1 ? left : right, &number = i == 1 ? right : left;
    if (op.where[i] != Where::reg || op.shift[i] != 0 || asked.kind != Value::Kind::symbol || asked.id != 0 || !number.is_const() || number.off >= 4096) continue;
    const auto taint = asked.taint;
    asked = tables_.derived(0x26000, constant(next_insn_), constant(op.at[i]), Symbol::Kind::unknown, asked.size);
    asked.taint = taint;
    const auto size = s.regs[op.at[i]].size;
    s.regs[op.at[i]] = asked, s.regs[op.at[i]].size = size;
  }
}

// x ^ x and x - x, whatever x is.
static bool cleared_by_itself(const MicroOp& op) {
  return (op.op == Op::INT_XOR || op.op == Op::INT_SUB) && op.where[1] == op.where[2] && op.at[1] == op.at[2] &&
         op.shift[1] == op.shift[2] && op.where[1] != Where::constant;
}

// Operands wider than 8 bytes, in pieces; true when the operation was one of those that work in pieces.
bool Engine::wide(State& s, const MicroOp& op) {
  const unsigned out_chunks = (op.size[0] + 7u) / 8;
  const auto piece_size = [&](unsigned c) { return static_cast<std::uint8_t>(std::min(8u, op.size[0] - c * 8u)); };
  switch (op.op) {
    case Op::COPY: case Op::INT_NEGATE: case Op::INT_ZEXT: {
      std::vector<Value> parts;
      for (unsigned c = 0; c < out_chunks; ++c) {
        if (c * 8 >= op.size[1]) parts.push_back(constant(0, piece_size(c)));
        else parts.push_back(op.op == Op::INT_NEGATE ? unary(op.op, get(s, op, 1, c), 8, piece_size(c)) : get(s, op, 1, c));
      }
      for (unsigned c = 0; c < out_chunks; ++c) put(s, op, parts[c], c);
      return true;
    }
    case Op::INT_XOR: case Op::INT_AND: case Op::INT_OR: {
      std::vector<Value> parts;
      for (unsigned c = 0; c < out_chunks; ++c)
        parts.push_back(cleared_by_itself(op) ? constant(0, piece_size(c)) : binary(op.op, get(s, op, 1, c), get(s, op, 2, c), 8, piece_size(c)));
      for (unsigned c = 0; c < out_chunks; ++c) put(s, op, parts[c], c);
      return true;
    }
    case Op::SUBPIECE: {
      if (op.where[2] != Where::constant) return false;
      const unsigned skip = static_cast<unsigned>(op.at[2]);
      std::vector<Value> parts;
      for (unsigned c = 0; c < out_chunks; ++c) {
        const unsigned from = skip + c * 8;
        Value low = from < op.size[1] ? get(s, op, 1, from / 8) : constant(0);
        if (from % 8 != 0) {
          const Value high = (from / 8 + 1) * 8 < op.size[1] ? get(s, op, 1, from / 8 + 1) : constant(0);
          if (low.is_const() && high.is_const())
            low = constant(low.off >> (from % 8) * 8 | high.off << (8 - from % 8) * 8, 8, tables_.taint_union(low.taint, high.taint));
          else
            low = tables_.derived(0x22000u + from % 8, low, high, Symbol::Kind::unknown, 8);
        }
        if (!low.is_const() && piece_size(c) < 4) low = tables_.derived(0x23000u, low, constant(piece_size(c)), Symbol::Kind::unknown, piece_size(c));
        parts.push_back(low);
      }
      for (unsigned c = 0; c < out_chunks; ++c) put(s, op, parts[c], c);
      return true;
    }
    case Op::PIECE: {
      if (op.size[2] % 8 != 0) return false;
      std::vector<Value> parts;
      for (unsigned c = 0; c * 8 < op.size[2]; ++c) parts.push_back(get(s, op, 2, c));
      for (unsigned c = 0; c * 8 < op.size[1]; ++c) parts.push_back(get(s, op, 1, c));
      for (unsigned c = 0; c < out_chunks && c < parts.size(); ++c) put(s, op, parts[c], c);
      return true;
    }
    case Op::LOAD: {
      const Value address = get(s, op, 1);
      std::vector<Value> parts;
      for (unsigned c = 0; c < out_chunks; ++c) {
        const std::uint64_t skip = big_ ? (op.size[0] > (c + 1) * 8 ? op.size[0] - (c + 1) * 8u : 0) : c * 8;
        parts.push_back(load(s, binary(Op::INT_ADD, address, constant(skip, word_), word_, word_), piece_size(c)));
      }
      for (unsigned c = 0; c < out_chunks; ++c) put(s, op, parts[c], c);
      return true;
    }
    case Op::STORE: {
      const Value address = get(s, op, 1);
      for (unsigned c = 0; c * 8 < op.size[2]; ++c) {
        const auto size = static_cast<std::uint8_t>(std::min(8u, op.size[2] - c * 8u));
        const std::uint64_t skip = big_ ? (op.size[2] > (c + 1) * 8 ? op.size[2] - (c + 1) * 8u : 0) : c * 8;
        store(s, binary(Op::INT_ADD, address, constant(skip, word_), word_, word_), get(s, op, 2, c), size);
      }
      return true;
    }
    case Op::INT_LEFT: case Op::INT_RIGHT: {
      const Value by = get(s, op, 2);
      if (!by.is_const()) return false;
      std::vector<Value> in;
      bool known = true;
      for (unsigned c = 0; c * 8 < op.size[1]; ++c) in.push_back(get(s, op, 1, c)), known &= in.back().is_const();
      if (!known) return false;
      const auto word_at = [&](std::int64_t bit) -> std::uint64_t {  // 64 bits from bit position `bit` of the input
        std::uint64_t out = 0;
        for (std::size_t c = 0; c < in.size(); ++c) {
          const std::int64_t d = static_cast<std::int64_t>(c) * 64 - bit;
          if (d >= 0 && d < 64) out |= in[c].off << d;
          else if (d < 0 && d > -64) out |= in[c].off >> -d;
        }
        return out;
      };
      const std::int64_t shift = static_cast<std::int64_t>(std::min<std::uint64_t>(by.off, 4096));
      for (unsigned c = 0; c < out_chunks; ++c)
        put(s, op, constant(word_at(static_cast<std::int64_t>(c) * 64 + (op.op == Op::INT_LEFT ? -shift : shift))), c);
      return true;
    }
    default: return false;
  }
}

// MIPS lwl/lwr and swl/swr come in pairs that move one unaligned word. Each half of a load loads all of it, each half of a
// store stores its own bytes; the masks and shifts of the p-code would lose what is only partly known.
bool Engine::unaligned_pair(State& s, const Insn& insn) {
  const auto word = base::load<std::uint32_t>(elf_.view(insn.address, 4), 0, elf_.order);
  if (!word) return false;
  const std::uint32_t code = *word >> 26;
  if (code != 0x22 && code != 0x26 && code != 0x2A && code != 0x2E) return false;
  const bool left = code == 0x22 || code == 0x2A, stores = code >= 0x28;
  const MicroOp* ops = code_.ops(insn);
  std::size_t at = 0;
  for (; at < insn.ops; ++at) {
    const MicroOp& op = ops[at];
    if (op.op == Op::INT_AND && op.where[2] == Where::constant && op.at[2] == 3) break;
    if (op.inputs == 1) put(s, op, unary(op.op, get(s, op, 1), op.size[1], op.size[0]));
    else put(s, op, binary(op.op, get(s, op, 1), get(s, op, 2), op.size[1], op.size[0]));
  }
  if (at == insn.ops || at == 0) return false;
  const Value address = get(s, ops[at], 1);
  const bool low_end = left == big_;  // this half holds the word's first byte in memory
  const Value start = low_end ? address : binary(Op::INT_SUB, address, constant(3, word_), word_, word_);
  if (!stores) {
    for (std::size_t k = insn.ops; k-- > 0;)
      if (ops[k].where[0] == Where::reg) {
        put(s, ops[k], load(s, start, 4));
        return true;
      }
    return false;
  }
  const Value v = get(s, ops[at - 1], 0);
  const auto p = place_of(address);
  if (!p) return true;
  if (!v.is_const()) {
    if (low_end) store(s, start, v, 4);
    return true;
  }
  const unsigned in_word = address.off & 3;
  const unsigned count = low_end ? 4 - in_word : in_word + 1;
  const std::uint64_t first = low_end ? 0 : 4 - count;  // index of this half's first byte in the word
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t index = first + i;
    store(s, binary(Op::INT_ADD, start, constant(index, word_), word_, word_),
          constant(v.off >> (big_ ? 3 - index : index) * 8 & 0xFF, 1), 1);
  }
  return true;
}

void Engine::exec(State state, const Insn& insn, const Frame& frame, std::vector<Exit>& out) {
  if (machine_.delay_slots && !insn.control && unaligned_pair(state, insn)) {
    ++steps_;
    out.push_back({Exit::Kind::next, {}, std::move(state)});
    return;
  }
  run_from(std::move(state), 0, insn, frame, out, 0);
}

// The flag that the conditional branch at operation `at` asks about is set so that the branch's condition is `condition`.
// False where it asks about more than one that a value could stand for.
bool Engine::know_flag(State& s, const Insn& insn, std::size_t at, bool condition, std::uint16_t taint) {
  const MicroOp* ops = code_.ops(insn);
  Where where = ops[at].where[2];
  std::uint64_t slot = ops[at].at[2];
  std::uint8_t shift = ops[at].shift[2];
  const auto set = [&](const MicroOp& from, int i, bool v) {
    MicroOp to;
    to.where[0] = Where::reg, to.at[0] = from.at[i], to.shift[0] = from.shift[i], to.size[0] = 1;
    put(s, to, constant(v ? 1 : 0, 1, taint));
  };
  if (where == Where::reg) {
    set(ops[at], 2, condition);
    return true;
  }
  for (std::size_t j = at; j-- > 0;) {
    const MicroOp& op = ops[j];
    if (op.where[0] != where || op.at[0] != slot || op.shift[0] != shift) continue;
    if (op.op == Op::BOOL_NEGATE) condition = !condition;
    const bool pair = op.op == Op::INT_EQUAL || op.op == Op::INT_NOTEQUAL;
    if (pair && op.where[1] == Where::reg && op.where[2] == Where::reg) {  // signed less, or not: negative is or is not overflow
      set(op, 1, op.op == Op::INT_EQUAL ? !condition : condition), set(op, 2, false);
      return true;
    }
    if (op.op != Op::BOOL_NEGATE && op.op != Op::COPY) return false;
    if (op.where[1] == Where::reg) {
      set(op, 1, condition);
      return true;
    }
    where = op.where[1], slot = op.at[1], shift = op.shift[1];
  }
  return false;
}

void Engine::run_from(State s, std::size_t i, const Insn& insn, const Frame& frame, std::vector<Exit>& out, int forks) {
  const MicroOp* ops = code_.ops(insn);
  const std::uint64_t next = insn.address + insn.length;
  next_insn_ = next;
  std::size_t joined_until = 0;  // operations before this one run under an unknown condition
  std::uint16_t condition = 0;
  std::uint64_t written = 0;  // temporaries that had a value before the condition
  std::uint64_t guard = 0;
  bool forked = false;
  int rounds = 0;
  while (i < insn.ops) {
    ++steps_;
    if (++guard > 200000 || steps_ > budget_.steps) {
      out_of_budget_ |= steps_ > budget_.steps;
      return;
    }
    const MicroOp& op = ops[i];
    const bool maybe = i < joined_until;
    switch (op.op) {
      case Op::BRANCH:
        if (op.where[1] == Where::constant) {
          // A search for a bit in something unknown (bsf): the way out has been taken, and would be again.
          if (forked && extend(op.at[1], op.size[1]) < 0) return;
          i += static_cast<std::size_t>(static_cast<std::int64_t>(extend(op.at[1], op.size[1])));
          continue;
        }
        if (op.at[1] == insn.address && !insn.falls) { out.push_back({Exit::Kind::jump, constant(op.at[1], word_), std::move(s)}); return; }
        if (op.at[1] == insn.address && !light_ && guard < 100'000) {  // a repeated string operation
          if (forked && ++rounds > 1) return;  // how often is not known: the ways out after none and after one have been taken
          i = 0;
          continue;
        }
        if (op.at[1] == insn.address) { out.push_back({Exit::Kind::next, {}, std::move(s)}); return; }
        out.push_back({Exit::Kind::jump, constant(op.at[1], word_), std::move(s)});
        return;
      case Op::CBRANCH: {
        const Value c = get(s, op, 2);
        const bool relative = op.where[1] == Where::constant;
        const bool skips = !relative && op.at[1] == next;
        const std::size_t there = relative ? i + static_cast<std::size_t>(static_cast<std::int64_t>(extend(op.at[1], op.size[1])))
                                           : insn.ops;
        const auto& marks = tables_.sites(c.taint);
        // While a function's shape is being found, every way out of it counts: a conditional return (ARM's popeq) as well.
        bool leaves = !relative && !skips;
        for (std::size_t k = i + 1; light_ && !leaves && k < std::min<std::size_t>(there, insn.ops); ++k) leaves = is_control(ops[k].op);
        const bool certain = c.is_const() && !(light_ && leaves) && (frame.trust || marks.empty() || marks.back() != global_mark);
        if (certain && !maybe) {
          if ((c.off & 1) == 0) { ++i; continue; }
          if (relative || skips) { i = there; continue; }
          if (op.at[1] == insn.address && insn.falls && i > 0) { i = 0; continue; }
          out.push_back({Exit::Kind::jump, constant(op.at[1], word_), std::move(s)});
          return;
        }
        const auto decide = [&](State& st, bool taken) {
          for (const auto site : tables_.sites(c.taint)) {
            if (site >= global_mark) continue;
            const std::uint64_t entry = std::uint64_t{site} << 32 | ((insn.address * 2 + (taken ? 1 : 0)) & 0xFFFFFFFF);
            const auto at = std::lower_bound(st.tested.begin(), st.tested.end(), entry);
            if ((at == st.tested.end() || *at != entry) && st.tested.size() < 2048) st.tested.insert(at, entry);
          }
        };
        if ((relative && there > i) || skips) {
          bool plain = there <= insn.ops;
          for (std::size_t k = i + 1; plain && k < there; ++k) plain = !is_control(ops[k].op) && ops[k].op != Op::CALLOTHER;
          if (plain && frame.may_part && !maybe && forks == 0 && there >= insn.ops) {
            State other(s);
            if (know_flag(other, insn, i, true, c.taint) && know_flag(s, insn, i, false, c.taint)) {
              decide(other, true), decide(s, false);
              learn(other, c, true), learn(s, c, false);
              out.push_back({Exit::Kind::next, {}, std::move(other), true});
              ++i;
              continue;
            }
          }
          if (plain) {
            joined_until = std::max(joined_until, there);
            condition = tables_.taint_union(condition, c.taint);
            ++i;
            continue;
          }
        }
        if (relative && there <= i) { ++i; continue; }  // a loop inside the instruction with an unknown end: once is enough
        if (forks > 8) { ++i; continue; }
        State other(s);
        decide(other, true), decide(s, false);
        learn(other, c, true), learn(s, c, false);
        forked = true;
        if (relative || skips) {
          if (there >= insn.ops) out.push_back({Exit::Kind::next, {}, std::move(other)});
          else {
            const auto saved = temps_;
            run_from(std::move(other), there, insn, frame, out, forks + 1);
            temps_ = saved;
          }
        } else {
          out.push_back({Exit::Kind::jump, constant(op.at[1], word_), std::move(other)});
        }
        ++i;
        continue;
      }
      case Op::BRANCHIND:
        out.push_back({Exit::Kind::indirect_jump, get(s, op, 1), std::move(s)});
        return;
      case Op::CALL: {
        const auto target = constant(op.at[1], word_);
        out.push_back({Exit::Kind::call, target, std::move(s)});
        return;
      }
      case Op::CALLIND: {
        const auto target = get(s, op, 1);
        out.push_back({Exit::Kind::indirect_call, target, std::move(s)});
        return;
      }
      case Op::RETURN:
        out.push_back({Exit::Kind::ret, get(s, op, 1), std::move(s)});
        return;
      case Op::CALLOTHER: {
        const auto number = op.at[1];
        if (number < is_syscall_op_.size() && is_syscall_op_[number]) {
          const bool x86_trap = elf_.machine == elf::Machine::x86;  // what follows would call the interrupt's handler
          if (x86_trap && op.at[2] != 0x80) {
            out.push_back({Exit::Kind::next, {}, std::move(s)});
            return;
          }
          if (building_) building_->raw_syscall = true;
          if (!light_) {
            auto after = syscall(std::move(s), insn.address, frame);
            if (!after) return;
            s = std::move(*after);
          } else if (op.where[0] == Where::none || x86_trap) {
            set_result(s, tables_.keyed("syscall", {}, word_));
          }
          if (x86_trap) {
            out.push_back({Exit::Kind::next, {}, std::move(s)});
            return;
          }
        } else if (op.where[0] != Where::none) {
          const auto text = "op:" + std::string(translator_.user_op(number));
          for (unsigned c = 0; c * 8u < op.size[0]; ++c) put(s, op, tables_.keyed(text, {Symbol::Kind::unknown, "unknown"}, 8), c);
        }
        ++i;
        continue;
      }
      default: break;
    }
    if (op.op == Op::STORE) {
      if (op.size[2] > 8) wide(s, op);
      else store(s, get(s, op, 1), get(s, op, 2), op.size[2], maybe);
      ++i;
      continue;
    }
    if (op.where[0] == Where::none) { ++i; continue; }
    if (op.size[0] > 8 || (op.inputs > 0 && op.size[1] > 8) || (op.inputs > 1 && op.size[2] > 8 && op.where[2] != Where::constant)) {
      if (!wide(s, op)) {
        Value u = tables_.derived(static_cast<std::uint32_t>(op.op) + 0x30000, get(s, op, 1), op.inputs > 1 ? get(s, op, 2) : constant(0), Symbol::Kind::unknown, 8);
        for (unsigned c = 0; c * 8u < op.size[0]; ++c) put(s, op, u, c);
      }
      ++i;
      continue;
    }
    Value v;
    switch (op.op) {
      case Op::LOAD: v = load(s, get(s, op, 1), op.size[0]); break;
      case Op::SUBPIECE: {
        const Value a = get(s, op, 1);
        const auto skip = op.at[2];
        if (a.is_const()) v = constant(skip >= 8 ? 0 : a.off >> skip * 8, op.size[0], a.taint);
        else if (skip == 0 && a.kind == Value::Kind::symbol && tables_.symbol(a.id).table_size == op.size[0]) v = a;
        else if (skip == 0 && (op.size[0] >= 4 || a.kind == Value::Kind::choice)) v = a.kind == Value::Kind::choice ? unary(Op::INT_ZEXT, a, op.size[0], op.size[0]) : a;
        else v = tables_.derived(0x24000u + static_cast<std::uint32_t>(skip), a, constant(op.size[0]), Symbol::Kind::unknown, op.size[0]);
        break;
      }
      case Op::PIECE: {
        const Value high = get(s, op, 1), low = get(s, op, 2);
        if (high.is_const() && low.is_const())
          v = constant(high.off << op.size[2] * 8 | (low.off & mask_of(op.size[2])), op.size[0], tables_.taint_union(high.taint, low.taint));
        else
          v = tables_.derived(static_cast<std::uint32_t>(op.op), high, low, Symbol::Kind::unknown, op.size[0]);
        break;
      }
      default:
        if (cleared_by_itself(op))
          v = constant(0, op.size[0]);  // a register cleared by itself
        else if (op.inputs == 1) v = unary(op.op, get(s, op, 1), op.size[1], op.size[0]);
        else {
          Value left = get(s, op, 1), right = get(s, op, 2);
          if (light_ && (op.op == Op::INT_LESS || op.op == Op::INT_LESSEQUAL)) name_compared(s, op, left, right);
          v = binary(op.op, left, right, op.size[1], op.size[0]);
          if (op.size[1] == 8)
            if (const auto own = word_compared(s, insn, frame, op.op, left, right)) v.taint = tables_.taint_union(v.taint, own);
        }
    }
    const std::uint64_t temp_bit = op.where[0] == Where::temp && op.at[0] < 64 ? std::uint64_t{1} << op.at[0] : 0;
    if (!maybe) written |= temp_bit;
    if (maybe && (op.where[0] == Where::reg || (written & temp_bit) != 0)) {
      MicroOp old;
      old.where[1] = op.where[0], old.size[1] = op.size[0], old.shift[1] = op.shift[0], old.at[1] = op.at[0];
      const Value before = get(s, old, 1);
      // A pointer that a register is given under a condition, and that held nothing known: it is used under that condition.
      const bool pointer = op.size[0] == word_ && v.is_const() && (is_stack(v.off) || is_heap(v.off));
      if (pointer && before.kind == Value::Kind::symbol && before.id == 0) v.taint = tables_.taint_union(v.taint, condition);
      else v = join(before, v, condition, false, insn.address);
    }
    put(s, op, v);
    ++i;
  }
  out.push_back({Exit::Kind::next, {}, std::move(s)});
}

}  // namespace flow
