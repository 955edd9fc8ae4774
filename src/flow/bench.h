// A program's own code run on plain bytes: a few made-up arguments in, what the function returned, wrote and asked the kernel
// for out. Nothing of it reaches the machine it runs on: memory is ours, and the kernel is a stand-in that writes down what it
// is asked. Every run is bounded by its number of operations.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "elf/elf.h"
#include "flow/code.h"

namespace flow {

// Pages of bytes over a base that can be gone back to. Only what lies in a known range can be touched.
class BenchMemory {
 public:
  static constexpr std::uint64_t page_size = 4096;
  using Page = std::array<std::uint8_t, page_size>;
  explicit BenchMemory(const elf::Binary& binary) : elf_(binary) {}
  void allow(std::uint64_t low, std::uint64_t high) { ranges_.push_back({low, high}); }
  // Null where the address lies in no range, or (to write) in memory that is only read.
  std::uint8_t* at(std::uint64_t address, bool to_write);
  bool read(std::uint64_t address, void* out, std::size_t n);
  bool write(std::uint64_t address, const void* from, std::size_t n);
  std::string text(std::uint64_t address, std::size_t limit = 512);
  void back() { over_.clear(), forget(); }  // to the base
  void keep();                              // what is there becomes the base
  // Pages that differ from the base, by address.
  std::vector<std::uint64_t> changed() const;
  bool same_as_base(std::uint64_t address, std::size_t n);

 private:
  struct Range { std::uint64_t low, high; };
  struct Entry { std::uint64_t number = ~std::uint64_t{0}; std::uint8_t* bytes = nullptr; bool writable = false; };
  void forget() { seen_.fill({}); }
  Page* fresh(std::uint64_t number);
  const elf::Binary& elf_;
  std::vector<Range> ranges_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Page>> base_, over_;
  std::array<Entry, 64> seen_;
};

// One request to the kernel.
struct Asked {
  std::string name;                       // as syscalls.h names it; "#NUMBER" when it has no name there
  std::array<std::uint64_t, 6> args{};
  std::string text, more;                 // a path, a socket's address, what was written; a second path
  std::vector<std::string> list;          // execve's arguments
};

class Bench {
 public:
  Bench(const elf::Binary& binary, const sleigh::Machine& machine, sleigh::Translator& translator, CodeStore& code);

  struct Outcome {
    enum class End : std::uint8_t { returned, fault, limit, unsupported, executed, exited } end = End::fault;
    std::uint64_t result = 0, where = 0;
    bool returned() const { return end == End::returned; }
  };

  // Runs the program from its entry to the call of main; memory as it is then becomes the base. False when it did not get
  // there; main() may be known even so.
  bool start(std::uint64_t limit);
  std::uint64_t main() const { return main_; }  // bit 0 kept; 0 when not known
  // The function that the entry leaves for: the C library's first. What lies behind it in memory is the library's, as linkers
  // lay out programs.
  std::uint64_t library_start() const { return library_start_; }

  Outcome call(std::uint64_t entry, std::span<const std::uint64_t> args, std::uint64_t limit, bool thumb = false);
  // Where the next call is to leave a result that does not fit registers, on machines that say so apart from the arguments.
  void result_at(std::uint64_t address) { result_at_ = address; }
  // What the last call asked for.
  const std::vector<Asked>& asked() const { return asked_; }
  void back() { memory_.back(), kernel_ = kept_; }
  void keep() { memory_.keep(), kept_ = kernel_; }

  BenchMemory& memory() { return memory_; }
  std::uint64_t arena() const { return arena_; }  // 64 KiB for arguments
  bool on_stack(std::uint64_t a) const { return a >= stack_low_ && a < stack_high_; }
  bool in_arena(std::uint64_t a) const { return a >= arena_ && a < arena_ + 0x10000; }
  bool in_heap(std::uint64_t a) const { return a >= heap_low_ && a < map_high_; }
  bool in_thread_block(std::uint64_t a) const;
  std::uint64_t load_word(std::uint64_t address);
  void store_word(std::uint64_t address, std::uint64_t v);
  std::uint64_t used() const { return used_; }  // operations, all calls together
  std::uint64_t link() const { return reg_get(link_); }
  const std::string& trouble() const { return trouble_; }
  std::uint8_t word() const { return machine_.word; }
  bool big() const { return big_; }
  elf::Machine machine() const { return elf_.machine; }

 private:
  using Wide = unsigned __int128;
  Wide get(const MicroOp& op, int i) const;
  void put(const MicroOp& op, Wide v);
  std::uint64_t get64(const MicroOp& op, int i) const;
  void put64(const MicroOp& op, std::uint64_t v);
  std::optional<Wide> load(std::uint64_t address, unsigned size);
  bool store(std::uint64_t address, Wide v, unsigned size);
  Outcome run(std::uint64_t limit, std::uint64_t stop);
  bool arithmetic(const MicroOp& op);
  bool other(const MicroOp& op);            // a user operation
  bool vector(const Insn& insn);
  std::uint64_t reg_get(const CodeStore::Reg& r) const;
  void reg_put(const CodeStore::Reg& r, std::uint64_t v);
  std::optional<Outcome::End> kernel(std::uint64_t site);
  std::int64_t answer(Asked& a, std::optional<Outcome::End>& end);
  std::string bytes(std::uint64_t address, std::uint64_t n);
  void fill_words(std::uint64_t address, std::size_t n, std::uint32_t word);
  void room();

  const elf::Binary& elf_;
  const sleigh::Machine& machine_;
  sleigh::Translator& translator_;
  CodeStore& code_;
  BenchMemory memory_;
  bool big_;
  std::vector<std::uint8_t> regs_, kept_regs_;
  std::array<std::uint8_t, CodeStore::temp_slots * 8> temps_{};
  std::vector<CodeStore::Reg> arg_regs_, sys_args_;
  CodeStore::Reg result_, stack_, link_, global_, number_, t9_, mode_, thread_, reserve_, error_;
  enum class User : std::uint8_t { unknown, nothing, zero, kernel, thread, one, area };
  std::vector<User> user_;
  std::uint64_t pc_ = 0;
  bool thumb_ = false;
  std::uint64_t stack_low_, stack_high_, heap_low_, map_low_, map_high_, arena_, area_;
  struct KernelState {
    std::uint64_t brk = 0, map = 0, thread = 0;
    int next_fd = 5;
    std::unordered_map<int, std::string> content;
  } kernel_, kept_;
  std::vector<Asked> asked_;
  std::string trouble_;
  std::uint64_t main_ = 0, library_start_ = 0, used_ = 0, result_at_ = 0;
  struct Decoded { std::uint64_t key = ~std::uint64_t{0}; std::uint32_t index = 0; };
  std::vector<Decoded> decoded_;
};

}  // namespace flow
