#include "base/escape.h"

#include <fmt/format.h>

namespace base {

std::size_t utf8_sequence(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) { return byte(i) >= low && byte(i) <= high; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80, high = first == 0xED ? 0x9F : 0xBF;  // no overlong, no surrogate
    return tail(1, low, high) && tail(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80, high = first == 0xF4 ? 0x8F : 0xBF;
    return tail(1, low, high) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

std::string escape_bytes(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = utf8_sequence(bytes);
    if (length == 0) {
      out += fmt::format("\\x{:02X}", static_cast<unsigned char>(bytes[0]));
      bytes.remove_prefix(1);
    } else {
      if (bytes[0] == '\\') out += '\\';
      out += bytes.substr(0, length);
      bytes.remove_prefix(length);
    }
  }
  return out;
}

std::optional<std::string> unescape_bytes(std::string_view escaped) {
  std::string out;
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '\\') {
      out += escaped[i];
    } else if (i + 1 < escaped.size() && escaped[i + 1] == '\\') {
      out += '\\';
      ++i;
    } else if (i + 3 < escaped.size() && escaped[i + 1] == 'x' && digit(escaped[i + 2]) >= 0 && digit(escaped[i + 3]) >= 0) {
      out += static_cast<char>(digit(escaped[i + 2]) * 16 + digit(escaped[i + 3]));
      i += 3;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

std::string escape_terminal(std::string_view bytes, bool keep_newlines) {
  const std::string safe = escape_bytes(bytes);
  std::string out;
  for (std::size_t i = 0; i < safe.size();) {
    const std::size_t length = utf8_sequence(std::string_view(safe).substr(i));
    const auto first = static_cast<unsigned char>(safe[i]);
    if (safe[i] == '\n') {
      out += keep_newlines ? "\n" : "\\n";
    } else if (safe[i] == '\t') {
      out += keep_newlines ? "\t" : "\\t";
    } else if (first < 0x20 || first == 0x7F) {
      out += fmt::format("\\x{:02X}", first);
    } else {
      unsigned code = 0;
      if (length == 2) code = (first & 0x1Fu) << 6 | (static_cast<unsigned char>(safe[i + 1]) & 0x3Fu);
      if (length == 3)
        code = (first & 0x0Fu) << 12 | (static_cast<unsigned char>(safe[i + 1]) & 0x3Fu) << 6 | (static_cast<unsigned char>(safe[i + 2]) & 0x3Fu);
      const bool c1 = code >= 0x80 && code < 0xA0;
      const bool bidirectional = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0x200E || code == 0x200F || code == 0x061C;
      const bool line = code == 0x2028 || code == 0x2029;
      if (c1 || bidirectional || line) out += fmt::format("\\u{{{:04X}}}", code);
      else out.append(safe, i, length);
    }
    i += length;
  }
  return out;
}

std::string escape_html(std::string_view bytes) {
  std::string out;
  for (const char c : escape_terminal(bytes)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string escape_csv(std::string_view bytes) {
  const std::string safe = escape_terminal(bytes);
  std::string out = "\"";
  if (!safe.empty() && std::string_view("=+-@\t\\").find(safe[0]) != std::string_view::npos) out += '\'';
  for (const char c : safe) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace base
