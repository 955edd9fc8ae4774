// Values to bytes and back, little-endian, for the pipe between a worker and its parent. Reading is bounded.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace unpack {

class WireWriter {
 public:
  void u8(std::uint8_t value) { put(value, 1); }
  void u32(std::uint32_t value) { put(value, 4); }
  void u64(std::uint64_t value) { put(value, 8); }
  void text(std::string_view value) {
    u64(value.size());
    bytes_.insert(bytes_.end(), value.begin(), value.end());
  }
  void doubts(const base::Doubts& doubts) {
    u32(static_cast<std::uint32_t>(doubts.size()));
    for (const auto& doubt : doubts) {
      text(doubt.name);
      u64(doubt.offset);
      text(doubt.detail);
      u64(doubt.count);
    }
  }
  const base::Bytes& bytes() const { return bytes_; }
  base::Bytes take() { return std::move(bytes_); }

 private:
  void put(std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  base::Bytes bytes_;
};

class WireReader {
 public:
  explicit WireReader(base::ByteView bytes) : reader_(bytes) {}
  std::uint8_t u8() { return reader_.u8(); }
  std::uint32_t u32() { return reader_.u32(); }
  std::uint64_t u64() { return reader_.u64(); }
  std::string text() { return std::string(base::as_text(reader_.take(u64()))); }
  base::Doubts doubts() {
    base::Doubts out;
    for (std::uint32_t left = u32(); left > 0 && ok(); --left) {
      base::Doubt doubt;
      doubt.name = text();
      doubt.offset = u64();
      doubt.detail = text();
      doubt.count = u64();
      out.push_back(std::move(doubt));
    }
    return out;
  }
  bool ok() const { return reader_.ok(); }

 private:
  base::ByteReader reader_;
};

}  // namespace unpack
