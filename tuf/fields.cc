#include "tuf/fields.h"

#include <fmt/format.h>

namespace tuf {
namespace {

const Json& nothing() {
  static const Json null;
  return null;
}

}  // namespace

Fields::Fields(const Json& value, std::string where) : value_(value), where_(std::move(where)) {
  if (!value_.is_object()) refuse("not an object");
}

void Fields::refuse(const std::string& why) {
  if (!error_) error_ = Error{Error::Kind::malformed, fmt::format("{}: {}", where_, why)};
}

const Json& Fields::member(const char* name, bool (*good)(const Json&), const char* kind) {
  if (!ok()) return nothing();
  const auto it = value_.find(name);
  if (it == value_.end()) {
    refuse(fmt::format("\"{}\" is missing", name));
    return nothing();
  }
  if (!good(*it)) {
    refuse(fmt::format("\"{}\" is not {}", name, kind));
    return nothing();
  }
  return *it;
}

std::string Fields::text(const char* name) {
  const Json& value = member(name, [](const Json& v) { return v.is_string(); }, "a string");
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t Fields::whole(const char* name, std::int64_t least, std::int64_t most) {
  const Json& value = member(name, [](const Json& v) { return v.is_number_integer(); }, "a whole number");
  if (!value.is_number_integer()) return 0;
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    refuse(fmt::format("\"{}\" is too large", name));
    return 0;
  }
  const auto number = value.get<std::int64_t>();
  if (number < least || number > most) {
    refuse(fmt::format("\"{}\" is out of range", name));
    return 0;
  }
  return number;
}

bool Fields::flag(const char* name) {
  const Json& value = member(name, [](const Json& v) { return v.is_boolean(); }, "true or false");
  return value.is_boolean() && value.get<bool>();
}

const Json& Fields::object(const char* name) {
  return member(name, [](const Json& v) { return v.is_object(); }, "an object");
}

const Json& Fields::array(const char* name) {
  return member(name, [](const Json& v) { return v.is_array(); }, "an array");
}

}  // namespace tuf
