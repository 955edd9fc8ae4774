// Memory images written as text or in blocks: Intel HEX, Motorola S-records, UF2. Each becomes one blob a run of
// addresses. Source: Intel Hexadecimal Object File Format 1988; Motorola M68000 family programming, S-records; UF2.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::Bytes;
using base::ByteView;

constexpr std::uint64_t kLargestGap = 1 << 16;  // filled with 0xFF; larger ones begin a new blob

std::optional<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2) return std::nullopt;
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  Bytes out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return out;
}

struct Record {
  std::uint8_t type = 0;
  std::uint64_t address = 0;
  Bytes data;
  bool sum_holds = true;
};

std::optional<Record> read_ihex(std::string_view line) {
  if (!line.starts_with(':')) return std::nullopt;
  const auto bytes = from_hex(line.substr(1));
  if (!bytes || bytes->size() < 5 || bytes->size() != (*bytes)[0] + 5U || (*bytes)[3] > 5) return std::nullopt;
  Record r;
  r.type = (*bytes)[3];
  r.address = *base::load_be16(*bytes, 1);
  r.data.assign(bytes->begin() + 4, bytes->end() - 1);
  std::uint8_t sum = 0;
  for (const std::uint8_t b : *bytes) sum = static_cast<std::uint8_t>(sum + b);
  r.sum_holds = sum == 0;
  return r;
}

std::optional<Record> read_srec(std::string_view line) {
  if (line.size() < 4 || line[0] != 'S' || line[1] < '0' || line[1] > '9') return std::nullopt;
  const auto bytes = from_hex(line.substr(2));
  const std::size_t width = line[1] == '2' || line[1] == '8' || line[1] == '6' ? 3 : line[1] == '3' || line[1] == '7' ? 4 : 2;
  if (!bytes || bytes->size() < width + 2 || bytes->size() != (*bytes)[0] + 1U) return std::nullopt;
  Record r;
  r.type = static_cast<std::uint8_t>(line[1] - '0');
  for (std::size_t i = 0; i < width; ++i) r.address = r.address << 8 | (*bytes)[1 + i];
  r.data.assign(bytes->begin() + 1 + static_cast<std::ptrdiff_t>(width), bytes->end() - 1);
  std::uint8_t sum = 0;
  for (const std::uint8_t b : *bytes) sum = static_cast<std::uint8_t>(sum + b);
  r.sum_holds = sum == 0xFF;
  return r;
}

// Lines from `at` on as long as `read` takes them. Calls `visit(record)`; returns the end.
template <class Read, class Visit>
std::uint64_t for_each_record(ByteView blob, std::uint64_t at, Read read, Visit visit) {
  const std::string_view text = base::as_text(blob);
  while (at < text.size()) {
    const std::size_t line_end = std::min(text.find('\n', at), text.size());
    if (line_end - at > 1024) break;
    const auto record = read(base::trim(text.substr(at, line_end - at)));
    if (!record) break;
    at = std::min<std::uint64_t>(line_end + 1, text.size());
    if (!visit(*record)) break;
  }
  return at;
}

template <auto Read>
std::optional<Chunk> measure_lines(ByteView blob, std::uint64_t at) {
  if (at > 0 && blob[at - 1] != '\n') return std::nullopt;  // records begin lines
  std::size_t records = 0, bad = 0;
  const std::uint64_t end = for_each_record(blob, at, Read, [&](const Record& r) {
    ++records;
    bad += !r.sum_holds;
    return true;
  });
  if (records < 2 || bad == records) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = end - at;
  chunk.note = fmt::format("{} records", records);
  if (bad > 0) chunk.doubts.push_back({"bad-checksum", "", at, fmt::format("{} records have a wrong checksum", bad), bad});
  return chunk;
}

