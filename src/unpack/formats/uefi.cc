// UEFI firmware volumes and the files and sections in them. Source: UEFI Platform Initialization 1.7, volume 3, chapters 2 and 3.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/escape.h"
#include "unpack/format.h"
#include "unpack/formats/lzma_raw.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteReader;
using base::ByteView;
using base::Error;

constexpr std::uint64_t kFileHeader = 24, kLargeFileHeader = 32;
constexpr unsigned kDeepest = 16;
constexpr std::uint64_t kMostFiles = 65'536;
constexpr std::uint64_t kMostDecoded = 256 << 20;
constexpr std::string_view kFfs2 = "8c8ce578-8a3d-4f1c-9935-896185c32dd3", kFfs3 = "5473c07a-3dcb-4dca-bd6f-1e9689e7349a",
                           kFfs1 = "7a9354d9-0468-444a-81ce-0bf617d890df";
constexpr std::string_view kLzma = "ee4e5898-3914-4259-9d6e-dc7bd79403cf", kLzmaFiltered = "d42ae6bd-1352-4bfb-909a-ca72a6eae889",
                           kTiano = "a31280ad-481e-41b6-95e8-127f4c984779";

std::string guid(ByteView at) {
  ByteReader r(at);
  const std::uint32_t a = r.u32();
  const std::uint16_t b = r.u16(), c = r.u16();
  std::string out = fmt::format("{:08x}-{:04x}-{:04x}-", a, b, c);
  for (int i = 0; i < 8; ++i) out += fmt::format("{}{:02x}", i == 2 ? "-" : "", r.u8());
  return out;
}

struct Volume {
  std::string system;
  std::uint64_t size = 0, files = 0;  // `files`: where the first one stands
};

std::optional<Volume> read_volume(ByteView from) {
  const auto length = base::load<std::uint64_t>(from, 32, base::ByteOrder::little);
  const auto header = base::load_le16(from, 48), extension = base::load_le16(from, 52);
  if (!length || !header || !extension || *header < 72 || *header > 4096 || *header % 2 || *length < *header || from.size() < *header || *length > 1U << 30) return std::nullopt;
  std::uint16_t sum = 0;
  for (std::uint64_t i = 0; i < *header; i += 2) sum = static_cast<std::uint16_t>(sum + *base::load_le16(from, i));
  if (sum != 0 || from[55] < 1 || from[55] > 2) return std::nullopt;
  Volume out{guid(from.subspan(16)), *length, *header};
  if (*extension > 0) out.files = base::align_up(*extension + std::uint64_t{base::load_le32(from, *extension + 16ULL).value_or(0)}, 8);
  return out;
}

std::optional<Chunk> measure_volume(ByteView blob, std::uint64_t at) {
  const auto volume = read_volume(base::clipped(blob, at));
  if (!volume) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = volume->size;
  chunk.note = fmt::format("file system {}", volume->system);
  clip_to_blob(chunk, blob);
  return chunk;
}

class Walk {
 public:
  Walk(std::uint64_t offset, Sink& sink) : offset_(offset), sink_(sink) {}

  void volume(ByteView from, const Volume& about) {
    if (about.system != kFfs1 && about.system != kFfs2 && about.system != kFfs3) return;  // variables and the like
    std::uint64_t at = about.files;
    for (std::uint64_t count = 0; count < kMostFiles && !sink_.full(); ++count) {
      ByteReader r(base::clipped(from, at));
      const ByteView name = r.take(16);
      r.u16();
      const std::uint8_t type = r.u8(), attributes = r.u8();
      std::uint64_t size = r.u16();
      size |= static_cast<std::uint64_t>(r.u8()) << 16;
      r.u8();
      if (!r.ok() || std::all_of(name.begin(), name.end(), [](std::uint8_t b) { return b == 0xFF; })) return;  // free space
      const bool large = about.system == kFfs3 && attributes & 1;
      if (large) size = r.u64();
      const std::uint64_t header = large ? kLargeFileHeader : kFileHeader;
      if (size < header || !base::in_bounds(at, size, from.size())) return sink_.doubt("damaged", offset_ + at, "a file leads beyond its volume");
      if (type != 0xF0) file("/" + guid(name), type, from.subspan(at + header, size - header));
      at = base::align_up(at + size, 8);
    }
  }

 private:
  void file(const std::string& directory, std::uint8_t type, ByteView contents) {
    if (type == 0x01 || type >= 0xC0) return leaf(directory, "raw.bin", contents);
    sections(directory, contents, 0);
  }

