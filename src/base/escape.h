// Hostile text on its way out. Every renderer passes what came from a firmware through one of these.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace base {

// Any bytes as UTF-8: what is not UTF-8 is written `\xHH`, a backslash is doubled, and nothing else is changed.
// unescape_bytes() is its exact inverse. This is the form in the JSON result.
std::string escape_bytes(std::string_view bytes);
std::optional<std::string> unescape_bytes(std::string_view escaped);

// For a terminal: escape_bytes(), and control characters (C0, DEL, C1, bidirectional overrides) become `\xHH` or `\u{HHHH}` too.
// Newlines become `\n` unless `keep_newlines`.
std::string escape_terminal(std::string_view bytes, bool keep_newlines = false);

// For HTML text and quoted attributes: escape_terminal(), then & < > " '.
std::string escape_html(std::string_view bytes);

// For a CSV cell: escape_terminal(), quoted, and a leading = + - @ or tab is defused with an apostrophe (OWASP, CSV injection).
std::string escape_csv(std::string_view bytes);

// Length in bytes of the valid UTF-8 sequence at the start of `text` (Unicode 15, table 3-7), 0 when there is none.
std::size_t utf8_sequence(std::string_view text);

}  // namespace base
