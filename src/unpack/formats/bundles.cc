// Makers' own archives with a table of their members: names and ranges, nothing compressed by the archive itself.
#include <zlib.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/escape.h"
#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteOrder;
using base::ByteReader;
using base::ByteView;
using base::Error;

constexpr std::uint64_t kMostMembers = 65'536;

struct Member {
  std::string name;
  std::uint64_t offset = 0, size = 0;  // from the start of the chunk
  bool directory = false, gzip = false;
};

std::optional<Chunk> chunk_of(ByteView blob, std::uint64_t at, std::uint64_t least, const std::vector<Member>& members) {
  if (members.empty()) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = least;
  for (const auto& member : members) chunk.size = std::max(chunk.size, member.offset + member.size);
  chunk.note = fmt::format("{} members", members.size());
  clip_to_blob(chunk, blob);
  return chunk;
}

void append_gzip(ByteView packed, Sink& sink, bool& whole) {
  z_stream z{};
  whole = false;
  if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) return;
  z.next_in = const_cast<Bytef*>(packed.data());
  z.avail_in = static_cast<uInt>(packed.size());
  int code = Z_OK;
  while (code == Z_OK) {
    const auto room = sink.room(64 << 10);
    if (room.empty()) break;
    z.next_out = room.data();
    z.avail_out = static_cast<uInt>(room.size());
    code = inflate(&z, Z_NO_FLUSH);
    sink.commit(room.size() - z.avail_out);
  }
  whole = code == Z_STREAM_END;
  inflateEnd(&z);
}

void emit(ByteView chunk, std::uint64_t at, const std::vector<Member>& members, Sink& sink) {
  for (const auto& member : members) {
    if (sink.full()) return;
    Node node;
    node.path = member_path(member.name, sink, at);
    node.type = member.directory ? NodeType::directory : NodeType::regular;
    node.mode = member.directory ? 0755 : 0644;
    if (member.directory) {
      sink.node(std::move(node));
      continue;
    }
    const ByteView contents = base::clipped(chunk, member.offset, member.size);
    bool whole = contents.size() == member.size;
    if (member.gzip) {
      sink.begin_file(std::move(node));
      append_gzip(contents, sink, whole);
      sink.end();
    } else {
      sink.file(std::move(node), contents);
    }
    if (!whole && !sink.full()) sink.doubt("damaged-member", at, fmt::format("{}: ends early", base::escape_bytes(member.name)));
  }
}

// One reader of a table serves both functions of a format.
template <std::vector<Member> (*Read)(ByteView), std::uint64_t Least>
std::optional<Chunk> measure_table(ByteView blob, std::uint64_t at) {
  return chunk_of(blob, at, Least, Read(base::clipped(blob, at)));
}

template <std::vector<Member> (*Read)(ByteView)>
base::Result<void> extract_table(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  emit(from, chunk.offset, Read(from), sink);
  return {};
}

// --- ROS ("RNTP1.01", "PACK"): Supermicro ATEN and others; entries of name[16], offset, size, two words -----------------

std::vector<Member> read_ros(ByteView from) {
  std::vector<Member> out;
  const auto count = base::load_le32(from, 0x20);
  if (base::as_text(base::clipped(from, 0x18, 4)) != "PACK" || !count || *count > 4096) return out;
  for (std::uint64_t i = 0; i < *count; ++i) {
    ByteReader r(base::clipped(from, 0x30 + i * 32, 32));
    Member member;
    member.name = r.fixed_text(16);
    member.offset = r.u32();
    member.size = r.u32();
    if (!r.ok() || member.name.empty() || member.offset < 0x30 + *count * 32) return {};
    out.push_back(std::move(member));
  }
  return out;
}

// --- Ambarella ROM file system: count, magic; at 0x800 entries of name[116], offset, size, magic ------------------------

