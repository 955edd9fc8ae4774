// Inputs into a Firmware, wave by wave: scan the new blobs and take their chunks apart in workers, take in what came
// back, until nothing is new. Then account for every byte and compose the file systems.
#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "base/worker.h"
#include "unpack/compose.h"
#include "unpack/inputs.h"
#include "unpack/scan.h"
#include "unpack/unpack.h"

namespace unpack {
namespace {

using base::Bytes;
using base::ByteView;
using base::Error;

constexpr std::uint64_t kLeastBlob = 8;  // bytes; nothing smaller holds anything

// A blob to be scanned, or a chunk of one to be taken apart.
struct Task {
  BlobId blob;
  std::optional<Chunk> chunk;
  bool carve = true;  // scans: look at every offset
};

class Opener {
 public:
  Opener(Firmware& firmware, const Options& options) : fw_(firmware), options_(options) {
    left_.bytes = options.budgets.bytes;
    left_.files = options.budgets.files;
    left_.ratio = options.budgets.ratio;
    left_.ratio_floor = options.budgets.ratio_floor;
    for (std::size_t i = 0; i < fw_.blobs.size(); ++i) depth_.push_back(0);
  }

  void run() {
    for (std::size_t i = 0; i < fw_.blobs.size(); ++i) want_scan(fw_.blobs.id_at(i));
    while (!next_.empty()) wave(std::exchange(next_, {}));
  }

 private:
  void want_scan(BlobId id) {
    Blob& blob = fw_.blobs[id];
    if (blob.bytes.empty()) return;
    if (blob.bytes.size() < kLeastBlob || depth_[id.index] > options_.budgets.depth) {
      blob.extents = unclaimed(blob.bytes, 0, blob.bytes.size());
      if (blob.bytes.size() >= kLeastBlob)
        doubt("too-deep", blob.name, 0, fmt::format("not looked into: more than {} containers deep", options_.budgets.depth));
      return;
    }
    next_.push_back({id, std::nullopt, options_.carve});
  }

  void doubt(std::string name, std::string where, std::uint64_t offset, std::string detail, std::uint64_t count = 1) {
    base::add_doubt(fw_.doubts, {std::move(name), std::move(where), offset, std::move(detail), count});
  }

  void wave(const std::vector<Task>& tasks) {
    std::vector<base::WorkerFunction> functions;
    // A worker doubles what it holds when it grows: a third of its memory is what it can hand back.
    Allowance allowance = left_;
    if (options_.workers && options_.worker_memory_bytes > 0) allowance.bytes = std::min(allowance.bytes, options_.worker_memory_bytes / 3);
    for (const Task& task : tasks) {
      const ByteView bytes = fw_.blobs[task.blob].bytes;
      if (task.chunk) functions.push_back([bytes, &task, allowance] { return take_apart(bytes, *task.chunk, allowance); });
      else functions.push_back([bytes, carve = task.carve, allowance] { return write_scan(scan(bytes, carve, allowance)); });
    }
    auto results = options_.workers ? run_confined(functions) : run_here(functions);
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      if (tasks[i].chunk) take_in_chunk(tasks[i], std::move(results[i]));
      else take_in_scan(tasks[i], std::move(results[i]));
    }
  }

  std::vector<base::Result<Bytes>> run_confined(const std::vector<base::WorkerFunction>& functions) {
    base::WorkerLimits limits;
    limits.memory_bytes = options_.worker_memory_bytes;
    return base::run_workers(limits, options_.jobs, functions, [&](std::size_t done) {
      if (options_.progress) options_.progress("unpacking", done, functions.size());
    });
  }

  static std::vector<base::Result<Bytes>> run_here(const std::vector<base::WorkerFunction>& functions) {
    std::vector<base::Result<Bytes>> out;
    for (const auto& function : functions) out.push_back(function());
    return out;
  }

  static Bytes take_apart(ByteView bytes, const Chunk& chunk, const Allowance& allowance) {
    Sink sink(bytes, chunk.size, allowance);
    if (const auto done = chunk.format->extract(bytes, chunk, sink); !done)
      sink.doubt("damaged", chunk.offset, done.error().message);
    return write_yield(sink.take());
  }

  void worker_doubt(BlobId id, std::uint64_t offset, std::string_view what, const Error& error) {
    const bool budget = error.kind == Error::Kind::over_budget;
    doubt(budget ? "over-budget" : "decoder-failed", fw_.blobs[id].name, offset, fmt::format("{}: {}", what, error.message));
  }

