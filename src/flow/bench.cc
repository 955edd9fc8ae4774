// P-code on bytes: operations, and the way from a program's entry to its main. Memory is in bench_memory.cc, the kernel's part in
// bench_kernel.cc.
#include "flow/bench.h"

#include <algorithm>
#include <bit>

#include "base/bytes.h"

namespace flow {

using sleigh::Op;

namespace {

constexpr std::uint64_t sentinel = 0xFFFF0;

std::uint64_t mask64(unsigned size) { return size >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << size * 8) - 1; }

std::int64_t sign_extend(std::uint64_t v, unsigned size) {
  if (size >= 8) return static_cast<std::int64_t>(v);
  const unsigned unused = 64 - size * 8;
  return static_cast<std::int64_t>(v << unused) >> unused;
}

}  // namespace

Bench::Bench(const elf::Binary& binary, const sleigh::Machine& machine, sleigh::Translator& translator, CodeStore& code)
    : elf_(binary), machine_(machine), translator_(translator), code_(code), memory_(binary),
      big_(machine.order == base::ByteOrder::big), decoded_(65536) {
  const bool wide = machine.word == 8;
  stack_low_ = wide ? 0x7FFE'0000'0000 : 0xBE000000, stack_high_ = stack_low_ + 0x100000;
  heap_low_ = wide ? 0x5555'0000'0000 : 0xB0000000, map_low_ = heap_low_ + 0x1000000, map_high_ = map_low_ + 0x8000000;
  arena_ = wide ? 0x5A000000 : 0xAA000000, area_ = arena_ + 0x10000;
  memory_.allow(stack_low_, stack_high_);
  memory_.allow(heap_low_, map_high_);
  memory_.allow(arena_, area_ + 0x1000);
  kernel_.brk = heap_low_, kernel_.map = map_low_;
  for (const auto& name : machine.arguments) arg_regs_.push_back(code.reg(name));
  for (const auto& name : machine.syscall_arguments) sys_args_.push_back(code.reg(name));
  result_ = code.reg(machine.result), stack_ = code.reg(machine.stack), number_ = code.reg(machine.syscall_number);
  if (!machine.link.empty()) link_ = code.reg(machine.link);
  if (!machine.global.empty()) global_ = code.reg(machine.global);
  if (machine.delay_slots) t9_ = code.reg("t9"), error_ = code.reg("a3");
  if (machine.mode_switch) mode_ = code.reg("TB");
  if (elf_.machine == elf::Machine::ppc) error_ = code.reg("cr0"), reserve_ = code.reg("RESERVE");
  thread_ = code.reg(elf_.machine == elf::Machine::aarch64 ? "tpidr_el0" : elf_.machine == elf::Machine::x86 ? "GS_OFFSET"
                     : elf_.machine == elf::Machine::x86_64 ? "FS_OFFSET" : elf_.machine == elf::Machine::riscv ? "tp" : "no such register");
  for (std::uint64_t i = 0; i < 65536; ++i) {
    const std::string name(translator.user_op(i));
    if (name.empty()) break;
    const auto has = [&](std::string_view part) { return name.find(part) != std::string::npos; };
    User u = User::unknown;
    if (std::find(machine.syscall_ops.begin(), machine.syscall_ops.end(), name) != machine.syscall_ops.end()) u = User::kernel;
    else if (has("Thread_and_Process") || has("coprocessor_movefromRt") || has("getHWRegister")) u = User::thread;
    else if (has("ExclusiveMonitorPass") || has("hasExclusiveAccess")) u = User::one;
    else if (has("ConditionalIndexed")) u = User::nothing;
    else if (has("cpuid")) u = User::area;
    else if (has("rdtsc") || has("ExclusiveMonitorsStatus") || has("movefrom") || has("xgetbv")) u = User::zero;
    else if (has("LOCK") || has("arrier") || has("sync") || has("Sync") || has("SYNC") || has("Exclusive") || has("Touch") || has("refetch") || has("PREFETCH") || has("Hint") ||
             has("fence") || has("dcb") || has("icb") || has("BlockTouch") || has("dataCacheBlockStore") || has("instructionCache") || has("BTI") || has("setISAMode") || has("pref") || has("eieio") || has("Yield") || has("clearEx")) u = User::nothing;
    user_.push_back(u);
  }
}

