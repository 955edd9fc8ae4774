// The bed's state in, a page on the loopback interface out. Nothing else is reachable: it binds 127.0.0.1 only, refuses foreign Host headers (so that
// no web page elsewhere can reach it by a name), and takes commands only by POST with a header that a foreign page cannot send.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace bedside {

extern const char* const page_html;

struct PageSource {
  std::function<std::string(std::uint64_t since)> state;     // JSON
  std::function<bool(const std::string& action)> command;    // false: unknown
  std::function<bool(const std::string& answer)> update = {};  // a person's answer to an offered update, JSON; false: not taken
};

class PageServer {
 public:
  // Listens on 127.0.0.1:`port` (0: any). The functions are called from the server's own threads.
  static base::Result<std::unique_ptr<PageServer>> start(int port, PageSource source);
  ~PageServer();
  int port() const;

 private:
  PageServer();
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace bedside
