// One compressed JFFS2 data node in, its contents out.
#pragma once

#include <span>

#include "base/bytes.h"

namespace unpack {

// The compression numbers of Linux include/uapi/linux/jffs2.h; 8 is OpenWrt's lzma.
enum class Jffs2Codec : std::uint8_t { none = 0, zero, rtime, rubinmips, copy, dynrubin, zlib, lzo, lzma };

// False when the bytes do not fill `out` exactly.
bool jffs2_decompress(Jffs2Codec codec, base::ByteView packed, std::span<std::uint8_t> out);

}  // namespace unpack
