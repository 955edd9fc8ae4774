// The only door that extracted things go through. A decoder (in its worker) fills a Sink under a budget; the sink turns
// into bytes for the pipe, and the parent reads them back, checking everything again: a worker is not trusted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "unpack/firmware.h"

namespace unpack {

// How much one chunk may still yield.
struct Allowance {
  std::uint64_t bytes = std::uint64_t{2} << 30;
  std::uint64_t files = 400'000;
  std::uint64_t ratio = 2000;                           // contents per byte of the chunk …
  std::uint64_t ratio_floor = std::uint64_t{256} << 20;  // … once beyond this many bytes
};

// One thing that came out of a chunk: a name in a file system (`is_node`), or a bare blob.
struct Item {
  bool is_node = false;
  Node node;          // when is_node; its blob is not set
  std::string name;   // bare blob: what it is, e.g. "kernel"
  enum class Contents : std::uint8_t { none, inline_data, view } contents = Contents::none;
  std::uint64_t offset = 0, size = 0;  // into the sink's data, or into the source blob
};

// What a chunk yielded, on either side of the pipe.
struct Yield {
  std::vector<Item> items;
  base::Doubts doubts;  // `where` is filled in by the parent
  base::Bytes data;     // what inline items point into
};

class Sink {
 public:
  // `source`: the blob being read; contents that lie inside it are kept as views. `chunk_size`: for the ratio.
  Sink(base::ByteView source, std::uint64_t chunk_size, const Allowance& allowance);

  // A name without contents (anything but a regular file), or with contents given whole.
  void node(Node node);
  void file(Node node, base::ByteView contents);
  // A part of the source or a decoded stream, given whole.
  void blob(std::string name, base::ByteView contents);

  // The same piecewise: begin, any number of appends, end. Budgets may cut appends short. Pieces of the source that lie
  // one behind the other are not copied.
  void begin_file(Node node);
  void begin_blob(std::string name);
  void append(base::ByteView bytes);
  void append_zeros(std::uint64_t count);
  // Room for `size` bytes to decode into; commit() says how many were filled. Empty when the budget does not allow it.
  std::span<std::uint8_t> room(std::uint64_t size);
  void commit(std::uint64_t filled);
  void end();
  void drop();  // forgets the open item and its bytes
  std::uint64_t open_size() const { return data_.size() - open_at_ + view_size_; }  // bytes in the open item

  // kebab-case name; `offset` from the start of the source blob.
  void doubt(std::string name, std::uint64_t offset, std::string detail);

  // True once a budget is used up: the decoder should stop. The doubt is made here.
  bool full() const { return full_; }

  // Everything so far, and the sink is empty again.
  Yield take();

 private:
  bool charge(std::uint64_t bytes);
  bool charge_view(std::uint64_t bytes);
  bool in_source(base::ByteView bytes) const;
  bool copy_view();
  void make_room(std::uint64_t more);
  bool charge_file();
  void add(Item item, base::ByteView contents);

  base::ByteView source_;
  Allowance left_;
  std::uint64_t most_;  // bytes that the ratio allows
  std::uint64_t expected_;  // a guess at how many will come
  std::uint64_t used_ = 0;
  bool full_ = false;
  bool open_ = false;
  bool dropped_ = false;
  std::uint64_t open_at_ = 0;
  std::uint64_t view_at_ = 0, view_size_ = 0;  // the open item, as long as it is one range of the source
  std::uint64_t viewed_ = 0;                   // bytes of all views: overlapping ones are bounded, too
  Item item_;
  std::vector<Item> items_;
  base::Doubts doubts_;
  base::Bytes data_;
};

// A yield as bytes for the pipe, and back. Reading checks every offset and path and fails on the first lie.
base::Bytes write_yield(Yield yield);
base::Result<Yield> read_yield(base::Bytes bytes, std::uint64_t source_size);

}  // namespace unpack
