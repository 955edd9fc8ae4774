#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "declare/declare.h"

namespace declare {

namespace {
constexpr std::uint64_t kMostBytes = 32 << 20;
}

std::string_view key(Kind kind) { return kind == Kind::mud ? "mud" : kind == Kind::list ? "list" : "manual"; }

base::Result<Declaration> read(const std::string& path) {
  const auto bytes = base::read_file(path, kMostBytes);
  if (!bytes) return std::unexpected(bytes.error());
  if (bytes->empty()) return base::fail(base::Error::Kind::unreadable, fmt::format("{}: the file is empty", path));
  const std::string name = std::filesystem::path(path).filename().string();
  const std::string_view text = base::as_text(*bytes);
  if (text.substr(0, 1024).find("%PDF-") != std::string_view::npos) {
    const auto pages = pages_of_pdf(*bytes);
    if (!pages) return base::fail(pages.error().kind, fmt::format("{}: {}", path, pages.error().message));
    return from_manual(*pages, name);
  }
  const auto first = base::trim(text);
  if (first.starts_with('{')) {
    auto mud = from_mud(text, name);
    if (!mud) return base::fail(mud.error().kind, fmt::format("{}: {}", path, mud.error().message));
    return mud;
  }
  if (looks_like_list(text)) return from_list(text, name);
  return from_manual(split_pages(text), name);
}

}  // namespace declare