  void take_in_scan(const Task& task, base::Result<Bytes> result) {
    const BlobId id = task.blob;
    const std::uint64_t size = fw_.blobs[id].bytes.size();
    auto found = result ? read_scan(std::move(*result), size) : base::Result<Scan>(std::unexpected(result.error()));
    if (!found) {
      // What made the search fail may lie anywhere: what begins the blob is still worth a look.
      if (task.carve) next_.push_back({id, std::nullopt, false});
      fw_.blobs[id].extents = unclaimed(fw_.blobs[id].bytes, 0, size);
      return worker_doubt(id, 0, "looking for formats", found.error());
    }
    fw_.blobs[id].extents = std::move(found->extents);
    for (const auto* chunks : {&found->chunks, &found->streams})
      for (const auto& chunk : *chunks) take_in_claim(id, chunk);
    for (auto& chunk : found->chunks)
      if (chunk.format->extract) next_.push_back({id, std::move(chunk), false});
    if (fw_.blobs[id].format.empty() && !fw_.blobs[id].extents.empty()) fw_.blobs[id].format = fw_.blobs[id].extents.front().format;
    take_in_yield(id, found->streams, std::move(found->yield));
  }

  void take_in_claim(BlobId id, const Chunk& chunk) {
    if (chunk.offset == 0) fw_.blobs[id].format = chunk.format->name;
    for (const auto& d : chunk.doubts) doubt(d.name, fw_.blobs[id].name, d.offset, fmt::format("{}: {}", chunk.format->name, d.detail), d.count);
    if (chunk.header > 0 && chunk.header < chunk.size) wrappers_.push_back({id, chunk});
  }

  void take_in_chunk(const Task& task, base::Result<Bytes> result) {
    const std::uint64_t size = fw_.blobs[task.blob].bytes.size();
    auto yield = result ? read_yield(std::move(*result), size) : base::Result<Yield>(std::unexpected(result.error()));
    if (!yield) return worker_doubt(task.blob, task.chunk->offset, task.chunk->format->name, yield.error());
    take_in_yield(task.blob, {*task.chunk}, std::move(*yield));
  }

  // `sources`: one chunk for all items, or one for each.
  void take_in_yield(BlobId parent, const std::vector<Chunk>& sources, Yield yield) {
    const std::string parent_name = fw_.blobs[parent].name;
    for (const auto& d : yield.doubts) {
      const std::string what = sources.size() == 1 ? std::string(sources[0].format->name) : "streams";
      doubt(d.name, parent_name, d.offset, fmt::format("{}: {}", what, d.detail), d.count);
    }
    if (yield.items.empty()) return;
    if (!yield.data.empty()) fw_.buffers.push_back(std::move(yield.data));
    const ByteView data = yield.items.empty() || fw_.buffers.empty() ? ByteView{} : ByteView(fw_.buffers.back());
    std::vector<Node> nodes;
    for (std::size_t i = 0; i < yield.items.size(); ++i) {
      Item& item = yield.items[i];
      const Chunk& source = sources.size() == 1 ? sources[0] : sources[i];
      if (!charge(item, parent_name)) break;
      BlobId made;
      if (item.contents != Item::Contents::none) made = add_blob(parent, source, item, data);
      if (!item.is_node) continue;
      item.node.blob = made;
      if (made.valid()) item.node.size = fw_.blobs[made].bytes.size();
      nodes.push_back(std::move(item.node));
    }
    join_links(nodes);
    if (!nodes.empty()) add_file_system(parent, sources[0], std::move(nodes));
  }

  // All names of one inode get its contents, whichever of them brought them; an inode of one name is no link.
  void join_links(std::vector<Node>& nodes) const {
    std::map<std::uint64_t, std::pair<BlobId, std::size_t>> inodes;
    for (const Node& node : nodes) {
      if (node.inode == 0 || node.type != NodeType::regular) continue;
      auto& [blob, names] = inodes[node.inode];
      ++names;
      if (node.blob.valid() && (!blob.valid() || fw_.blobs[node.blob].bytes.size() > fw_.blobs[blob].bytes.size())) blob = node.blob;
    }
    for (Node& node : nodes) {
      const auto known = inodes.find(node.inode);
      if (node.inode == 0 || known == inodes.end()) continue;
      node.blob = known->second.first;
      node.size = node.blob.valid() ? fw_.blobs[node.blob].bytes.size() : 0;
      if (known->second.second == 1) node.inode = 0;
    }
  }

  bool charge(const Item& item, const std::string& where) {
    const std::uint64_t bytes = item.contents == Item::Contents::inline_data ? item.size : 0;
    if (left_.files > 0 && bytes <= left_.bytes) {
      --left_.files;
      left_.bytes -= bytes;
      return true;
    }
    doubt("over-budget", where, 0, "the rest is left out: the budget of the whole input is used up");
    return false;
  }

