// `mtdparts=ID:SIZE[@OFFSET](NAME)[ro],…[;ID:…]` into partitions. See mtdparts.h.
#include "unpack/mtdparts.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "base/checked.h"
#include "base/text.h"

namespace unpack {
namespace {

// A number with k, m or g behind it, decimal or 0x…; removed from `text`.
std::optional<std::uint64_t> take_size(std::string_view& text) {
  int radix = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    radix = 16;
    text.remove_prefix(2);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, radix);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  unsigned shift = 0;
  if (!text.empty()) switch (text.front() | 0x20) {
      case 'k': shift = 10; break;
      case 'm': shift = 20; break;
      case 'g': shift = 30; break;
      default: break;
    }
  if (shift > 0) text.remove_prefix(1);
  return base::checked_mul(value, std::uint64_t{1} << shift);
}

// One chip's list; false at the first contradiction.
bool parse_chip(std::string_view list, std::vector<MtdPart>& out) {
  std::uint64_t next = 0;
  for (std::string_view text : base::split(list, ',')) {
    MtdPart part;
    part.number = static_cast<unsigned>(out.size());
    part.offset = next;
    if (text.starts_with('-')) {
      text.remove_prefix(1);
      part.size = ~std::uint64_t{0} - next;
    } else {
      const auto size = take_size(text);
      if (!size) return false;
      part.size = *size;
    }
    if (text.starts_with('@')) {
      text.remove_prefix(1);
      const auto offset = take_size(text);
      if (!offset) return false;
      part.offset = *offset;
    }
    if (text.starts_with('(')) {
      const auto close = text.find(')');
      if (close == std::string_view::npos) return false;
      part.name = text.substr(1, close - 1);
    }
    const auto end = base::checked_add(part.offset, part.size);
    if (!end) return false;
    next = *end;
    out.push_back(std::move(part));
  }
  return !out.empty();
}

std::vector<MtdPart> parse_one(std::string_view text) {
  std::vector<MtdPart> out;
  for (const std::string_view chip : base::split(text, ';')) {
    const auto colon = chip.find(':');
    if (colon == std::string_view::npos || !parse_chip(chip.substr(colon + 1), out)) return {};
  }
  return out;
}

}  // namespace

std::vector<MtdPart> parse_mtdparts(const std::vector<std::string>& notes) {
  for (const std::string_view note : notes) {
    const auto at = note.find("mtdparts=");
    if (at == std::string_view::npos) continue;
    const std::string_view rest = note.substr(at + 9);
    auto parts = parse_one(rest.substr(0, rest.find_first_of(" \"'\\")));
    if (!parts.empty()) return parts;
  }
  return {};
}

}  // namespace unpack
