// What every file-system reader needs: safe names, and the end of a chunk that its blob does not hold entirely.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "unpack/format.h"

namespace unpack {

// `name` beneath the directory `parent`, or nothing (and the doubt `bad-name`) when it is no single component.
std::optional<std::string> child_path(std::string_view parent, std::string_view name, Sink& sink, std::uint64_t offset);

// The path that an archive member's name means: absolute, normal, below the archive's root. A name that climbs
// out (`..`) stays inside and gets the doubt `path-traversal`.
std::string member_path(std::string_view name, Sink& sink, std::uint64_t offset);

// Cuts `chunk` at the end of `blob`, with the doubt `truncated`.
void clip_to_blob(Chunk& chunk, base::ByteView blob);

// Node fields from a Unix mode word (type and permission bits). Regular when the type bits are none of the seven.
void set_mode(Node& node, std::uint32_t mode);

}  // namespace unpack
