// Arithmetic on sizes that come from untrusted bytes. Every `a + b > size` in the project is written with these.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>

namespace base {

// Sum or product, or nothing when it does not fit T.
template <std::integral T>
constexpr std::optional<T> checked_add(T a, T b) {
  T out{};
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

template <std::integral T>
constexpr std::optional<T> checked_mul(T a, T b) {
  T out{};
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

// True when [offset, offset + length) lies inside [0, size).
constexpr bool in_bounds(std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
  return offset <= size && length <= size - offset;
}

// The next multiple of `alignment` (a power of two) at or after `value`; saturates at the largest value.
constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) {
  const auto sum = checked_add(value, alignment - 1);
  return sum ? *sum & ~(alignment - 1) : ~std::uint64_t{0} & ~(alignment - 1);
}

}  // namespace base