std::vector<Member> read_ambarella(ByteView from) {
  std::vector<Member> out;
  const auto count = base::load_le32(from, 0);
  if (!count || *count == 0 || *count > 15'000) return out;
  for (std::uint64_t i = 0; i < *count; ++i) {
    ByteReader r(base::clipped(from, 0x800 + i * 128, 128));
    Member member;
    member.name = r.fixed_text(116);
    member.offset = r.u32();
    member.size = r.u32();
    if (!r.ok() || r.u32() != 0x2387AB76U || member.name.empty()) return out;
    out.push_back(std::move(member));
  }
  return out;
}

// --- D-Link DEAFBEAD: 0x86 name for a directory, 0x87 name and a gzip member for a file ----------------------------------

std::vector<Member> read_deafbead(ByteView from) {
  std::vector<Member> out;
  ByteReader r(from);
  r.skip(4);
  while (r.left() >= 3 && out.size() < kMostMembers) {
    const std::uint8_t kind = r.u8();
    if (kind != 0x86 && kind != 0x87) break;
    Member member;
    member.directory = kind == 0x86;
    const std::uint16_t length = r.u16();
    member.name = base::as_text(r.take(length));
    std::replace(member.name.begin(), member.name.end(), '\\', '/');
    if (!r.ok() || length == 0) break;
    member.gzip = !member.directory;
    if (!member.directory) member.size = r.u32();
    member.offset = r.offset();
    if (!r.ok()) break;
    out.push_back(std::move(member));
    r.skip(std::min<std::uint64_t>(out.back().size, r.left()));
  }
  return out;
}

// --- D-Link FPKG and CPKG: big-endian; each member: header length 28, type, 0, size, name --------------------------------

std::vector<Member> read_fpkg(ByteView from) {
  std::vector<Member> out;
  const auto first = base::load_be32(from, 8);
  if (!first || *first < 12 || *first > 4096) return out;
  for (std::uint64_t at = *first; out.size() < kMostMembers;) {
    ByteReader r(base::clipped(from, at), ByteOrder::big);
    const std::uint32_t header = r.u32();
    const std::uint16_t type = r.u16();
    r.u16();
    Member member;
    member.size = r.u32();
    member.name = r.fixed_text(16);
    while (member.name.ends_with(' ')) member.name.pop_back();
    if (!r.ok() || header != 28 || type < 0x100 || type > 0x103 || member.name.empty()) break;
    member.offset = at + header;
    at = member.offset + member.size;
    out.push_back(std::move(member));
  }
  return out;
}

// --- HP BDL holds IPKGs, and an IPKG files; both have a table of offsets and sizes (u64) ---------------------------------

std::vector<Member> read_bdl(ByteView from) {
  std::vector<Member> out;
  const auto table = base::load_le32(from, 8), count = base::load_le32(from, 16);
  if (!table || !count || *count == 0 || *count > 4096) return out;
  for (std::uint64_t i = 0; i < *count; ++i) {
    ByteReader r(base::clipped(from, *table + i * 16, 16));
    Member member;
    member.name = fmt::format("package-{}.ipkg", i);
    member.offset = r.u64();
    member.size = r.u64();
    if (!r.ok() || !base::in_bounds(member.offset, member.size, std::uint64_t{1} << 40)) return {};
    out.push_back(std::move(member));
  }
  return out;
}

std::vector<Member> read_hp_ipkg(ByteView from) {
  std::vector<Member> out;
  const auto table = base::load_le32(from, 8), count = base::load_le32(from, 16);
  if (!table || !count || *count == 0 || *count > 4096) return out;
  for (std::uint64_t i = 0; i < *count; ++i) {
    ByteReader r(base::clipped(from, *table + i * 276, 276));
    Member member;
    member.name = r.fixed_text(256);
    member.offset = r.u64();
    member.size = r.u64();
    if (!r.ok() || member.name.empty() || !base::in_bounds(member.offset, member.size, std::uint64_t{1} << 40)) return {};
    out.push_back(std::move(member));
  }
  return out;
}

}  // namespace

const Format ros_format = {.name = "ros-pack", .title = "ROS container (RNTP1.01, PACK)", .reference = "observed: a table of names, offsets and sizes at 0x30", .limits = "members that are packed stay so",
                           .kind = Format::Kind::archive, .magics = {{{"RNTP1."}}}, .measure = measure_table<read_ros, 0x30>, .extract = extract_table<read_ros>};
const Format ambarella_format = {.name = "ambarella-romfs", .title = "Ambarella ROM file system", .reference = "observed: a table of names, offsets and sizes at 0x800", .limits = "",
                                 .kind = Format::Kind::archive, .magics = {{{"\x8a\x32\xfc\x66", 4}}}, .measure = measure_table<read_ambarella, 0x800>, .extract = extract_table<read_ambarella>};
const Format deafbead_format = {.name = "dlink-deafbead", .title = "D-Link DEAFBEAD", .reference = "observed: 0x86 and 0x87 records behind the magic", .limits = "",
                                .kind = Format::Kind::archive, .magics = {{{"\xde\xaf\xbe\xad\x86"}, {"\xde\xaf\xbe\xad\x87"}}}, .measure = measure_table<read_deafbead, 4>, .extract = extract_table<read_deafbead>};
const Format fpkg_format = {.name = "dlink-fpkg", .title = "D-Link FPKG and CPKG", .reference = "observed: members behind 28-byte headers", .limits = "signatures are not checked",
                            .kind = Format::Kind::archive, .magics = {{{{"FPKG\x01\0\0\0", 8}}, {{"CPKG\x01\0\0\0", 8}}}}, .measure = measure_table<read_fpkg, 12>, .extract = extract_table<read_fpkg>};
const Format bdl_format = {.name = "hp-bdl", .title = "HP BDL", .reference = "hpbdl (T. Hall), hpbdl.h", .limits = "",
                           .kind = Format::Kind::archive, .magics = {{{{"ibdl\x01\0\x01\0", 8}}}}, .measure = measure_table<read_bdl, 48>, .extract = extract_table<read_bdl>};
const Format hp_ipkg_format = {.name = "hp-ipkg", .title = "HP IPKG", .reference = "hpbdl (T. Hall), hpbdl.h", .limits = "checksums are not checked",
                               .kind = Format::Kind::archive, .magics = {{{{"ipkg\x01\0\x03\0", 8}}}}, .measure = measure_table<read_hp_ipkg, 48>, .extract = extract_table<read_hp_ipkg>};

}  // namespace unpack
