// libstdc++'s std::string and its streams, by the mangled names that programs import (Itanium C++ ABI; the layout of
// std::__cxx11::basic_string: pointer, length, 16 bytes of short text or the capacity). What is inlined runs as code on that
// same layout; only what is called has to be said here. A stream's text lives beside the program's memory, by its address.
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "flow/engine.h"

namespace flow {

namespace {

constexpr std::string_view kString = "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE";
constexpr std::uint64_t kBuffer = 4096;

std::vector<Text> joined(const std::vector<Text>& left, const std::vector<Text>& right, Tables& tables) {
  std::vector<Text> out;
  for (const auto& a : left)
    for (const auto& b : right)
      if (out.size() < 8) out.push_back({a.text + b.text, a.whole && b.whole, tables.taint_union(a.taint, b.taint)});
  return out;
}

std::vector<Text> cut_to(std::vector<Text> texts, const Value& count) {
  if (!count.is_const()) return texts;
  const std::uint64_t n = count.off & 0xFFFFFFFF;
  for (auto& t : texts)
    if (t.text.size() > n && t.text.find("${") >= n) t.text.resize(n), t.whole = true;
  return texts;
}

}  // namespace

struct Engine::CxxText {
  Engine& e;
  State& s;
  std::size_t shift = 0;  // 1 where a result's address is passed apart from the arguments (AArch64's x8)

  Value arg(std::size_t i) { return e.argument(s, i - shift); }
  Value at(const Value& base, std::uint64_t off) { return e.binary(sleigh::Op::INT_ADD, base, constant(off, e.word_), e.word_, e.word_); }

  Value allocate() {
    const Value v = constant(s.heap, e.word_);
    s.heap += kBuffer + heap_step;
    if (s.heap > e.heap_high_ - 0x10000) s.heap = e.heap_low_;
    return v;
  }
  std::vector<Text> string_at(const Value& object) { return e.texts_at(s, e.load(s, object, e.word_)); }

  void set_string(const Value& object, std::vector<Text> texts) {
    if (!object.is_const() || texts.empty()) return;
    const bool known = texts.size() == 1 && texts[0].whole;
    const Value length = known ? constant(texts[0].text.size(), e.word_, texts[0].taint)
                               : e.tables_.keyed(fmt::format("string length {:x}", object.off), {Symbol::Kind::index, "unknown"}, e.word_);
    const Value buffer = allocate();
    e.write_texts(s, buffer, std::move(texts));
    e.store(s, object, buffer, e.word_);
    e.store(s, at(object, e.word_), length, e.word_);
    e.store(s, at(object, 2u * e.word_), constant(kBuffer - 1, e.word_), e.word_);  // the capacity: never in the way
  }
  std::vector<Text> character(const Value& v) {
    if (!v.is_const()) return {{"${" + e.origin_of(v) + "}", false, v.taint}};
    return {{std::string(1, static_cast<char>(v.off & 0xFF)), true, v.taint}};
  }
  std::vector<Text> number(const Value& v) {
    if (!v.is_const()) return {{"${" + e.origin_of(v) + "}", false, v.taint}};
    const auto n = e.word_ == 4 ? static_cast<std::int64_t>(static_cast<std::int32_t>(v.off)) : static_cast<std::int64_t>(v.off);
    return {{std::to_string(n), true, v.taint}};
  }