  BlobId add_blob(BlobId parent, const Chunk& source, const Item& item, ByteView data) {
    const bool view = item.contents == Item::Contents::view;
    const ByteView whole = view ? fw_.blobs[parent].bytes : data;
    const std::string base_name = fw_.blobs[parent].name;
    Blob blob;
    if (item.is_node) blob.name = fmt::format("{}@0x{:x}.{}:{}", base_name, source.offset, source.format->name, item.node.path);
    else if (view || source.format->kind != Format::Kind::stream) blob.name = fmt::format("{}@0x{:x}.{}:{}", base_name, source.offset, source.format->name, item.name);
    else blob.name = fmt::format("{}@0x{:x}.{}", base_name, source.offset, source.format->name);
    blob.bytes = base::clipped(whole, item.offset, item.size);
    blob.parent = parent;
    blob.parent_offset = view ? item.offset : source.offset;
    blob.is_view = view;
    blob.decoded_by = source.format->name;
    const BlobId id = fw_.blobs.add(std::move(blob));
    depth_.push_back(depth_[parent.index] + 1);
    want_scan(id);
    return id;
  }

  void add_file_system(BlobId blob, const Chunk& source, std::vector<Node> nodes) {
    FileSystem fs;
    fs.blob = blob;
    fs.offset = source.offset;
    fs.size = source.size;
    fs.format = source.format->name;
    std::size_t duplicates = 0;
    fs.tree = Tree(std::move(nodes), &duplicates);
    if (duplicates > 0)
      doubt("duplicate-name", fw_.blobs[blob].name, source.offset, "a path occurs more than once; the last one counts", duplicates);
    fw_.file_systems.add(std::move(fs));
  }

 public:
  // A wrapper's claim becomes its header, its parts' own extents, and what lies in neither.
  void flatten() {
    for (std::size_t i = wrappers_.size(); i-- > 0;) flatten_one(wrappers_[i].first, wrappers_[i].second);
  }

 private:
  void flatten_one(BlobId id, const Chunk& chunk) {
    std::vector<const Blob*> parts;
    for (std::size_t i = id.index + 1; i < fw_.blobs.size(); ++i) {
      const Blob& blob = fw_.blobs[fw_.blobs.id_at(i)];
      if (blob.parent == id && blob.is_view && blob.decoded_by == chunk.format->name && blob.parent_offset >= chunk.offset &&
          blob.parent_offset + blob.bytes.size() <= chunk.offset + chunk.size)
        parts.push_back(&blob);
    }
    std::stable_sort(parts.begin(), parts.end(), [](const Blob* a, const Blob* b) { return a->parent_offset < b->parent_offset; });
    Blob& whole = fw_.blobs[id];
    std::vector<Extent> fresh = {{chunk.offset, chunk.header, Extent::Kind::claimed, std::string(chunk.format->name), chunk.note}};
    std::uint64_t at = chunk.offset + chunk.header;
    const auto fill = [&](std::uint64_t to) {
      if (to <= at) return;
      const auto rest = unclaimed(whole.bytes, at, to - at);
      fresh.insert(fresh.end(), rest.begin(), rest.end());
      at = to;
    };
    for (const Blob* part : parts) {
      if (part->parent_offset < at || part->extents.empty()) continue;  // overlaps what is accounted for
      fill(part->parent_offset);
      for (Extent extent : part->extents) {
        extent.offset += part->parent_offset;
        fresh.push_back(std::move(extent));
      }
      at = part->parent_offset + part->bytes.size();
    }
    fill(chunk.offset + chunk.size);
    const auto old = std::find_if(whole.extents.begin(), whole.extents.end(), [&](const Extent& e) {
      return e.offset == chunk.offset && e.size == chunk.size && e.kind == Extent::Kind::claimed;
    });
    if (old == whole.extents.end()) return;
    const auto gap = whole.extents.erase(old);
    whole.extents.insert(gap, fresh.begin(), fresh.end());
  }

  Firmware& fw_;
  const Options& options_;
  Allowance left_;
  std::vector<unsigned> depth_;  // by blob
  std::vector<Task> next_;
  std::vector<std::pair<BlobId, Chunk>> wrappers_;  // in order of discovery: parts come after what holds them
};

void finish(Firmware& firmware, const Options& options) {
  Opener opener(firmware, options);
  opener.run();
  opener.flatten();
  compose(firmware);
  std::stable_sort(firmware.doubts.begin(), firmware.doubts.end(), [](const base::Doubt& a, const base::Doubt& b) {
    return std::tie(a.where, a.offset, a.name) < std::tie(b.where, b.offset, b.name);
  });
}

}  // namespace

base::Result<Firmware> open(const std::vector<std::string>& inputs, const Options& options) {
  auto firmware = read_inputs(inputs, options);
  if (!firmware) return std::unexpected(firmware.error());
  finish(*firmware, options);
  return firmware;
}

Firmware open_bytes(Bytes bytes, const std::string& name, const Options& options) {
  Firmware firmware;
  add_input(firmware, std::move(bytes), name);
  finish(firmware, options);
  return firmware;
}

}  // namespace unpack
