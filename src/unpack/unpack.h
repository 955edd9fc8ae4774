// The door of this folder: inputs in, a Firmware out; and a Firmware out to a directory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "unpack/firmware.h"

namespace unpack {

// What may come out of one open(). A budget ends a branch, with the doubt `over-budget`; the rest goes on.
struct Budgets {
  std::uint64_t bytes = std::uint64_t{2} << 30;  // all contents together
  std::uint64_t files = 400'000;                 // all nodes together
  unsigned depth = 12;                           // containers within containers
  std::uint64_t ratio = 1000;                    // contents of one chunk per packed byte …
  std::uint64_t ratio_floor = std::uint64_t{96} << 20;  // … once beyond this many bytes
};

struct Options {
  Budgets budgets;
  unsigned jobs = 2;
  std::uint64_t worker_memory_bytes = std::uint64_t{1} << 30;  // for each decoder
  bool workers = true;  // off: decode in this process. For fuzz doors and debuggers only
  bool carve = true;    // look for formats at every offset; off: at the start of a blob only
  // Called now and then with what is being done; `done` of `total` in units of the stage.
  std::function<void(std::string_view stage, std::uint64_t done, std::uint64_t total)> progress;
};

// Opens one device. `inputs`: one image, directory, tar, zip, ELF or script; or several partitions of one device, in
// flash order; "-" is standard input. A malformed image is no error but doubts; bytes that nothing recognises are a
// Firmware whose extents are unknown. Error: unreadable (missing, no permission, empty), one sentence with the path.
base::Result<Firmware> open(const std::vector<std::string>& inputs, const Options& options = {});

// The same from bytes in memory (tests, fuzz doors). `name` is the input's name.
Firmware open_bytes(base::Bytes bytes, const std::string& name, const Options& options = {});

struct WriteOptions {
  bool everything = false;  // also each blob that is no file of the root, below `blobs/`
  bool owners = true;       // off: every file is the caller's, readable and writable to it, and no device node is made
};

// Writes `firmware.root` to `directory`/root and what could not be made there (device nodes, owners; when not root) as
// lines of `directory`/manifest.tsv. Nothing is written outside `directory`, whatever the names and links in the image
// say. `directory` is made; it must be empty if it exists. Errors: unreadable, with path and reason.
base::Result<void> write_out(const Firmware& firmware, const std::string& directory, const WriteOptions& options = {});

// The text of docs/formats.md, from the registry.
std::string formats_page();

// The text of docs/limits.md, from the registry and the tables of what is known by name only.
std::string limits_page();

}  // namespace unpack
