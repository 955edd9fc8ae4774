// models/functions.yaml in, a table of library calls out. The file is built into the program.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace flow {

enum class Role : std::uint8_t {
  any, text, out, outbuf, outsize, format, scan, number, size, fd, path, mode, buffer, sockaddr, argv, callback, more, list
};
enum class Does : std::uint8_t {
  nothing, copy, copy_n, append, append_n, copy_bytes, fill, duplicate, length, compare, find, find_last, format, format_new,
  scan, read, read_line, allocate, reallocate, free, getenv, number_of, network_short, network_long, address_of, address_into,
  address_text, open, no_return, on_signal, thread, at_exit, timer, start_main, identity
};
struct Model {
  std::string name;
  std::vector<Role> args;
  Does does = Does::nothing;
  std::string returns, group;
  bool varargs() const { return !args.empty() && (args.back() == Role::more || args.back() == Role::list); }
};

// The model for a symbol's name, with the prefixes and suffixes that C libraries add taken off; null when there is none.
// `skip` receives positions of arguments that the variant has besides the model's (flags and sizes of the _chk family).
const Model* model_for(std::string_view symbol, std::vector<int>& skip);

// Every name in the file, for tests; and what was wrong with it, empty when nothing.
std::vector<std::string> model_names();
const std::string& models_error();

}  // namespace flow
