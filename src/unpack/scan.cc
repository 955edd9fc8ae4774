// All magics in one pass, longest claim first, streams in the gaps, padding and unknown for the rest. See scan.h.
#include "unpack/scan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "unpack/wire.h"

namespace unpack {
namespace {

using base::ByteView;

constexpr std::size_t kMostCandidates = 1'000'000;
constexpr std::uint64_t kLeastRun = 512;  // bytes of one value that are padding in the middle of unknown bytes

struct Needle {
  Magic magic;
  const Format* format = nullptr;
  std::uint64_t pick = 0;  // which two bytes of the magic the table is keyed by
};

// The first two bytes that are not blank: a key of zeros would stop at every zero of the image.
std::uint64_t telling_pair(std::string_view magic) {
  for (std::uint64_t i = 0; i + 1 < magic.size(); ++i)
    if (!(magic[i] == 0 && magic[i + 1] == 0) && !(magic[i] == '\xff' && magic[i + 1] == '\xff')) return i;
  return 0;
}

// Magics by two of their bytes.
struct Needles {
  std::array<std::uint16_t, 65536> first{};  // 0: none; else index + 1 into `lists`
  std::vector<std::vector<Needle>> lists;

  Needles() {
    for (const Format* format : formats())
      for (const Magic& magic : format->magics) {
        if (magic.bytes.size() < 2) continue;
        const std::uint64_t pick = telling_pair(magic.bytes);
        std::uint16_t& slot = first[key(base::as_bytes(magic.bytes).data() + pick)];
        if (slot == 0) {
          lists.emplace_back();
          slot = static_cast<std::uint16_t>(lists.size());
        }
        lists[slot - 1U].push_back({magic, format, pick});
      }
  }
  static std::size_t key(const std::uint8_t* at) { return static_cast<std::size_t>(at[0] << 8 | at[1]); }
};

struct Candidate {
  std::uint64_t offset = 0;
  const Format* format = nullptr;
  auto operator<=>(const Candidate&) const = default;
};

void look_at(const Needles& needles, ByteView blob, std::uint64_t at, std::vector<Candidate>& out) {
  const std::uint16_t slot = needles.first[Needles::key(blob.data() + at)];
  if (slot == 0) return;
  for (const Needle& needle : needles.lists[slot - 1U]) {
    if (at < needle.magic.at + needle.pick) continue;
    const std::uint64_t start = at - needle.pick;
    if (base::as_text(base::clipped(blob, start, needle.magic.bytes.size())) != needle.magic.bytes) continue;
    out.push_back({start - needle.magic.at, needle.format});
  }
}

std::vector<Candidate> find_candidates(ByteView blob, bool carve) {
  static const Needles needles;
  std::vector<Candidate> out;
  if (blob.size() < 2) return out;
  if (carve) {
    for (std::uint64_t at = 0; at + 1 < blob.size() && out.size() < kMostCandidates; ++at)
      if (needles.first[Needles::key(blob.data() + at)] != 0) look_at(needles, blob, at, out);
  } else {
    for (const auto& list : needles.lists)
      for (const Needle& needle : list)
        if (base::as_text(base::clipped(blob, needle.magic.at, needle.magic.bytes.size())) == needle.magic.bytes)
          out.push_back({0, needle.format});
  }
  for (const Format* format : formats())
    if (format->probe) out.push_back({0, format});
  // Order of formats.def at one offset, whatever the addresses of the records are.
  const auto rank = [](const Format* format) {
    return std::find(formats().begin(), formats().end(), format) - formats().begin();
  };
  std::stable_sort(out.begin(), out.end(), [&](const Candidate& a, const Candidate& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.format != b.format && rank(a.format) < rank(b.format);
  });
  out.erase(std::unique(out.begin(), out.end(), [](const Candidate& a, const Candidate& b) {
              return a.offset == b.offset && a.format == b.format;
            }), out.end());
  return out;
}

bool truncated(const Chunk& chunk) {
  return std::any_of(chunk.doubts.begin(), chunk.doubts.end(), [](const auto& d) { return d.name == "truncated"; });
}

// Measures everything that is no stream. A format is not asked again inside what it has measured already.
std::vector<Chunk> measure_all(ByteView blob, const std::vector<Candidate>& candidates) {
  std::vector<Chunk> out;
  std::map<const Format*, std::uint64_t> covered;
  for (const Candidate& candidate : candidates) {
    if (candidate.format->kind == Format::Kind::stream) continue;
    std::uint64_t& end = covered[candidate.format];
    if (candidate.offset < end) continue;
    auto chunk = candidate.format->measure(blob, candidate.offset);
    if (!chunk || chunk->size == 0 || chunk->offset != candidate.offset) continue;
    if (!base::in_bounds(chunk->offset, chunk->size, blob.size())) continue;
    chunk->format = candidate.format;
    end = chunk->offset + chunk->size;
    out.push_back(std::move(*chunk));
  }
  return out;
}

// Whole claims before cut ones, longer before shorter, earlier before later. What lies inside a claim is noted there.
std::vector<Chunk> resolve(std::vector<Chunk> chunks) {
  std::stable_sort(chunks.begin(), chunks.end(), [](const Chunk& a, const Chunk& b) {
    if (truncated(a) != truncated(b)) return truncated(b);
    return a.size > b.size;
  });
  std::map<std::uint64_t, Chunk> kept;  // by offset
  for (Chunk& chunk : chunks) {
    const std::uint64_t end = chunk.offset + chunk.size;
    auto after = kept.lower_bound(end);
    Chunk* rival = nullptr;
    if (after != kept.begin()) {
      Chunk& before = std::prev(after)->second;
      if (before.offset + before.size > chunk.offset) rival = &before;
    }
    if (!rival) {
      kept.emplace(chunk.offset, std::move(chunk));
      continue;
    }
    const bool inside = rival->offset <= chunk.offset && end <= rival->offset + rival->size;
    if (!inside)
      base::add_doubt(rival->doubts, {"overlapping-claims", "", chunk.offset,
                                      fmt::format("{} claims bytes of it too", chunk.format->name), 1});
  }
  std::vector<Chunk> out;
  for (auto& [offset, chunk] : kept) out.push_back(std::move(chunk));
  return out;
}

// Decodes streams where nothing is claimed. A stream that runs to its own end over a claim displaces it.
std::vector<Chunk> decode_streams(ByteView blob, const std::vector<Candidate>& candidates, std::vector<Chunk>& claims, Sink& sink) {
  std::vector<Chunk> out;
  std::uint64_t end = 0;
  std::size_t next = 0;
  for (const Candidate& candidate : candidates) {
    if (candidate.format->kind != Format::Kind::stream || candidate.offset < end || sink.full()) continue;
    while (next < claims.size() && claims[next].offset + claims[next].size <= candidate.offset) ++next;
    if (next < claims.size() && claims[next].offset <= candidate.offset) continue;
    auto chunk = candidate.format->measure(blob, candidate.offset);
    if (!chunk) continue;
    chunk->format = candidate.format;
    sink.begin_blob(fmt::format("0x{:x}.{}", candidate.offset, candidate.format->name));
    const auto decoded = candidate.format->decode(blob.subspan(candidate.offset), sink);
    const bool believed = decoded && decoded->consumed > 0 && (decoded->complete || candidate.format->strong) &&
                          candidate.offset + decoded->consumed <= blob.size();
    if (!believed) {
      sink.drop();
      continue;
    }
    std::uint64_t size = decoded->consumed;
    if (!decoded->complete) {
      if (next < claims.size()) size = std::min(size, claims[next].offset - candidate.offset);
      chunk->doubts.push_back({"damaged-stream", "", candidate.offset, "the stream ends early or its check fails; what came out is kept", 1});
    }
    sink.end();
    chunk->size = size;
    chunk->note = decoded->note;
    end = candidate.offset + size;
    while (next < claims.size() && claims[next].offset < end) claims.erase(claims.begin() + static_cast<std::ptrdiff_t>(next));
    out.push_back(std::move(*chunk));
  }
  return out;
}

double entropy(ByteView bytes) {
  std::array<std::uint64_t, 256> counts{};
  for (const std::uint8_t byte : bytes) ++counts[byte];
  double sum = 0;
  for (const std::uint64_t count : counts)
    if (count > 0) {
      const double p = static_cast<double>(count) / static_cast<double>(bytes.size());
      sum -= p * std::log2(p);
    }
  return sum;
}

std::uint64_t run_length(ByteView bytes, std::uint64_t at) {
  std::uint64_t end = at + 1;
  while (end < bytes.size() && bytes[end] == bytes[at]) ++end;
  return end - at;
}

Extent unknown_extent(ByteView blob, std::uint64_t offset, std::uint64_t size) {
  return {offset, size, Extent::Kind::unknown, "", fmt::format("entropy {:.2f} bits a byte", entropy(blob.subspan(offset, size)))};
}

bool is_text(ByteView blob) {
  if (blob.empty()) return false;
  std::uint64_t high = 0;
  for (const std::uint8_t byte : blob) {
    if (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t' && byte != '\f' && byte != 0x1B) return false;
    high += byte >= 0x7F;
  }
  return high * 4 <= blob.size();  // other scripts, but no noise
}

void account(ByteView blob, Scan& out) {
  std::vector<const Chunk*> all;
  for (const auto& chunk : out.chunks) all.push_back(&chunk);
  for (const auto& chunk : out.streams) all.push_back(&chunk);
  std::sort(all.begin(), all.end(), [](const Chunk* a, const Chunk* b) { return a->offset < b->offset; });
  std::uint64_t at = 0;
  const auto fill = [&](std::uint64_t to) {
    const auto rest = unclaimed(blob, at, to - at);
    out.extents.insert(out.extents.end(), rest.begin(), rest.end());
  };
  for (const Chunk* chunk : all) {
    fill(chunk->offset);
    out.extents.push_back({chunk->offset, chunk->size, Extent::Kind::claimed, std::string(chunk->format->name), chunk->note});
    at = chunk->offset + chunk->size;
  }
  if (all.empty() && is_text(blob)) out.extents.push_back({0, blob.size(), Extent::Kind::claimed, "text", ""});
  else fill(blob.size());
}

// A blob that begins like a format and is none that can be read: a fake, a damaged header, an unknown variant.
void doubt_unconfirmed(ByteView blob, const std::vector<Candidate>& candidates, Scan& out) {
  if (out.extents.empty() || out.extents.front().kind == Extent::Kind::claimed) return;
  for (const Candidate& candidate : candidates) {
    if (candidate.offset != 0 || !candidate.format->strong) continue;
    const bool telling = std::any_of(candidate.format->magics.begin(), candidate.format->magics.end(), [&](const Magic& magic) {
      return magic.bytes.size() >= 3 && base::as_text(base::clipped(blob, magic.at, magic.bytes.size())) == magic.bytes;
    });
    if (!telling) continue;
    out.yield.doubts.push_back({"unconfirmed-format", "", 0, fmt::format("begins like {}, and is none that can be read", candidate.format->name), 1});
    return;
  }
}

}  // namespace

std::vector<Extent> unclaimed(ByteView blob, std::uint64_t offset, std::uint64_t size) {
  std::vector<Extent> out;
  const ByteView bytes = blob.subspan(offset, size);
  std::uint64_t unknown_from = 0;
  for (std::uint64_t at = 0; at < size;) {
    const std::uint64_t run = run_length(bytes, at);
    const bool blank = bytes[at] == 0x00 || bytes[at] == 0xFF;
    if (run == size || (blank && (run >= kLeastRun || (at == 0 && run >= 16) || (at + run == size && run >= 16)))) {
      if (at > unknown_from) out.push_back(unknown_extent(blob, offset + unknown_from, at - unknown_from));
      out.push_back({offset + at, run, Extent::Kind::padding, "", fmt::format("0x{:02x}", bytes[at])});
      unknown_from = at + run;
    }
    at += run;
  }
  if (unknown_from < size) out.push_back(unknown_extent(blob, offset + unknown_from, size - unknown_from));
  return out;
}

Scan scan(ByteView blob, bool carve, const Allowance& allowance) {
  Scan out;
  const auto candidates = find_candidates(blob, carve);
  out.chunks = resolve(measure_all(blob, candidates));
  Sink sink(blob, blob.size(), allowance);
  out.streams = decode_streams(blob, candidates, out.chunks, sink);
  account(blob, out);
  out.yield = sink.take();
  doubt_unconfirmed(blob, candidates, out);
  return out;
}

// --- across the pipe ------------------------------------------------------------------------------------------------

namespace {

void write_chunk(WireWriter& wire, const Chunk& chunk) {
  wire.text(chunk.format->name);
  wire.u64(chunk.offset);
  wire.u64(chunk.size);
  wire.u64(chunk.header);
  wire.text(chunk.note);
  wire.doubts(chunk.doubts);
}

bool read_chunk(WireReader& wire, Chunk& chunk, std::uint64_t blob_size) {
  chunk.format = find_format(wire.text());
  chunk.offset = wire.u64();
  chunk.size = wire.u64();
  chunk.header = wire.u64();
  chunk.note = wire.text();
  chunk.doubts = wire.doubts();
  return wire.ok() && chunk.format && base::in_bounds(chunk.offset, chunk.size, blob_size) && chunk.header <= chunk.size;
}

bool read_chunks(WireReader& wire, std::vector<Chunk>& chunks, std::uint64_t blob_size) {
  for (std::uint32_t left = wire.u32(); left > 0; --left) {
    Chunk chunk;
    if (!read_chunk(wire, chunk, blob_size)) return false;
    chunks.push_back(std::move(chunk));
  }
  return wire.ok();
}

bool read_extents(WireReader& wire, std::vector<Extent>& extents, std::uint64_t blob_size) {
  std::uint64_t at = 0;
  for (std::uint32_t left = wire.u32(); left > 0; --left) {
    Extent extent;
    extent.offset = wire.u64();
    extent.size = wire.u64();
    const std::uint8_t kind = wire.u8();
    extent.format = wire.text();
    extent.note = wire.text();
    if (!wire.ok() || kind > 2 || extent.offset != at || extent.size > blob_size - at) return false;
    extent.kind = static_cast<Extent::Kind>(kind);
    at += extent.size;
    extents.push_back(std::move(extent));
  }
  return at == blob_size;
}

}  // namespace

// Layout: the yield, then the table, then the table's length (u64).
base::Bytes write_scan(Scan scan) {
  WireWriter wire;
  wire.u32(static_cast<std::uint32_t>(scan.extents.size()));
  for (const auto& extent : scan.extents) {
    wire.u64(extent.offset);
    wire.u64(extent.size);
    wire.u8(static_cast<std::uint8_t>(extent.kind));
    wire.text(extent.format);
    wire.text(extent.note);
  }
  for (const auto* chunks : {&scan.chunks, &scan.streams}) {
    wire.u32(static_cast<std::uint32_t>(chunks->size()));
    for (const auto& chunk : *chunks) write_chunk(wire, chunk);
  }
  const std::uint64_t length = wire.bytes().size();
  wire.u64(length);
  base::Bytes out = write_yield(std::move(scan.yield));
  out.insert(out.end(), wire.bytes().begin(), wire.bytes().end());
  return out;
}

base::Result<Scan> read_scan(base::Bytes bytes, std::uint64_t blob_size) {
  const auto lie = [] { return base::fail(base::Error::Kind::internal, "the worker's answer contradicts itself"); };
  const auto length = bytes.size() < 8 ? std::nullopt : base::load<std::uint64_t>(bytes, bytes.size() - 8, base::ByteOrder::little);
  if (!length || *length > bytes.size() - 8) return lie();
  const std::uint64_t yield_size = bytes.size() - 8 - *length;
  Scan out;
  WireReader wire(base::ByteView(bytes).subspan(yield_size, *length));
  if (!read_extents(wire, out.extents, blob_size) || !read_chunks(wire, out.chunks, blob_size) ||
      !read_chunks(wire, out.streams, blob_size))
    return lie();
  bytes.resize(yield_size);
  auto yield = read_yield(std::move(bytes), blob_size);
  if (!yield || yield->items.size() != out.streams.size()) return lie();
  out.yield = std::move(*yield);
  return out;
}

}  // namespace unpack
