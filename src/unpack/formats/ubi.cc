// UBI images into their volumes. Source: Linux drivers/mtd/ubi/ubi-media.h. Big-endian. Every erase block begins with an
// erase counter header; the volume header behind it says which logical block of which volume it holds; of two copies the
// one with the larger sequence number counts.
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <map>

#include <fmt/format.h>

#include "base/escape.h"
#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteOrder;
using base::ByteReader;
using base::ByteView;

constexpr std::uint32_t kLayoutVolume = 0x7FFFEFFF;
constexpr std::uint64_t kHeader = 64, kVolumeRecord = 172;
constexpr std::uint32_t kMostBlocks = 1 << 20;

std::uint32_t crc(ByteView bytes) { return ~static_cast<std::uint32_t>(crc32_z(0, bytes.data(), bytes.size())); }

struct EraseHeader {
  std::uint32_t volume_header = 0, data = 0;
};

std::optional<EraseHeader> read_erase_header(ByteView blob, std::uint64_t at) {
  const ByteView bytes = base::clipped(blob, at, kHeader);
  if (bytes.size() < kHeader || base::as_text(bytes.first(4)) != "UBI#" || crc(bytes.first(60)) != *base::load_be32(bytes, 60)) return std::nullopt;
  EraseHeader out{*base::load_be32(bytes, 16), *base::load_be32(bytes, 20)};
  if (out.volume_header < kHeader || out.data <= out.volume_header || out.data > (1U << 20)) return std::nullopt;
  return out;
}

// The erase block's size: the distance to the next header on a power of two.
std::uint64_t block_size(ByteView blob, std::uint64_t at) {
  for (std::uint64_t size = 512; size <= (8U << 20) && at + size < blob.size(); size *= 2)
    if (read_erase_header(blob, at + size)) return size;
  return 0;
}

std::optional<Chunk> measure(ByteView blob, std::uint64_t at) {
  if (!read_erase_header(blob, at)) return std::nullopt;
  const std::uint64_t size = block_size(blob, at);
  if (size == 0) return std::nullopt;
  std::uint64_t end = at, blank = 0, last = at;
  while (end < blob.size() && blank < 64) {  // blocks that went bad or were never used have no header
    if (read_erase_header(blob, end)) {
      last = std::min<std::uint64_t>(end + size, blob.size());
      blank = 0;
    } else {
      ++blank;
    }
    end += size;
  }
  Chunk chunk;
  chunk.offset = at;
  chunk.size = last - at;
  chunk.note = fmt::format("erase blocks of {} bytes", size);
  return chunk;
}

struct Block {
  std::uint64_t sequence = 0, offset = 0, length = 0;
};

struct Volumes {
  std::map<std::uint32_t, std::map<std::uint32_t, Block>> blocks;  // by volume, then by number
  std::map<std::uint32_t, std::string> names;
  std::uint64_t block = 0;  // bytes of data in one
};

Volumes read_volumes(ByteView image, std::uint64_t size) {
  Volumes out;
  for (std::uint64_t at = 0; at < image.size(); at += size) {
    const auto erase = read_erase_header(image, at);
    if (!erase || erase->data >= size) continue;
    ByteReader r(base::clipped(image, at + erase->volume_header, kHeader), ByteOrder::big);
    const std::uint32_t magic = r.u32();
    r.u8();
    const std::uint8_t type = r.u8();
    r.skip(2);
    const std::uint32_t volume = r.u32(), number = r.u32();
    r.u32();
    const std::uint32_t length = r.u32();
    r.skip(4);
    const std::uint32_t pad = r.u32();
    r.skip(8);
    const std::uint64_t sequence = r.u64();
    if (!r.ok() || magic != 0x55424921 || number >= kMostBlocks || pad >= size) continue;  // "UBI!"
    out.block = std::max(out.block, size - erase->data - pad);
    Block& block = out.blocks[volume][number];
    if (block.length != 0 && sequence < block.sequence) continue;
    const std::uint64_t whole = size - erase->data - pad;
    block = {sequence, at + erase->data, type == 2 && length <= whole ? length : whole};  // 2: static, exact length
  }
  return out;
}

void read_names(ByteView image, Volumes& volumes) {
  const auto layout = volumes.blocks.find(kLayoutVolume);
  if (layout == volumes.blocks.end()) return;
  const Block& block = layout->second.begin()->second;
  const ByteView table = base::clipped(image, block.offset, block.length);
  for (std::uint32_t i = 0; i < 128; ++i) {
    ByteReader r(base::clipped(table, i * kVolumeRecord, kVolumeRecord), ByteOrder::big);
    const std::uint32_t reserved = r.u32();
    r.skip(10);
    const std::uint16_t length = r.u16();
    const std::string_view name = r.fixed_text(128);
    if (r.ok() && reserved > 0 && length > 0) volumes.names[i] = base::escape_bytes(name.substr(0, length));
  }
}

base::Result<void> extract(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView image = blob.subspan(chunk.offset, chunk.size);
  const std::uint64_t size = block_size(blob, chunk.offset);
  if (size == 0) return base::fail(base::Error::Kind::damaged, "the size of the erase blocks is not clear");
  Volumes volumes = read_volumes(image, size);
  read_names(image, volumes);
  static const base::Bytes erased(4096, 0xFF);
  for (const auto& [id, blocks] : volumes.blocks) {
    if (id == kLayoutVolume || sink.full()) continue;
    const auto name = volumes.names.find(id);
    sink.begin_blob(name == volumes.names.end() ? fmt::format("volume-{}", id) : name->second);
    for (std::uint32_t number = 0; number <= blocks.rbegin()->first && !sink.full(); ++number) {
      const auto block = blocks.find(number);
      if (block != blocks.end()) {
        sink.append(base::clipped(image, block->second.offset, block->second.length));
      } else {
        for (std::uint64_t left = volumes.block; left > 0 && !sink.full(); left -= std::min<std::uint64_t>(left, erased.size()))
          sink.append(ByteView(erased).first(std::min<std::uint64_t>(left, erased.size())));
      }
    }
    sink.end();
  }
  return {};
}

}  // namespace

const Format ubi_format = {.name = "ubi", .title = "UBI", .reference = "Linux drivers/mtd/ubi/ubi-media.h", .limits = "fastmap is not used: every block's header is read",
                           .kind = Format::Kind::wrapper, .magics = {{{"UBI#"}}}, .measure = measure, .extract = extract};

}  // namespace unpack
