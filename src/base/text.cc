#include "base/text.h"

namespace base {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  constexpr std::string_view blank = " \t";
  for (auto start = text.find_first_not_of(blank); start != std::string_view::npos; start = text.find_first_not_of(blank, start)) {
    const auto end = text.find_first_of(blank, start);
    words.push_back(text.substr(start, end - start));
    if (end == std::string_view::npos) break;
    start = end;
  }
  return words;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  const auto start = text.find_first_not_of(blank);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(blank) - start + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const auto& part : parts) {
    if (&part != &parts.front()) out += separator;
    out += part;
  }
  return out;
}

std::string normal_path(std::string_view path, std::string_view directory) {
  std::vector<std::string_view> kept;
  const auto walk = [&](std::string_view from) {
    for (const auto part : split(from, '/')) {
      if (part.empty() || part == ".") continue;
      if (part == "..") {
        if (!kept.empty()) kept.pop_back();
      } else {
        kept.push_back(part);
      }
    }
  };
  if (path.empty() || path.front() != '/') walk(directory);
  walk(path);
  std::string out;
  for (const auto part : kept) out.append("/").append(part);
  return out.empty() ? "/" : out;
}

bool is_beneath(std::string_view path, std::string_view directory) {
  if (directory == "/") return !path.empty() && path.front() == '/';
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

std::string masked(std::string words, std::string_view secret) {
  constexpr std::string_view mask = "(masked)";
  if (secret.empty()) return words;
  for (auto at = words.find(secret); at != std::string::npos; at = words.find(secret, at + mask.size())) words.replace(at, secret.size(), mask);
  return words;
}

}  // namespace base
