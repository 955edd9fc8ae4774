#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"
#include "declare/declare.h"

namespace declare {
namespace {

struct Bits {
  std::array<std::uint8_t, 16> bytes{};
  unsigned length = 0;  // of the address: 32 or 128; 0: none
};

Bits bits_of(std::string_view address) {
  Bits out;
  const std::string text(address.substr(0, 64));
  if (inet_pton(AF_INET, text.c_str(), out.bytes.data()) == 1) out.length = 32;
  else if (inet_pton(AF_INET6, text.c_str(), out.bytes.data()) == 1) out.length = 128;
  return out;
}

// `declared` is an address, a prefix or a name; "*.example" covers what lies beneath it.
bool covers(std::string_view declared, std::string_view place) {
  const std::string low = base::lower(place);
  if (declared == low) return true;
  if (declared.starts_with("*.") && low.ends_with(declared.substr(1))) return true;
  const auto slash = declared.find('/');
  const Bits net = bits_of(declared.substr(0, slash)), one = bits_of(low);
  if (net.length == 0 || net.length != one.length) return false;
  unsigned prefix = net.length;
  if (slash != std::string_view::npos) {
    const auto text = declared.substr(slash + 1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), prefix);
    if (error != std::errc{} || end != text.data() + text.size() || prefix > net.length) return false;
  }
  for (unsigned bit = 0; bit < prefix; ++bit)
    if (((net.bytes[bit / 8] ^ one.bytes[bit / 8]) >> (7 - bit % 8)) & 1) return false;
  return true;
}

bool is_part(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == ':'; }

// The words stand in the text by themselves: not 192.0.2.1 in 192.0.2.14 or in 1192.0.2.1; a full stop may follow.
bool says(std::string_view text, std::string_view words) {
  if (words.empty()) return false;
  for (auto at = text.find(words); at != std::string_view::npos; at = text.find(words, at + 1)) {
    const auto after = at + words.size();
    const bool begins = at == 0 || (!is_part(text[at - 1]) && text[at - 1] != '.');
    const bool colon = after < text.size() && text[after] == ':';
    const bool dot = after + 1 < text.size() && text[after] == '.' && is_part(text[after + 1]);
    if (begins && !dot && (colon || after >= text.size() || !is_part(text[after]))) return true;
  }
  return false;
}

std::string quoted(const Page& page, const std::string& sentence) { return fmt::format("page {}: \"{}\"", page.label, sentence.substr(0, 400)); }

}  // namespace

Match match(const Declaration& declaration, std::string_view place, std::uint16_t port, std::string_view transport) {
  Match out;
  if (place.empty() || place.find("${") != std::string_view::npos) return out;
  for (const Endpoint& endpoint : declaration.endpoints) {
    if (!covers(endpoint.place, place)) continue;
    const bool carried = endpoint.transport.empty() || transport.empty() || endpoint.transport == transport;
    const bool ported = carried && (endpoint.port == 0 || (port != 0 && endpoint.port == port));
    if (out.place && (!ported || out.port)) continue;
    out.place = true;
    out.port = ported;
    out.quote = endpoint.where + fmt::format(": {}{}{}", endpoint.place, endpoint.port ? fmt::format(" port {}", endpoint.port) : "", endpoint.transport.empty() ? "" : " " + endpoint.transport);
  }
  const std::string wanted = base::lower(place), number = std::to_string(port);
  for (const Page& page : declaration.pages) {
    for (const auto& sentence : page.sentences) {
      if (!says(base::lower(sentence), wanted)) continue;
      const bool first = !out.place;
      out.place = true;
      if (first) out.quote = quoted(page, sentence);
      if (port == 0 || out.port) continue;
      for (const auto& other : page.sentences)
        if (says(other, number) && base::lower(other).find("port") != std::string::npos) {
          out.port = true;
          out.quote = quoted(page, sentence) + (other == sentence ? "" : fmt::format(" and \"{}\"", other.substr(0, 400)));
          break;
        }
    }
  }
  return out;
}

std::string sentence_with(const Declaration& declaration, const std::vector<std::vector<std::string>>& groups) {
  if (groups.empty()) return {};
  for (const Page& page : declaration.pages)
    for (const auto& sentence : page.sentences) {
      const std::string low = base::lower(sentence);
      const bool all = std::ranges::all_of(groups, [&](const auto& group) { return std::ranges::any_of(group, [&](const auto& word) { return low.find(word) != std::string::npos; }); });
      if (all) return quoted(page, sentence);
    }
  return {};
}

}  // namespace declare
