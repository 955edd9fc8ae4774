// FAT12, FAT16 and FAT32 into names and contents. Source: Microsoft FAT32 File System Specification 1.03.
#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteReader;
using base::ByteView;

constexpr std::uint8_t kDirectory = 0x10, kLabel = 0x08, kLongName = 0x0F;
constexpr std::size_t kMostEntries = 1'000'000;

struct Super {
  std::uint64_t sector = 0, cluster = 0;        // bytes
  std::uint64_t fat = 0, root = 0, data = 0;    // bytes from the start
  std::uint32_t root_entries = 0, root_cluster = 0, clusters = 0;
  std::uint64_t size = 0;
  int width = 12;
};

std::optional<Super> read_super(ByteView from) {
  ByteReader r(from);
  const std::uint8_t jump = r.u8();
  r.skip(10);
  Super s;
  s.sector = r.u16();
  const std::uint8_t per_cluster = r.u8();
  const std::uint32_t reserved = r.u16();
  const std::uint8_t fats = r.u8();
  s.root_entries = r.u16();
  std::uint64_t sectors = r.u16();
  const std::uint8_t media = r.u8();
  std::uint64_t fat_sectors = r.u16();
  r.skip(8);
  if (const std::uint32_t large = r.u32(); sectors == 0) sectors = large;
  const std::uint32_t fat32 = r.u32();
  r.skip(4);
  s.root_cluster = r.u32();
  if (fat_sectors == 0) fat_sectors = fat32;
  const bool sane = r.ok() && (jump == 0xEB || jump == 0xE9) && (s.sector == 512 || s.sector == 1024 || s.sector == 2048 || s.sector == 4096) &&
                    per_cluster != 0 && (per_cluster & (per_cluster - 1)) == 0 && reserved > 0 && (fats == 1 || fats == 2) && media >= 0xF0 &&
                    fat_sectors > 0 && sectors > 0;
  if (!sane) return std::nullopt;
  s.cluster = s.sector * per_cluster;
  s.fat = reserved * s.sector;
  s.root = s.fat + fats * fat_sectors * s.sector;
  s.data = s.root + base::align_up(s.root_entries * 32U, s.sector);
  s.size = sectors * s.sector;
  if (s.data >= s.size) return std::nullopt;
  s.clusters = static_cast<std::uint32_t>((s.size - s.data) / s.cluster);
  s.width = s.root_entries == 0 ? 32 : s.clusters < 4085 ? 12 : 16;
  return s;
}

std::optional<Chunk> measure(ByteView blob, std::uint64_t at) {
  const auto super = read_super(base::clipped(blob, at));
  if (!super) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = super->size;
  chunk.note = fmt::format("FAT{}", super->width);
  clip_to_blob(chunk, blob);
  return chunk;
}

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) out += static_cast<char>(code);
  else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

std::string to_utf8(const std::u16string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::uint32_t code = text[i];
    if (code >= 0xD800 && code < 0xDC00 && i + 1 < text.size()) code = 0x10000 + ((code - 0xD800) << 10) + (text[++i] - 0xDC00U);
    append_utf8(out, code);
  }
  return out;
}

// Days since 1970 (proleptic Gregorian), for a DOS date and time, taken as UTC.
std::int64_t to_time(std::uint16_t date, std::uint16_t time) {
  const int month = date >> 5 & 15, day = date & 31;
  if (month == 0 || month > 12 || day == 0) return 0;
  const std::int64_t year = 1980 + (date >> 9) - (month <= 2);
  const std::int64_t days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1 - 719468;
  return days * 86400 + (time >> 11) * 3600 + (time >> 5 & 63) * 60 + (time & 31) * 2;
}

class Volume {
 public:
  Volume(ByteView image, const Super& super, Sink& sink, std::uint64_t at) : image_(image), s_(super), sink_(sink), at_(at) {}

  void extract() {
    std::vector<std::pair<std::string, base::Bytes>> todo;
    if (s_.width == 32) todo.emplace_back("/", chain(s_.root_cluster, UINT64_MAX, "/"));
    else todo.emplace_back("/", base::Bytes(base::clipped(image_, s_.root, s_.root_entries * 32U).begin(), base::clipped(image_, s_.root, s_.root_entries * 32U).end()));
    while (!todo.empty() && !sink_.full()) {
      const auto [path, entries] = std::move(todo.back());
      todo.pop_back();
      walk(path, entries, todo);
    }
  }

 private:
  std::uint32_t next(std::uint32_t cluster) const {
    if (s_.width == 32) return base::load_le32(image_, s_.fat + cluster * 4ULL).value_or(0) & 0x0FFFFFFF;
    if (s_.width == 16) return base::load_le16(image_, s_.fat + cluster * 2ULL).value_or(0);
    const std::uint32_t pair = base::load_le16(image_, s_.fat + cluster + cluster / 2).value_or(0);
    return cluster & 1 ? pair >> 4 : pair & 0xFFF;
  }
  bool is_data(std::uint32_t cluster) const { return cluster >= 2 && cluster < s_.clusters + 2; }

