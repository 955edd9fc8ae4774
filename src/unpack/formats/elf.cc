// How long an ELF file is, so that what is appended to it is looked at for itself. Reading it is src/elf's work.
#include <algorithm>

#include <fmt/format.h>

#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteOrder;
using base::ByteReader;
using base::ByteView;

constexpr std::uint32_t kNoBits = 8;  // SHT_NOBITS

struct Layout {
  ByteOrder order;
  bool wide;
  std::uint64_t word(ByteReader& r) const { return wide ? r.u64() : r.u32(); }
};

// The end of segments and sections, in bytes from the start.
std::optional<std::uint64_t> end_of(ByteView from, std::uint16_t& machine) {
  const std::uint8_t width = from[4], data = from[5];
  if (width < 1 || width > 2 || data < 1 || data > 2 || from[6] != 1) return std::nullopt;
  const Layout layout{data == 1 ? ByteOrder::little : ByteOrder::big, width == 2};
  ByteReader r(from, layout.order);
  r.skip(16);
  const std::uint16_t type = r.u16();
  machine = r.u16();
  r.u32();
  layout.word(r);  // entry
  const std::uint64_t segments = layout.word(r), sections = layout.word(r);
  r.u32();
  const std::uint16_t header = r.u16(), segment_size = r.u16(), segment_count = r.u16(), section_size = r.u16(), section_count = r.u16();
  if (!r.ok() || type == 0 || (type > 4 && type < 0xFE00) || header < 52 || header > 64) return std::nullopt;
  std::uint64_t end = header;
  const auto reach = [&](std::uint64_t offset, std::uint64_t size) {
    if (const auto sum = base::checked_add(offset, size)) end = std::max(end, *sum);
  };
  if (segments) reach(segments, std::uint64_t{segment_size} * segment_count);
  if (sections) reach(sections, std::uint64_t{section_size} * section_count);
  for (std::uint64_t i = 0; i < segment_count; ++i) {
    ByteReader s(base::clipped(from, segments + i * segment_size, segment_size), layout.order);
    s.skip(layout.wide ? 8 : 4);
    const std::uint64_t offset = layout.word(s);
    s.skip(layout.wide ? 16 : 8);
    const std::uint64_t size = layout.word(s);
    if (s.ok()) reach(offset, size);
  }
  for (std::uint64_t i = 0; i < section_count; ++i) {
    ByteReader s(base::clipped(from, sections + i * section_size, section_size), layout.order);
    s.u32();
    const std::uint32_t kind = s.u32();
    s.skip(layout.wide ? 16 : 8);
    const std::uint64_t offset = layout.word(s), size = layout.word(s);
    if (s.ok() && kind != kNoBits && kind != 0) reach(offset, size);
  }
  return end;
}

std::optional<Chunk> measure(ByteView blob, std::uint64_t at) {
  const ByteView from = base::clipped(blob, at);
  if (from.size() < 52) return std::nullopt;
  std::uint16_t machine = 0;
  const auto end = end_of(from, machine);
  if (!end) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = *end;
  chunk.note = fmt::format("{}-bit {}-endian, machine {}", from[4] == 2 ? 64 : 32, from[5] == 1 ? "little" : "big", machine);
  clip_to_blob(chunk, blob);
  return chunk;
}

}  // namespace

const Format elf_format = {.name = "elf", .title = "ELF", .reference = "System V ABI, chapter 4", .limits = "measured only; bytes after the end are looked at for themselves",
                           .kind = Format::Kind::data, .magics = {{{"\x7f" "ELF"}}}, .measure = measure};

}  // namespace unpack
