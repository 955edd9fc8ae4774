#include "derive/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace derive {

using effects::Text;

bool Invocation::has(std::string_view option) const {
  return std::ranges::any_of(options, [&](const auto& given) { return given.first == option; });
}

namespace {

Text with_value(const Text& from, std::string_view value) {
  Text out = from;
  out.value = std::string(value);
  out.resolved = value.find("${") == std::string_view::npos;
  return out;
}

Text literal(std::string_view value) {
  Text out;
  out.value = std::string(value);
  return out;
}

}  // namespace

void split_options(Invocation& invocation, const std::vector<std::string>& with_value_list, bool old_style) {
  const auto takes_value = [&](std::string_view option) { return std::ranges::find(with_value_list, option) != with_value_list.end(); };
  // "-i -l /bin/sh": the next word is an option as well, so this one goes without its value here.
  const auto value_follows = [&](std::size_t i) { return i + 1 < invocation.words.size() && !takes_value(invocation.words[i + 1].value); };
  bool options_over = false;
  for (std::size_t i = 0; i < invocation.words.size(); ++i) {
    const Text& word = invocation.words[i];
    std::string text = word.value;
    if (old_style && i == 0 && !text.starts_with('-') && !text.empty()) text.insert(text.begin(), '-');
    if (options_over || text.size() < 2 || text[0] != '-') {
      invocation.operands.push_back(word);
      continue;
    }
    if (text == "--") {
      options_over = true;
      continue;
    }
    const bool single_word_option = takes_value(text) || text.starts_with("--");
    if (single_word_option) {
      const auto equals = text.find('=');
      const std::string name = text.substr(0, equals);
      if (equals != std::string::npos) invocation.options.emplace_back(name, with_value(word, text.substr(equals + 1)));
      else if (takes_value(name) && value_follows(i)) invocation.options.emplace_back(name, invocation.words[++i]);
      else invocation.options.emplace_back(name, Text{});
      continue;
    }
    if (std::ranges::any_of(with_value_list, [&](const std::string& o) { return o.size() > 2 && o == text; })) continue;
    invocation.options.emplace_back(text, Text{});  // as a whole, for `-start`-like words
    for (std::size_t at = 1; at < text.size(); ++at) {
      const std::string flag = {'-', text[at]};
      if (!takes_value(flag)) {
        if (flag != text) invocation.options.emplace_back(flag, Text{});
        continue;
      }
      if (at + 1 < text.size()) invocation.options.emplace_back(flag, with_value(word, text.substr(at + 1)));
      else if (value_follows(i)) invocation.options.emplace_back(flag, invocation.words[++i]);
      else if (flag != text) invocation.options.emplace_back(flag, Text{});
      break;
    }
  }
}

struct Expression::Node {
  enum class Type { literal, call, either } type = Type::literal;
  std::string name;
  std::vector<std::string> raw;  // arguments as written, for operand(1) and option(-O)
  std::vector<std::shared_ptr<const Node>> parts;
};

namespace {

struct UrlParts {
  std::string_view scheme, host, port, path;
};

// scheme://user:pw@host:port/path, any part but the host missing (RFC 3986 section 3, read leniently).
UrlParts url_parts(std::string_view url) {
  UrlParts out;
  if (const auto at = url.find("://"); at != std::string_view::npos) {
    out.scheme = url.substr(0, at);
    url.remove_prefix(at + 3);
  }
  const auto slash = url.find_first_of("/?#");
  std::string_view authority = url.substr(0, slash);
  if (slash != std::string_view::npos) out.path = url.substr(slash);
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    out.host = authority.substr(1, close == std::string_view::npos ? close : close - 1);
    if (close != std::string_view::npos && authority.substr(close + 1).starts_with(':')) out.port = authority.substr(close + 2);
    return out;
  }
  // A colon inside ${...} is part of the unknown.
  const auto brace = authority.rfind('}');
  const auto colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && (brace == std::string_view::npos || colon > brace);
  out.host = authority.substr(0, has_port ? colon : std::string_view::npos);
  if (has_port) out.port = authority.substr(colon + 1);
  return out;
}

