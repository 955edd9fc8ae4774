// Programs, libraries and kernel modules in, the components that they are out, with the version that their own text states.
#pragma once

#include <string>
#include <vector>

#include "unpack/firmware.h"

namespace derive {

struct Component {
  std::string name, version;  // version is empty where none is stated
  std::string kind;           // package, program, library, module, kernel
  std::string path;
  std::string evidence;       // the words that state it
  std::string license, purl;  // as the firmware words the one; the other of packages alone. Empty: unknown
};

// Sorted by path, then name. models/components.yaml says where a version stands; modules state theirs in .modinfo.
std::vector<Component> find_components(const unpack::Firmware& firmware);

// ---- packages.cc: adds what the databases of opkg, dpkg and apk call installed.
void find_packages(const unpack::Firmware& firmware, std::vector<Component>& out);

}  // namespace derive
