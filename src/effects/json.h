// Effects, programs and edges as JSON values and back: the form in the result, in the cache, and from a worker to its parent.
// Text passes through base::escape_bytes, so that any bytes survive.
#pragma once

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "effects/effects.h"

namespace effects {

using Json = nlohmann::ordered_json;

Json to_json(const Text& text);
Json to_json(const Endpoint& endpoint);
Json to_json(const Site& site);
Json to_json(const Trigger& trigger);
Json to_json(const Effect& effect);
Json to_json(const Program& program);
Json to_json(const Edge& edge);
Json to_json(const base::Doubt& doubt);

// What to_json wrote, read back. Missing or mistyped keys give defaults: the caller has checked the outer shape.
Text text_from_json(const Json& json);
Endpoint endpoint_from_json(const Json& json);
Site site_from_json(const Json& json);
Trigger trigger_from_json(const Json& json);
Effect effect_from_json(const Json& json);
Program program_from_json(const Json& json);
Edge edge_from_json(const Json& json);
base::Doubt doubt_from_json(const Json& json);

// Small helpers for readers of JSON: a member's value or the default, never a throw.
std::string text_at(const Json& json, const char* key);  // unescaped
std::uint64_t number_at(const Json& json, const char* key);
bool flag_at(const Json& json, const char* key);
const Json& member(const Json& json, const char* key);   // null when missing

}  // namespace effects
