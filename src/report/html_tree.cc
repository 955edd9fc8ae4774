#include "report/html_tree.h"

#include <fmt/format.h>

#include <map>
#include <string_view>

#include "base/escape.h"
#include "report/words.h"

namespace report {
namespace {

constexpr unsigned kDeepest = 40;

struct Folder {
  std::map<std::string_view, Folder> folders;
  std::map<std::string_view, const result::FileEntry*> files;
  std::size_t count = 0, programs = 0;  // beneath it
};

void place(Folder& root, const result::FileEntry& file) {
  std::string_view rest = file.path;
  Folder* at = &root;
  for (unsigned depth = 0;; ++depth) {
    ++at->count;
    if (!file.depth.empty()) ++at->programs;
    while (rest.starts_with('/')) rest.remove_prefix(1);
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos || depth == kDeepest) break;
    at = &at->folders[rest.substr(0, slash)];
    rest.remove_prefix(slash + 1);
  }
  at->files[rest] = &file;
}

void tell(const Folder& folder, std::string& out) {
  out += "<ul>\n";
  for (const auto& [name, inner] : folder.folders) {
    out += fmt::format("<li><details><summary>{}/</summary><span class=\"quiet\">{} file{}{}</span>\n",
                       base::escape_html(name), inner.count, inner.count == 1 ? "" : "s",
                       inner.programs ? fmt::format(", {} of them can act", inner.programs) : "");
    tell(inner, out);
    out += "</details></li>\n";
  }
  for (const auto& [name, file] : folder.files) {
    out += fmt::format("<li class=\"file\" data-path=\"{}\">{}<span class=\"quiet\">{}, {}",
                       base::escape_html(file->path), base::escape_html(name), size_words(file->size),
                       base::escape_html(file->kind));
    if (!file->depth.empty()) out += ", " + base::escape_html(depth_words(file->depth));
    if (!file->note.empty()) out += " (" + base::escape_html(file->note) + ")";
    out += "</span></li>\n";
  }
  out += "</ul>\n";
}

}  // namespace

std::string html_tree(const std::vector<result::FileEntry>& files) {
  Folder root;
  for (const auto& file : files) place(root, file);
  std::string out =
      "<div class=\"tools\" hidden><input type=\"search\" placeholder=\"Part of a path\" aria-label=\"Show "
      "only files whose path holds this\">"
      "<button type=\"button\" class=\"open\">Open all</button><button type=\"button\" class=\"close\">Close "
      "all</button></div>\n<div class=\"tree\">\n";
  tell(root, out);
  return out + "</div>\n";
}

}  // namespace report
