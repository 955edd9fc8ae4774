// Bytes of metadata into JSON values, and JSON values into the canonical bytes that signatures cover.
// Canonical JSON as in OLPC's description (http://wiki.laptop.org/go/Canonical_JSON) and securesystemslib:
// members sorted by code point, no white space, only `"` and `\` escaped, whole numbers only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tuf/result.h"

namespace tuf {

using Json = nlohmann::json;

// Deepest nesting that is read. Metadata of the specification needs seven levels; the rest is room for custom
// fields.
inline constexpr std::size_t json_depth_limit = 64;

// Refuses (malformed): not JSON, not UTF-8, a member named twice in one object, a number that is not a whole
// 64-bit number, deeper than json_depth_limit, anything after the value.
Result<Json> parse_json(std::string_view bytes);

// For values from parse_json().
std::string canonical_json(const Json& value);

}  // namespace tuf