void Bench::room() {
  const std::size_t wanted = std::max<std::size_t>(code_.slots(), 64) * 8 + 64;
  if (regs_.size() < wanted) regs_.resize(wanted + 1024, 0);
}

std::uint64_t Bench::reg_get(const CodeStore::Reg& r) const {
  std::uint64_t v = 0;
  if (r.size != 0 && r.slot * 8u + 8 <= regs_.size()) std::memcpy(&v, regs_.data() + r.slot * 8u, std::min<std::size_t>(r.size, 8));
  return v;
}

void Bench::reg_put(const CodeStore::Reg& r, std::uint64_t v) {
  room();
  if (r.size != 0 && r.slot * 8u + 8 <= regs_.size()) std::memcpy(regs_.data() + r.slot * 8u, &v, std::min<std::size_t>(r.size, 8));
}

std::uint64_t Bench::load_word(std::uint64_t address) { return static_cast<std::uint64_t>(load(address, machine_.word).value_or(0)); }
void Bench::store_word(std::uint64_t address, std::uint64_t v) { store(address, v, machine_.word); }

bool Bench::in_thread_block(std::uint64_t a) const {
  const std::uint64_t t = kernel_.thread;
  return t != 0 && a + 0x10000 > t && a < t + 0x10000;
}

std::optional<Bench::Wide> Bench::load(std::uint64_t address, unsigned size) {
  std::uint8_t bytes[16];
  if (size > 16) return std::nullopt;
  const std::uint64_t in_page = address % BenchMemory::page_size;
  if (in_page + size <= BenchMemory::page_size) {
    const auto* from = memory_.at(address, false);
    if (!from) return std::nullopt;
    std::memcpy(bytes, from, size);
  } else if (!memory_.read(address, bytes, size)) {
    return std::nullopt;
  }
  Wide v = 0;
  for (unsigned i = 0; i < size; ++i) v = v << 8 | bytes[big_ ? i : size - 1 - i];
  return v;
}

bool Bench::store(std::uint64_t address, Wide v, unsigned size) {
  std::uint8_t bytes[16];
  if (size > 16) return false;
  for (unsigned i = 0; i < size; ++i, v >>= 8) bytes[big_ ? size - 1 - i : i] = static_cast<std::uint8_t>(v);
  return memory_.write(address, bytes, size);
}

Bench::Wide Bench::get(const MicroOp& op, int i) const {
  const unsigned size = std::min<unsigned>(op.size[i], 16);
  switch (op.where[i]) {
    case Where::constant: return op.at[i] & mask64(size);
    case Where::reg:
    case Where::temp: {
      const std::size_t at = op.at[i] * 8 + op.shift[i];
      const auto* from = op.where[i] == Where::temp ? temps_.data() : regs_.data();
      const std::size_t most = op.where[i] == Where::temp ? temps_.size() : regs_.size();
      if (at + size > most) return 0;
      if (size <= 8) {
        std::uint64_t v = 0;
        std::memcpy(&v, from + at, size);
        return v;
      }
      Wide v = 0;
      std::memcpy(&v, from + at, size);
      return v;
    }
    case Where::ram: return const_cast<Bench*>(this)->load(op.at[i], size).value_or(0);
    case Where::none: return 0;
  }
  return 0;
}

