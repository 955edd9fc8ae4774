// A function's entry in, the library function that it behaves like out: it is run on made-up arguments and held to what C and
// POSIX say that the function does. Names, sizes and instruction patterns play no part, so that compilers and C libraries may
// differ as they like.
#pragma once

#include <string>
#include <vector>

#include "flow/bench.h"

namespace flow {

class Recogniser {
 public:
  explicit Recogniser(Bench& bench) : bench_(bench) {}
  // `names_texts`: the function hands over texts of its own, as a library's simple functions do not. `own`: it
  // is the program's own code, which is followed anyhow: only what it does to texts is asked. Empty: none that we know.
  std::string name_of(std::uint64_t entry, bool thumb, bool names_texts, bool own);
  // The stream functions need a stream: asked for again once fopen() is known.
  bool has_streams() const { return reader_ != 0; }
  std::string stream_function(std::uint64_t entry, bool thumb);
  // Whether the function hands out memory as malloc() does.
  bool allocates(std::uint64_t entry, bool thumb);
  // recognise_cxx.cc: libstdc++'s strings; a string stream's constructor, and what is done with the stream that it made.
  std::string cxx_string(std::uint64_t entry, bool thumb);
  std::string cxx_stream(std::uint64_t entry, bool thumb);
  std::string cxx_stream_function(std::uint64_t entry, bool thumb);
  std::string cxx_input_function(std::uint64_t entry, bool thumb, std::uint64_t standard_input);
  bool has_text_stream() const { return text_stream_ != 0; }
  // Of a function that does not return: "__cxa_throw", or "abort" where all it comes to is a last word and SIGABRT.
  std::string never_returns(std::uint64_t entry, bool thumb);

 private:
  using Words = std::vector<std::uint64_t>;
  void take(std::uint64_t entry, bool thumb);  // the function to try from now on
  Bench::Outcome run(const Words& args, std::uint64_t limit);
  void lay(std::uint64_t address, const std::string& text);  // with its NUL
  bool untouched();                    // nothing was asked, and no memory outside arguments and stack changed
  bool arguments_are(const std::vector<std::uint8_t>& wanted);
  std::vector<std::uint8_t> arguments();
  bool only_asked(std::initializer_list<const char*> names);
  std::string strings();
  std::string comparison();
  std::string searching();
  std::string numbers();
  std::string formats();
  std::string kernel_call();
  std::string signals();
  std::string programs();
  std::string memory();
  std::string resolver();
  std::string files();
  std::string environment();
  void place();
  void lay_string(std::uint64_t object, const std::string& text);
  std::string string_at(std::uint64_t object);
  Words variable(std::uint64_t at, const Words& values);  // a va_list as the machine's ABI has it

  Bench& bench_;
  std::uint64_t entry_ = 0;
  bool thumb_ = false;
  std::uint64_t p_ = 0, q_ = 0, r_ = 0, s_ = 0, t_ = 0, u_ = 0;
  std::uint64_t reader_ = 0, writer_ = 0;  // streams on /probe/ files
  std::uint64_t reader_fd_ = 0, writer_fd_ = 0;
  std::uint64_t text_stream_ = 0, text_part_ = 0;  // a string stream, and its part that is an ostream
  std::uint64_t malloc_ = 0;
  bool malloc_thumb_ = false;
  int resolver_tries_ = 0, endless_ = 0;
  bool resolves_ = false;  // it has looked into /etc/hosts
};

}  // namespace flow