  base::Bytes chain(std::uint32_t cluster, std::uint64_t size, const std::string& path) {
    base::Bytes out;
    for (std::uint32_t steps = 0; is_data(cluster) && out.size() < size; ++steps) {
      if (steps > s_.clusters) {
        sink_.doubt("cluster-loop", at_, fmt::format("{}: its chain of clusters runs in a circle", path));
        break;
      }
      const ByteView part = base::clipped(image_, s_.data + (cluster - 2) * s_.cluster, std::min<std::uint64_t>(s_.cluster, size - out.size()));
      out.insert(out.end(), part.begin(), part.end());
      if (part.empty()) break;
      cluster = next(cluster);
    }
    return out;
  }

  static std::string short_name(ByteView entry) {
    const auto part = [&](std::size_t from, std::size_t length, bool lower) {
      std::string out(base::as_text(entry.subspan(from, length)));
      out.erase(out.find_last_not_of(' ') + 1);
      if (lower) for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      return out;
    };
    std::string name = part(0, 8, entry[12] & 8);
    if (!name.empty() && name[0] == 0x05) name[0] = static_cast<char>(0xE5);
    const std::string extension = part(8, 3, entry[12] & 16);
    return extension.empty() ? name : name + "." + extension;
  }

  void walk(const std::string& path, ByteView entries, std::vector<std::pair<std::string, base::Bytes>>& todo) {
    std::u16string long_name;
    for (std::uint64_t at = 0; at + 32 <= entries.size() && !sink_.full() && ++count_ < kMostEntries; at += 32) {
      const ByteView entry = entries.subspan(at, 32);
      if (entry[0] == 0) return;
      if (entry[0] == 0xE5) {
        long_name.clear();
        continue;
      }
      if (entry[11] == kLongName) {
        std::u16string part;
        for (const std::size_t i : {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}) {
          const std::uint16_t unit = *base::load_le16(entry, i);
          if (unit == 0 || unit == 0xFFFF) break;
          part += static_cast<char16_t>(unit);
        }
        long_name = part + long_name;
        continue;
      }
      const std::string name = long_name.empty() ? short_name(entry) : to_utf8(long_name);
      long_name.clear();
      if (entry[11] & kLabel || name == "." || name == "..") continue;
      if (const auto child = child_path(path, name, sink_, at_)) emit(*child, entry, todo);
    }
  }

  void emit(const std::string& path, ByteView entry, std::vector<std::pair<std::string, base::Bytes>>& todo) {
    Node node;
    node.path = path;
    node.mtime = to_time(*base::load_le16(entry, 24), *base::load_le16(entry, 22));
    const std::uint32_t cluster = (s_.width == 32 ? std::uint32_t{*base::load_le16(entry, 20)} << 16 : 0) | *base::load_le16(entry, 26);
    if (entry[11] & kDirectory) {
      node.type = NodeType::directory;
      node.mode = 0755;
      sink_.node(std::move(node));
      if (visited_.insert(cluster).second) todo.emplace_back(path, chain(cluster, UINT64_MAX, path));
      return;
    }
    node.mode = entry[11] & 1 ? 0444 : 0644;
    const std::uint32_t size = *base::load_le32(entry, 28);
    const base::Bytes contents = chain(cluster, size, path);
    if (contents.size() < size) sink_.doubt("truncated", at_, fmt::format("{}: {} of {} bytes are there", path, contents.size(), size));
    sink_.file(std::move(node), contents);
  }

  ByteView image_;
  const Super& s_;
  Sink& sink_;
  std::uint64_t at_;
  std::unordered_set<std::uint32_t> visited_;
  std::size_t count_ = 0;
};

base::Result<void> extract(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView image = blob.subspan(chunk.offset, chunk.size);
  const auto super = read_super(image);
  if (!super) return base::fail(base::Error::Kind::damaged, "no boot sector");
  Volume(image, *super, sink, chunk.offset).extract();
  return {};
}

}  // namespace

const Format fat_format = {.name = "fat", .title = "FAT12, FAT16, FAT32", .reference = "Microsoft FAT32 File System Specification 1.03",
                           .limits = "short names in code page 437 are taken as bytes; times as UTC; no exFAT", .kind = Format::Kind::file_system,
                           .magics = {{{"FAT12   ", 54}, {"FAT16   ", 54}, {"FAT32   ", 82}, {"FAT     ", 54}}}, .measure = measure, .extract = extract};

}  // namespace unpack