  // ---- streams. Their memory is a space of its own: one word a stream, which points at its text.
  Place note_of(const char* what, const Value& stream) { return {e.tables_.keyed(what, {Symbol::Kind::unknown, "unknown"}, e.word_).id + 1, stream.off}; }
  std::optional<Value> noted(const char* what, const Value& stream) {
    if (!stream.is_const()) return std::nullopt;
    const Value v = e.load_at(s, note_of(what, stream), e.word_);
    return v.is_const() && e.is_heap(v.off) ? std::optional<Value>(v) : std::nullopt;
  }
  void note(const char* what, const Value& stream, const std::vector<Text>& texts) {
    if (!stream.is_const() || !(e.is_stack(stream.off) || e.is_heap(stream.off))) return;
    const Value buffer = allocate();
    e.write_texts(s, buffer, texts);
    s.store_value(note_of(what, stream), buffer, e.word_, e.big_);
  }
  // A stringstream's ostream part lies two words in, and its buffer three; an ostringstream's buffer one word in.
  Value with_note(const char* what, const Value& part, std::initializer_list<std::uint64_t> distances) {
    for (const auto d : distances)
      if (part.is_const() && noted(what, constant(part.off - d, e.word_))) return constant(part.off - d, e.word_);
    return part;
  }
  void say(const Value& stream, const std::vector<Text>& more) {
    const Value whole = with_note("c++ stream", stream, {0, 2u * e.word_});
    const auto before = noted("c++ stream", whole);
    auto texts = before ? joined(e.texts_at(s, *before), more, e.tables_) : more;
    const bool known = texts.size() == 1 && texts[0].whole;
    const std::uint64_t length = known ? texts[0].text.size() : 0;
    note("c++ stream", whole, std::move(texts));
    // Where str() is inlined it reads the string buffer itself, which lies behind the stream's first word: a table pointer, three
    // pointers for reading, then begin, current place and end for writing (<bits/streambuf>).
    const auto text = noted("c++ stream", whole);
    if (!text) return;
    const Value end = known ? at(*text, length) : e.binary(sleigh::Op::INT_ADD, *text, e.tables_.keyed(fmt::format("stream length {:x}", stream.off), {Symbol::Kind::index, "unknown"}, e.word_), e.word_, e.word_);
    e.store(s, at(stream, 5u * e.word_), *text, e.word_);
    e.store(s, at(stream, 6u * e.word_), end, e.word_);
    e.store(s, at(stream, 7u * e.word_), end, e.word_);
  }
  std::vector<Text> said(const Value& part) {
    const Value whole = with_note("c++ stream", part, {0, 1u * e.word_, 3u * e.word_, 2u * e.word_});
    const auto text = noted("c++ stream", whole);
    return text ? e.texts_at(s, *text) : std::vector<Text>{{"", true, 0}};
  }
  Text read_from(const Value& stream) {
    const auto path = noted("c++ file", stream);
    if (!path) return {"${input}", false, 0};
    const auto texts = e.texts_at(s, *path);
    return {texts.empty() || !texts[0].whole ? "${input}" : "${read:" + texts[0].text + "}", false, 0};
  }

