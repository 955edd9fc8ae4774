#include "derive/pages.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "base/hash.h"
#include "base/text.h"
#include "derive/data_classes.h"
#include "derive/embedded.h"
#include "elf/elf.h"

namespace derive {

using effects::Effect;
using effects::EffectId;
using effects::Kind;

namespace {

struct Call {
  Kind kind;
  std::string says;
};

struct PageModels {
  std::vector<std::regex> requests;
  std::map<std::string, Call, std::less<>> calls;
};

const PageModels& page_models() {
  static const PageModels models = [] {
    PageModels out;
    const YAML::Node root = YAML::Load(std::string(embedded::pages_yaml));
    for (const auto& node : root["requests"]) out.requests.emplace_back(node.as<std::string>(), std::regex::optimize);
    for (const auto& node : root["calls"])
      for (const auto& name : node["names"])
        if (const auto kind = effects::kind_from_key(node["kind"].as<std::string>())) out.calls.emplace(name.as<std::string>(), Call{*kind, node["says"].as<std::string>()});
    return out;
  }();
  return models;
}

// One token of the page's code. Numbers, keywords and names are words.
struct Token {
  enum class Kind : std::uint8_t { text, variable, word, sign } kind = Kind::sign;
  std::string value;  // of a text: unescaped
  std::uint32_t line = 0;
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  // The tokens of all code parts, a sign ";" between parts. At most 200,000.
  std::vector<Token> read() {
    while (at_ < text_.size() && out_.size() < 200'000) {
      const auto php = text_.find("<?", at_), asp = text_.find("<%", at_);
      const auto open = std::min(php, asp);
      if (open == std::string_view::npos) break;
      skip_to(open + 2);
      end_ = open == php ? "?>" : "%>";
      if (open == php && text_.substr(at_).starts_with("xml")) continue;
      if (text_.substr(at_).starts_with("php")) skip_to(at_ + 3);
      if (text_.substr(at_).starts_with("=")) push(Token::Kind::word, "echo", 1);
      read_code();
      push(Token::Kind::sign, ";", 0);
    }
    return std::move(out_);
  }

 private:
  void skip_to(std::size_t to) {
    to = std::min(to, text_.size());
    line_ += static_cast<std::uint32_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_), text_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    at_ = to;
  }
  void push(Token::Kind kind, std::string value, std::size_t length) {
    out_.push_back({kind, std::move(value), line_});
    skip_to(at_ + length);
  }
  static bool is_word(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

  void read_code() {
    while (at_ < text_.size() && out_.size() < 200'000) {
      const auto rest = text_.substr(at_);
      if (rest.starts_with(end_)) return skip_to(at_ + 2);
      if (rest.starts_with("/*")) {
        const auto close = rest.find("*/");
        skip_to(close == std::string_view::npos ? text_.size() : at_ + close + 2);
      } else if (rest.starts_with("//") || rest[0] == '#') {
        skip_to(at_ + std::min({rest.find('\n'), rest.find(end_), rest.size()}));
      } else if (rest[0] == '"' || rest[0] == '\'') {
        read_text(rest[0]);
      } else if (rest[0] == '$' && rest.size() > 1 && is_word(rest[1])) {
        std::size_t end = 1;
        while (end < rest.size() && is_word(rest[end])) ++end;
        push(Token::Kind::variable, std::string(rest.substr(1, end - 1)), end);
      } else if (is_word(rest[0])) {
        std::size_t end = 1;
        while (end < rest.size() && is_word(rest[end])) ++end;
        push(Token::Kind::word, std::string(rest.substr(0, end)), end);
      } else if (rest[0] == '\n' && end_ == "%>") {
        push(Token::Kind::sign, ";", 1);  // Lua and VBScript end a statement there
      } else if (rest[0] <= ' ' && rest[0] >= 0) {
        skip_to(at_ + 1);
      } else {
        push(Token::Kind::sign, std::string(1, rest[0]), 1);
      }
    }
  }

  // Both kinds of quotes know \n here: the dialects of web interfaces do.
  void read_text(char quote) {
    std::string value;
    std::size_t i = at_ + 1;
    for (; i < text_.size() && text_[i] != quote; ++i) {
      if (text_[i] != '\\' || i + 1 >= text_.size()) {
        value += text_[i];
        continue;
      }
      const char next = text_[++i];
      value += next == 'n' ? '\n' : next == 't' ? '\t' : next == 'r' ? '\r' : next;
    }
    out_.push_back({Token::Kind::text, std::move(value), line_});
    skip_to(i + 1);
  }

  std::string_view text_, end_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::vector<Token> out_;
};

// A text put together from literals and variables, and the line of each of its bytes.
struct Built {
  std::string text;
  std::vector<std::uint32_t> lines;
  void add(std::string_view part, std::uint32_t line) {
    text += part;
    lines.resize(text.size(), line);
  }
};

class PageReader {
 public:
  PageReader(ProgramFacts& facts, const std::vector<std::string_view>& lines, const std::function<bool(std::string_view)>& is_program, const Models& models)
      : facts_(facts), lines_(lines), is_program_(is_program), models_(models) {}

