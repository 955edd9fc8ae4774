// The tables of what is named and not opened. See known.h.
#include "unpack/formats/known.h"

#include <algorithm>

#include <fmt/format.h>

#include "unpack/format.h"

namespace unpack {
namespace {

using base::ByteView;
using namespace std::string_view_literals;

constexpr Known kEncrypted[] = {
    {"MH01", 0, "D-Link MH01"},
    {"Salted__", 0, "OpenSSL enc, salted"},
};

constexpr Known kPacked[] = {
    {"PK2\0"sv, 0, "Tenvis PK2"},
    {"SOBJ", 0, "Broadcom SAO"},
    {"\x78\x56\x34\x12\x01\0\xaa\0"sv, 0, "DJI"},
    {"VER2Intel_Unified", 0, "MaxLinear unified image"},
    {"\x1b" "DSK1.0", 0, "Xerox DSK1.0"},
    {"\x1b*FlashW", 0, "Xerox FlashW", false},
    {"\x10\x12\x20\x03\0\0\0\x10"sv, 0, "Bosch camera firmware"},
    {"\x1b%-12345X@PJL", 0, "HP PJL job", false},
    {"%%XRXbegin", 0, "Xerox dynamically loadable module", false},
    {"AAA\0\0\x10\0\0"sv, 0, "HP update stream", false},
};

constexpr Known kFileSystems[] = {
    {"_BHRfS_M", 0x10040, "btrfs"},
    {"\x10\x20\xf5\xf2", 1024, "f2fs"},
    {"JFS1", 32768, "JFS"},
    {"ReIsErFs", 65588, "ReiserFS"},
    {"ReIsEr2Fs", 65588, "ReiserFS"},
    {"ReIsEr3Fs", 65588, "ReiserFS"},
    {"XFSB", 0, "XFS"},
    {"H+\0\x04"sv, 1024, "HFS+"},
    {"BD", 1024, "HFS"},
    {"NTFS    ", 3, "NTFS"},
    {"EXFAT   ", 3, "exFAT"},
    {"NSR0", 34817, "UDF"},
};

constexpr Known kOthers[] = {
    {"\x60\xea", 0, "ARJ archive"},
    {"ZOO 2.10 Archive", 0, "ZOO archive"},
    {"StuffIt", 0, "StuffIt archive"},
    {"LRZI", 0, "lrzip stream"},
    {"RZIP", 0, "rzip stream"},
    {"7kSt", 0, "zpaq archive"},
    {"zPQ", 0, "zpaq archive"},
    {"bvx", 0, "lzfse stream"},
    {"\x1a\x08", 0, "ARC archive"},
    {"# This is a shell archive", 10, "shell archive", false},
    {"%!PS-Adobe", 0, "PostScript", false},
    {"<~", 0, "Ascii85 text", false},
    {"%PDF-", 0, "PDF", false},
};

// Tektronix hex: '/' and eight digits, or '%' and six, on a first line of digits alone.
bool is_tektronix(std::string_view text) {
  const auto line = text.substr(0, std::min<std::size_t>(text.find_first_of("\r\n"), 256));
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
  return line.size() >= 9 && line.size() < 256 && (line[0] == '/' || line[0] == '%') && std::all_of(line.begin() + 1, line.end(), digit);
}

std::optional<Chunk> named(ByteView blob, std::uint64_t size, std::string_view name, const char* why) {
  Chunk chunk;
  chunk.size = size;
  chunk.note = fmt::format("{}, not opened", name);
  if (size == blob.size()) chunk.doubts.push_back({"not-opened", "", 0, fmt::format("{}: {}", name, why), 1});
  return chunk;
}

std::optional<Chunk> look_up(ByteView blob, std::uint64_t at, std::span<const Known> table, const char* why) {
  if (at != 0 || blob.empty()) return std::nullopt;
  for (const Known& known : table)
    if (base::as_text(base::clipped(blob, known.at, known.magic.size())) == known.magic)
      return named(blob, known.whole ? blob.size() : known.at + known.magic.size(), known.name, why);
  return std::nullopt;
}

std::optional<Chunk> measure_encrypted(ByteView blob, std::uint64_t at) { return look_up(blob, at, kEncrypted, "the contents are encrypted, by what the header says"); }
std::optional<Chunk> measure_packed(ByteView blob, std::uint64_t at) { return look_up(blob, at, kPacked, "the maker's own packing, which is not read"); }
std::optional<Chunk> measure_disk(ByteView blob, std::uint64_t at) {
  return look_up(blob, at, kFileSystems, "a file system of general-purpose computers, which is not read");
}
std::optional<Chunk> measure_other(ByteView blob, std::uint64_t at) {
  if (at == 0 && is_tektronix(base::as_text(blob))) return named(blob, blob.size(), "Tektronix hex", "a form that is not read");
  return look_up(blob, at, kOthers, "an archive or text of another field, which is not read");
}

constexpr std::string_view kLimits = "named at the start of a blob, not opened; docs/limits.md lists them";

}  // namespace

std::span<const Known> known_encrypted() { return kEncrypted; }
std::span<const Known> known_packed() { return kPacked; }
std::span<const Known> known_file_systems() { return kFileSystems; }
std::span<const Known> known_others() { return kOthers; }

const Format locked_format = {.name = "vendor-encrypted", .title = "Encrypted images known by their magics", .reference = "their magics", .limits = kLimits,
                              .kind = Format::Kind::data, .measure = measure_encrypted, .probe = true};
const Format packed_format = {.name = "vendor-packed", .title = "Images in a maker's own packing", .reference = "their magics", .limits = kLimits,
                              .kind = Format::Kind::data, .measure = measure_packed, .probe = true};
const Format desktop_format = {.name = "other-field", .title = "Archives and texts of other fields", .reference = "their magics", .limits = kLimits,
                               .kind = Format::Kind::data, .measure = measure_other, .probe = true};
const Format diskfs_format = {.name = "disk-file-system", .title = "File systems of general-purpose computers", .reference = "their magics", .limits = kLimits,
                              .kind = Format::Kind::data, .measure = measure_disk, .probe = true};

}  // namespace unpack
