// One compressed squashfs block in, its contents out. Vendors change how LZMA blocks begin; the codec finds out which
// way by trying on the first block and keeps to it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace unpack {

enum class SquashCodec : std::uint8_t {
  unknown,
  zlib,
  lzma_alone,     // 13-byte header: properties, dictionary, size (squashfs-tools' own lzma; id 2 of version 4)
  lzma_props,     // 5-byte header, no size
  lzma_sized,     // 5-byte header, 4-byte size (OpenWrt's squashfs 3 and its relatives)
  lzma_raw,       // no header; lc, lp, pb are found by trying (DD-WRT, Broadcom)
  lzo, xz, lz4, zstd,
};

std::string_view name_of(SquashCodec codec);

class SquashDecoder {
 public:
  // `codec` unknown: found on the first block by trying zlib and the LZMA variants. lzma_alone: the variants too.
  explicit SquashDecoder(SquashCodec codec);
  ~SquashDecoder();
  SquashDecoder(const SquashDecoder&) = delete;
  SquashDecoder& operator=(const SquashDecoder&) = delete;

  // The number of bytes put into `out`, or nothing when the block is damaged. `out` is as large as a block may get.
  std::optional<std::size_t> decode(base::ByteView block, std::span<std::uint8_t> out);

  SquashCodec codec() const { return codec_; }

 private:
  // `loose`: an LZMA stream may end without its end marker.
  std::optional<std::size_t> attempt(SquashCodec codec, base::ByteView block, std::span<std::uint8_t> out, bool loose);
  std::optional<std::size_t> raw(base::ByteView block, std::span<std::uint8_t> out, bool loose);

  SquashCodec codec_;
  bool settled_ = false;        // a block has been decoded with codec_
  int raw_properties_ = -1;     // lzma_raw: the properties byte that worked
  struct State;                 // libraries' reusable contexts
  std::unique_ptr<State> state_;
};

}  // namespace unpack
