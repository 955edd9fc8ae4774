// LZMA data whose properties a vendor's header holds, without the header of LZMA_Alone. Source: LZMA SDK, lzma-specification.txt.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "unpack/sink.h"

namespace unpack {

constexpr std::uint64_t kUnknownSize = ~std::uint64_t{0};  // the data has its own end mark

// Decodes `packed` into the sink's open item. `properties`: the byte of lc, lp and pb, then the dictionary's size (u32,
// little-endian). `size`: of the contents. False when the data ends early or is damaged; what came out is kept.
bool append_lzma(base::ByteView properties, base::ByteView packed, std::uint64_t size, Sink& sink);

// The same for a whole LZMA_Alone stream: properties, size (u64), data.
bool append_lzma_alone(base::ByteView stream, Sink& sink);

}  // namespace unpack
