// The registry and the tables of known magics into docs/limits.md.
#include <fmt/format.h>

#include "unpack/format.h"
#include "unpack/formats/known.h"
#include "unpack/unpack.h"

namespace unpack {
namespace {

constexpr std::string_view kIntroduction = R"(# What unpacking does not read

Generated from the registry and from `src/unpack/formats/known.cc`; a test fails when this page is not what they say. Bytes of
no format are *unknown* with their entropy; the word *encrypted* stands only where a header says so. Everything here is named
in a report by the doubt `not-opened` or by the extent's note.

## Known by name, not opened

| what | known by | why |
| --- | --- | --- |
)";

constexpr std::string_view kRest = R"(| Tektronix hex | first line | a form that is not read |

Makers' formats without any constant to know them by (Senao and Alpha Networks upload scripts among them) stay *unknown* or
*text*.

## Doubts that end a branch

`password-protected`: the archive asks for a password. `over-budget`: more bytes, files, or bytes in proportion than the budget
allows; what came out until then is kept. `too-deep`: containers within containers beyond the limit. `truncated`,
`damaged-stream`, `damaged-member`, `damaged`: bytes are missing or contradict themselves; what could be read is kept.
`unconfirmed-format`: begins like a format and is none that can be read. `decoder-failed`: the worker died or ran out of time.

## Limits of the formats that are read

)";

void add(std::string& out, std::span<const Known> table, std::string_view why) {
  std::string_view before;
  for (const Known& known : table) {
    if (known.name != before)
      out += fmt::format("| {} | magic at {}{} | {} |\n", known.name, known.at, known.whole ? "" : "; what follows is looked at for itself", why);
    before = known.name;
  }
}

}  // namespace

std::string limits_page() {
  std::string out(kIntroduction);
  add(out, known_encrypted(), "encrypted, by what the header says");
  add(out, known_packed(), "the maker's own packing");
  add(out, known_file_systems(), "a file system of general-purpose computers");
  add(out, known_others(), "another field");
  out += kRest;
  for (const Format* format : formats())
    if (!format->limits.empty() && format->kind != Format::Kind::data) out += fmt::format("- **{}**: {}.\n", format->title, format->limits);
  return out;
}

}  // namespace unpack
