// Implements config.h.
#include "device/central/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace bedside {
namespace {

using nlohmann::json;

base::Result<std::string> text_of(const json& object, const char* key, std::string otherwise) {
  const auto it = object.find(key);
  if (it == object.end()) return otherwise;
  if (!it->is_string()) return base::fail(base::Error::Kind::damaged, fmt::format("\"{}\" must be text", key));
  return it->get<std::string>();
}

bool only_keys(const json& object, std::initializer_list<const char*> keys, std::string& odd) {
  for (const auto& [key, value] : object.items())
    if (std::none_of(keys.begin(), keys.end(), [&](const char* k) { return key == k; })) return odd = key, false;
  return true;
}

// A host name or address: what may stand in a URL, a certificate and a MUD file without quoting.
bool plain_host(const std::string& host) {
  return !host.empty() && host.size() < 254 &&
         std::all_of(host.begin(), host.end(), [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '-' || c == ':'; });
}

}  // namespace

base::Result<CentralConfig> parse_central_config(std::string_view text, const std::string& folder) {
  const auto bad = [](std::string why) { return base::fail(base::Error::Kind::damaged, "configuration: " + why); };
  const json root = json::parse(text, nullptr, false);
  if (root.is_discarded() || !root.is_object()) return bad("not a JSON object");
  std::string odd;
  if (!only_keys(root, {"bed", "device", "central"}, odd)) return bad("unknown key " + odd);
  CentralConfig out;
  const auto bed = text_of(root, "bed", out.bed), device = text_of(root, "device", out.device);
  if (!bed) return bad(bed.error().message);
  if (!device) return bad(device.error().message);
  out.bed = *bed;
  out.device = *device;
  if (!root.contains("central")) return out;
  const json& central = root["central"];
  if (!central.is_object()) return bad("\"central\" must be an object");
  if (!only_keys(central, {"host", "port", "interval", "ca", "certificate", "key"}, odd)) return bad("unknown key " + odd);
  std::string* fields[] = {&out.host, &out.ca, &out.certificate, &out.key};
  const char* names[] = {"host", "ca", "certificate", "key"};
  for (int i = 0; i < 4; ++i) {
    const auto value = text_of(central, names[i], "");
    if (!value) return bad(value.error().message);
    if (value->empty()) return bad(fmt::format("a central station needs \"{}\"", names[i]));
    *fields[i] = *value;
    if (i > 0) *fields[i] = (std::filesystem::path(folder) / *value).string();
  }
  if (!plain_host(out.host)) return bad("\"host\" is no host name or address");
  for (auto [name, field, low, high] : {std::tuple{"port", &out.port, 1, 65535}, {"interval", &out.interval, 1, 3600}}) {
    if (!central.contains(name)) continue;
    const json& v = central[name];
    if (!v.is_number_integer() || v.get<std::int64_t>() < low || v.get<std::int64_t>() > high)
      return bad(fmt::format("\"{}\" must be a whole number from {} to {}", name, low, high));
    *field = v.get<int>();
  }
  return out;
}

base::Result<CentralConfig> read_central_config(const std::string& path) {
  const auto bytes = base::read_file(path, 1 << 16);
  if (!bytes) return std::unexpected(bytes.error());
  return parse_central_config(base::as_text(*bytes), std::filesystem::path(path).parent_path().string());
}

}  // namespace bedside
