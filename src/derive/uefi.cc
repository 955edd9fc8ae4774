#include "derive/uefi.h"

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/text.h"

namespace derive {

using effects::Effect;
using effects::EffectId;
using effects::Kind;
using effects::Trigger;

namespace {

// EFI_ACPI_TABLE_PROTOCOL_GUID and the older EFI_ACPI_SUPPORT_GUID of PI, as they lie in memory.
constexpr std::array<std::uint8_t, 16> kAcpiTable{0xDD, 0x6B, 0xE0, 0xFF, 0x07, 0x61, 0xA6, 0x46, 0x7B, 0xB2, 0x5A, 0x9C, 0x7E, 0xC5, 0x27, 0x5C};
constexpr std::array<std::uint8_t, 16> kAcpiSupport{0xA8, 0xF4, 0xD5, 0xDB, 0x45, 0x36, 0xFE, 0x49, 0xB6, 0x5D, 0x6C, 0x4E, 0x18, 0xBC, 0x8E, 0x5D};
constexpr std::size_t kLargest = 64 << 20;

// Words of a program for Windows, in bytes or in UTF-16.
constexpr std::array<std::string_view, 8> kDownloads{"URLDownloadToFile", "WinHttpSendRequest", "WinHttpOpen", "InternetOpenUrl", "InternetReadFile", "HttpSendRequest", "DownloadFile", "WebClient"};
constexpr std::array<std::string_view, 6> kStarts{"CreateProcess", "ShellExecute", "CreateService", "CurrentControlSet\\Services", "NtCreateUserProcess", "Process.Start"};

// UTF-16 of ASCII from `start` on as bytes; what is no such character becomes a NUL.
std::string narrowed(std::string_view text, std::size_t start) {
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t at = start; at + 1 < text.size(); at += 2) out += text[at + 1] == '\0' ? text[at] : '\0';
  return out;
}

template <std::size_t N>
bool names(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

// "http://HOST/..." with a host, not one of a certificate's or a schema's addresses.
std::optional<std::string> address_in(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://", "ftp://"})
    for (auto at = text.find(scheme); at != std::string_view::npos; at = text.find(scheme, at + 1)) {
      auto end = at;
      while (end < text.size() && text[end] > 0x20 && text[end] < 0x7F && std::string_view("\"'<>").find(text[end]) == std::string_view::npos) ++end;
      const auto url = text.substr(at, end - at);
      if (url.size() < scheme.size() + 4 || url.size() > 400) continue;
      constexpr std::array<std::string_view, 7> ordinary{"schemas.", "www.w3.org", "ocsp", "crl", "/pki", "certs", "microsoft.com"};
      if (!names(base::lower(url), ordinary)) return std::string(url);
    }
  return std::nullopt;
}

effects::Endpoint peer_of(std::string_view url) {
  const auto colon = url.find("://");
  auto host = url.substr(colon + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  const auto port = host.find(':');
  auto peer = effects::endpoint_from_name(std::string(host.substr(0, port)), effects::Provenance::literal);
  peer.protocol = std::string(url.substr(0, colon));
  peer.port = peer.protocol == "https" ? 443 : peer.protocol == "ftp" ? 21 : 80;
  return peer;
}

void read_module(ProgramFacts& facts, base::ByteView bytes) {
  const auto text = base::as_text(bytes);
  const auto holds = [&](const std::array<std::uint8_t, 16>& guid) { return !std::ranges::search(bytes, guid).empty(); };
  const auto table = text.find("WPBT");
  if (table == std::string_view::npos || !(holds(kAcpiTable) || holds(kAcpiSupport))) return;
  const auto effect_at = [&](Kind kind, std::string words) {
    Effect effect;
    effect.kind = kind;
    effect.site.file = facts.program.path;
    effect.site.address = table;
    effect.site.words = std::move(words);
    effect.assumed = true;
    effect.assumption = "the module names a WPBT table and the protocol that installs it; its code was not read";
    return effect;
  };
  Effect hands = effect_at(Kind::copy, "WPBT");
  hands.object.value = "a program in the module";
  hands.target.value = "the operating system, through a WPBT table";
  facts.effects.push_back(std::move(hands));
  for (const auto& view : {std::string(text), narrowed(text, 0), narrowed(text, 1)}) {
    const auto url = address_in(view);
    if (!url) continue;
    const bool downloads = names(text, kDownloads) || names(view, kDownloads), starts = names(text, kStarts) || names(view, kStarts);
    Effect fetch = effect_at(downloads ? Kind::fetch : Kind::connect, *url);
    fetch.peer = peer_of(*url);
    fetch.object.value = *url;
    fetch.assumption = "the program that the module hands over holds this address and a call that downloads; its code was not read";
    facts.effects.push_back(std::move(fetch));
    if (!downloads || !starts) break;
    Effect run = effect_at(Kind::execute, "WPBT");
    run.object.value = "what was downloaded";
    run.assumption = "the program that the module hands over also holds a call that starts programs; its code was not read";
    const auto to = static_cast<std::uint32_t>(facts.effects.size());
    facts.effects.push_back(std::move(run));
    facts.edges.push_back({EffectId{to - 1}, EffectId{to}, effects::EdgeKind::feeds, true, "what is downloaded is what is started"});
    break;
  }
}

}  // namespace

bool is_uefi_module(base::ByteView bytes) {
  if (bytes.size() < 64 || bytes[0] != 'M' || bytes[1] != 'Z') return false;
  const auto header = base::load_le32(bytes, 60);
  if (!header || base::load_le32(bytes, *header) != 0x00004550) return false;
  const auto magic = base::load_le16(bytes, std::uint64_t{*header} + 24);
  if (magic != 0x10B && magic != 0x20B) return false;
  const auto subsystem = base::load_le16(bytes, std::uint64_t{*header} + 24 + 68);
  return subsystem && *subsystem >= 10 && *subsystem <= 13;
}

std::vector<ProgramFacts> facts_of_uefi_modules(const unpack::Firmware& firmware) {
  std::vector<ProgramFacts> out;
  for (const auto& node : firmware.root.nodes()) {
    if (node.type != unpack::NodeType::regular) continue;
    const base::ByteView bytes = firmware.bytes(node);
    if (bytes.size() > kLargest || !is_uefi_module(bytes)) continue;
    ProgramFacts facts;
    facts.program.path = node.path;
    facts.program.kind = effects::Program::Kind::binary;
    facts.program.sha256 = base::sha256_hex(bytes);
    facts.program.depth = effects::Program::Depth::recognised;
    facts.program.depth_reason = "a UEFI module; its texts and tables are read, its code is not";
    facts.program.triggers = {{Trigger::Kind::boot, "the firmware, at every start"}};
    facts.give_ups.push_back(facts.program.depth_reason);
    read_module(facts, bytes);
    out.push_back(std::move(facts));
  }
  return out;
}

}  // namespace derive