// host:/path, user@host:path, //host/share, \\host\share. Both empty when it is none of these.
std::pair<std::string_view, std::string_view> share_parts(std::string_view share) {
  if (share.starts_with("//") || share.starts_with("\\\\")) {
    const auto end = share.find_first_of("/\\", 2);
    return {share.substr(2, end == std::string_view::npos ? end : end - 2), end == std::string_view::npos ? std::string_view{} : share.substr(end)};
  }
  if (share.starts_with('/') || share.starts_with('.')) return {};
  auto colon = share.find(':');
  if (share.starts_with('[')) {
    const auto close = share.find("]:");
    if (close == std::string_view::npos) return {};
    return {share.substr(1, close - 1), share.substr(close + 2)};
  }
  if (const auto brace = share.find('}'); brace != std::string_view::npos && colon < brace) colon = share.find(':', brace);
  if (colon == std::string_view::npos) return {};
  std::string_view host = share.substr(0, colon);
  if (const auto at = host.find('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  return {host, share.substr(colon + 1)};
}

std::string_view base_of(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path.substr(path.rfind('/') + 1);
}

std::string_view dir_of(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string_view convert(std::string_view name, std::string_view value) {
  if (name == "url_host") return url_parts(value).host;
  if (name == "url_port") return url_parts(value).port;
  if (name == "url_path") return url_parts(value).path;
  if (name == "url_scheme") return url_parts(value).scheme;
  if (name == "url_file") {
    std::string_view path = url_parts(value).path;
    path = path.substr(0, path.find_first_of("?#"));
    return path.ends_with('/') ? std::string_view{} : base_of(path);
  }
  if (name == "share_host") return share_parts(value).first;
  if (name == "share_path") return share_parts(value).second;
  if (name == "host") return url_parts(value).host;
  if (name == "port") return url_parts(value).port;
  if (name == "base") return base_of(value);
  return dir_of(value);
}

constexpr std::string_view kConversions[] = {"url_host", "url_port", "url_path", "url_scheme", "url_file", "share_host",
                                             "share_path", "host", "port", "base", "dir"};
constexpr std::string_view kAtoms[] = {"operand", "operands", "rest", "last", "before_last", "option", "has", "arg", "argument", "stdin", "stdout", "opened", "it", "command_line"};

bool is_conversion(std::string_view name) { return std::ranges::find(kConversions, name) != std::end(kConversions); }
bool is_atom(std::string_view name) { return std::ranges::find(kAtoms, name) != std::end(kAtoms); }

}  // namespace

base::Result<Expression> Expression::parse(std::string_view text) {
  struct Parser {
    std::string_view text;
    std::size_t at = 0;
    std::string error;

    void blank() {
      while (at < text.size() && text[at] == ' ') ++at;
    }
    std::shared_ptr<const Node> either() {
      auto first = term();
      blank();
      if (at >= text.size() || text[at] != '|' || !first) return first;
      auto node = std::make_shared<Node>();
      node->type = Node::Type::either;
      node->parts.push_back(first);
      while (at < text.size() && text[at] == '|') {
        ++at;
        auto next = term();
        if (!next) return nullptr;
        node->parts.push_back(next);
        blank();
      }
      return node;
    }
    std::shared_ptr<const Node> term() {
      blank();
      auto node = std::make_shared<Node>();
      if (at < text.size() && text[at] == '\'') {
        const auto end = text.find('\'', at + 1);
        if (end == std::string_view::npos) {
          error = "unclosed quote";
          return nullptr;
        }
        node->name = std::string(text.substr(at + 1, end - at - 1));
        at = end + 1;
        return node;
      }
      const auto start = at;
      while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '_')) ++at;
      node->type = Node::Type::call;
      node->name = std::string(text.substr(start, at - start));
      if (!is_atom(node->name) && !is_conversion(node->name) && node->name != "join") {
        error = fmt::format("unknown word '{}'", node->name);
        return nullptr;
      }
      if (at >= text.size() || text[at] != '(') return node;
      ++at;
      if (is_atom(node->name)) {
        const auto end = text.find(')', at);
        if (end == std::string_view::npos) {
          error = "missing )";
          return nullptr;
        }
        node->raw.emplace_back(base::trim(text.substr(at, end - at)));
        at = end + 1;
        return node;
      }
      for (;;) {
        auto part = either();
        if (!part) return nullptr;
        node->parts.push_back(part);
        blank();
        if (at < text.size() && text[at] == ',') {
          ++at;
          continue;
        }
        if (at < text.size() && text[at] == ')') {
          ++at;
          return node;
        }
        error = "missing )";
        return nullptr;
      }
    }
  } parser{text, 0, {}};
  Expression out;
  out.root_ = parser.either();
  parser.blank();
  if (out.root_ && parser.at != text.size()) parser.error = "text after the expression";
  if (!out.root_ || !parser.error.empty())
    return base::fail(base::Error::Kind::damaged, fmt::format("expression '{}': {}", text, parser.error));
  return out;
}

