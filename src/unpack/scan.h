// A blob in, its chunks out: one pass over all magics, measure, resolve by geometry, decode the streams in what is left,
// and account for every byte. Runs in a worker; its result crosses the pipe as bytes.
#pragma once

#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "unpack/format.h"
#include "unpack/sink.h"

namespace unpack {

struct Scan {
  std::vector<Extent> extents;   // every byte of the blob
  std::vector<Chunk> chunks;     // to be taken apart; sorted by offset. Streams are in `streams` instead
  std::vector<Chunk> streams;    // decoded already: streams[i] is the i-th item of `yield`
  Yield yield;
};

// `carve`: look at every offset; else at the start only. Never fails: what is not understood is unknown.
Scan scan(base::ByteView blob, bool carve, const Allowance& allowance);

base::Bytes write_scan(Scan scan);
base::Result<Scan> read_scan(base::Bytes bytes, std::uint64_t blob_size);

// The extents of `range` of `blob`, none of which is claimed: padding (0x00, 0xFF, or all one byte) and unknown.
std::vector<Extent> unclaimed(base::ByteView blob, std::uint64_t offset, std::uint64_t size);

}  // namespace unpack
