// Metadata from anywhere: read as every role, never more than refused; canonical form is a fixed point.
#include <cstdlib>
#include <string>
#include <string_view>

#include "tuf/trusted.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto value = tuf::parse_json(bytes)) {
    const std::string canonical = tuf::canonical_json(*value);
    // Line ends and control characters stand bare in canonical form, so only a document without them is read
    // back.
    if (const auto again = tuf::parse_json(canonical); again && tuf::canonical_json(*again) != canonical)
      std::abort();
  }
  for (const std::string_view type : {"root", "timestamp", "snapshot", "targets"}) {
    const auto envelope = tuf::open_envelope(bytes, type);
    if (!envelope) continue;
    if (const auto root = tuf::read_root(*envelope, tuf::KeyIds::any_unique))
      for (const auto& [name, role] : root->roles)
        static_cast<void>(tuf::verify_role(*envelope, root->keys, role, name));
    static_cast<void>(tuf::read_timestamp(*envelope));
    static_cast<void>(tuf::read_snapshot(*envelope));
    const auto targets = tuf::read_targets(*envelope, tuf::KeyIds::hashed);
    if (!targets || !targets->delegations) continue;
    for (const std::string& path : {std::string("a/b.c"), std::string(),
                                    targets->targets.empty() ? "x" : targets->targets.begin()->first})
      for (const auto& role : tuf::delegations_for(*targets->delegations, path))
        static_cast<void>(tuf::verify_role(*envelope, targets->delegations->keys, role.keys, role.name));
  }
  if (auto set = tuf::TrustedSet::start(bytes, 0)) {
    if (set->update_root(bytes)) std::abort();  // never its own successor
    static_cast<void>(set->finish_root());
  }
  return 0;
}