std::vector<Text> Expression::evaluate(const Invocation& invocation, const Text* each) const {
  const auto number = [](const Node& node) { return node.raw.empty() ? 1ul : std::strtoul(node.raw[0].c_str(), nullptr, 10); };
  const auto from = [](const std::vector<Text>& list, std::size_t first, std::size_t end) {
    return first >= std::min(end, list.size()) ? std::vector<Text>{} : std::vector<Text>(list.begin() + static_cast<std::ptrdiff_t>(first), list.begin() + static_cast<std::ptrdiff_t>(std::min(end, list.size())));
  };
  const auto atom = [&](const Node& node) -> std::vector<Text> {
    const auto& operands = invocation.operands;
    if (node.name == "operand") return from(operands, number(node) - 1, number(node));
    if (node.name == "operands") return operands;
    if (node.name == "rest") return from(operands, number(node) - 1, operands.size());
    if (node.name == "last") return operands.empty() ? std::vector<Text>{} : std::vector<Text>{operands.back()};
    if (node.name == "before_last") return operands.empty() ? std::vector<Text>{} : from(operands, 0, operands.size() - 1);
    if (node.name == "arg") return from(invocation.words, number(node), number(node) + 1);
    if (node.name == "argument") return from(invocation.words, number(node) - 1, number(node));
    if (node.name == "stdin") return invocation.standard_input.empty() ? std::vector<Text>{} : std::vector<Text>{invocation.standard_input};
    if (node.name == "stdout") return invocation.standard_output.empty() ? std::vector<Text>{} : std::vector<Text>{invocation.standard_output};
    if (node.name == "opened") return invocation.opened.empty() ? std::vector<Text>{} : std::vector<Text>{invocation.opened};
    if (node.name == "has") return !node.raw.empty() && invocation.has(node.raw[0]) ? std::vector<Text>{literal("yes")} : std::vector<Text>{};
    if (node.name == "it") return each ? std::vector<Text>{*each} : std::vector<Text>{};
    if (node.name == "command_line") {
      Text line;
      for (const Text& word : invocation.words) {
        if (!line.value.empty()) line.value += ' ';
        line.value += word.value;
        line.resolved = line.resolved && word.resolved;
      }
      return {line};
    }
    std::vector<Text> out;
    for (const auto& [name, value] : invocation.options)
      if (!node.raw.empty() && name == node.raw[0] && !value.empty()) out.push_back(value);
    return out;
  };
  const auto walk = [&](const auto& self, const Node& node) -> std::vector<Text> {
    if (node.type == Node::Type::literal) return {literal(node.name)};
    if (node.type == Node::Type::either) {
      for (const auto& part : node.parts) {
        auto values = self(self, *part);
        std::erase_if(values, [](const Text& t) { return t.empty(); });
        if (!values.empty()) return values;
      }
      return {};
    }
    if (node.name == "join") {
      std::vector<Text> out;
      if (node.parts.size() != 2) return out;
      const auto directories = self(self, *node.parts[0]);
      for (const Text& file : self(self, *node.parts[1]))
        for (const Text& directory : directories)
          if (!file.empty()) out.push_back(with_value(directory, directory.value + (directory.value.ends_with('/') ? "" : "/") + file.value));
      return out;
    }
    if (is_conversion(node.name)) {
      std::vector<Text> out;
      if (node.parts.empty()) return out;
      for (const Text& value : self(self, *node.parts[0])) {
        // An unknown name in the middle of a host or path stays; convert() keeps ${...} whole.
        const std::string_view converted = convert(node.name, value.value);
        if (converted.empty()) continue;
        out.push_back(with_value(value, converted));
        // A part without unknowns owes nothing to those elsewhere in the word: the host of http://203.0.113.1/$FILE is fixed.
        const bool part_known = converted.find('$') == std::string_view::npos && value.value.find('$') != std::string::npos;
        if (part_known && !effects::fixed(value.provenance)) {
          out.back().provenance = effects::Provenance::literal;
          out.back().resolved = true;
          out.back().origin.clear();
        }
      }
      return out;
    }
    return atom(node);
  };
  return root_ ? walk(walk, *root_) : std::vector<Text>{};
}

base::Result<Condition> Condition::parse(std::string_view text) {
  Condition out;
  text = base::trim(text);
  if (text.starts_with("not has ") || text.starts_with("has ")) {
    out.negated_ = text.starts_with("not ");
    out.option_ = std::string(base::trim(text.substr(text.find("has ") + 4)));
    return out;
  }
  auto operation = text.find(" !~ ");
  std::size_t width = 4;
  out.negated_ = operation != std::string_view::npos;
  if (!out.negated_) {
    operation = text.find(" ~ ");
    width = 3;
  }
  if (operation == std::string_view::npos) return base::fail(base::Error::Kind::damaged, fmt::format("condition '{}': expected has, ~ or !~", text));
  auto expression = Expression::parse(base::trim(text.substr(0, operation)));
  if (!expression) return std::unexpected(expression.error());
  out.expression_ = std::move(*expression);
  try {
    out.pattern_ = std::regex(std::string(text.substr(operation + width)), std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& error) {
    return base::fail(base::Error::Kind::damaged, fmt::format("condition '{}': {}", text, error.what()));
  }
  return out;
}

bool Condition::holds(const Invocation& invocation, const Text* each) const {
  if (!expression_) return invocation.has(option_) != negated_;
  bool matched = false;
  for (const Text& value : expression_->evaluate(invocation, each))
    matched = matched || std::regex_search(value.value.substr(0, 4096), *pattern_);
  return matched != negated_;
}

}  // namespace derive
