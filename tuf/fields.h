// A JSON object read field by field and checked once: the first thing that is wrong is remembered, everything
// after it yields empty values. The ByteReader of metadata.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "tuf/json.h"

namespace tuf {

class Fields {
 public:
  // `value` need not be an object: then everything fails. `where` is named in errors.
  Fields(const Json& value, std::string where);

  std::string text(const char* name);
  std::int64_t whole(const char* name, std::int64_t least,
                     std::int64_t most = std::numeric_limits<std::int64_t>::max());
  bool flag(const char* name);
  const Json& object(const char* name);
  const Json& array(const char* name);
  bool has(const char* name) const { return value_.contains(name); }

  void refuse(const std::string& why);  // keeps the first
  bool ok() const { return !error_; }
  Error error() const { return *error_; }

 private:
  const Json& member(const char* name, bool (*good)(const Json&), const char* kind);

  const Json& value_;
  std::string where_;
  std::optional<Error> error_;
};

}  // namespace tuf