// Of at most eight bytes, as nearly all are.
inline std::uint64_t Bench::get64(const MicroOp& op, int i) const {
  const unsigned size = op.size[i];
  if (op.where[i] == Where::constant) return op.at[i] & mask64(size);
  if (op.where[i] != Where::reg && op.where[i] != Where::temp) return static_cast<std::uint64_t>(get(op, i));
  const auto& bytes = op.where[i] == Where::temp ? std::span<const std::uint8_t>(temps_) : std::span<const std::uint8_t>(regs_);
  const std::size_t at = op.at[i] * 8 + op.shift[i];
  std::uint64_t v = 0;
  if (at + 8 <= bytes.size()) {
    std::memcpy(&v, bytes.data() + at, 8);
    return v & mask64(size);
  }
  if (at + size <= bytes.size()) std::memcpy(&v, bytes.data() + at, size);
  return v;
}

inline void Bench::put64(const MicroOp& op, std::uint64_t v) {
  const unsigned size = op.size[0];
  const std::size_t at = op.at[0] * 8 + op.shift[0];
  if (op.where[0] == Where::reg && at + size <= regs_.size()) std::memcpy(regs_.data() + at, &v, size);
  else if (op.where[0] == Where::temp && at + size <= temps_.size()) std::memcpy(temps_.data() + at, &v, size);
  else put(op, v);
}

void Bench::put(const MicroOp& op, Wide v) {
  const unsigned size = std::min<unsigned>(op.size[0], 16);
  if (op.where[0] == Where::ram) {
    store(op.at[0], v, size);
    return;
  }
  if (op.where[0] != Where::reg && op.where[0] != Where::temp) return;
  const std::size_t at = op.at[0] * 8 + op.shift[0];
  auto* to = op.where[0] == Where::temp ? temps_.data() : regs_.data();
  const std::size_t most = op.where[0] == Where::temp ? temps_.size() : regs_.size();
  if (at + op.size[0] > most) return;
  // A register written whole is cleared above what is written: that is what narrower writes of whole registers mean here.
  std::memcpy(to + at, &v, size);
  if (op.size[0] > 16) std::memset(to + at + 16, 0, op.size[0] - 16u);
}

