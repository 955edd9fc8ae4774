// The trials for libstdc++'s strings and streams, where they are ordinary code of a static program. What they are held to is what
// the standard says of the operation, on the layout that the Itanium ABI fixes (cxx_text.cc); the names are those that a
// dynamic program would import.
#include "flow/recognise.h"

#include <algorithm>

namespace flow {

namespace {

#define STRING "_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE"

constexpr std::uint64_t short_run = 12'000, long_run = 120'000;
constexpr std::size_t kShort = 15;  // characters that an object holds itself

}  // namespace

void Recogniser::place() {
  const std::uint64_t base = bench_.arena();
  p_ = base + 0x20, q_ = base + 0x440, r_ = base + 0x860, s_ = base + 0xC80, t_ = base + 0x10A0, u_ = base + 0x14C0;
}

void Recogniser::lay_string(std::uint64_t object, const std::string& text) {
  const std::uint64_t w = bench_.word();
  bench_.store_word(object, object + 2 * w), bench_.store_word(object + w, text.size());
  lay(object + 2 * w, text);
}

std::string Recogniser::string_at(std::uint64_t object) {
  const std::uint64_t size = bench_.load_word(object + bench_.word()), at = bench_.load_word(object);
  if (size > 64 || at == 0) return "?";
  std::string out(size, 0);
  return bench_.memory().read(at, out.data(), size) ? out : "?";
}

std::string Recogniser::cxx_string(std::uint64_t entry, bool thumb) {
  take(entry, thumb);
  place();
  const auto after = [&](const Words& args) -> std::string {
    bench_.back();
    lay_string(p_, "ab"), lay_string(q_, "alpha"), lay(r_, "gamma delta");
    const auto out = run(args, short_run);
    return out.returned() && bench_.asked().empty() && string_at(q_) == "alpha" ? string_at(p_) : "?";
  };
  auto got = after({p_, q_, 3, 1, 0, 0});
  if (got == "abalpha") return STRING "6appendERKS4_";
  if (got == "alpha") return STRING "9_M_assignERKS4_";
  got = after({p_, r_, 3, 0, 0});
  if (got == "abgam") return STRING "9_M_appendEPKcj";
  if (got == "abgamma delta") return STRING "6appendEPKc";
  if (got == "gamma delta") return STRING "C1EPKcRKS3_";
  if (got == "gam") return STRING "6assignEPKcj";
  if (after({p_, r_, r_ + 3, 0}) == "gam") return STRING "12_M_constructIPKcEEvT_S8_St20forward_iterator_tag";
  if (after({p_, 'x', 0, 0}) == "abx") return STRING "9push_backEc";
  if (after({p_, 1, 1, r_, 3, 0}) == "agam") return STRING "10_M_replaceEjjPKcj";
  return {};
}

// A stream that writes into a string, made by its constructor: its table, its buffer's table, three pointers for reading and three
// for writing, the locale, the mode (ios_base::out is 16, in is 8) and an empty string (<bits/streambuf>, <sstream>).
std::string Recogniser::cxx_stream(std::uint64_t entry, bool thumb) {
  if (text_stream_ != 0) return {};
  take(entry, thumb);
  const std::uint64_t w = bench_.word(), object = bench_.arena() + 0x4000;
  bench_.back();
  const auto out = run({object, 0, 0}, long_run);
  if (!out.returned() || !only_asked({})) return {};
  for (const std::uint64_t part : {object, object + 2 * w}) {
    const std::uint64_t text = part + 10 * w;
    const std::uint64_t mode = bench_.load_word(text - w) & 0xFFFFFFFF;
    if (bench_.load_word(text) != text + 2 * w || bench_.load_word(text + w) != 0 || (part == object ? mode != 16 : mode != 24)) continue;
    if (bench_.load_word(part) == 0 || bench_.load_word(part + w) == 0) continue;
    text_stream_ = object, text_part_ = part;
    bench_.keep();
    return part == object ? "_ZNSt7__cxx1119basic_ostringstreamIcSt11char_traitsIcESaIcEEC1Ev" : "_ZNSt7__cxx1118basic_stringstreamIcSt11char_traitsIcESaIcEEC1Ev";
  }
  return {};
}

std::string Recogniser::cxx_stream_function(std::uint64_t entry, bool thumb) {
  if (text_stream_ == 0) return {};
  take(entry, thumb);
  place();
  const std::uint64_t w = bench_.word(), buffer = text_part_ + w;
  const auto lay_out = [&] {
    bench_.back();
    const std::uint64_t begin = text_part_ + 12 * w;  // the string's own short text
    lay(begin, "ab");
    bench_.store_word(text_part_ + 5 * w, begin), bench_.store_word(text_part_ + 6 * w, begin + 2), bench_.store_word(text_part_ + 7 * w, begin + kShort);
    lay_string(q_, "alpha"), lay(r_, "gamma delta"), lay(p_, std::string(64, '.'));
  };
  const auto said = [&](const Words& args) -> std::string {
    lay_out();
    const auto out = run(args, long_run);
    const std::uint64_t begin = bench_.load_word(text_part_ + 5 * w), now = bench_.load_word(text_part_ + 6 * w);
    if (!out.returned() || !only_asked({}) || now < begin || now - begin > 64) return "?";
    std::string text(now - begin, 0);
    return bench_.memory().read(begin, text.data(), text.size()) ? text : "?";
  };
  auto got = said({text_part_, r_, 3, 0});
  if (got == "abgam") return "_ZSt16__ostream_insertIcSt11char_traitsIcEERSt13basic_ostreamIT_T0_ES6_PKS3_i";
  if (got == "abgamma delta") return "_ZStlsISt11char_traitsIcEERSt13basic_ostreamIcT_ES5_PKc";
  got = said({text_part_, 77, 0, 0});
  if (got == "abM") return "_ZNSo3putEc";
  if (got == "ab77") return "_ZNSolsEi";
  if (got == "ab\n") return "_ZSt4endlIcSt11char_traitsIcEERSt13basic_ostreamIT_T0_ES6_";
  if (said({text_part_, q_, 0, 0}) == "abalpha") return "_ZStlsIcSt11char_traitsIcESaIcEERSt13basic_ostreamIT_T0_ES7_RKNSt7__cxx1112basic_stringIS4_S5_T1_EE";
  // str(): the result's address comes first, or, on AArch64, apart.
  const auto told = [&](std::uint64_t self) {
    lay_out();
    const bool apart = bench_.machine() == elf::Machine::aarch64;
    bench_.result_at(p_);
    const auto out = run(apart ? Words{self, 0} : Words{p_, self, 0}, long_run);
    return out.returned() && only_asked({}) && string_at(p_) == "ab";
  };
  if (told(text_stream_)) return text_stream_ == text_part_ ? "_ZNKSt7__cxx1119basic_ostringstreamIcSt11char_traitsIcESaIcEE3strEv" : "_ZNKSt7__cxx1118basic_stringstreamIcSt11char_traitsIcESaIcEE3strEv";
  if (told(buffer)) return "_ZNKSt7__cxx1115basic_stringbufIcSt11char_traitsIcESaIcEE3strEv";
  return {};
}

std::string Recogniser::cxx_input_function(std::uint64_t entry, bool thumb, std::uint64_t standard_input) {
  take(entry, thumb);
  place();
  bench_.back();
  lay_string(p_, "ab");
  const auto out = run({standard_input, p_, '\n', 0}, long_run);
  const bool read = std::ranges::any_of(bench_.asked(), [](const Asked& a) { return a.name == "read" || a.name == "readv"; });
  if (!out.returned() || !read || out.result != standard_input) return {};
  const auto got = string_at(p_);
  if (got == "alpha beta") return "_ZSt7getlineIcSt11char_traitsIcESaIcEERSt13basic_istreamIT_T0_ES7_RNSt7__cxx1112basic_stringIS4_S5_T1_EE";
  return got == "alpha" ? "_ZStrsIcSt11char_traitsIcESaIcEERSt13basic_istreamIT_T0_ES7_RNSt7__cxx1112basic_stringIS4_S5_T1_EE" : "";
}

}  // namespace flow
