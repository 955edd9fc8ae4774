// The databases of package managers in, the packages that they call installed out: opkg and dpkg (stanzas of
// "Name: value", Debian Policy 5), apk (apk-installed(5): "P:", "V:", "L:").
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "derive/components.h"

namespace derive {
namespace {

constexpr std::size_t kLargestDatabase = 16 << 20;  // bytes
constexpr std::size_t kMostPackages = 20'000;       // of one database
constexpr std::size_t kLongestWord = 256;           // of a name or version

// "debian", "openwrt": what os-release calls the distribution; empty where that is no plain word.
std::string distribution(const unpack::Firmware& firmware) {
  for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
    const auto* node = firmware.root.resolve(path);
    if (!node || node->size > 65536) continue;
    for (const auto line : base::split(base::as_text(firmware.bytes(*node)), '\n')) {
      if (!line.starts_with("ID=")) continue;
      auto id = base::trim(line.substr(3));
      if (id.size() > 2 && id.front() == '"' && id.back() == '"') id = id.substr(1, id.size() - 2);
      const bool plain = std::ranges::all_of(id, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
      if (plain && id.size() < 64) return std::string(id);
    }
  }
  return {};
}

// Percent-encoded as the package URL specification wants a name or version.
std::string encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("-._~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

using Stanza = std::map<std::string, std::string_view, std::less<>>;

std::string_view value(const Stanza& stanza, std::string_view name) {
  const auto found = stanza.find(name);
  return found == stanza.end() ? std::string_view() : found->second;
}

// Opkg and dpkg keep a package's licence beside the database: the stanza that it was installed from ("License: MIT"), and the
// copyright file ("License:" of the header or of "Files: *", Debian's copyright-format 1.0). Empty where neither says one.
std::string license_beside(const unpack::Firmware& firmware, const std::string& database, std::string_view name, bool deb) {
  constexpr std::uint64_t kLargest = 1 << 20;
  if (name.find('/') != std::string_view::npos) return {};
  const auto folder = database.substr(0, database.rfind('/'));
  const auto path = deb ? fmt::format("/usr/share/doc/{}/copyright", name) : fmt::format("{}/info/{}.control", folder, name);
  const auto* node = firmware.root.resolve(path);
  if (!node || node->type != unpack::NodeType::regular || node->size > kLargest) return {};
  const auto text = base::as_text(firmware.bytes(*node));
  if (deb && text.find("copyright-format/1.0") == std::string_view::npos) return {};
  bool of_all = true;  // the header counts, and the paragraph of "Files: *"
  for (const auto line : base::split(text, '\n')) {
    if (base::trim(line).empty()) of_all = !deb;
    if (line.starts_with("Files:")) of_all = base::trim(line.substr(6)) == "*";
    if (of_all && line.starts_with("License:")) return std::string(base::trim(line.substr(8)).substr(0, kLongestWord));
  }
  return {};
}

struct Keys {
  std::string_view name, version, license, architecture;
};
constexpr Keys kStanza{"package", "version", "license", "architecture"}, kApk{"P", "V", "L", "A"};

void read_database(const unpack::Firmware& firmware, const std::string& path, std::string_view text, const std::string& type, const std::string& maker, const Keys& keys, std::vector<Component>& out) {
  const bool apk = type == "apk";
  std::size_t packages = 0;
  Stanza stanza;
  const auto close = [&] {
    const auto name = value(stanza, keys.name), version = value(stanza, keys.version), status = value(stanza, "status");
    // "deinstall ok config-files": only its settings are left.
    const bool installed = status.empty() || status.ends_with(" installed");
    if (!name.empty() && installed && name.size() <= kLongestWord && version.size() <= kLongestWord && packages < kMostPackages) {
      ++packages;
      std::string purl = fmt::format("pkg:{}/{}{}", type, maker.empty() ? "" : maker + "/", encoded(name));
      if (!version.empty()) purl += "@" + encoded(version);
      if (const auto machine = value(stanza, keys.architecture); !machine.empty() && machine.size() <= kLongestWord) purl += "?arch=" + encoded(machine);
      auto license = std::string(value(stanza, keys.license).substr(0, kLongestWord));
      if (license.empty() && !apk) license = license_beside(firmware, path, name, type == "deb");
      out.push_back({std::string(name), std::string(version), "package", path, fmt::format("{}: {} {}", path, name, version), std::move(license), std::move(purl)});
    }
    stanza.clear();
  };
  for (const auto line : base::split(text, '\n')) {
    if (base::trim(line).empty()) {
      close();
      continue;
    }
    const auto colon = line.find(':');
    if (line.front() == ' ' || line.front() == '\t' || colon == std::string_view::npos) continue;
    const auto key = line.substr(0, colon);
    stanza.try_emplace(apk ? std::string(key) : base::lower(key), base::trim(line.substr(colon + 1)));
  }
  close();
}

}  // namespace

void find_packages(const unpack::Firmware& firmware, std::vector<Component>& out) {
  const auto maker = distribution(firmware);
  for (const auto& node : firmware.root.nodes()) {
    if (node.type != unpack::NodeType::regular || node.size > kLargestDatabase) continue;
    const std::string_view path = node.path;
    const bool apk = path.ends_with("/apk/db/installed"), dpkg = path.ends_with("/dpkg/status") || path.find("/dpkg/status.d/") != std::string_view::npos,
               opkg = path.ends_with("/opkg/status") || path.ends_with("/ipkg/status");
    if (!apk && !dpkg && !opkg) continue;
    read_database(firmware, node.path, base::as_text(firmware.bytes(node)), apk ? "apk" : dpkg ? "deb" : "opkg", opkg ? "" : maker, apk ? kApk : kStanza, out);
  }
}

}  // namespace derive
