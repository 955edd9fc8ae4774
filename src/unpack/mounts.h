// What a root file system's own files say about mounting its flash partitions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unpack/firmware.h"

namespace unpack {

// One `mount` command or fstab line whose device is flash and whose words are all constant.
struct MountWords {
  std::string type;                    // "jffs2"; empty when not said
  std::string at;                      // normal path
  std::optional<unsigned> mtd_number;  // /dev/mtdblock3, /dev/mtd3, mtd3, /dev/mtdblock/3
  std::string source;                  // "/etc/init.d/rcS: mount -t jffs2 /dev/mtdblock3 /opt"

  // Whether a file system of this format may be what is meant.
  bool accepts(std::string_view format) const;
};

// In order of path and line. Only lines that need no evaluation: the analyser's shell knows more, later.
std::vector<MountWords> read_mount_words(const Firmware& firmware, const Tree& root);

}  // namespace unpack
