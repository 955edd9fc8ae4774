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

// What two other extractors do with our formats, by the names of their own signatures, extractors and handlers.
enum class Peer : std::uint8_t { no, names, opens };

struct Beside {
  std::string_view format;
  Peer binwalk, unblob;
};

constexpr Beside kBeside[] = {
    {"squashfs", Peer::opens, Peer::opens},
    {"cramfs", Peer::opens, Peer::opens},
    {"romfs", Peer::opens, Peer::opens},
    {"jffs2", Peer::opens, Peer::opens},
    {"ubi", Peer::opens, Peer::opens},
    {"ubifs", Peer::opens, Peer::opens},
    {"yaffs2", Peer::opens, Peer::opens},
    {"ext", Peer::opens, Peer::opens},
    {"erofs", Peer::no, Peer::opens},
    {"fat", Peer::opens, Peer::opens},
    {"minix", Peer::no, Peer::opens},
    {"iso9660", Peer::opens, Peer::opens},
    {"uimage", Peer::opens, Peer::no},
    {"trx", Peer::opens, Peer::opens},
    {"seama", Peer::names, Peer::no},
    {"packimg", Peer::names, Peer::no},
    {"tp-link", Peer::names, Peer::no},
    {"netgear-chk", Peer::names, Peer::opens},
    {"xiaomi-hdr1", Peer::no, Peer::opens},
    {"dlink-shrs", Peer::opens, Peer::opens},
    {"draytek-2rdh", Peer::no, Peer::no},
    {"dahua-zip", Peer::opens, Peer::no},
    {"instar-hd", Peer::no, Peer::opens},
    {"dlink-encrpted", Peer::names, Peer::opens},
    {"alpha-encimg", Peer::opens, Peer::opens},
    {"buffalo", Peer::no, Peer::no},
    {"engenius", Peer::no, Peer::opens},
    {"qnap", Peer::no, Peer::opens},
    {"avm-eva", Peer::no, Peer::no},
    {"program-store", Peer::no, Peer::no},
    {"csman", Peer::opens, Peer::no},
    {"instar-bneg", Peer::no, Peer::opens},
    {"grain-media", Peer::no, Peer::no},
    {"tp-link-img0", Peer::no, Peer::no},
    {"ros-pack", Peer::no, Peer::no},
    {"ambarella-romfs", Peer::no, Peer::no},
    {"dlink-deafbead", Peer::no, Peer::opens},
    {"dlink-fpkg", Peer::no, Peer::opens},
    {"hp-bdl", Peer::no, Peer::opens},
    {"hp-ipkg", Peer::no, Peer::opens},
    {"dtb", Peer::opens, Peer::no},
    {"android-sparse", Peer::opens, Peer::opens},
    {"android-boot", Peer::names, Peer::no},
    {"android-super", Peer::no, Peer::no},
    {"gpt", Peer::opens, Peer::no},
    {"mbr", Peer::opens, Peer::no},
    {"tar", Peer::opens, Peer::opens},
    {"cpio", Peer::opens, Peer::opens},
    {"zip", Peer::opens, Peer::opens},
    {"7z", Peer::opens, Peer::opens},
    {"rar", Peer::opens, Peer::opens},
    {"cab", Peer::opens, Peer::opens},
    {"ar", Peer::opens, Peer::opens},
    {"rpm", Peer::no, Peer::no},
    {"lha", Peer::no, Peer::opens},
    {"xar", Peer::no, Peer::no},
    {"intel-hex", Peer::no, Peer::no},
    {"srec", Peer::opens, Peer::no},
    {"uf2", Peer::no, Peer::no},
    {"elf", Peer::names, Peer::opens},
    {"uefi-volume", Peer::opens, Peer::no},
    {"bzimage", Peer::names, Peer::no},
    {"zimage", Peer::names, Peer::no},
    {"ikconfig", Peer::no, Peer::no},
    {"pe", Peer::names, Peer::no},
    {"png", Peer::opens, Peer::no},
    {"gif", Peer::opens, Peer::no},
    {"jpeg", Peer::opens, Peer::no},
    {"gzip", Peer::opens, Peer::opens},
    {"xz", Peer::opens, Peer::opens},
    {"lzma", Peer::opens, Peer::opens},
    {"bzip2", Peer::opens, Peer::opens},
    {"zstd", Peer::opens, Peer::opens},
    {"lz4", Peer::opens, Peer::opens},
    {"lz4-legacy", Peer::no, Peer::opens},
    {"lzop", Peer::opens, Peer::opens},
    {"lzip", Peer::no, Peer::opens},
    {"compress", Peer::opens, Peer::opens},
    {"zlib", Peer::opens, Peer::opens},
};

std::string_view word(Peer peer) { return peer == Peer::opens ? "opens" : peer == Peer::names ? "names" : "–"; }

std::string beside(std::string_view format) {
  for (const Beside& row : kBeside)
    if (row.format == format) return fmt::format("{} | {}", word(row.binwalk), word(row.unblob));
  return "– | –";
}

constexpr std::string_view kPeers = R"(
## Beside binwalk 3 and unblob

The two columns of the table are taken from the lists of signatures and extractors of binwalk 3 (`src/signatures`, `src/extractors`)
and of the handlers of unblob 26.6.4, read and not run format by format; *opens* counts where an external program does the work.
They read what is not read here: binwalk 3 opens MH01, Autel, Arcadyan, JBOOT, QNX IFS, Windows CE, VxWorks symbol tables, DMG and APFS;
unblob opens ARC, ARJ, StuffIt, DMG, NTFS, UFS, partclone, Autel ECC, Moxa, Airoha, Xiaomi HDR2, uzip and QNX deflate.

| | here | binwalk 3 | unblob |
| --- | --- | --- | --- |
| formats by their own names | {} records; {} yield something | 95 signature files, 58 extractor files | 88 handlers |
| modes, owners, times, device nodes, hard links | in the tree and the manifest, whoever unpacks | as the external program writes them | as the external program writes them, links fixed |
| external programs at run time | none | sasquatch, 7zz, tsk_recover, jefferson and others | 7z, sasquatch, debugfs, jefferson and others |
| every byte accounted for | extents sum to the size | what signatures claim | chunks and the unknown between them |
| decoders confined | worker processes: seccomp, memory, time, no files | no | Landlock over the whole program, where the kernel has it |
| bombs, loops, paths that climb | budgets of bytes, ratio, files, depth; paths made safe in one place | depth | depth; paths and links checked |
)";

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
  out += "| name | what | yields | binwalk 3 | unblob | reference | limits |\n| --- | --- | --- | --- | --- | --- | --- |\n";
  for (const Format* format : formats())
    out += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", format->name, format->title, kind_name(format->kind), beside(format->name), format->reference, format->limits);
  std::size_t yielding = 0;
  for (const Format* format : formats()) yielding += format->kind != Format::Kind::data;
  out += fmt::format(kPeers, formats().size(), yielding);
  out += kMountPlan;
  return out;
}

}  // namespace unpack
