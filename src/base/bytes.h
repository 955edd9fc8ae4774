// Untrusted bytes and the only ways to read them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/checked.h"
#include "base/result.h"

namespace base {

using ByteView = std::span<const std::uint8_t>;
using Bytes = std::vector<std::uint8_t>;

enum class ByteOrder : std::uint8_t { little, big };

// The bytes as text and back; no conversion, no check.
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// The part of `bytes` from `offset`, `length` long, cut off at the end; empty when `offset` lies beyond it.
inline ByteView clipped(ByteView bytes, std::uint64_t offset, std::uint64_t length = ~std::uint64_t{0}) {
  if (offset >= bytes.size()) return {};
  const std::uint64_t left = bytes.size() - offset;
  return bytes.subspan(offset, length < left ? length : left);
}

// An unsigned integer of sizeof(T) bytes at `offset`, or nothing when it does not lie inside.
template <class T>
std::optional<T> load(ByteView bytes, std::uint64_t offset, ByteOrder order) {
  if (!in_bounds(offset, sizeof(T), bytes.size())) return std::nullopt;
  T value{};
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    const std::size_t from = order == ByteOrder::little ? sizeof(T) - 1 - i : i;
    value = static_cast<T>((static_cast<std::uint64_t>(value) << 8) | bytes[offset + from]);
  }
  return value;
}
inline std::optional<std::uint32_t> load_le32(ByteView b, std::uint64_t at) { return load<std::uint32_t>(b, at, ByteOrder::little); }
inline std::optional<std::uint32_t> load_be32(ByteView b, std::uint64_t at) { return load<std::uint32_t>(b, at, ByteOrder::big); }
inline std::optional<std::uint16_t> load_le16(ByteView b, std::uint64_t at) { return load<std::uint16_t>(b, at, ByteOrder::little); }
inline std::optional<std::uint16_t> load_be16(ByteView b, std::uint64_t at) { return load<std::uint16_t>(b, at, ByteOrder::big); }

// A cursor over untrusted bytes. Reading past the end returns zeros or an empty view and makes ok() false for good,
// so that a header is read field by field and checked once.
class ByteReader {
 public:
  explicit ByteReader(ByteView bytes, ByteOrder order = ByteOrder::little) : bytes_(bytes), order_(order) {}

  std::uint8_t u8() { return get<std::uint8_t>(); }
  std::uint16_t u16() { return get<std::uint16_t>(); }
  std::uint32_t u32() { return get<std::uint32_t>(); }
  std::uint64_t u64() { return get<std::uint64_t>(); }

  // The next `length` bytes as a view into the source.
  ByteView take(std::uint64_t length) {
    if (!ok_ || !in_bounds(at_, length, bytes_.size())) {
      ok_ = false;
      return {};
    }
    const ByteView out = bytes_.subspan(at_, length);
    at_ += length;
    return out;
  }
  // A field of fixed width holding a NUL-terminated name; the NUL and what follows it are dropped.
  std::string_view fixed_text(std::uint64_t width) {
    const std::string_view text = as_text(take(width));
    return text.substr(0, text.find('\0'));
  }
  void skip(std::uint64_t length) { take(length); }
  void seek(std::uint64_t offset) {
    if (offset > bytes_.size()) ok_ = false;
    else at_ = offset;
  }

  bool ok() const { return ok_; }
  std::uint64_t offset() const { return at_; }
  std::uint64_t left() const { return bytes_.size() - at_; }
  bool at_end() const { return left() == 0; }

 private:
  template <class T>
  T get() {
    const auto value = ok_ ? load<T>(bytes_, at_, order_) : std::nullopt;
    if (!value) {
      ok_ = false;
      return 0;
    }
    at_ += sizeof(T);
    return *value;
  }

  ByteView bytes_;
  ByteOrder order_;
  std::uint64_t at_ = 0;
  bool ok_ = true;
};

// A whole file in memory. Errors: unreadable, with the path and the system's reason; over_budget past `limit` bytes.
Result<Bytes> read_file(const std::string& path, std::uint64_t limit = std::uint64_t{1} << 32);

}  // namespace base
