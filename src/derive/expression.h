// The small language in which models/*.yaml say where an effect's parts stand in a command line or a call:
//
//   operand(1)  last  before_last  operands  rest(2)   operands of a command, counted from 1, options left out
//   option(-O)  has(-x)                                an option's value; "yes" when the option is given
//   arg(0)      argument(1)                            arguments of a call from 0; raw words of a command from 1
//   'text'                                             a literal
//   stdin  stdout                                      what is piped in or redirected
//   opened                                             of a call: the path that its descriptor or stream was opened with;
//                                                      "socket" for a socket
//   a | b                                              b where a is empty
//   url_host(e) url_port(e) url_path(e) url_scheme(e) url_file(e)    RFC 3986 parts; a missing scheme is allowed
//   share_host(e) share_path(e)                        host:/path (NFS), //host/share (SMB), user@host:path (scp)
//   host(e) port(e)                                    "host", "host:port", "[v6]:port"
//   base(e) dir(e) join(d, f)                          path work
//
// An expression yields a list of texts (most yield one); a condition compares one with a regular expression:
//   "has -x"   "not has -x"   "E ~ REGEX"   "E !~ REGEX"   (ECMAScript, searched, case matters)
#pragma once

#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "effects/effects.h"

namespace derive {

// A command line or a call, ready to be asked. Words keep their provenance.
struct Invocation {
  std::string name;                      // "mount", "connect"
  std::vector<effects::Text> words;      // without the name, as written
  std::vector<effects::Text> operands;   // words that are not options or their values
  std::vector<std::pair<std::string, effects::Text>> options;  // "-O" -> value; flags have an empty value
  effects::Text standard_input, standard_output;               // file redirected; empty when not
  std::optional<effects::Endpoint> endpoint;                   // a sockaddr read at a call
  effects::Text opened;                                        // what the call's descriptor was opened as

  bool has(std::string_view option) const;
};

// Splits `words` into operands and options. `with_value` lists the options that take a value ("-O", "--output").
// Short flags cluster (-rf), values may be glued (-tnfs, --output=x). `old_style`: a first word without '-' is flags (tar).
void split_options(Invocation& invocation, const std::vector<std::string>& with_value, bool old_style);

class Expression {
 public:
  static base::Result<Expression> parse(std::string_view text);
  // Values; empty when the parts are missing. `each` stands for the word `it`.
  std::vector<effects::Text> evaluate(const Invocation& invocation, const effects::Text* each = nullptr) const;

 private:
  struct Node;
  std::shared_ptr<const Node> root_;  // immutable once parsed; shared between copies of a model
};

class Condition {
 public:
  static base::Result<Condition> parse(std::string_view text);
  bool holds(const Invocation& invocation, const effects::Text* each = nullptr) const;

 private:
  bool negated_ = false;
  std::string option_;  // for has
  std::optional<Expression> expression_;
  std::optional<std::regex> pattern_;
};

}  // namespace derive
