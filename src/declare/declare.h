// What a maker admits, as text: an RFC 8520 MUD file, a plain list of endpoints, or a manual (text or PDF). Declarations annotate what was
// found. They never take a finding away, and a match says that an address is named, not what is done there.
//
// All text is untrusted: files of at most 32 MiB, at most 20 000 endpoints and 2 000 pages are kept; what is beyond is a doubt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace declare {

enum class Kind : std::uint8_t { mud, list, manual };
std::string_view key(Kind kind);

// One endpoint that a MUD file or a list allows.
struct Endpoint {
  std::string place;       // address, prefix ("192.0.2.0/24") or host name in lower case
  std::uint16_t port = 0;  // 0: any
  std::string transport;   // "tcp", "udp"; empty: any
  std::string where;       // for a person: the name of the entry, or "line 3"
};

struct Page {
  std::string label;                   // as printed at the page's foot or head; else its place, from 1
  std::vector<std::string> sentences;  // runs of space made one
};

struct Declaration {
  std::string name;  // of the file, without its directory
  Kind kind = Kind::list;
  std::vector<Endpoint> endpoints;  // MUD, list
  std::vector<Page> pages;          // manual
  base::Doubts doubts;              // declare-too-much, declare-not-read, declare-unknown-entry
};

// Reads a file by its content: PDF, MUD (JSON with "ietf-mud:mud"), a list (every line an endpoint or a comment), else a manual.
// Errors: unreadable, damaged (a MUD file or PDF that is not one), over_budget.
base::Result<Declaration> read(const std::string& path);

// The readers behind it. None throws, none reads a file.
base::Result<Declaration> from_mud(std::string_view json, std::string name);
Declaration from_list(std::string_view text, std::string name);
Declaration from_manual(const std::vector<std::string>& pages, std::string name);
// True when most lines are endpoints, as from_list reads them.
bool looks_like_list(std::string_view text);
std::vector<std::string> split_pages(std::string_view text);  // at form feeds

// The text of each page, read by poppler in a worker. Errors as base::run_worker, damaged for what is no PDF or is locked.
base::Result<std::vector<std::string>> pages_of_pdf(base::ByteView bytes);

// ---- match.cc

// Where a declaration names a peer. `place` is an address or a host name; `port` 0 and an empty `transport` are not known.
struct Match {
  bool place = false;   // the address or host is named
  bool port = false;    // and so is the port: in the same entry, or on the same page of a manual
  std::string quote;    // `page 21: "The ... address ..."`, `entry "central"`
};
Match match(const Declaration& declaration, std::string_view place, std::uint16_t port, std::string_view transport);

// The first sentence of a manual that holds one word of each group, in one case or another; quoted with its page. Empty: none does.
std::string sentence_with(const Declaration& declaration, const std::vector<std::vector<std::string>>& groups);

}  // namespace declare