  void read(const std::vector<Token>& tokens) {
    std::vector<Token> statement;
    int depth = 0;  // of parentheses: a ';' in for(;;) ends nothing
    for (const Token& token : tokens) {
      if (token.kind == Token::Kind::sign && token.value == "(") ++depth;
      if (token.kind == Token::Kind::sign && token.value == ")") depth = std::max(0, depth - 1);
      const bool ends = token.kind == Token::Kind::sign && (token.value == ";" || token.value == "{" || token.value == "}");
      if (!ends) {
        statement.push_back(token);
        continue;
      }
      if (!statement.empty()) read_statement(statement);
      statement.clear();
      depth = 0;
    }
    if (!statement.empty()) read_statement(statement);
  }

 private:
  effects::Site site(std::uint32_t line) const {
    effects::Site out;
    out.file = facts_.program.path;
    out.line = line;
    if (line > 0 && line <= lines_.size()) out.words = std::string(base::trim(lines_[line - 1]).substr(0, 300));
    return out;
  }

  std::uint32_t add(Kind kind, std::uint32_t line, std::string object, std::string says) {
    Effect effect;
    effect.kind = kind;
    effect.site = site(line);
    effect.object.value = std::move(object);
    if (!says.empty()) effect.notes["says"] = std::move(says);
    facts_.effects.push_back(std::move(effect));
    return static_cast<std::uint32_t>(facts_.effects.size() - 1);
  }

  void read_statement(const std::vector<Token>& all) {
    std::vector<Token> tokens = all;
    // `if (...) x = ...`: what follows the condition counts too.
    std::set<std::uint32_t> sources = requests_in(tokens);
    std::string assigned;
    std::size_t value_from = 0;
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      const bool is = tokens[i].kind == Token::Kind::variable && tokens[i + 1].value == "=" && tokens[i + 1].kind == Token::Kind::sign;
      const bool compared = is && ((i + 2 < tokens.size() && tokens[i + 2].value == "=") || (i > 0 && tokens[i - 1].value == "!"));
      if (!is || compared) continue;
      assigned = tokens[i].value;
      value_from = i + 2;
      break;
    }
    for (std::size_t i = value_from; i < tokens.size(); ++i)
      if (tokens[i].kind == Token::Kind::variable)
        if (const auto known = tainted_.find(tokens[i].value); known != tainted_.end()) sources.insert(known->second.begin(), known->second.end());
    calls_in(tokens, sources);
    literals_in(tokens);
    if (assigned.empty()) return write_lines(tokens);
    if (sources.empty()) tainted_.erase(assigned);
    else tainted_[assigned] = sources;
    const auto built = build(tokens, value_from);
    values_[assigned] = built.empty() ? "" : built.front().text;
  }

  // The fields of the request that a statement reads, as effects.
  std::set<std::uint32_t> requests_in(const std::vector<Token>& tokens) {
    std::set<std::uint32_t> out;
    std::string plain;
    std::vector<std::uint32_t> lines;
    for (const Token& token : tokens) {
      const std::string part = token.kind == Token::Kind::variable ? "$" + token.value : token.kind == Token::Kind::text ? "\"" + token.value + "\"" : token.value;
      if (plain.size() > 4000) break;
      plain += part;
      lines.resize(plain.size(), token.line);
    }
    for (const auto& pattern : page_models().requests)
      for (std::sregex_iterator match(plain.begin(), plain.end(), pattern), end; match != end; ++match) {
        const std::string field = (*match)[1].str();
        const auto line = lines[static_cast<std::size_t>(match->position())];
        auto [known, fresh] = requests_.try_emplace(field + ":" + std::to_string(line));
        if (fresh) {
          known->second = add(Kind::request, line, field, "");
          facts_.effects.back().object.provenance = effects::Provenance::input;
        }
        out.insert(known->second);
      }
    return out;
  }

