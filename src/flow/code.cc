// Lifts each instruction once and rewrites its operands to slots.
#include "flow/code.h"

#include <algorithm>

namespace flow {

CodeStore::CodeStore(sleigh::Translator& translator, const sleigh::Machine&)
    : translator_(translator), big_(translator.big_endian()) {
  auto all = translator.registers();
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  for (const auto& r : all) {
    // PowerPC's eight condition fields are set and tested one by one; their union would smear one unknown over all.
    if (translator.register_name(r) == "crall") continue;
    if (!groups_.empty() && r.offset < groups_.back().end)
      groups_.back().end = std::max<std::uint64_t>(groups_.back().end, r.offset + r.size);
    else
      groups_.push_back({r.offset, r.offset + r.size});
  }
}

bool CodeStore::resolve_reg(std::uint64_t offset, unsigned size, std::uint64_t& slot, std::uint8_t& shift) {
  auto it = std::upper_bound(groups_.begin(), groups_.end(), offset, [](std::uint64_t o, const Group& g) { return o < g.start; });
  Group* g = nullptr;
  if (it != groups_.begin() && offset < std::prev(it)->end && offset + size <= std::prev(it)->end) {
    g = &*std::prev(it);
  } else {  // a place that no register names: its own group, found by exact offset
    const auto known = group_of_.find(offset << 8 | size);
    if (known == group_of_.end()) {
      slot = next_slot_, shift = 0;
      group_of_.emplace(offset << 8 | size, next_slot_);
      next_slot_ += (size + 7) / 8;
    } else {
      slot = known->second, shift = 0;
    }
    return true;
  }
  if (g->slot == UINT32_MAX) {
    g->slot = next_slot_;
    next_slot_ += static_cast<std::uint32_t>((g->end - g->start + 7) / 8);
  }
  const std::uint64_t low = big_ ? g->end - (offset + size) : offset - g->start;
  slot = g->slot + low / 8;
  shift = static_cast<std::uint8_t>(low % 8);
  return low % 8 == 0 && (size % 8 == 0 || low + size == g->end - g->start);
}

CodeStore::Reg CodeStore::reg(std::string_view name) {
  const auto v = translator_.reg(name);
  if (v.space == sleigh::Space::none) return {};
  std::uint64_t slot = 0;
  std::uint8_t shift = 0;
  resolve_reg(v.offset, v.size, slot, shift);
  return {static_cast<std::uint32_t>(slot), v.size};
}

namespace {

struct Span {
  std::uint64_t start, end;
  std::uint32_t slot;
};

bool is_control(sleigh::Op op) {
  using sleigh::Op;
  return op == Op::BRANCH || op == Op::CBRANCH || op == Op::BRANCHIND || op == Op::CALL || op == Op::CALLIND || op == Op::RETURN;
}

}  // namespace

std::uint32_t CodeStore::insn_at(std::uint64_t address, bool thumb) {
  const std::uint64_t key = address << 1 | (thumb ? 1 : 0);
  const auto known = by_address_.find(key);
  if (known != by_address_.end()) return known->second;
  scratch_.clear();
  const std::uint32_t length = translator_.lift(address, thumb, scratch_);
  if (length == 0 || length > 255 || scratch_.size() > 60000) {
    by_address_.emplace(key, UINT32_MAX);
    return UINT32_MAX;
  }
  Insn insn;
  insn.address = address;
  insn.first_op = static_cast<std::uint32_t>(ops_.size());
  insn.ops = static_cast<std::uint16_t>(scratch_.size());
  insn.length = static_cast<std::uint8_t>(length);
  insn.own = static_cast<std::uint8_t>(translator_.last_length());

  std::vector<Span> spans;  // temporaries of this instruction, overlapping ones merged
  for (const auto& op : scratch_)
    for (int i = 0; i < 3; ++i)
      if (op.space[i] == sleigh::Space::unique) spans.push_back({op.at[i], op.at[i] + op.size[i], 0});
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.start < b.start; });
  std::vector<Span> merged;
  for (const auto& s : spans) {
    if (!merged.empty() && s.start < merged.back().end) merged.back().end = std::max(merged.back().end, s.end);
    else merged.push_back(s);
  }
  std::uint32_t slot = 0;
  for (auto& s : merged) s.slot = slot, slot += static_cast<std::uint32_t>((s.end - s.start + 7) / 8);
  if (slot > temp_slots) {
    by_address_.emplace(key, UINT32_MAX);
    return UINT32_MAX;
  }
  for (const auto& op : scratch_) {
    MicroOp out;
    out.op = op.op, out.inputs = op.inputs;
    insn.control |= is_control(op.op);
    for (int i = 0; i < 3; ++i) {
      out.size[i] = op.size[i];
      out.at[i] = op.at[i];
      switch (op.space[i]) {
        case sleigh::Space::none: break;
        case sleigh::Space::constant: out.where[i] = Where::constant; break;
        case sleigh::Space::ram: out.where[i] = Where::ram; break;
        case sleigh::Space::reg:
          out.where[i] = Where::reg;
          if (resolve_reg(op.at[i], op.size[i], out.at[i], out.shift[i]) && i == 0) out.whole = true;
          break;
        case sleigh::Space::unique: {
          out.where[i] = Where::temp;
          const auto it = std::prev(std::upper_bound(merged.begin(), merged.end(), op.at[i],
                                                     [](std::uint64_t a, const Span& s) { return a < s.start; }));
          const std::uint64_t low = big_ ? it->end - (op.at[i] + op.size[i]) : op.at[i] - it->start;
          out.at[i] = it->slot + low / 8;
          out.shift[i] = static_cast<std::uint8_t>(low % 8);
          if (i == 0) out.whole = low == 0 && op.at[i] == it->start && op.at[i] + op.size[i] == it->end;
          break;
        }
      }
    }
    ops_.push_back(out);
  }

  // Which operations can run decides whether control can leave at the end.
  std::vector<bool> seen(insn.ops, false);
  std::vector<std::size_t> todo = {0};
  insn.falls = false;
  while (!todo.empty()) {
    const std::size_t i = todo.back();
    todo.pop_back();
    if (i >= insn.ops) {
      insn.falls = true;
      continue;
    }
    if (seen[i]) continue;
    seen[i] = true;
    const auto& op = scratch_[i];
    const bool relative = op.space[1] == sleigh::Space::constant;
    const auto there = relative ? i + static_cast<std::size_t>(static_cast<std::int32_t>(op.at[1])) : insn.ops;
    if (op.op == sleigh::Op::BRANCH) {
      if (relative) todo.push_back(there);
      else if (op.at[1] == address + length) todo.push_back(insn.ops);
    } else if (op.op == sleigh::Op::CBRANCH) {
      todo.push_back(i + 1);
      if (relative) todo.push_back(there);
      else if (op.at[1] == address + length) todo.push_back(insn.ops);
    } else if (op.op != sleigh::Op::BRANCHIND && op.op != sleigh::Op::RETURN) {
      todo.push_back(i + 1);
    }
  }
  const auto index = static_cast<std::uint32_t>(insns_.size());
  insns_.push_back(insn);
  by_address_.emplace(key, index);
  return index;
}

}  // namespace flow
