// The C library inside a static program: from main downwards every function that is called is put to the trials; what behaves
// like a library function is taken as one and not looked into, what does not is looked into.
#include <algorithm>
#include <array>
#include <string_view>

#include "flow/bench.h"
#include "flow/engine.h"
#include "flow/recognise.h"

namespace flow {
namespace {

// What is called between "throw" and the end: the exception's memory and its text.
constexpr std::array<std::string_view, 12> kHarmless = {"abort", "malloc", "calloc", "realloc", "free", "memcpy", "memmove", "memset", "strlen", "strcpy", "snprintf", "vsnprintf"};

}  // namespace

void Engine::start_bench() {
  if (elf_.type == 1 || !elf_.is_code(machine_.mode_switch ? elf_.entry & ~std::uint64_t{1} : elf_.entry)) return;
  bench_ = std::make_unique<Bench>(elf_, machine_, translator_, code_);
  const bool started = bench_->start(3'000'000);
  if (bench_->main() == 0) {
    bench_.reset();
    return;
  }
  if (!started) return;
  // Words that the start filled in: what an indirect function resolved to.
  for (const auto& s : elf_.segments) {
    if (!s.writable) continue;
    for (std::uint64_t at = (s.address + word_ - 1) & ~std::uint64_t{word_ - 1u}; at + word_ <= s.address + s.file_size; at += word_) {
      const std::uint64_t now = bench_->load_word(at);
      if (now == 0 || !code_target(now) || elf_.word(at).value_or(now) == now) continue;
      slots_[at] = {false, {}, now};
    }
  }
}

void Engine::recognise_library() {
  const std::uint64_t marked = machine_.mode_switch ? ~std::uint64_t{1} : ~std::uint64_t{0};
  recogniser_ = std::make_unique<Recogniser>(*bench_);
  library_low_ = bench_->library_start() > (bench_->main() & marked) ? bench_->library_start() : ~std::uint64_t{0};
  std::vector<std::uint64_t> roots = {bench_->main() & marked};
  for (const auto f : elf_.init_functions) roots.push_back(f & marked);
  recognise_from(std::move(roots));
  // The C++ library lies before the C library, and its run-time part (what throws, operator new) at its front.
  for (const auto& [entry, name] : recognised_)
    if ((name == "__cxa_throw" || allocators_.contains(entry)) && entry < library_low_ && elf_.entry < entry) library_low_ = entry;
  if (!allocators_.empty()) recognise_cxx();
  // What only a table of functions names, as virtual functions are.
  roots.assign(address_taken_.begin(), address_taken_.end());
  std::erase_if(roots, [&](std::uint64_t f) { return f >= library_low_; });
  if (library_low_ != ~std::uint64_t{0}) recognise_from(std::move(roots));
}

// std::cin as the start made it: an object whose table of functions describes its type as "Si", which is how the Itanium C++ ABI
// (5.1.10) writes std::istream. 0 where there is none.
std::uint64_t Engine::standard_input() {
  for (const auto& s : elf_.segments) {
    if (!s.writable) continue;
    const std::uint64_t end = s.address + std::min<std::uint64_t>(s.memory_size, 1 << 20);
    for (std::uint64_t at = base::align_up(s.address + s.file_size, word_); at + word_ <= end; at += word_) {
      const std::uint64_t table = bench_->load_word(at);
      if (table < word_ || table % word_ != 0 || !elf_.segment_of(table)) continue;
      const std::uint64_t type = bench_->load_word(table - word_);
      if (type == 0 || !elf_.segment_of(type)) continue;
      const std::uint64_t name = bench_->load_word(type + word_);
      if (name != 0 && elf_.segment_of(name) && bench_->memory().text(name, 4) == "Si") return at;
    }
  }
  return 0;
}

// The C++ library's strings and streams: what the program's own code calls of it, and all of it for a stream to try them on.
void Engine::recognise_cxx() {
  std::set<std::uint64_t> called;
  for (const auto& [entry, body] : bodies_)
    if (!in_library(entry))
      for (const auto c : body->calls)
        if (in_library(c) && c < bench_->library_start() && !recognised_.contains(c)) called.insert(c);
  const auto name_it = [&](std::uint64_t entry, const std::string& name) { return !name.empty() && recognised_.emplace(entry, name).second; };
  const auto stream_of = [&](std::uint64_t entry, const Body& body) {
    if (!recogniser_->has_text_stream() && body.returns && body.insn_count > 12 && body.insn_count < 400) name_it(entry, recogniser_->cxx_stream(entry, body.thumb));
  };
  for (const auto c : called)
    if (const Body* body = body_at(c, false)) stream_of(c, *body);
  std::vector<std::pair<std::uint64_t, const Body*>> all;
  for (const auto& [entry, body] : bodies_)
    if (in_library(entry) && entry < bench_->library_start() && !recognised_.contains(entry)) all.emplace_back(entry, body.get());
  for (const auto& [entry, body] : all) stream_of(entry, *body);
  const std::uint64_t input = standard_input();
  for (const auto c : called) {
    const Body* body = body_at(c, false);
    if (!body || !body->returns || recognised_.contains(c)) continue;
    if (name_it(c, recogniser_->cxx_string(c, body->thumb)) || name_it(c, recogniser_->cxx_stream_function(c, body->thumb))) continue;
    if (input != 0) name_it(c, recogniser_->cxx_input_function(c, body->thumb, input));
  }
}

// The name that the function at `entry` goes by from now on; empty when it is like none that we know.
std::string Engine::try_name(std::uint64_t entry, const Body& body) {
  if (const auto known = recognised_.find(entry); known != recognised_.end()) return known->second;
  std::vector<int> skip;
  if (const auto* symbol = elf_.function_at(entry); symbol && model_for(symbol->name, skip)) return symbol->name;
  const bool own = entry < library_low_ && library_low_ != ~std::uint64_t{0};
  std::string name;
  if (tried_.insert(entry).second) {
    if (!body.returns) name = recogniser_->never_returns(entry, body.thumb);
    if (!body.returns && name.empty()) name = thrower(body);
    if (name.empty() && own && allocates(body) && recogniser_->allocates(entry, body.thumb)) name = "malloc", allocators_.insert(entry);
    if (name.empty()) name = recogniser_->name_of(entry, body.thumb, body.names_texts && !body.names_shell, own);
  } else if (!body.names_texts && !own) {
    name = recogniser_->stream_function(entry, body.thumb);
  }
  if (!name.empty()) recognised_[entry] = name;
  return name;
}

// Of a function that does not return: "abort" where it only makes an exception and throws it, as the library's throwers do.
std::string Engine::thrower(const Body& body) {
  bool throws = false;
  for (const auto c : body.calls) {
    const Body* callee = body_at(c, false);
    if (!callee || callee->blocks.empty()) return {};
    const auto name = try_name(c, *callee);
    if (name == "__cxa_throw") throws = true;
    else if (name.empty() ? callee->names_texts || callee->names_shell : std::ranges::find(kHarmless, name) == kHarmless.end()) return {};
  }
  return throws ? "abort" : "";
}

// Whether the function may be C++'s operator new: it asks malloc() and throws.
bool Engine::allocates(const Body& body) {
  if (!body.returns || body.insn_count > 120) return false;
  bool asks = false, throws = false;
  for (const auto c : body.calls) {
    const Body* callee = body_at(c, false);
    if (!callee || callee->blocks.empty()) return false;
    if (c >= library_low_) asks |= try_name(c, *callee) == "malloc";
    throws |= !callee->returns;
  }
  return asks && throws;
}

void Engine::recognise_from(std::vector<std::uint64_t> roots) {
  constexpr std::uint64_t most = 60'000'000;  // operations on the bench, over all
  // The second round has a stream to try the stream functions on.
  for (int round = 0; round < 2; ++round) {
    std::vector<std::uint64_t> todo(roots);
    std::set<std::uint64_t> seen(todo.begin(), todo.end());
    for (std::size_t i = 0; i < todo.size() && bench_->used() < most; ++i) {
      const Body* body = body_at(todo[i], false);
      if (!body) continue;
      std::vector<std::uint64_t> next(body->calls);
      next.insert(next.end(), body->code_pointers.begin(), body->code_pointers.end());
      for (const auto c : next) {
        if (!seen.insert(c).second || recognised_.contains(c)) continue;
        const Body* callee = body_at(c, false);
        if (!callee || callee->blocks.empty()) continue;
        const std::string name = try_name(c, *callee);
        const bool stub = callee->insn_count <= 3 && callee->calls.size() == 1;
        if (name.empty() && (c < library_low_ || stub)) todo.push_back(c);
      }
    }
    if (!recogniser_->has_streams()) break;
  }
}

}  // namespace flow
