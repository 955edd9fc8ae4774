// Text in, keys with their values out. Lenient: a line that is none of the known forms is passed over.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "derive/settings.h"

namespace derive {
namespace {

constexpr std::size_t kMost = 20'000, kDeepest = 32;

std::string_view unquoted(std::string_view value) {
  value = base::trim(value);
  while (!value.empty() && (value.back() == ';' || value.back() == ',')) value = base::trim(value.substr(0, value.size() - 1));
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front()) return value.substr(1, value.size() - 2);
  return value;
}

bool is_key(std::string_view key) {
  return !key.empty() && key.size() <= 80 && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-' || c == '/' || c == '[' || c == ']' || c == '@' || c == ':';
  });
}

// The parts of a dotted or slashed key become parts of its path.
std::string as_path(std::string_view key) {
  std::string out = base::lower(key);
  std::ranges::replace(out, '.', '/');
  return out;
}

class Lines {
 public:
  std::vector<Setting> read(std::string_view text) {
    std::uint32_t number = 0;
    for (const auto line : base::split(text, '\n')) {
      ++number;
      if (out_.size() >= kMost) break;
      if (line.size() <= 2000) read_line(line, number);
    }
    return std::move(out_);
  }

 private:
  void add(std::string_view key, std::string_view value, std::string_view line, std::uint32_t number) {
    if (!is_key(key)) return;
    out_.push_back({number, (section_.empty() ? "" : section_ + "/") + as_path(key), std::string(unquoted(value)), std::string(base::trim(line).substr(0, 200))});
  }

  void read_line(std::string_view raw, std::uint32_t number) {
    std::string_view line = base::trim(raw);
    if (line.empty() || line[0] == '#' || line[0] == ';' || line.starts_with("//") || line[0] == '<') return;
    if (line[0] == '[' && line.back() == ']') {
      section_ = as_path(line.substr(1, line.size() - 2));
      return;
    }
    // A trailing comment after a blank; a '#' inside quotes or a URL stays.
    if (const auto hash = line.find(" #"); hash != std::string_view::npos && line.find('"') == std::string_view::npos && line.find('\'') == std::string_view::npos) line = base::trim(line.substr(0, hash));
    if (const auto hash = line.find("\t#"); hash != std::string_view::npos) line = base::trim(line.substr(0, hash));
    const auto words = base::split_words(line);
    if (words.empty()) return;
    if (words[0] == "config" && words.size() >= 2) {  // UCI
      section_ = base::lower(unquoted(words[1]));
      if (words.size() > 2) section_ += "/" + base::lower(unquoted(words[2]));
      return;
    }
    const bool named = words[0] == "option" || words[0] == "list" || words[0] == "opt" || words[0] == "set" || words[0] == "add_list" || words[0] == "var" || words[0] == "export" || words[0] == "let" || words[0] == "const";
    if (named && words.size() >= 2) line = base::trim(line.substr(words[0].size()));
    if (line.empty()) return;
    if (line[0] == '"' || line[0] == '\'') {  // JSON
      const auto close = line.find(line[0], 1);
      if (close == std::string_view::npos) return;
      const auto rest = base::trim(line.substr(close + 1));
      if (rest.starts_with(':') || rest.starts_with('=')) add(line.substr(1, close - 1), rest.substr(1), raw, number);
      return;
    }
    const auto blank = line.find_first_of(" \t");
    const auto equals = line.find('=');
    const auto colon = line.find(':');
    if (equals != std::string_view::npos && is_key(base::trim(line.substr(0, equals)))) return add(base::trim(line.substr(0, equals)), line.substr(equals + 1), raw, number);
    if (colon != std::string_view::npos && colon > 0 && (blank == std::string_view::npos || colon < blank) && colon + 1 < line.size() && (line[colon + 1] == ' ' || line[colon + 1] == '\t'))
      return add(line.substr(0, colon), line.substr(colon + 1), raw, number);
    if (blank == std::string_view::npos) return;
    add(line.substr(0, blank), line.substr(blank + 1), raw, number);
    // The name of a zone or interface stands beside its options: it becomes the section of those that follow.
    if (named && (line.starts_with("name") || line.starts_with("ifname")) && section_.find('/') == std::string::npos) section_ += "/" + base::lower(unquoted(line.substr(blank + 1)));
  }

  std::string section_;
  std::vector<Setting> out_;
};

