// SWUpdate packages (.swu): what may be in one, how one is made, and SWUpdate itself under a time limit.
// Format: a cpio archive, "sw-description" first, its CMS signature second, then the image (SWUpdate 2022.12,
// "SWUpdate: syntax and tags"). The description is JSON here, and only the form that describe() writes is
// taken: an image for either slot, written raw. No scripts, no boot loader variables, no other handler.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace update {

struct Description {
  std::string version;
  std::string filename;                // the image's name in the archive
  std::string sha256;                  // of the image, hex
  std::array<std::string, 2> devices;  // where SWUpdate writes it: slot 0 ("copy1"), slot 1 ("copy2")
  bool operator==(const Description&) const = default;
};

std::string describe(const Description& description);
// Error (damaged) for anything that describe() would not have written.
base::Result<Description> read_description(std::string_view text);

struct Package {
  Description description;
  std::uint64_t image_length = 0;  // bytes
};
// The archive's table of contents and description: exactly the three members, in order. The signature is
// SWUpdate's to check.
base::Result<Package> inspect_package(const std::string& path);

// Makes a package. `image` is read whole; `certificate` and `key` in PEM sign the description.
base::Result<void> make_package(const std::string& path, const Description& description, base::ByteView image,
                                const std::string& certificate, const std::string& key);

struct SwuRun {
  std::string program = "/usr/bin/swupdate";
  std::string certificate;  // path, PEM: whose packages are taken
  std::string package;      // path
  std::string work_dir;     // ours alone; SWUpdate's temporary files and sockets
  std::uint8_t slot = 0;
  std::chrono::seconds limit{300};
};
// Exit status 0 within the limit, or an error with the last lines that SWUpdate said. When the time is over
// its whole process group is killed.
base::Result<void> run_swupdate(const SwuRun& run);

}  // namespace update
