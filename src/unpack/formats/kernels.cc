// Linux kernels as they are shipped: the loaders of x86 and ARM with the packed kernel in them, and the configuration that a
// kernel may carry. Source: Linux Documentation/arch/x86/boot.rst, arch/arm/boot/compressed/head.S, kernel/configs.c.
#include <algorithm>

#include <fmt/format.h>

#include "base/escape.h"
#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteOrder;
using base::ByteView;

// --- bzImage: setup sectors, then the protected-mode part with the payload -----------------------------------------------

std::optional<Chunk> measure_bzimage(ByteView blob, std::uint64_t at) {
  const ByteView from = base::clipped(blob, at);
  const auto protocol = base::load_le16(from, 0x206), version_at = base::load_le16(from, 0x20E);
  const auto paragraphs = base::load_le32(from, 0x1F4), payload = base::load_le32(from, 0x248), length = base::load_le32(from, 0x24C);
  if (!protocol || *protocol < 0x0208 || *protocol > 0x02FF || !version_at || !paragraphs || !payload || !length || base::load_le16(from, 0x1FE) != 0xAA55U) return std::nullopt;
  const std::uint64_t setup = ((from[0x1F1] == 0 ? 4U : from[0x1F1]) + 1ULL) * 512;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = setup + *paragraphs * 16ULL;
  chunk.header = setup + *payload;
  if (*length == 0 || chunk.header + *length > chunk.size) return std::nullopt;
  const std::string_view version = base::as_text(base::clipped(from, 0x200ULL + *version_at, 128));
  chunk.note = base::escape_bytes(version.substr(0, version.find('\0')));
  clip_to_blob(chunk, blob);
  return chunk.size > chunk.header ? std::optional(chunk) : std::nullopt;
}

base::Result<void> extract_bzimage(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  sink.blob("payload", base::clipped(from, chunk.header, base::load_le32(from, 0x24C).value_or(0)));
  return {};
}

// --- ARM zImage: eight no-operations, a branch, then 0x016F2818, start and end at 0x24 ------------------------------------

std::optional<Chunk> measure_zimage(ByteView blob, std::uint64_t at) {
  const ByteView from = base::clipped(blob, at);
  if (from.size() < 0x34) return std::nullopt;
  const ByteOrder order = from[0x24] == 0x18 ? ByteOrder::little : ByteOrder::big;
  const auto start = base::load<std::uint32_t>(from, 0x28, order), end = base::load<std::uint32_t>(from, 0x2C, order);
  // the no-operations are "mov r0, r0", stored in the order of the code, which need not be that of the data
  const auto first = base::load_le32(from, 0), swapped = base::load_be32(from, 0);
  if (!start || !end || *end <= *start || *end - *start < 0x100 || *end - *start > 1U << 28 || (first != 0xE1A00000U && swapped != 0xE1A00000U)) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = *end - *start;
  chunk.header = 0x30;
  chunk.note = order == ByteOrder::little ? "little-endian" : "big-endian";
  clip_to_blob(chunk, blob);
  return chunk.size > chunk.header ? std::optional(chunk) : std::nullopt;
}

base::Result<void> extract_zimage(ByteView blob, const Chunk& chunk, Sink& sink) {
  sink.blob("loader-and-payload", blob.subspan(chunk.offset + chunk.header, chunk.size - chunk.header));
  return {};
}

// --- IKCFG: "IKCFG_ST", gzip, "IKCFG_ED" ----------------------------------------------------------------------------------

constexpr std::uint64_t kMark = 8, kMostConfig = 1 << 20;

std::optional<Chunk> measure_ikconfig(ByteView blob, std::uint64_t at) {
  if (base::load_be16(blob, at + kMark) != 0x1F8BU) return std::nullopt;
  const auto end = base::as_text(base::clipped(blob, at, kMostConfig)).find("IKCFG_ED");
  if (end == std::string_view::npos) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = end + kMark;
  chunk.header = kMark;
  return chunk;
}

base::Result<void> extract_ikconfig(ByteView blob, const Chunk& chunk, Sink& sink) {
  sink.blob("config", blob.subspan(chunk.offset + kMark, chunk.size - 2 * kMark));
  return {};
}

}  // namespace

const Format bzimage_format = {.name = "bzimage", .title = "Linux bzImage (x86)", .reference = "Linux Documentation/arch/x86/boot.rst", .limits = "boot protocol 2.08 and later",
                               .kind = Format::Kind::wrapper, .magics = {{{"HdrS", 0x202}}}, .measure = measure_bzimage, .extract = extract_bzimage};
const Format zimage_format = {.name = "zimage", .title = "Linux zImage (ARM)", .reference = "Linux arch/arm/boot/compressed/head.S", .limits = "the packed kernel is found by searching",
                              .kind = Format::Kind::wrapper, .magics = {{{"\x18\x28\x6f\x01", 0x24}, {"\x01\x6f\x28\x18", 0x24}}}, .measure = measure_zimage, .extract = extract_zimage};
const Format ikconfig_format = {.name = "ikconfig", .title = "Linux kernel configuration (IKCFG)", .reference = "Linux kernel/configs.c", .limits = "",
                                .kind = Format::Kind::wrapper, .magics = {{{"IKCFG_ST"}}}, .measure = measure_ikconfig, .extract = extract_ikconfig};

}  // namespace unpack
