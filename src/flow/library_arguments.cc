// Where a call's arguments and result are, and what an argument says: a text, numbers, a buffer, a socket's address.
#include <algorithm>

#include <fmt/format.h>

#include "flow/engine.h"
#include "flow/library.h"

namespace flow {

Value Engine::argument(State& s, std::size_t i) {
  if (i < arg_regs_.size()) {
    const auto slot = arg_regs_[i].slot;
    if (slot >= s.regs.size()) return {0, 0, 0, Value::Kind::symbol, word_};
    return s.regs[slot];
  }
  const Value sp = stack_.slot < s.regs.size() ? s.regs[stack_.slot] : Value{0, 0, 0, Value::Kind::symbol, word_};
  const std::uint64_t at = machine_.stack_arguments + (i - arg_regs_.size()) * word_;
  return load(s, binary(sleigh::Op::INT_ADD, sp, constant(at, word_), word_, word_), word_);
}

void Engine::set_result(State& s, const Value& v) {
  if (result_.slot >= s.regs.size()) s.regs.resize(result_.slot + 1, {0, 0, 0, Value::Kind::symbol, 8});
  s.regs[result_.slot] = v;
  s.regs[result_.slot].size = result_.size;
}

Value Engine::result_symbol(const std::string& callee, std::uint64_t site, std::uint32_t id, const std::string& origin) {
  Symbol symbol{Symbol::Kind::result, origin.empty() ? "ret:" + callee : origin};
  symbol.site = id;
  Value v = tables_.keyed(fmt::format("result {} {:x} {} {}", callee, site, id, origin), symbol, word_);
  if (id != UINT32_MAX) v.taint = tables_.taint_of(id);
  return v;
}

std::optional<Endpoint> Engine::endpoint_at(State& s, const Value& pointer, bool& resolved) {
  Endpoint out;
  const auto at = [&](std::uint64_t off, std::uint8_t size) {
    return load(s, binary(sleigh::Op::INT_ADD, pointer, constant(off, word_), word_, word_), size);
  };
  const Value family = at(0, 2);
  if (!family.is_const()) {
    resolved = false;
    const auto origin = origin_of(pointer);
    const auto inner = origin_of(family);
    out.address = "${" + (inner != "unknown" ? inner : origin) + "}";
    if (out.address == "${null}" || out.address.starts_with("${global")) out.address = "${unknown}";
    const auto mark = origin.find("!");
    (void)mark;
    return out;
  }
  const auto bytes_of = [&](std::uint64_t off, std::uint8_t n, std::vector<std::uint8_t>& out_bytes) {
    for (std::uint8_t i = 0; i < n; ++i) {
      const Value v = at(off + i, 1);
      if (!v.is_const()) return false;
      out_bytes.push_back(static_cast<std::uint8_t>(v.off));
    }
    return true;
  };
  const auto port = [&] {
    std::vector<std::uint8_t> p;
    if (bytes_of(2, 2, p)) out.port = static_cast<std::uint16_t>(p[0] << 8 | p[1]), out.port_known = true;
  };
  switch (family.off) {
    case 1: {
      out.family = "unix";
      const auto texts = texts_at(s, binary(sleigh::Op::INT_ADD, pointer, constant(2, word_), word_, word_), 108);
      if (!texts.empty()) out.address = texts[0].text, resolved &= texts[0].whole;
      return out;
    }
    case 2: {
      out.family = "inet";
      port();
      std::vector<std::uint8_t> a;
      if (bytes_of(4, 4, a)) {
        out.address = fmt::format("{}.{}.{}.{}", a[0], a[1], a[2], a[3]);
      } else {
        const Value v = at(4, 4);
        resolved = false;
        if (v.kind == Value::Kind::choice) {
          std::vector<std::string> all;
          for (const auto& p : tables_.parts(v.id))
            if (p.is_const()) {
              std::uint32_t n = static_cast<std::uint32_t>(p.off);
              if (!big_) n = __builtin_bswap32(n);
              all.push_back(fmt::format("{}.{}.{}.{}", n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255));
            }
          if (!all.empty()) out.address = all[0], resolved = all.size() == tables_.parts(v.id).size();
        }
        if (out.address.empty()) out.address = "${" + origin_of(v) + "}";
      }
      return out;
    }
    case 10: {
      out.family = "inet6";
      port();
      std::vector<std::uint8_t> a;
      if (bytes_of(8, 16, a)) {
        for (std::size_t i = 0; i < 16; i += 2) out.address += fmt::format("{}{:x}", i == 0 ? "" : ":", a[i] << 8 | a[i + 1]);
      } else {
        out.address = "${unknown}", resolved = false;
      }
      return out;
    }
    case 16: out.family = "netlink"; return out;
    case 17: out.family = "packet"; return out;
    default: resolved = false; out.address = "${unknown}"; return out;
  }
}

ArgValue Engine::describe(State& s, const Value& v, Role role, std::vector<std::uint32_t>& feeds, bool& resolved, const Value* length) {
  ArgValue out;
  add_feeds(tables_, v.taint, feeds);
  const auto texts = [&](std::size_t limit, bool count) {
    if (v.is_const() && v.off == 0) {
      out.kind = ArgValue::Kind::number;
      out.numbers = {0};
      return;
    }
    auto all = texts_at(s, v, limit);
    out.kind = ArgValue::Kind::text;
    bool any_known = false;
    for (auto& t : all) {
      add_feeds(tables_, t.taint, feeds);
      if (count) resolved &= t.whole;
      any_known |= !(t.text.starts_with("${") && t.text.find('}') == t.text.size() - 1);
      out.values.push_back(t.text);
    }
    if (!any_known) {
      out.kind = ArgValue::Kind::unknown;
      for (auto& t : out.values) t = bare_origin(t);
    }
  };
  switch (role) {
    case Role::text: case Role::path: case Role::format: case Role::scan: texts(4096, true); out.buffer_id = buffer_id(v); break;
    case Role::number: case Role::size: case Role::fd: case Role::mode: case Role::any: case Role::callback: {
      const std::vector<Value> parts = v.kind == Value::Kind::choice ? tables_.parts(v.id) : std::vector<Value>{v};
      for (const auto& p : parts) {
        if (p.is_const()) out.numbers.push_back(signed_of(p.off & mask_of(word_), word_));
        else out.values.push_back(origin_of(p) + (p.kind == Value::Kind::symbol && !tables_.symbol(p.id).path.empty() && tables_.symbol(p.id).path[0] != '@' ? ":" + tables_.symbol(p.id).path : ""));
      }
      out.kind = out.numbers.empty() ? ArgValue::Kind::unknown : ArgValue::Kind::number;
      if (role == Role::number || role == Role::mode) resolved &= out.values.empty();
      if (role == Role::any && v.is_const() && v.off > 0x1000 && elf_.segment_of(v.off)) {
        const auto t = elf_.c_string(v.off, 512);
        const bool printable = t && t->size() >= 2 && std::all_of(t->begin(), t->end(), [](char c) { return c >= 32 && c < 127; });
        if (printable) out.kind = ArgValue::Kind::text, out.values = {std::string(*t)}, out.numbers.clear();
      } else if (role == Role::any && v.is_const() && (is_stack(v.off) || is_heap(v.off))) {
        auto all = texts_at(s, v, 512);
        const bool printable = !all.empty() && all[0].text.size() >= 2 && std::all_of(all[0].text.begin(), all[0].text.end(), [](char c) { return c >= 9 && c < 127; });
        if (printable && all[0].text != "${unknown}") {
          out.kind = ArgValue::Kind::text, out.numbers.clear();
          for (auto& t : all) out.values.push_back(t.text), add_feeds(tables_, t.taint, feeds);
        }
        out.buffer_id = buffer_id(v);
      }
      break;
    }
    case Role::buffer: case Role::out: case Role::outbuf: case Role::outsize: case Role::sockaddr: {
      out.kind = ArgValue::Kind::buffer;
      out.buffer_id = buffer_id(v);
      if (role == Role::buffer && !(v.is_const() && v.off < 0x100)) {
        const std::size_t limit = length && length->is_const() ? std::min<std::uint64_t>(length->off & 0xFFFFFFFF, 512) : 512;
        auto all = texts_at(s, v, std::max<std::size_t>(limit, 1));
        for (auto& t : all) {
          add_feeds(tables_, t.taint, feeds);
          if (t.text.size() > limit && t.text.find("${") >= limit) t.text.resize(limit);
          if (t.text != "${unknown}") out.values.push_back(t.text);
        }
      }
      if (out.buffer_id.empty()) out.values.push_back(origin_of(v));
      break;
    }
    case Role::argv: case Role::more: case Role::list: break;
  }
  std::sort(out.values.begin(), out.values.end());
  out.values.erase(std::unique(out.values.begin(), out.values.end()), out.values.end());
  if (const std::size_t most = alone_ ? 256 : 8; out.values.size() > most) out.values.resize(most);
  std::sort(out.numbers.begin(), out.numbers.end());
  if (out.numbers.size() > 8) out.numbers.resize(8);
  return out;
}

}  // namespace flow
