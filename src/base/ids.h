// Typed ids and the stores that own what they name. An id is an index; it never dangles while its store lives.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

namespace base {

// `Tag` is any type that makes the id distinct: `using EffectId = base::Id<struct Effect>;`
template <class Tag>
struct Id {
  std::uint32_t index = UINT32_MAX;
  constexpr bool valid() const { return index != UINT32_MAX; }
  auto operator<=>(const Id&) const = default;
};

// Owns values of T; hands out ids in order of arrival.
template <class T, class IdType = Id<T>>
class Store {
 public:
  IdType add(T value) {
    values_.push_back(std::move(value));
    return IdType{static_cast<std::uint32_t>(values_.size() - 1)};
  }
  T& operator[](IdType id) { return values_[id.index]; }
  const T& operator[](IdType id) const { return values_[id.index]; }
  std::size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }
  auto begin() { return values_.begin(); }
  auto end() { return values_.end(); }
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }
  IdType id_at(std::size_t i) const { return IdType{static_cast<std::uint32_t>(i)}; }

 private:
  std::vector<T> values_;
};

}  // namespace base
