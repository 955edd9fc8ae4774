// The registry: every line of formats.def, in order.
#include <algorithm>

#include "unpack/format.h"

namespace unpack {

const std::vector<const Format*>& formats() {
  static const std::vector<const Format*> all = {
#define FORMAT(name) &name##_format,
#include "unpack/formats.def"
#undef FORMAT
  };
  return all;
}

const Format* find_format(std::string_view name) {
  const auto at = std::find_if(formats().begin(), formats().end(), [&](const Format* format) { return format->name == name; });
  return at == formats().end() ? nullptr : *at;
}

}  // namespace unpack
