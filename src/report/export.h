// What the three exports to other people's tools share: one place decides which product a device is, which
// date a document bears and how its id follows from its content.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "report/publisher.h"
#include "result/result.h"

namespace report {

// "2030-12-31" and RFC 3339 as "2030-12-31T00:00:00Z"; nothing for text that is neither.
std::optional<std::string> date_time(std::string_view text);

// The publisher's date, else the first result's, else 1970: no clock is asked, and a document without a date says so.
// Error: unsupported, when the result's date is not a date.
struct Dated {
  std::string text;
  bool known = false;
};
base::Result<Dated> date_of(const std::vector<result::Result>& results, const Publisher& publisher);

// The product that a device is: the publisher's entry for it, else its own name and nothing more.
Publisher::Product product_of(const result::Result& result, const Publisher& publisher);

// The same for equal content: "urn:uuid:..." (RFC 9562, version 8) of a SHA-256 over `content`.
std::string uuid_of(std::string_view content);
// What tells a document from another: publisher, devices, images and findings.
std::string content_of(std::string_view format, const std::vector<result::Result>& results, const Publisher& publisher);

std::string shown(std::string_view raw);             // escaped for JSON that people read; never empty
std::string_view cwe_name(int number);               // empty where cwe.def lacks it
std::string about(const result::Finding& finding);   // certainty, trigger, places and peers, in sentences

}  // namespace report
