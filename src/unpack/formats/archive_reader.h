// libarchive over bytes in memory, into the Sink.
#pragma once

#include "unpack/format.h"

struct archive;

namespace unpack {

// Reads `bytes` (which begin at `offset` of the blob, for doubts) with the format readers that `enable` switches on.
// Hard links share an inode number; names that climb out stay inside; what needs a password gets the doubt
// `password-protected`. What came out before an error is kept, and the error returned.
base::Result<void> read_archive(base::ByteView bytes, std::uint64_t offset, void (*enable)(archive*), Sink& sink);

}  // namespace unpack