  void calls_in(const std::vector<Token>& tokens, const std::set<std::uint32_t>& sources) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i].kind != Token::Kind::word) continue;
      const bool called = i + 1 < tokens.size() && (tokens[i + 1].value == "(" || tokens[i].value.starts_with("include") || tokens[i].value.starts_with("require"));
      if (!called) continue;
      if (tokens[i].value == "event" && i + 2 < tokens.size() && base::lower(tokens[i + 2].value) == "reboot") add(Kind::reboot, tokens[i].line, "", "");
      const auto call = page_models().calls.find(tokens[i].value);
      if (call == page_models().calls.end() || sources.empty()) continue;
      const auto sink = add(call->second.kind, tokens[i].line, "${" + facts_.effects[*sources.begin()].object.value + "}", call->second.says);
      facts_.effects[sink].object.resolved = false;
      facts_.effects[sink].object.provenance = effects::Provenance::input;
      facts_.effects[sink].notes["from-request"] = facts_.effects[*sources.begin()].object.value;
      for (const auto source : sources) facts_.edges.push_back({EffectId{source}, EffectId{sink}, effects::EdgeKind::feeds, false, "a word of the request"});
    }
  }

  // A literal that is the path of a setting with a telling name.
  void literals_in(const std::vector<Token>& tokens) {
    for (const Token& token : tokens) {
      if (token.kind != Token::Kind::text || token.value.size() < 6 || token.value.size() > 200 || token.value[0] != '/' || token.value.find_first_of(" \n<>.") != std::string::npos) continue;
      const auto classes = data_classes_of_name(token.value.substr(token.value.rfind('/') + 1));
      if (classes.empty() || !literals_.insert(token.value + ":" + std::to_string(token.line)).second) continue;
      const auto effect = add(Kind::read, token.line, token.value, "a setting that its name tells about");
      facts_.effects[effect].data = classes;
      facts_.effects[effect].notes["setting"] = token.value;
    }
  }

  // The texts of a statement: runs of literals and variables joined by dots. Unknown parts are written ${name}.
  std::vector<Built> build(const std::vector<Token>& tokens, std::size_t from) const {
    std::vector<Built> out;
    Built now;
    bool joined = false;
    const auto end = [&] {
      if (!now.text.empty()) out.push_back(std::move(now));
      now = {};
    };
    for (std::size_t i = from; i < tokens.size(); ++i) {
      const Token& token = tokens[i];
      if (token.kind == Token::Kind::sign && token.value == ".") {
        joined = true;
        continue;
      }
      const bool part = token.kind == Token::Kind::text || token.kind == Token::Kind::variable;
      const bool call = token.kind == Token::Kind::word && i + 1 < tokens.size() && tokens[i + 1].value == "(" && joined;
      if (!joined || (!part && !call)) end();
      joined = false;
      if (token.kind == Token::Kind::text) now.add(token.value, token.line);
      else if (token.kind == Token::Kind::variable) {
        const auto known = values_.find(token.value);
        const bool useful = known != values_.end() && !known->second.empty() && known->second.size() < 400;
        now.add(useful ? known->second : "${" + token.value + "}", token.line);
      } else if (call) {
        now.add("${" + token.value + "}", token.line);
        int depth = 0;
        for (++i; i < tokens.size(); ++i) {
          if (tokens[i].value == "(" && tokens[i].kind == Token::Kind::sign) ++depth;
          if (tokens[i].value == ")" && tokens[i].kind == Token::Kind::sign && --depth == 0) break;
        }
      }
    }
    end();
    return out;
  }

  // What echo and fwrite put out, line by line, where a line is a command.
  void write_lines(const std::vector<Token>& tokens) {
    static const std::set<std::string, std::less<>> writers = {"echo", "print", "fwrite", "fputs", "startcmd", "stopcmd", "system", "exec", "popen", "shell_exec", "passthru"};
    std::size_t from = 0;
    while (from < tokens.size() && !(tokens[from].kind == Token::Kind::word && writers.contains(tokens[from].value))) ++from;
    if (from == tokens.size()) return;
    for (const Built& built : build(tokens, from + 1))
      for (std::size_t at = 0; at < built.text.size();) {
        auto end = built.text.find('\n', at);
        if (end == std::string::npos) end = built.text.size();
        write_line(std::string_view(built.text).substr(at, end - at), built.lines[at], built.lines[end == at ? at : end - 1]);
        at = end + 1;
      }
  }

  void write_line(std::string_view raw, std::uint32_t line, std::uint32_t last) {
    const auto text = base::trim(raw);
    const auto words = base::split_words(text);
    if (words.size() < 2 || text.size() > 2000 || text[0] == '<') return;
    const auto name = words[0].substr(words[0].rfind('/') == std::string_view::npos ? 0 : words[0].rfind('/') + 1);
    if (!models_.commands.contains(name) && !(is_program_(name) && !models_.known_commands.contains(name))) return;
    const auto before = facts_.effects.size();
    effects::Site place = site(line);
    add_command_line(facts_, text, place, {}, models_);
    for (auto i = before; i < facts_.effects.size(); ++i) {
      Effect& effect = facts_.effects[i];
      // A command over several lines is shown whole.
      place.words.clear();
      for (auto n = line; n <= last && n - line < 12; ++n) place.words += (n == line ? "" : " ") + site(n).words;
      effect.site = place;
      effect.assumed = true;
      effect.assumption = "a page writes this line; that it is run was not followed";
      effect.notes["written-by"] = "a page";
      if (last > line) effect.notes["lines"] = std::to_string(line) + "-" + std::to_string(last);
    }
  }

  ProgramFacts& facts_;
  const std::vector<std::string_view>& lines_;
  const std::function<bool(std::string_view)>& is_program_;
  const Models& models_;
  std::map<std::string, std::uint32_t> requests_;               // field and line -> effect
  std::map<std::string, std::set<std::uint32_t>> tainted_;      // variable -> request effects
  std::map<std::string, std::string> values_;                   // variable -> last text
  std::set<std::string> literals_;
};

