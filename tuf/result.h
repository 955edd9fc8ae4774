// What can go wrong in an update, in words that an audit log can keep: every refusal has one kind.
// The folder stands alone: it needs OpenSSL, nlohmann-json, libcurl and fmt, and nothing else of this
// repository.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace tuf {

struct Error {
  enum class Kind : std::uint8_t {
    unreachable,     // no answer, or an answer that says neither "here it is" nor "there is none"
    not_found,       // the repository says that the file does not exist
    too_long,        // more bytes than the signed length or our own limit allows
    too_slow,        // a time limit or the least transfer rate was not kept
    malformed,       // not the format of the specification
    unsigned_,       // fewer good signatures than the threshold
    expired,         // well signed, but past its date
    rollback,        // older than what is already trusted
    mismatch,        // hash, length, version or type is not what was signed for
    unknown_target,  // no trusted role names this target
    storage,         // our own directory could not be read or written
    limit,           // a count limit of ours: too many root versions or delegations
  };
  Kind kind = Kind::malformed;
  std::string message;  // one clear sentence, without a trailing newline
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Error::Kind kind, std::string message) {
  return std::unexpected(Error{kind, std::move(message)});
}

// The kind in kebab-case, e.g. "too-long"; stable, meant for logs.
std::string_view kind_name(Error::Kind kind);

}  // namespace tuf
