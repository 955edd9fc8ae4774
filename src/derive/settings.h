// Settings files of any usual form in, what they decide out: the peers, secrets, accounts and switches that ship with the image.
// models/settings.yaml says which names mean what; a file is read as key and value, never by its product.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "derive/facts.h"
#include "unpack/firmware.h"

namespace derive {

// One key and its value. `path` is the key with the sections above it, lower case, joined by '/'.
struct Setting {
  std::uint32_t line = 0;  // 1-based
  std::string path;
  std::string value;
  std::string words;       // the line as it stands, cut at 200 bytes
};

// XML, UCI, INI, JSON lines, `key=value`, `key: value`, `key value`, `var key="value";`. Comments are left out. At most 20,000.
std::vector<Setting> read_settings(std::string_view text);

// What settings decide, as effects with `file` in their sites; `line` is added to each line. For files and here-documents.
std::vector<effects::Effect> effects_of_settings(const std::vector<Setting>& settings, const std::string& file, std::uint32_t line = 0);

// The settings whose values name a peer, whatever their keys.
std::vector<std::pair<std::string, effects::Endpoint>> peers_of_settings(const std::vector<Setting>& settings);

// The settings files of a firmware that decide something. Programs and scripts are not among them.
std::vector<ProgramFacts> facts_of_settings(const unpack::Firmware& firmware);

}  // namespace derive