// XML as settings use it: elements, attributes, text. No entities, no name spaces; what does not nest is mended by name.
class Elements {
 public:
  std::vector<Setting> read(std::string_view text) {
    while (!text.empty() && out_.size() < kMost) {
      const auto open = text.find('<');
      const std::string_view content = text.substr(0, open);
      text_ += text_.size() < 400 ? content.substr(0, 400) : std::string_view{};
      pass(content);
      if (open == std::string_view::npos) break;
      text.remove_prefix(open);
      const std::string_view end = text.starts_with("<!--") ? "-->" : text.starts_with("<?") ? "?>" : text.starts_with("<![CDATA[") ? "]]>" : ">";
      const auto close = text.find(end);
      if (close == std::string_view::npos) break;
      const std::string_view tag = text.substr(0, close + end.size());
      read_tag(tag);
      pass(tag);
      text.remove_prefix(tag.size());
    }
    return std::move(out_);
  }

 private:
  struct Open {
    std::string name;
    std::uint32_t line;
    bool has_children = false;
  };

  void pass(std::string_view part) { line_ += static_cast<std::uint32_t>(std::ranges::count(part, '\n')); }

  std::string path(std::string_view leaf) const {
    std::string out;
    for (const auto& element : stack_) out += element.name + "/";
    return out + base::lower(leaf);
  }

  void add(std::string path, std::string_view value, std::uint32_t line, std::string words) { out_.push_back({line, std::move(path), std::string(base::trim(value)), std::move(words)}); }

  void read_tag(std::string_view tag) {
    if (tag.starts_with("<![CDATA[")) {
      text_ += tag.substr(9, std::min<std::size_t>(tag.size() - 12, 400));
      return;
    }
    if (tag.starts_with("<!") || tag.starts_with("<?")) return;
    if (tag.starts_with("</")) return close(base::lower(base::trim(tag.substr(2, tag.size() - 3))));
    const bool alone = tag.size() > 2 && tag[tag.size() - 2] == '/';
    std::string_view inside = tag.substr(1, tag.size() - (alone ? 3 : 2));
    const auto end = inside.find_first_of(" \t\r\n");
    const std::string name = base::lower(inside.substr(0, end));
    if (!is_key(name)) return;
    if (!stack_.empty()) stack_.back().has_children = true;
    if (stack_.size() < kDeepest) stack_.push_back({name, line_});
    if (end != std::string_view::npos) attributes(inside.substr(end), std::string(tag.substr(0, 200)));
    text_.clear();
    if (alone) close(name);
  }

  // `name="Key" value="x"` is a key of its own; every attribute is one beneath its element.
  void attributes(std::string_view text, const std::string& words) {
    std::string named, value;
    while (true) {
      const auto equals = text.find('=');
      if (equals == std::string_view::npos || equals + 1 >= text.size()) break;
      const std::string key = base::lower(base::trim(text.substr(0, equals)));
      text = base::trim(text.substr(equals + 1));
      if (text.empty() || (text[0] != '"' && text[0] != '\'')) break;
      const auto close = text.find(text[0], 1);
      if (close == std::string_view::npos) break;
      const std::string_view content = text.substr(1, close - 1);
      if (key == "name" || key == "key" || key == "id") named = base::lower(content);
      if (key == "value" || key == "val" || key == "default") value = std::string(content), has_value_ = true;
      if (is_key(key)) add(path(key), content, line_, words);
      text.remove_prefix(close + 1);
    }
    if (has_value_ && is_key(named)) add(path(named), value, line_, words);
    has_value_ = false;
  }

  void close(const std::string& name) {
    const auto match = std::ranges::find(stack_.rbegin(), stack_.rend(), name, &Open::name);
    if (match == stack_.rend()) return;
    while (stack_.back().name != name) stack_.pop_back();
    const Open element = stack_.back();
    stack_.pop_back();
    if (!element.has_children && text_.size() < 400) add(path(name), text_, element.line, "<" + name + ">" + std::string(base::trim(text_)).substr(0, 160) + "</" + name + ">");
    text_.clear();
  }

  std::uint32_t line_ = 1;
  std::string text_;
  std::vector<Open> stack_;
  bool has_value_ = false;
  std::vector<Setting> out_;
};

}  // namespace

std::vector<Setting> read_settings(std::string_view text) {
  const auto start = base::trim(text.substr(0, 512));
  if (start.starts_with('<')) return Elements().read(text);
  return Lines().read(text);
}

}  // namespace derive
