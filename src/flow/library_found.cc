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
  // The C++ library lies before the C library, and its run-time part at its front.
  for (const auto& [entry, name] : recognised_)
    if (name == "__cxa_throw" && entry < library_low_ && elf_.entry < entry) library_low_ = entry;
  // What only a table of functions names, as virtual functions are.
  roots.assign(address_taken_.begin(), address_taken_.end());
  std::erase_if(roots, [&](std::uint64_t f) { return f >= library_low_; });
  if (library_low_ != ~std::uint64_t{0}) recognise_from(std::move(roots));
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