bool Bench::arithmetic(const MicroOp& op) {
  const unsigned in = op.size[1], out = op.size[0];
  if (out > 16 || in > 16 || (op.inputs > 1 && op.size[2] > 16)) {
    if (op.op == Op::COPY) {  // the widest registers are only moved
      room();
      for (unsigned k = 0; k < op.size[0]; k += 8) {
        MicroOp part = op;
        part.size[0] = part.size[1] = static_cast<std::uint8_t>(std::min(8u, op.size[0] - k));
        part.at[0] += k / 8;
        if (part.where[1] == Where::constant) part.at[1] = k == 0 ? op.at[1] : 0;
        else part.at[1] += k / 8;
        put(part, get(part, 1));
      }
      return true;
    }
    if (op.op == Op::SUBPIECE && op.where[2] == Where::constant && op.at[2] % 8 == 0 && out <= 16) {
      MicroOp part = op;
      part.size[1] = op.size[0], part.at[1] += op.at[2] / 8;
      put(op, get(part, 1));
      return true;
    }
    if (op.op == Op::INT_ZEXT && in <= 16) {
      put(op, get(op, 1));
      return true;
    }
    return false;
  }
  if (in <= 8 && out <= 8 && (op.inputs < 2 || op.size[2] <= 8)) {
    const std::uint64_t x = get64(op, 1), y = op.inputs > 1 ? get64(op, 2) : 0, m = mask64(in);
    const std::int64_t sx = sign_extend(x, in), sy = sign_extend(y, op.inputs > 1 ? op.size[2] : in);
    const std::uint64_t sign = std::uint64_t{1} << (in * 8 - 1);
    std::uint64_t v = 0;
    switch (op.op) {
      case Op::COPY: case Op::INT_ZEXT: case Op::CAST: v = x; break;
      case Op::INT_SEXT: v = static_cast<std::uint64_t>(sx); break;
      case Op::INT_EQUAL: v = x == y; break;
      case Op::INT_NOTEQUAL: v = x != y; break;
      case Op::INT_SLESS: v = sx < sy; break;
      case Op::INT_SLESSEQUAL: v = sx <= sy; break;
      case Op::INT_LESS: v = x < y; break;
      case Op::INT_LESSEQUAL: v = x <= y; break;
      case Op::INT_ADD: v = x + y; break;
      case Op::INT_SUB: v = x - y; break;
      case Op::INT_CARRY: v = ((x + y) & m) < x; break;
      case Op::INT_SCARRY: v = ((~(x ^ y) & (x ^ (x + y))) & sign) != 0; break;
      case Op::INT_SBORROW: v = (((x ^ y) & (x ^ (x - y))) & sign) != 0; break;
      case Op::INT_2COMP: v = ~x + 1; break;
      case Op::INT_NEGATE: v = ~x; break;
      case Op::INT_XOR: case Op::BOOL_XOR: v = x ^ y; break;
      case Op::INT_AND: case Op::BOOL_AND: v = x & y; break;
      case Op::INT_OR: case Op::BOOL_OR: v = x | y; break;
      case Op::INT_LEFT: v = y >= in * 8u ? 0 : x << y; break;
      case Op::INT_RIGHT: v = y >= in * 8u ? 0 : x >> y; break;
      case Op::INT_SRIGHT: v = static_cast<std::uint64_t>(sx >> std::min<std::uint64_t>(y, 63)); break;
      case Op::INT_MULT: v = x * y; break;
      case Op::INT_DIV: if (y == 0) return false; v = x / y; break;
      case Op::INT_REM: if (y == 0) return false; v = x % y; break;
      case Op::INT_SDIV: if (sy == 0 || (sy == -1 && sx == INT64_MIN)) return false; v = static_cast<std::uint64_t>(sx / sy); break;
      case Op::INT_SREM: if (sy == 0 || (sy == -1 && sx == INT64_MIN)) return false; v = static_cast<std::uint64_t>(sx % sy); break;
      case Op::BOOL_NEGATE: v = x == 0; break;
      case Op::POPCOUNT: v = static_cast<std::uint64_t>(std::popcount(x)); break;
      case Op::LZCOUNT: v = static_cast<std::uint64_t>(std::countl_zero(x)) - (64 - in * 8u); break;
      case Op::SUBPIECE: v = y >= 8 ? 0 : x >> y * 8; break;
      case Op::PIECE: v = op.size[2] >= 8 ? y : x << op.size[2] * 8 | y; break;
      default: return op.op >= Op::FLOAT_EQUAL && op.op <= Op::FLOAT_ROUND ? (put(op, 0), true) : false;
    }
    put64(op, v & mask64(out));
    return true;
  }
  const Wide a = get(op, 1), b = op.inputs > 1 ? get(op, 2) : 0;
  Wide v = 0;
  switch (op.op) {
    case Op::COPY: case Op::INT_ZEXT: case Op::CAST: v = a; break;
    case Op::INT_SEXT:
      v = a;
      if (in < 16 && (a >> (in * 8 - 1) & 1) != 0) v |= ~Wide{0} << in * 8;
      break;
    case Op::INT_EQUAL: v = a == b; break;
    case Op::INT_NOTEQUAL: v = a != b; break;
    case Op::INT_LESS: v = a < b; break;
    case Op::INT_LESSEQUAL: v = a <= b; break;
    case Op::INT_ADD: v = a + b; break;
    case Op::INT_SUB: v = a - b; break;
    case Op::INT_2COMP: v = ~a + 1; break;
    case Op::INT_NEGATE: v = ~a; break;
    case Op::INT_XOR: v = a ^ b; break;
    case Op::INT_AND: v = a & b; break;
    case Op::INT_OR: v = a | b; break;
    case Op::INT_LEFT: v = b >= in * 8u ? 0 : a << static_cast<unsigned>(b); break;
    case Op::INT_RIGHT: v = b >= in * 8u ? 0 : a >> static_cast<unsigned>(b); break;
    case Op::INT_MULT: v = a * b; break;
    case Op::INT_DIV: if (b == 0) return false; v = a / b; break;
    case Op::INT_REM: if (b == 0) return false; v = a % b; break;
    case Op::SUBPIECE: v = b >= 16 ? 0 : a >> static_cast<unsigned>(b) * 8; break;
    case Op::PIECE: v = op.size[2] >= 16 ? b : a << op.size[2] * 8 | b; break;
    case Op::POPCOUNT:
      v = static_cast<unsigned>(std::popcount(static_cast<std::uint64_t>(a)) + std::popcount(static_cast<std::uint64_t>(a >> 64)));
      break;
    default: return op.op >= Op::FLOAT_EQUAL && op.op <= Op::FLOAT_ROUND ? (put(op, 0), true) : false;
  }
  if (out < 16) v &= (Wide{1} << out * 8) - 1;
  put(op, v);
  return true;
}

