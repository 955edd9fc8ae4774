// A format is a record and two functions: find the end (pure), take it apart (through the Sink alone).
// To add one: a file in formats/ that defines `const Format NAME_format`, a line in formats.def, a sample in the tests.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "unpack/sink.h"

namespace unpack {

struct Format;

// A range of a blob that a format has recognised and measured.
struct Chunk {
  std::uint64_t offset = 0, size = 0;
  // Bytes at the front that the format itself explains; 0: all of them. A wrapper explains its header and gives its
  // parts to the sink as views; what lies in neither becomes padding or unknown.
  std::uint64_t header = 0;
  std::string note;      // a few words for people: "xz, 1022 inodes"
  base::Doubts doubts;   // `where` is filled in later; offsets from the start of the blob
  const Format* format = nullptr;  // set by the scan
};

// What decoding a stream told.
struct Decoded {
  std::uint64_t consumed = 0;  // bytes of the stream, trailer included
  bool complete = true;        // its own end was seen and its checks hold
  std::string note;
  std::string name;            // the name it carries (gzip); may be empty
};

struct Magic {
  std::string_view bytes = {};  // at least two
  std::uint64_t at = 0;         // where it stands, from the start of the chunk
};

struct Format {
  enum class Kind : std::uint8_t {
    file_system,  // yields nodes
    archive,      // yields nodes; never the root of a device unless nothing else is
    wrapper,      // a header around parts of the same bytes
    stream,       // one decoded blob
    data,         // recognised and measured, nothing inside
  };
  std::string_view name;       // registry name, kebab-case
  std::string_view title;      // for people
  std::string_view reference;  // where the layout is written down
  std::string_view limits;     // what is not read; empty: nothing known
  Kind kind = Kind::data;
  std::array<Magic, 12> magics = {};  // unused ones are empty

  // The chunk that starts at `at`, or nothing when this format does not. Pure; reads at most what it measures; called
  // at every magic. Bytes that end early are measured to the end of the blob, with a doubt `truncated`.
  // For streams: checks the header only, and the size is that of the header.
  std::optional<Chunk> (*measure)(base::ByteView blob, std::uint64_t at) = nullptr;

  // Takes `chunk` of `blob` apart. An error names what stopped it; what the sink has by then is kept.
  base::Result<void> (*extract)(base::ByteView blob, const Chunk& chunk, Sink& sink) = nullptr;

  // Streams: decodes from the start of `from` into the sink's open blob. An error before anything was decoded means
  // that this is no such stream.
  base::Result<Decoded> (*decode)(base::ByteView from, Sink& sink) = nullptr;

  // Also measured at the start of every blob, whatever it begins with: formats without a magic.
  bool probe = false;

  // A damaged end is believed when the header is this telling; else only a complete stream counts.
  bool strong = true;
};

// One record a format, defined in its file below formats/.
#define FORMAT(name) extern const Format name##_format;
#include "unpack/formats.def"
#undef FORMAT

// All formats, in the order of formats.def.
const std::vector<const Format*>& formats();
const Format* find_format(std::string_view name);

}  // namespace unpack
