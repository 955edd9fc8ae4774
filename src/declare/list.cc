// A plain list into endpoints: one a line, `PLACE`, `PLACE:PORT`, `PLACE PORT`, `PLACE PORT/tcp`, `tcp PLACE PORT`, `[v6]:PORT`; # and ; begin
// a comment.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"
#include "declare/declare.h"

namespace declare {
namespace {

constexpr std::size_t kMostEndpoints = 20'000;

std::optional<std::uint16_t> number(std::string_view text) {
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == 0) return std::nullopt;
  return value;
}

bool is_address(std::string_view text) {
  const std::string plain(text.substr(0, text.find('/')));
  std::array<unsigned char, 16> bytes{};
  return inet_pton(AF_INET, plain.c_str(), bytes.data()) == 1 || inet_pton(AF_INET6, plain.c_str(), bytes.data()) == 1;
}

bool is_host(std::string_view text) {
  if (text.size() > 253 || text.find('.') == std::string_view::npos || text.starts_with('.') || text.ends_with('.')) return false;
  const bool letters = std::ranges::any_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
  return letters && std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-'; });
}

// "PORT", "PORT/tcp"
bool read_port(std::string_view word, Endpoint& out) {
  const auto slash = word.find('/');
  const auto port = number(word.substr(0, slash));
  if (!port) return false;
  out.port = *port;
  if (slash != std::string_view::npos) out.transport = base::lower(word.substr(slash + 1));
  return out.transport.empty() || out.transport == "tcp" || out.transport == "udp";
}

bool read_place(std::string_view word, Endpoint& out) {
  if (const auto scheme = word.find("://"); scheme != std::string_view::npos) {
    const auto name = base::lower(word.substr(0, scheme));
    if (name == "tcp" || name == "udp") out.transport = name;
    word = word.substr(scheme + 3);
    word = word.substr(0, word.find('/'));
  }
  if (word.starts_with('[')) {
    const auto close = word.find(']');
    if (close == std::string_view::npos || !is_address(word.substr(1, close - 1))) return false;
    out.place = base::lower(word.substr(1, close - 1));
    const auto rest = word.substr(close + 1);
    return rest.empty() || (rest[0] == ':' && read_port(rest.substr(1), out));
  }
  if (is_address(word) || is_host(word)) {
    out.place = base::lower(word);
    return true;
  }
  const auto colon = word.rfind(':');
  if (colon == std::string_view::npos || !(is_address(word.substr(0, colon)) || is_host(word.substr(0, colon)))) return false;
  out.place = base::lower(word.substr(0, colon));
  return read_port(word.substr(colon + 1), out);
}

std::optional<Endpoint> read_line(std::string_view line) {
  line = base::trim(line.substr(0, line.find_first_of("#;")));
  Endpoint out;
  bool placed = false;
  std::string spaced(line.substr(0, 1024));
  std::ranges::replace(spaced, ',', ' ');
  const auto words = base::split_words(spaced);
  if (words.empty() || words.size() > 4) return std::nullopt;
  for (const auto word : words) {
    const auto low = base::lower(word);
    if (low == "tcp" || low == "udp") out.transport = low;
    else if (!placed && read_place(word, out)) placed = true;
    else if (!placed || !read_port(word, out)) return std::nullopt;
  }
  if (!placed) return std::nullopt;
  return out;
}

}  // namespace

bool looks_like_list(std::string_view text) {
  std::size_t endpoints = 0, other = 0;
  for (const auto line : base::split(text.substr(0, 1 << 20), '\n')) {
    const auto said = base::trim(line.substr(0, line.find_first_of("#;")));
    if (said.empty()) continue;
    ++(read_line(line) ? endpoints : other);
  }
  return endpoints > 0 && other * 4 <= endpoints;
}

Declaration from_list(std::string_view text, std::string name) {
  Declaration out;
  out.name = std::move(name);
  out.kind = Kind::list;
  std::size_t number = 0;
  for (const auto line : base::split(text, '\n')) {
    ++number;
    if (base::trim(line.substr(0, line.find_first_of("#;"))).empty()) continue;
    auto endpoint = read_line(line);
    if (!endpoint) {
      base::add_doubt(out.doubts, {"declare-not-read", out.name, 0, fmt::format("line {} is no endpoint", number)});
      continue;
    }
    if (out.endpoints.size() >= kMostEndpoints) {
      base::add_doubt(out.doubts, {"declare-too-much", out.name, 0, fmt::format("endpoints beyond {} were not kept", kMostEndpoints)});
      break;
    }
    endpoint->where = fmt::format("line {}", number);
    out.endpoints.push_back(std::move(*endpoint));
  }
  return out;
}

}  // namespace declare
