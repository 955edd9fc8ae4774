#include "tuf/result.h"

namespace tuf {

std::string_view kind_name(Error::Kind kind) {
  switch (kind) {
    case Error::Kind::unreachable:
      return "unreachable";
    case Error::Kind::not_found:
      return "not-found";
    case Error::Kind::too_long:
      return "too-long";
    case Error::Kind::too_slow:
      return "too-slow";
    case Error::Kind::malformed:
      return "malformed";
    case Error::Kind::unsigned_:
      return "unsigned";
    case Error::Kind::expired:
      return "expired";
    case Error::Kind::rollback:
      return "rollback";
    case Error::Kind::mismatch:
      return "mismatch";
    case Error::Kind::unknown_target:
      return "unknown-target";
    case Error::Kind::storage:
      return "storage";
    case Error::Kind::limit:
      return "limit";
  }
  return "";
}

}  // namespace tuf