bool may_be_page(std::string_view path) {
  for (const auto ending : {".php", ".asp", ".htm", ".html", ".xml", ".sh", ".cgi", ".jsp", ".shtml", ".js", ".lp", ".htm.ejs", ".ejs"})
    if (path.ends_with(ending)) return true;
  return false;
}

}  // namespace

ProgramFacts facts_of_page(std::string_view text, std::string_view path, const std::function<bool(std::string_view)>& is_program, const Models& models) {
  ProgramFacts facts;
  facts.program.path = std::string(path);
  facts.program.kind = effects::Program::Kind::script;
  facts.program.depth = effects::Program::Depth::lifted;
  facts.program.depth_reason = "a page; its calls and texts are read, its branches are not";
  const auto lines = base::split(text, '\n');
  PageReader(facts, lines, is_program, models).read(Lexer(text).read());
  return facts;
}

std::vector<ProgramFacts> facts_of_pages(const unpack::Firmware& firmware, const Models& models) {
  std::set<std::string, std::less<>> names;
  for (const auto& node : firmware.root.nodes())
    if (node.type != unpack::NodeType::directory && (node.path.find("/bin/") != std::string::npos || node.path.find("/sbin/") != std::string::npos)) names.insert(node.path.substr(node.path.rfind('/') + 1));
  const std::function<bool(std::string_view)> is_program = [&](std::string_view name) { return names.contains(name); };
  std::vector<ProgramFacts> out;
  for (const auto& node : firmware.root.nodes()) {
    if (node.type != unpack::NodeType::regular || node.size > (1 << 18) || !may_be_page(node.path)) continue;
    const base::ByteView bytes = firmware.bytes(node);
    const auto text = base::as_text(bytes);
    if (elf::is_elf(bytes) || (text.find("<?") == std::string_view::npos && text.find("<%") == std::string_view::npos)) continue;
    ProgramFacts facts = facts_of_page(text, node.path, is_program, models);
    if (facts.effects.empty()) continue;
    facts.program.sha256 = base::sha256_hex(bytes);
    out.push_back(std::move(facts));
  }
  return out;
}

}  // namespace derive