  void leaf(const std::string& directory, std::string_view name, ByteView contents) {
    Node node;
    const std::string path = directory + "/" + std::string(name);
    const unsigned count = names_[path]++;
    node.path = count == 0 ? path : fmt::format("{}/{}-{}", directory, count + 1, name);
    node.mode = 0444;
    sink_.file(std::move(node), contents);
  }

  void sections(const std::string& directory, ByteView from, unsigned depth) {
    if (depth > kDeepest) return sink_.doubt("too-deep", offset_, "sections within sections");
    for (std::uint64_t at = 0; at + 4 <= from.size() && !sink_.full();) {
      std::uint64_t size = *base::load_le32(from, at) & 0xFFFFFF, header = 4;
      const std::uint8_t type = from[at + 3];
      if (size == 0xFFFFFF) {
        size = base::load_le32(from, at + 4).value_or(0);
        header = 8;
      }
      if (size < header || !base::in_bounds(at, size, from.size())) {
        if (at > 0 || from.size() > 16) sink_.doubt("damaged", offset_, fmt::format("{}: a section leads beyond its file", directory));
        return;
      }
      section(directory, type, from.subspan(at, size), header, depth);
      at = base::align_up(at + size, 4);
    }
  }

  void section(const std::string& directory, std::uint8_t type, ByteView whole, std::uint64_t header, unsigned depth) {
    const ByteView body = whole.subspan(header);
    switch (type) {
      case 0x01: return compressed(directory, body, depth);
      case 0x02: return guided(directory, whole, body, depth);
      case 0x03: return sections(directory, body, depth + 1);
      case 0x10: return leaf(directory, "pe32.efi", body);
      case 0x11: return leaf(directory, "pic.efi", body);
      case 0x12: return leaf(directory, "te.efi", body);
      case 0x14: return leaf(directory, "version.utf16", body);
      case 0x15: return leaf(directory, "name.utf16", body);
      case 0x17: return leaf(directory, "volume.fv", body);
      case 0x13:
      case 0x1B:
      case 0x1C: return leaf(directory, "depends.bin", body);
      default: return leaf(directory, fmt::format("section-{:02x}.bin", type), body);
    }
  }

  void not_opened(const std::string& directory, std::string_view what, ByteView packed) {
    sink_.doubt("not-opened", offset_, fmt::format("{}: {}", directory, what));
    leaf(directory, "packed.bin", packed);
  }

  void compressed(const std::string& directory, ByteView body, unsigned depth) {
    if (body.size() < 5) return;
    if (body[4] == 0) return sections(directory, body.subspan(5), depth + 1);
    not_opened(directory, "the UEFI standard compression is not read", body.subspan(5));
  }

  void guided(const std::string& directory, ByteView whole, ByteView body, unsigned depth) {
    if (body.size() < 20) return;
    const std::string method = guid(body);
    const ByteView packed = base::clipped(whole, *base::load_le16(body, 16));
    if (method == kLzma || method == kLzmaFiltered) return lzma(directory, packed, method == kLzmaFiltered, depth);
    const bool processing = *base::load_le16(body, 18) & 1;
    if (method == kTiano || processing) return not_opened(directory, fmt::format("section method {} is not read", method), packed);
    sections(directory, packed, depth + 1);  // a signature or checksum around plain sections
  }

  void lzma(const std::string& directory, ByteView packed, bool filtered, unsigned depth) {
    if (filtered) return not_opened(directory, "LZMA with the x86 filter is not read", packed);
    Allowance allowance;
    allowance.bytes = kMostDecoded;
    Sink scratch(packed, packed.size(), allowance);
    scratch.begin_blob("sections");
    const bool complete = append_lzma_alone(packed, scratch);
    scratch.end();
    const Yield yield = scratch.take();
    if (!complete) sink_.doubt("damaged-stream", offset_, fmt::format("{}: the LZMA data is damaged; what came out is kept", directory));
    sections(directory, yield.data, depth + 1);
  }

  std::uint64_t offset_;
  Sink& sink_;
  std::map<std::string, unsigned> names_;
};

base::Result<void> extract_volume(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  const auto volume = read_volume(from);
  if (!volume) return base::fail(Error::Kind::damaged, "the volume's header does not read");
  Walk(chunk.offset, sink).volume(from, *volume);
  return {};
}

}  // namespace

const Format uefi_format = {.name = "uefi-volume", .title = "UEFI firmware volume (FFS 1 to 3)", .reference = "UEFI PI 1.7, volume 3",
                            .limits = "LZMA sections are opened, not those of the standard (Tiano) compression or with the x86 filter; variables are not read",
                            .kind = Format::Kind::archive, .magics = {{{"_FVH", 40}}}, .measure = measure_volume, .extract = extract_volume};

}  // namespace unpack
