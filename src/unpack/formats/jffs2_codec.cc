// JFFS2 compressors: zlib, lzo and lzma by their libraries; rtime and rubin from the description of their algorithms in
// Linux fs/jffs2/compr_rtime.c and compr_rubin.c. See jffs2_codec.h.
#include "unpack/formats/jffs2_codec.h"

#include <lzma.h>
#include <lzo/lzo1x.h>
#include <zlib.h>

#include <algorithm>
#include <array>

namespace unpack {
namespace {

using base::ByteView;

// Each literal is followed by a count of bytes to repeat from where that literal stood last.
bool rtime(ByteView in, std::span<std::uint8_t> out) {
  std::array<std::size_t, 256> last{};
  std::size_t from = 0, to = 0;
  while (to < out.size()) {
    if (from + 2 > in.size()) return false;
    const std::uint8_t value = in[from++];
    out[to++] = value;
    std::size_t repeat = in[from++];
    std::size_t source = last[value];
    last[value] = to;
    if (repeat > out.size() - to) return false;
    for (; repeat > 0; --repeat) out[to++] = out[source++];
  }
  return true;
}

// Rubin: a binary range coder whose eight bit positions of a byte have fixed probabilities.
class Rubin {
 public:
  Rubin(ByteView in, unsigned divider, const std::array<unsigned, 8>& bits) : in_(in), divider_(divider), bits_(bits) {
    for (int i = 0; i < 16; ++i) code_ = code_ << 1 | next_bit();
  }
  std::uint8_t byte() {
    unsigned out = 0;
    for (unsigned i = 0; i < 8; ++i) out |= static_cast<unsigned>(decode(divider_ - bits_[i], bits_[i])) << i;
    return static_cast<std::uint8_t>(out);
  }
  bool overrun() const { return at_ > in_.size() * 8 + 64; }

 private:
  static constexpr unsigned kUpper = 1U << 15, kLower = kUpper >> 1;

  unsigned next_bit() {
    const std::size_t byte = at_ / 8, shift = 7 - at_ % 8;
    ++at_;
    return byte < in_.size() ? in_[byte] >> shift & 1U : 0;
  }

  int decode(unsigned a, unsigned b) {
    while (low_ >= kUpper || low_ + range_ <= kUpper) {
      low_ = (low_ & ~kUpper) << 1;
      range_ <<= 1;
      code_ = (code_ & ~kUpper) << 1 | next_bit();
      if (range_ == 0) return 0;
    }
    unsigned first = static_cast<unsigned>(std::uint64_t{range_} * a / (a + b));
    first = std::clamp(first, 1U, range_ - (range_ > 1 ? 1U : 0U));
    const bool one = code_ >= low_ + first;
    if (one) {
      low_ += first;
      range_ -= first;
    } else {
      range_ = first;
    }
    return one;
  }

  ByteView in_;
  unsigned divider_;
  std::array<unsigned, 8> bits_;
  std::size_t at_ = 0;
  unsigned low_ = 0, range_ = 2 * kUpper, code_ = 0;
};

bool rubin(ByteView in, unsigned divider, const std::array<unsigned, 8>& bits, std::span<std::uint8_t> out) {
  Rubin decoder(in, divider, bits);
  for (std::uint8_t& byte : out) {
    byte = decoder.byte();
    if (decoder.overrun()) return false;
  }
  return true;
}

bool dynamic_rubin(ByteView in, std::span<std::uint8_t> out) {
  if (in.size() < 8) return false;
  std::array<unsigned, 8> bits{};
  std::copy_n(in.begin(), 8, bits.begin());
  return rubin(in.subspan(8), 256, bits, out);
}

// OpenWrt's lzma for JFFS2: raw, lc 0, lp 0, pb 0, dictionary 8 KiB (linux/lzma.h of its patch).
bool lzma(ByteView in, std::span<std::uint8_t> out) {
  lzma_options_lzma options{};
  options.dict_size = 0x2000;
  const lzma_filter filters[] = {{LZMA_FILTER_LZMA1, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_raw_decoder(&stream, filters) != LZMA_OK) return false;
  stream.next_in = in.data();
  stream.avail_in = in.size();
  stream.next_out = out.data();
  stream.avail_out = out.size();
  const lzma_ret code = lzma_code(&stream, LZMA_RUN);
  const bool whole = stream.avail_out == 0;
  lzma_end(&stream);
  return whole && (code == LZMA_OK || code == LZMA_STREAM_END);
}

}  // namespace

bool jffs2_decompress(Jffs2Codec codec, ByteView packed, std::span<std::uint8_t> out) {
  if (out.empty()) return true;
  switch (codec) {
    case Jffs2Codec::none:
    case Jffs2Codec::copy:
      if (packed.size() < out.size()) return false;
      std::copy_n(packed.begin(), out.size(), out.begin());
      return true;
    case Jffs2Codec::zero: std::fill(out.begin(), out.end(), std::uint8_t{0}); return true;
    case Jffs2Codec::rtime: return rtime(packed, out);
    case Jffs2Codec::rubinmips: return rubin(packed, 1043, {277, 249, 290, 267, 229, 341, 212, 241}, out);
    case Jffs2Codec::dynrubin: return dynamic_rubin(packed, out);
    case Jffs2Codec::zlib: {
      uLongf made = out.size();
      const int code = uncompress(out.data(), &made, packed.data(), packed.size());
      return (code == Z_OK || code == Z_BUF_ERROR) && made == out.size();
    }
    case Jffs2Codec::lzo: {
      lzo_uint made = out.size();
      return lzo1x_decompress_safe(packed.data(), packed.size(), out.data(), &made, nullptr) == LZO_E_OK && made == out.size();
    }
    case Jffs2Codec::lzma: return lzma(packed, out);
  }
  return false;
}

}  // namespace unpack
