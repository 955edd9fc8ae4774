// The registry into docs/formats.md.
#include <fmt/format.h>

#include "unpack/format.h"
#include "unpack/unpack.h"

namespace unpack {
namespace {

std::string_view kind_name(Format::Kind kind) {
  switch (kind) {
    case Format::Kind::file_system: return "file system";
    case Format::Kind::archive: return "archive";
    case Format::Kind::wrapper: return "parts";
    case Format::Kind::stream: return "stream";
    case Format::Kind::data: return "recognised";
  }
  return "";
}

constexpr std::string_view kIntroduction = R"(# Formats

Generated from the registry (`src/unpack/formats.def` and the record in each format's file); a test fails when this page
is not what the registry says. *file system* and *archive* yield names with their metadata, *parts* hands on ranges of
the same bytes, *stream* yields one decoded blob, *recognised* is measured and named, and nothing comes out of it.

)";

constexpr std::string_view kMountPlan = R"(
## Mount plan

The root is the file system with the most marks of one (`/etc/inittab`, `/bin/sh`, `/sbin/init` and others; the list is in
`src/unpack/compose.cc`). The others are placed, in this order: by the partition number that a `mount` line of an init
script or `/etc/fstab` names, where the number of a partition is known from `mtdparts` or from the order of the inputs; by
file-system type, where only one has the type that such a line asks for (marked *assumed*); else under `/.partition-N`,
with the doubt `unplaced-file-system`. What the image came in (an archive around it) is under `/.container-N`. A file
system inside a regular file hangs at that file's path followed by `!`.

## Where other extractors differ

- Modes of symbolic links are the stored ones. Extracted to a disk, Linux shows all as 0777; `unsquashfs -lls` on the
  root file systems of the cameras at hand shows `lrwxr-xr-x`, as here.
- JFFS2 directories have the mode of their inode. jefferson leaves them at the umask's: it says 0755 for `/www/pem` of the
  system partition at hand, whose inode (at 0x14bb90, all three checksums hold) says 0777. A directory without any
  inode is shown as 0755, with the doubt `missing-inode`.
)";

}  // namespace

std::string formats_page() {
  std::string out(kIntroduction);
  out += "| name | what | yields | reference | limits |\n| --- | --- | --- | --- | --- |\n";
  for (const Format* format : formats())
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", format->name, format->title, kind_name(format->kind), format->reference, format->limits);
  out += kMountPlan;
  return out;
}

}  // namespace unpack