bool Bench::other(const MicroOp& op) {
  const std::uint64_t n = op.at[1];
  const User u = n < user_.size() ? user_[n] : User::unknown;
  switch (u) {
    case User::nothing:  // where it gives something, that is its first argument
      if (op.where[0] != Where::none) put(op, op.inputs > 1 ? get(op, 2) : 0);
      return true;
    case User::zero: if (op.where[0] != Where::none) put(op, 0); return true;
    case User::one: if (op.where[0] != Where::none) put(op, 1); return true;
    case User::area: if (op.where[0] != Where::none) put(op, area_); return true;
    case User::thread: if (op.where[0] != Where::none) put(op, kernel_.thread); return true;
    case User::kernel: case User::unknown: break;
  }
  return false;
}

// Operations on the lanes of AArch64's vectors that SLEIGH leaves to user operations (Arm ARM, C7.2): the pairwise and
// across-lane ones that string functions use.
bool Bench::vector(const Insn& insn) {
  if (elf_.machine == elf::Machine::arm && thumb_) {  // uqsub8: four bytes, never below zero
    const auto first = base::load_le16(elf_.view(insn.address, 4), 0), second = base::load_le16(elf_.view(insn.address, 4), 2);
    if (!first || !second || (*first & 0xFFF0) != 0xFAC0 || (*second & 0xF0F0) != 0xF050) return false;
    const auto reg = [&](unsigned n) { return code_.reg("r" + std::to_string(n)); };
    const std::uint64_t a = reg_get(reg(*first & 15)), b = reg_get(reg(*second & 15));
    std::uint64_t v = 0;
    for (unsigned k = 0; k < 32; k += 8) {
      const std::uint64_t x = a >> k & 255, y = b >> k & 255;
      v |= (x > y ? x - y : 0) << k;
    }
    reg_put(reg(*second >> 8 & 15), v);
    return true;
  }
  if (elf_.machine != elf::Machine::aarch64) return false;
  const auto word = base::load_le32(elf_.view(insn.address, 4), 0);
  if (!word) return false;
  const std::uint32_t w = *word;
  const unsigned lane = 1u << (w >> 22 & 3), total = (w >> 30 & 1) != 0 ? 16 : 8;
  const auto slot = [&](unsigned n) -> std::uint8_t* {
    const auto r = code_.reg("q" + std::to_string(n));
    room();
    return r.size == 16 && r.slot * 8u + 16 <= regs_.size() ? regs_.data() + r.slot * 8u : nullptr;
  };
  std::uint8_t *d = slot(w & 31), *n = slot(w >> 5 & 31), *m = slot(w >> 16 & 31);
  if (!d || !n || !m || lane > 8) return false;
  const auto at = [&](const std::uint8_t* v, unsigned i) {
    std::uint64_t x = 0;
    std::memcpy(&x, v + i * lane, lane);
    return x;
  };
  std::uint8_t out[16] = {};
  const bool pairwise = (w & 0x9F20FC00) == 0x0E20A400 || (w & 0x9F20FC00) == 0x0E20AC00 || (w & 0xBF20FC00) == 0x0E20BC00;
  const bool across = (w & 0x9F3EFC00) == 0x0E30A800 || (w & 0x9F3FFC00) == 0x0E31A800;
  const auto better = [&](std::uint64_t a, std::uint64_t b, bool smallest) { return smallest ? std::min(a, b) : std::max(a, b); };
  if ((w & 0xBFE08400) == 0x2E000000) {  // ext: a window on two vectors
    std::uint8_t both[32];
    std::memcpy(both, n, total), std::memcpy(both + total, m, total);
    const unsigned from = w >> 11 & 15;
    if (from >= total) return false;
    std::memcpy(out, both + from, total);
  } else if (pairwise) {
    const bool adds = (w & 0xFC00) == 0xBC00, smallest = (w & 0xFC00) == 0xAC00;
    if (!adds && (w >> 29 & 1) == 0) return false;  // the signed ones
    std::uint8_t both[32];
    std::memcpy(both, n, total), std::memcpy(both + total, m, total);
    for (unsigned i = 0; i < total / lane; ++i) {
      const std::uint64_t a = at(both, 2 * i), b = at(both, 2 * i + 1), v = adds ? a + b : better(a, b, smallest);
      std::memcpy(out + i * lane, &v, lane);
    }
  } else if (across) {
    if ((w >> 29 & 1) == 0) return false;
    std::uint64_t v = at(n, 0);
    for (unsigned i = 1; i < total / lane; ++i) v = better(v, at(n, i), (w & 0x10000) != 0);
    std::memcpy(out, &v, lane);
  } else {
    return false;
  }
  std::memcpy(d, out, 16);
  return true;
}