// Pieces by address into blobs.
void emit_pieces(const std::map<std::uint64_t, Bytes>& pieces, Sink& sink) {
  bool open = false;
  std::uint64_t next = 0;
  for (const auto& [address, data] : pieces) {
    if (open && (address < next || address - next > kLargestGap)) {
      sink.end();
      open = false;
    }
    if (!open) sink.begin_blob(fmt::format("0x{:08x}", address));
    else if (address > next) sink.append(Bytes(address - next, 0xFF));
    open = true;
    sink.append(data);
    next = address + data.size();
  }
  if (open) sink.end();
}

base::Result<void> extract_ihex(ByteView blob, const Chunk& chunk, Sink& sink) {
  std::map<std::uint64_t, Bytes> pieces;
  std::uint64_t upper = 0;
  for_each_record(blob.first(chunk.offset + chunk.size), chunk.offset, read_ihex, [&](const Record& r) {
    if (r.type == 0) pieces[upper + r.address] = r.data;
    else if (r.type == 2) upper = std::uint64_t{base::load_be16(r.data, 0).value_or(0)} << 4;
    else if (r.type == 4) upper = std::uint64_t{base::load_be16(r.data, 0).value_or(0)} << 16;
    return r.type != 1;
  });
  emit_pieces(pieces, sink);
  return {};
}

base::Result<void> extract_srec(ByteView blob, const Chunk& chunk, Sink& sink) {
  std::map<std::uint64_t, Bytes> pieces;
  for_each_record(blob.first(chunk.offset + chunk.size), chunk.offset, read_srec, [&](const Record& r) {
    if (r.type >= 1 && r.type <= 3) pieces[r.address] = r.data;
    return true;
  });
  emit_pieces(pieces, sink);
  return {};
}

// UF2: blocks of 512 bytes, "UF2\n", 0x9E5D5157, flags, address, size, number, count, family, data[476], 0x0AB16F30.
bool is_uf2_block(ByteView blob, std::uint64_t at) {
  return base::load_le32(blob, at) == 0x0A324655U && base::load_le32(blob, at + 4) == 0x9E5D5157U && base::load_le32(blob, at + 508) == 0x0AB16F30U;
}

std::optional<Chunk> measure_uf2(ByteView blob, std::uint64_t at) {
  std::uint64_t end = at;
  while (is_uf2_block(blob, end)) end += 512;
  if (end == at) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = end - at;
  chunk.note = fmt::format("{} blocks", (end - at) / 512);
  return chunk;
}

base::Result<void> extract_uf2(ByteView blob, const Chunk& chunk, Sink& sink) {
  std::map<std::uint64_t, Bytes> pieces;
  for (std::uint64_t at = chunk.offset; at < chunk.offset + chunk.size; at += 512) {
    const std::uint32_t flags = *base::load_le32(blob, at + 8), address = *base::load_le32(blob, at + 12), size = *base::load_le32(blob, at + 16);
    if (flags & 1 || size > 476) continue;  // not for main flash
    const ByteView data = blob.subspan(at + 32, size);
    pieces[address].assign(data.begin(), data.end());
  }
  emit_pieces(pieces, sink);
  return {};
}

}  // namespace

const Format ihex_format = {.name = "intel-hex", .title = "Intel HEX", .reference = "Intel Hexadecimal Object File Format, revision A, 1988", .limits = "",
                            .kind = Format::Kind::wrapper, .magics = {{{":10"}, {":20"}, {":02"}, {":0"}, {":1"}}}, .measure = measure_lines<read_ihex>, .extract = extract_ihex};
const Format srec_format = {.name = "srec", .title = "Motorola S-records", .reference = "M68000 Family Programmer's Reference Manual, appendix C", .limits = "",
                            .kind = Format::Kind::wrapper, .magics = {{{"S0"}, {"S1"}, {"S2"}, {"S3"}}}, .measure = measure_lines<read_srec>, .extract = extract_srec};
const Format uf2_format = {.name = "uf2", .title = "UF2", .reference = "https://github.com/microsoft/uf2", .limits = "blocks not meant for main flash are left out",
                           .kind = Format::Kind::wrapper, .magics = {{{"UF2\n"}}}, .measure = measure_uf2, .extract = extract_uf2};

}  // namespace unpack
