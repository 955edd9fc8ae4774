// A small file in (YAML, or JSON, which is YAML too), who publishes an advisory and about which products out:
// what no firmware can say about itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace report {

// docs/exports.md describes the file. Every text is valid UTF-8 and at most 4096 bytes long.
struct Publisher {
  struct Product {
    std::string device;                 // name of the result that is meant; empty: every one that no other names
    std::string vendor, name, version;  // name is never empty
    std::string purl, cpe;
  };

  bool given = false;  // false: nobody has said who publishes, and the exports call themselves drafts
  std::string name = "Publisher not named";
  std::string address = "https://publisher.invalid/";  // an absolute URI, which tells publishers apart
  std::string category = "other";                      // a word of CSAF 2.0, section 3.2.1.8.1
  std::string contact, authority;                      // may be empty
  std::string tlp;      // CSAF 2.0's words of TLP 1: RED, AMBER, GREEN, WHITE; empty: none
  std::string sharing;  // rules of sharing in words; may be empty
  std::string id, title, language = "en", status = "draft", version = "1", date;  // of the document
  std::vector<Product> products;
};

inline constexpr std::size_t kLargestPublisherFile = 64 << 10;  // bytes
inline constexpr std::size_t kMostProducts = 64;

// Error: damaged, with the key that is wrong: unknown keys are refused, so that a misspelt TLP label is not lost.
base::Result<Publisher> read_publisher(std::string_view text);

}  // namespace report
