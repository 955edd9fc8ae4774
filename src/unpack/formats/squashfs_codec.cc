// Squashfs blocks through zlib, liblzma, lzo, lz4 and zstd. See squashfs_codec.h.
#include "unpack/formats/squashfs_codec.h"

#include <lz4.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
#include <zlib.h>
#include <zstd.h>

#include <array>

namespace unpack {
namespace {

constexpr std::uint64_t kLzmaMemory = std::uint64_t{256} << 20;

// Runs `stream`, already set up, over the whole block. A block may lack its end marker: a full `out`, or input used up,
// is an end as well when `loose`.
std::optional<std::size_t> run(lzma_stream& stream, base::ByteView block, std::span<std::uint8_t> out, bool loose) {
  stream.next_in = block.data();
  stream.avail_in = block.size();
  stream.next_out = out.data();
  stream.avail_out = out.size();
  const lzma_ret end = lzma_code(&stream, LZMA_FINISH);
  const std::size_t made = out.size() - stream.avail_out;
  if (end == LZMA_STREAM_END) return made;
  // A raw stream without an end marker stops with BUF_ERROR or OK once its input is used up.
  const bool used_up = stream.avail_in == 0 && (end == LZMA_BUF_ERROR || end == LZMA_OK);
  if (loose && made > 0 && used_up) return made;
  if (loose && made == out.size() && (end == LZMA_OK || end == LZMA_BUF_ERROR)) return made;
  return std::nullopt;
}

bool split_properties(unsigned byte, lzma_options_lzma& options) {
  if (byte >= 9 * 5 * 5) return false;
  options.lc = byte % 9;
  options.lp = byte / 9 % 5;
  options.pb = byte / 45;
  return options.lc + options.lp <= 4;
}

}  // namespace

struct SquashDecoder::State {
  lzma_stream lzma = LZMA_STREAM_INIT;
  ZSTD_DCtx* zstd = nullptr;
  z_stream zlib{};
  bool zlib_ready = false;
  ~State() {
    lzma_end(&lzma);
    ZSTD_freeDCtx(zstd);
    if (zlib_ready) inflateEnd(&zlib);
  }
};

std::string_view name_of(SquashCodec codec) {
  switch (codec) {
    case SquashCodec::unknown: return "unknown compression";
    case SquashCodec::zlib: return "gzip";
    case SquashCodec::lzma_alone: return "lzma";
    case SquashCodec::lzma_props: return "lzma, 5-byte headers";
    case SquashCodec::lzma_sized: return "lzma, 9-byte headers";
    case SquashCodec::lzma_raw: return "lzma without headers";
    case SquashCodec::lzo: return "lzo";
    case SquashCodec::xz: return "xz";
    case SquashCodec::lz4: return "lz4";
    case SquashCodec::zstd: return "zstd";
  }
  return "";
}

SquashDecoder::SquashDecoder(SquashCodec codec) : codec_(codec), state_(std::make_unique<State>()) {}
SquashDecoder::~SquashDecoder() = default;

std::optional<std::size_t> SquashDecoder::decode(base::ByteView block, std::span<std::uint8_t> out) {
  if (settled_ || (codec_ != SquashCodec::unknown && codec_ != SquashCodec::lzma_alone)) return attempt(codec_, block, out, true);
  static constexpr std::array kTried = {SquashCodec::zlib, SquashCodec::xz, SquashCodec::lzma_alone,
                                        SquashCodec::lzma_sized, SquashCodec::lzma_props, SquashCodec::lzma_raw};
  // Any variant that reaches a proper end before one that merely runs out of input.
  for (const bool loose : {false, true})
    for (const SquashCodec tried : kTried) {
      if (codec_ == SquashCodec::lzma_alone && tried < SquashCodec::lzma_alone) continue;
      if (const auto made = attempt(tried, block, out, loose)) {
        codec_ = tried;
        settled_ = true;
        return made;
      }
    }
  return std::nullopt;
}

std::optional<std::size_t> SquashDecoder::raw(base::ByteView block, std::span<std::uint8_t> out, bool loose) {
  lzma_options_lzma options{};
  options.dict_size = 1 << 23;
  const lzma_filter filters[] = {{LZMA_FILTER_LZMA1, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  // Common properties first: 0x5D (3,0,2), 0x6D (1,2,2: OpenWrt's), 0x6C (0,2,2: DD-WRT's).
  static constexpr std::array<int, 3> kCommon = {0x5D, 0x6D, 0x6C};
  for (int i = 0; i < 3 + 225; ++i) {
    const int byte = raw_properties_ >= 0 ? raw_properties_ : i < 3 ? kCommon[static_cast<std::size_t>(i)] : i - 3;
    if (split_properties(static_cast<unsigned>(byte), options) &&
        lzma_raw_decoder(&state_->lzma, filters) == LZMA_OK)
      if (const auto made = run(state_->lzma, block, out, loose)) {
        raw_properties_ = byte;
        return made;
      }
    if (raw_properties_ >= 0) break;
  }
  return std::nullopt;
}

std::optional<std::size_t> SquashDecoder::attempt(SquashCodec codec, base::ByteView block, std::span<std::uint8_t> out, bool loose) {
  switch (codec) {
    case SquashCodec::unknown: return std::nullopt;
    case SquashCodec::zlib: {
      z_stream& z = state_->zlib;
      if (!state_->zlib_ready) {
        if (inflateInit(&z) != Z_OK) return std::nullopt;
        state_->zlib_ready = true;
      } else if (inflateReset(&z) != Z_OK) {
        return std::nullopt;
      }
      z.next_in = const_cast<Bytef*>(block.data());
      z.avail_in = static_cast<uInt>(block.size());
      z.next_out = out.data();
      z.avail_out = static_cast<uInt>(out.size());
      if (inflate(&z, Z_FINISH) != Z_STREAM_END) return std::nullopt;
      return out.size() - z.avail_out;
    }
    case SquashCodec::xz: {
      if (lzma_stream_decoder(&state_->lzma, kLzmaMemory, 0) != LZMA_OK) return std::nullopt;
      return run(state_->lzma, block, out, false);
    }
    case SquashCodec::lzma_alone: {
      if (block.size() < 13 || lzma_alone_decoder(&state_->lzma, kLzmaMemory) != LZMA_OK) return std::nullopt;
      return run(state_->lzma, block, out, false);
    }
    case SquashCodec::lzma_props:
    case SquashCodec::lzma_sized: {
      const std::size_t header = codec == SquashCodec::lzma_props ? 5 : 9;
      lzma_options_lzma options{};
      if (block.size() <= header || !split_properties(block[0], options)) return std::nullopt;
      options.dict_size = base::load_le32(block, 1).value_or(0);
      if (options.dict_size == 0 || options.dict_size > kLzmaMemory / 2) return std::nullopt;
      std::span<std::uint8_t> target = out;
      if (codec == SquashCodec::lzma_sized) {
        const std::uint32_t size = base::load_le32(block, 5).value_or(0);
        if (size == 0 || size > out.size()) return std::nullopt;
        target = out.first(size);
      }
      const lzma_filter filters[] = {{LZMA_FILTER_LZMA1, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
      if (lzma_raw_decoder(&state_->lzma, filters) != LZMA_OK) return std::nullopt;
      const auto made = run(state_->lzma, block.subspan(header), target, loose || codec == SquashCodec::lzma_sized);
      return codec == SquashCodec::lzma_sized && made != target.size() ? std::nullopt : made;
    }
    case SquashCodec::lzma_raw: return raw(block, out, loose);
    case SquashCodec::lzo: {
      lzo_uint made = out.size();
      if (lzo1x_decompress_safe(block.data(), block.size(), out.data(), &made, nullptr) != LZO_E_OK) return std::nullopt;
      return made;
    }
    case SquashCodec::lz4: {
      const int made = LZ4_decompress_safe(reinterpret_cast<const char*>(block.data()), reinterpret_cast<char*>(out.data()),
                                           static_cast<int>(block.size()), static_cast<int>(out.size()));
      if (made < 0) return std::nullopt;
      return static_cast<std::size_t>(made);
    }
    case SquashCodec::zstd: {
      if (!state_->zstd) state_->zstd = ZSTD_createDCtx();
      const std::size_t made = ZSTD_decompressDCtx(state_->zstd, out.data(), out.size(), block.data(), block.size());
      if (ZSTD_isError(made)) return std::nullopt;
      return made;
    }
  }
  return std::nullopt;
}

}  // namespace unpack