Bench::Outcome Bench::run(std::uint64_t limit, std::uint64_t stop) {
  using End = Outcome::End;
  const std::uint64_t last = used_ + limit;
  const std::uint64_t marked = machine_.mode_switch ? ~std::uint64_t{1} : ~std::uint64_t{0};
  trouble_.clear();
  room();
  for (;;) {
    if (pc_ == sentinel) return {End::returned, reg_get(result_), pc_};
    if (pc_ == stop) return {End::returned, 0, pc_};
    if (used_ > last) return {End::limit, 0, pc_};
    if (elf_.machine == elf::Machine::arm && pc_ >= 0xFFFF0F00 && pc_ <= 0xFFFFFFFF) {  // the kernel's helpers for old processors
      const auto r = [&](int i) { return reg_get(arg_regs_[static_cast<std::size_t>(i)]); };
      if ((pc_ & marked) == 0xFFFF0FE0) reg_put(result_, kernel_.thread);
      else if ((pc_ & marked) == 0xFFFF0FC0) {
        const bool equal = static_cast<std::uint64_t>(load(r(2), 4).value_or(0)) == r(0);
        if (equal) store(r(2), r(1), 4);
        reg_put(arg_regs_[0], equal ? 0 : 1);
        reg_put(code_.reg("CY"), equal ? 1 : 0);
      }
      const std::uint64_t back = reg_get(link_);
      if (mode_.size != 0) reg_put(mode_, back & 1);
      thumb_ = (back & 1) != 0, pc_ = back & marked;
      used_ += 10;
      continue;
    }
    const std::uint64_t key = pc_ << 1 | (thumb_ ? 1 : 0);
    Decoded& d = decoded_[(pc_ >> 1) % decoded_.size()];
    if (d.key != key) {
      if (!elf_.is_code(pc_)) return {End::fault, 0, pc_};
      const auto index = code_.insn_at(pc_, thumb_);
      if (index == UINT32_MAX) return {End::fault, 0, pc_};
      d = {key, index};
      room();
    }
    const Insn insn = code_.insn(d.index);
    std::uint64_t next = pc_ + insn.length;
    std::size_t i = 0;
    bool jumped = false;
    while (i < insn.ops) {
      ++used_;
      const MicroOp& op = code_.ops(insn)[i];
      switch (op.op) {
        case Op::LOAD: {
          const auto address = get64(op, 1);
          if (op.size[0] > 16) return trouble_ = "wide load", Outcome{End::unsupported, 0, pc_};
          const auto v = load(address, op.size[0]);
          if (!v) return {End::fault, address, pc_};
          put(op, *v);
          break;
        }
        case Op::STORE: {
          const auto address = get64(op, 1);
          if (op.size[2] > 16) return trouble_ = "wide store", Outcome{End::unsupported, 0, pc_};
          if (!store(address, get(op, 2), op.size[2])) return {End::fault, address, pc_};
          break;
        }
        case Op::BRANCH: case Op::CALL:
          if (op.where[1] == Where::constant) {
            i += static_cast<std::size_t>(sign_extend(op.at[1], op.size[1]));
            if (used_ > last + 100'000) return {End::limit, 0, pc_};
            continue;
          }
          next = op.at[1], jumped = true;
          break;
        case Op::CBRANCH:
          if ((get64(op, 2) & 1) != 0) {
            if (op.where[1] == Where::constant) {
              i += static_cast<std::size_t>(sign_extend(op.at[1], op.size[1]));
              if (used_ > last + 100'000) return {End::limit, 0, pc_};
              continue;
            }
            next = op.at[1], jumped = true;
          }
          break;
        case Op::BRANCHIND: case Op::CALLIND: case Op::RETURN:
          next = static_cast<std::uint64_t>(get(op, 1)) & mask64(machine_.word), jumped = true;
          break;
        case Op::CALLOTHER: {
          if (op.at[1] < user_.size() && user_[op.at[1]] == User::kernel) {
            const auto trap = elf_.view(pc_, 2);
            const bool x86 = elf_.machine == elf::Machine::x86;
            if (x86 && (trap.empty() || trap[0] != 0xCD || trap[1] != 0x80)) return {End::fault, 0, pc_};
            if (const auto end = kernel(pc_)) return {*end, 0, pc_};
            if (x86) i = insn.ops;  // what follows would jump to the interrupt's handler
            break;
          }
          if (elf_.machine == elf::Machine::arm && vector(insn)) {
            i = insn.ops;
            continue;
          }
          if (!other(op) && !vector(insn)) return trouble_ = translator_.user_op(op.at[1]), Outcome{End::unsupported, 0, pc_};
          break;
        }
        default:
          if (!arithmetic(op)) return trouble_ = sleigh::name(op.op), Outcome{End::unsupported, 0, pc_};
      }
      if (jumped) break;
      ++i;
    }
    if (jumped && reserve_.size != 0) reg_put(reserve_, 1);
    if (jumped && machine_.mode_switch) {
      if (mode_.size != 0) thumb_ = (reg_get(mode_) & 1) != 0;
      next &= marked;
    }
    pc_ = next;
  }
}

Bench::Outcome Bench::call(std::uint64_t entry, std::span<const std::uint64_t> args, std::uint64_t limit, bool thumb) {
  asked_.clear();
  regs_ = kept_regs_;
  room();
  thumb_ = thumb || (machine_.mode_switch && (entry & 1) != 0);
  pc_ = machine_.mode_switch ? entry & ~std::uint64_t{1} : entry;
  if (mode_.size != 0) reg_put(mode_, thumb_ ? 1 : 0);
  const std::uint64_t sp = stack_high_ - 0x8000;
  reg_put(stack_, sp);
  if (machine_.link.empty()) store_word(sp, sentinel);
  else reg_put(link_, sentinel);
  if (t9_.size != 0) reg_put(t9_, pc_);
  if (global_.size != 0 && elf_.mips_gp != 0) reg_put(global_, elf_.mips_gp);
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (i < arg_regs_.size()) reg_put(arg_regs_[i], args[i]);
    else store_word(sp + machine_.stack_arguments + (i - arg_regs_.size()) * machine_.word, args[i]);
  }
  if (result_at_ != 0 && elf_.machine == elf::Machine::aarch64) reg_put(code_.reg("x8"), result_at_);
  result_at_ = 0;
  return run(limit, 0);
}

bool Bench::start(std::uint64_t limit) {
  // The stack as the kernel hands it over (System V ABI): argc, argv, environment, auxiliary vector.
  const std::uint8_t w = machine_.word;
  const std::uint64_t sp = stack_high_ - 0x4000, texts = stack_high_ - 0x1000;
  memory_.write(texts, "/bin/program\0PROBE=measured\0\0\0\0", 32);
  std::uint64_t at = sp;
  const auto push = [&](std::uint64_t v) { store_word(at, v), at += w; };
  push(1), push(texts), push(0), push(texts + 13), push(0);
  const auto aux = [&](std::uint64_t kind, std::uint64_t v) { push(kind), push(v); };
  if (!elf_.segments.empty()) {
    const auto& first = elf_.segments.front();
    const std::uint64_t header = w == 8 ? 64 : 52;
    aux(3, first.address - first.offset + header);
    aux(4, w == 8 ? 56 : 32);
    const auto count = base::load<std::uint16_t>(elf_.file, w == 8 ? 56 : 44, elf_.order);
    aux(5, count.value_or(0));
  }
  aux(6, 4096), aux(9, elf_.entry), aux(16, 0), aux(23, 0), aux(25, texts + 64), aux(11, 0), aux(12, 0), aux(13, 0), aux(14, 0), aux(0, 0);
  kept_regs_.clear();
  regs_.assign(regs_.size(), 0);
  reg_put(stack_, sp);
  thumb_ = elf_.thumb_entry || (machine_.mode_switch && (elf_.entry & 1) != 0);
  pc_ = machine_.mode_switch ? elf_.entry & ~std::uint64_t{1} : elf_.entry;
  if (mode_.size != 0) reg_put(mode_, thumb_ ? 1 : 0);
  if (t9_.size != 0) reg_put(t9_, pc_);
  asked_.clear();
  if (elf_.machine == elf::Machine::aarch64) reg_put(code_.reg("dczid_el0"), 0x10);  // memory is not cleared by blocks
  if (reserve_.size != 0) reg_put(reserve_, 1);
  // Where main is: what the entry hands to the function that it leaves for (on PowerPC a structure that holds it).
  const std::uint64_t begin = used_;
  room();
  std::uint64_t found = 0;
  for (int hops = 0; hops < 400 && found == 0; ++hops) {
    const auto index = code_.insn_at(pc_, thumb_);
    if (index == UINT32_MAX || !elf_.is_code(pc_)) break;
    const Insn insn = code_.insn(index);
    const std::uint64_t before = pc_;
    // One instruction at a time: stop at wherever control goes next.
    std::uint64_t after = before + insn.length;
    const auto out = run(0, sentinel + 1);
    if (out.end != Outcome::End::limit) break;
    if (pc_ == after) continue;
    const auto is_code = [&](std::uint64_t v) { return elf_.is_code(v & ~std::uint64_t{machine_.mode_switch ? 1u : 0u}); };
    const auto argument = [&](std::size_t i) {
      if (i < arg_regs_.size()) return reg_get(arg_regs_[i]);
      return load_word(reg_get(stack_) + machine_.stack_arguments + (i - arg_regs_.size()) * w);
    };
    if (is_code(argument(0)) && argument(0) != 0) found = argument(0);
    else if (elf_.machine == elf::Machine::ppc && is_code(load_word(argument(5) + 4)) && load_word(argument(5) + 4) != 0) found = load_word(argument(5) + 4);
  }
  if (found == 0) return false;
  main_ = found, library_start_ = pc_;
  const auto out = run(limit - std::min(limit, used_ - begin), machine_.mode_switch ? found & ~std::uint64_t{1} : found);
  const bool there = out.returned() && pc_ != sentinel;
  kept_regs_ = regs_;
  asked_.clear();
  kernel_.content[0] = "alpha beta\ngamma\n";  // the standard input
  keep();
  return there;
}

}  // namespace flow