  // A member of std::string: `rest` is what follows the class in the name. False when it is not one that is known.
  bool member(std::string_view rest, Value& result);
  bool call(std::string_view name, Value& result, bool& indirect_result);
};

bool Engine::CxxText::member(std::string_view rest, Value& result) {
  const auto is = [&](std::string_view prefix) { return rest.starts_with(prefix); };
  const Value self = arg(0);
  result = self;
  if (is("C1Ev") || is("C2Ev") || is("5clearEv")) set_string(self, {{"", true, 0}});
  else if (is("C1EPKcRKS3_") || is("C2EPKcRKS3_") || is("C1IS3_EEPKcRKS3_") || is("C2IS3_EEPKcRKS3_") || is("aSEPKc") || rest == "6assignEPKc") set_string(self, e.texts_at(s, arg(1)));
  else if (is("C1EPKc") || is("C2EPKc") || is("6assignEPKc")) set_string(self, cut_to(e.texts_at(s, arg(1)), arg(2)));
  else if (is("C1ERKS4_") || is("C2ERKS4_") || is("C1EOS4_") || is("C2EOS4_") || is("aSERKS4_") || is("aSEOS4_") || is("9_M_assignERKS4_") || is("6assignERKS4_") || is("6assignEOS4_")) set_string(self, string_at(arg(1)));
  else if (is("12_M_constructIP")) {
    const Value from = arg(1), to = arg(2);
    set_string(self, cut_to(e.texts_at(s, from), e.binary(sleigh::Op::INT_SUB, to, from, e.word_, e.word_)));
  }
  else if (is("9_M_appendEPKc") || (is("6appendEPKc") && rest.size() > 11)) set_string(self, joined(string_at(self), cut_to(e.texts_at(s, arg(1)), arg(2)), e.tables_));
  else if (is("6appendEPKc") || is("pLEPKc")) set_string(self, joined(string_at(self), e.texts_at(s, arg(1)), e.tables_));
  else if (is("6appendERKS4_") || is("pLERKS4_")) set_string(self, joined(string_at(self), string_at(arg(1)), e.tables_));
  else if (is("pLEc") || is("9push_backEc")) set_string(self, joined(string_at(self), character(arg(1)), e.tables_));
  else if (is("10_M_replaceE") || is("7replaceE") || is("9_M_mutateE")) {
    const auto before = string_at(self);
    const Value from = arg(1), length = arg(2);
    const Value more = arg(3);
    const auto with = more.is_const() && more.off == 0 ? std::vector<Text>{{"", true, 0}} : cut_to(e.texts_at(s, more), arg(4));  // null: room only
    std::vector<Text> head, tail;
    for (const auto& t : before) {
      const std::uint64_t p = from.is_const() ? std::min<std::uint64_t>(from.off, t.text.size()) : t.text.size();
      const std::uint64_t n = length.is_const() ? std::min<std::uint64_t>(length.off, t.text.size() - p) : t.text.size() - p;
      head.push_back({t.text.substr(0, p), t.whole, t.taint});
      tail.push_back({t.text.substr(p + n), t.whole, t.taint});
    }
    set_string(self, before.size() == 1 ? joined(joined(head, with, e.tables_), tail, e.tables_) : joined(before, with, e.tables_));
  }
  else if (is("9_M_createER")) result = allocate();
  else if (is("13_S_copy_charsEPcPKc") || is("13_S_copy_charsEPcS")) e.write_texts(s, arg(0), cut_to(e.texts_at(s, arg(1)), e.binary(sleigh::Op::INT_SUB, arg(2), arg(1), e.word_, e.word_)));
  // What an unoptimised program calls of the string's own helpers.
  else if (is("13_M_local_dataEv")) result = at(self, 2u * e.word_);
  else if (is("7_M_dataEPc") || is("12_Alloc_hiderC1EPc") || is("12_Alloc_hiderC2EPc")) e.store(s, self, arg(1), e.word_);
  else if (is("11_M_capacityE")) e.store(s, at(self, 2u * e.word_), arg(1), e.word_);
  else if (is("13_M_set_lengthE")) {
    e.store(s, at(self, e.word_), arg(1), e.word_);
    if (arg(1).is_const()) e.store(s, e.binary(sleigh::Op::INT_ADD, e.load(s, self, e.word_), arg(1), e.word_, e.word_), constant(0, 1), 1);
  }
  else if (is("5c_strEv") || is("4dataEv") || is("7_M_dataEv")) result = e.load(s, self, e.word_);
  else if (is("4sizeEv") || is("6lengthEv")) result = e.load(s, at(self, e.word_), e.word_);
  else if (is("4swapERS4_")) {
    auto mine = string_at(self), other = string_at(arg(1));
    set_string(self, std::move(other)), set_string(arg(1), std::move(mine));
  }
  else if (is("D1Ev") || is("D2Ev") || is("10_M_disposeEv") || is("10_M_destroyE") || is("7reserveE") || is("6resizeE")) return true;
  else return false;
  return true;
}

bool Engine::CxxText::call(std::string_view name, Value& result, bool& indirect_result) {
  const auto after = [&](std::string_view prefix) -> std::optional<std::string_view> {
    if (!name.starts_with(prefix)) return std::nullopt;
    return name.substr(prefix.size());
  };
  const auto has = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
  if (name.starts_with("_ZNKSt7__cxx1112basic_string") && has("6substrE")) {
    indirect_result = true;
    if (e.elf_.machine == elf::Machine::aarch64) shift = 1;
    const Value object = arg(1), from = arg(2), count = arg(3);
    auto texts = string_at(object);
    for (auto& t : texts)
      if (from.is_const()) t.text = from.off < t.text.size() ? t.text.substr(from.off) : "";
    const Value to = shift ? s.regs[e.code_.reg("x8").slot] : arg(0);
    set_string(to, cut_to(std::move(texts), count));
    result = to;
    return true;
  }
  if (const auto rest = after("_ZN" + std::string(kString.substr(1)))) return member(*rest, result);
  if (const auto rest = after("_ZNK" + std::string(kString.substr(1)))) return member(*rest, result);

  // operator+ of strings, texts and characters: the result's address comes first.
  if (name.starts_with("_ZStplIcSt11char_traitsIcESaIcEENSt7__cxx1112basic_string")) {
    indirect_result = true;
    const Value to = e.elf_.machine == elf::Machine::aarch64 ? s.regs[e.code_.reg("x8").slot] : arg(0);
    if (e.elf_.machine == elf::Machine::aarch64) shift = 1;
    const auto types = name.substr(name.find("EE", 60) == std::string_view::npos ? 0 : name.rfind("E") + 1);
    // Two parameter types: R..._ or O..._ a string, PK... a text, S5_ a character.
    std::vector<char> kinds;
    for (std::size_t i = 0; i < types.size();) {
      if (types[i] == 'P') { kinds.push_back('t'); i = types.find('_', i); }
      else if (types[i] == 'R' || types[i] == 'O') { kinds.push_back('s'); i = types.find('_', i); }
      else if (types[i] == 'S') { kinds.push_back('c'); i = types.find('_', i); }
      else ++i;
      if (i == std::string_view::npos) break;
    }
    if (kinds.size() != 2) return false;
    const auto value = [&](char kind, const Value& v) { return kind == 's' ? string_at(v) : kind == 't' ? e.texts_at(s, v) : character(v); };
    const auto left = value(kinds[0], arg(1)), right = value(kinds[1], arg(2));
    set_string(to, joined(left, right, e.tables_));
    result = to;
    return true;
  }
  // stringstream::str() and stringbuf::str()
  if ((name.starts_with("_ZNKSt7__cxx1119basic_ostringstream") || name.starts_with("_ZNKSt7__cxx1118basic_stringstream") || name.starts_with("_ZNKSt7__cxx1115basic_stringbuf")) && name.ends_with("3strEv")) {
    indirect_result = true;
    const bool apart = e.elf_.machine == elf::Machine::aarch64;
    if (apart) shift = 1;
    const Value to = apart ? s.regs[e.code_.reg("x8").slot] : arg(0);
    set_string(to, said(arg(1)));
    result = to;
    return true;
  }
  if (name.starts_with("_ZNSt7__cxx1119basic_ostringstream") || name.starts_with("_ZNSt7__cxx1118basic_stringstream")) {
    if (has("C1E") || has("C2E")) note("c++ stream", arg(0), {{"", true, 0}});
    else if (has("3strERK")) note("c++ stream", arg(0), string_at(arg(1)));
    result = arg(0);
    return true;
  }
  if (name.starts_with("_ZNSaIcE")) {
    result = arg(0);
    return true;
  }
  // Files
  if (name.starts_with("_ZNSt14basic_ifstream") || name.starts_with("_ZNSt13basic_fstream") || name.starts_with("_ZNSt14basic_ofstream")) {
    if (has("EPKc")) note("c++ file", arg(0), e.texts_at(s, arg(1)));
    else if (has("ERKNSt7__cxx11")) note("c++ file", arg(0), string_at(arg(1)));
    result = arg(0);
    return true;
  }
  // operator<<
  const Value stream = arg(0);
  result = stream;
  if (name.starts_with("_ZStlsISt11char_traitsIcEERSt13basic_ostreamIcT_ES5_")) {
    if (name.ends_with("PKc")) say(stream, e.texts_at(s, arg(1)));
    else say(stream, character(arg(1)));
    return true;
  }
  if (name.starts_with("_ZStlsIcSt11char_traitsIcESaIcEERSt13basic_ostream")) return say(stream, string_at(arg(1))), true;
  if (name.starts_with("_ZSt16__ostream_insertIcSt11char_traitsIcEE") || name.starts_with("_ZNSo5writeEPKc")) return say(stream, cut_to(e.texts_at(s, arg(1)), arg(2))), true;
  if (name.starts_with("_ZNSo3putEc")) return say(stream, character(arg(1))), true;
  if (name.starts_with("_ZNSo9_M_insertI") || (name.starts_with("_ZNSolsE") && name.size() == 9)) return say(stream, number(arg(1))), true;
  if (name.starts_with("_ZSt4endlIc")) return say(stream, {{"\n", true, 0}}), true;
  if (name.starts_with("_ZNSo5flushEv") || name.starts_with("_ZSt5flushIc")) return true;
  // std::getline and operator>>
  if (name.starts_with("_ZSt7getlineIcSt11char_traitsIcESaIcEE") || name.starts_with("_ZStrsIcSt11char_traitsIcESaIcEE")) return set_string(arg(1), {read_from(stream)}), true;
  if (name.starts_with("_ZNSi10_M_extractI")) {
    const Text from = read_from(stream);
    e.store(s, arg(1), e.tables_.keyed("extracted " + from.text, {Symbol::Kind::result, from.text.substr(2, from.text.size() - 3)}, 4), 4);
    return true;
  }
  return false;
}

bool Engine::is_cxx_text(std::string_view name) {
  for (const std::string_view prefix : {"_ZNSt7__cxx1112basic_string", "_ZNKSt7__cxx1112basic_string", "_ZNSt7__cxx1119basic_ostringstream", "_ZNKSt7__cxx1119basic_ostringstream",
                                        "_ZNSt7__cxx1118basic_stringstream", "_ZNKSt7__cxx1118basic_stringstream", "_ZNKSt7__cxx1115basic_stringbuf", "_ZStlsI", "_ZStplIc", "_ZNSols", "_ZNSo9_M_insert",
                                        "_ZSt16__ostream_insert", "_ZSt4endlIc", "_ZSt7getlineIc", "_ZNSt14basic_ifstream", "_ZNSt14basic_ofstream"})
    if (name.starts_with(prefix)) return true;
  return false;
}

std::optional<State> Engine::cxx_text(State& s, const std::string& name, bool& indirect_result) {
  if (!name.starts_with("_Z")) return std::nullopt;
  State work(s);
  Value result;
  if (!CxxText{*this, work}.call(name, result, indirect_result)) return std::nullopt;
  set_result(work, result);
  return work;
}

}  // namespace flow
