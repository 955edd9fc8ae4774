#include "app/closer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "base/escape.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/worker.h"
#include "elf/elf.h"
#include "flow/flow.h"
#include "report/words.h"
#include "sleigh/sleigh.h"

namespace app {
namespace {

using Json = nlohmann::json;
using Lines = std::vector<std::string>;

constexpr std::uint32_t kAround = 2;            // lines of a script before and after
constexpr std::size_t kBefore = 9, kAfter = 2;  // instructions
constexpr std::size_t kWays = 3, kChains = 3, kCalls = 4, kTexts = 8;
constexpr std::size_t kLongest = 200;             // bytes of a text that is shown
constexpr std::size_t kShortest = 4, kPiece = 6;  // of a text of the program; of the fixed part of a format
constexpr std::uint64_t kMostInstructions = 50'000;  // of one function

std::string in_quotes(std::string_view text) {
  return "\"" + std::string(text.substr(0, kLongest)) + (text.size() > kLongest ? "\"..." : "\"");
}

std::string without_tabs(std::string_view text) {
  std::string out;
  for (const char c : text) c == '\t' ? out.append(4, ' ') : out.append(1, c);
  return out;
}

// Of lines beside the one that was read, which nobody has looked through for what is to be masked.
bool may_hold_a_secret(std::string_view line) {
  const auto text = base::lower(line);
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"pass", "pwd", "secret", "key", "token", "psk", "credential"},
      [&](auto word) { return text.find(word) != std::string::npos; });
}

Lines script_lines(base::ByteView bytes, std::uint32_t line) {
  const auto all = base::split(base::as_text(bytes), '\n');
  Lines out{"lines of the file:"};
  for (std::uint32_t i = line > kAround ? line - kAround : 1; i <= line + kAround && i <= all.size(); ++i)
    out.push_back(fmt::format("{} {:4}  {}", i == line ? ">" : " ", i,
                              i != line && may_hold_a_secret(all[i - 1])
                                  ? "(masked: it may hold a secret)"
                                  : without_tabs(all[i - 1].substr(0, kLongest))));
  return out;
}

std::string value_words(const flow::ArgValue& value) {
  Lines ways;
  for (const auto& text : value.values)
    ways.push_back(value.kind == flow::ArgValue::Kind::text ? in_quotes(text) : text.substr(0, kLongest / 4));
  for (const auto number : value.numbers)
    ways.push_back(number > 4096 ? fmt::format("0x{:x}", number) : fmt::format("{}", number));
  if (ways.empty()) return value.buffer_id.empty() ? "?" : value.buffer_id;
  std::string out;
  for (std::size_t i = 0; i < ways.size() && i < kWays; ++i) out += (i ? " or " : "") + ways[i];
  return out + (ways.size() > kWays ? fmt::format(" or {} more", ways.size() - kWays) : "");
}

// True when the fixed parts of a format all stand in `text`, in their order: "mount %s:/pm" in "mount
// 203.0.113.9:/pm".
bool may_make(std::string_view format, std::string_view text) {
  if (format.find('%') == std::string_view::npos)
    return format.size() > kShortest && text.find(format) != std::string_view::npos;
  std::size_t at = 0, fixed = 0;
  while (!format.empty()) {
    const auto percent = std::min(format.find('%'), format.size());
    const auto piece = format.substr(0, percent);
    const auto found = text.find(piece, at);
    if (found == std::string_view::npos) return false;
    at = found + piece.size();
    fixed += piece.size();
    format.remove_prefix(percent);
    if (format.empty()) break;
    const auto end = format.find_first_of("diouxXcspfgeEGaA", 1);
    format.remove_prefix(end == std::string_view::npos ? format.size() : end + 1);
  }
  return fixed >= kPiece;
}

class Reader {
 public:
  Reader(const elf::Binary& binary, const flow::Program& program, sleigh::Translator* translator)
      : binary_(binary), program_(program), translator_(translator), texts_(binary.strings(kShortest)) {
    for (const auto& text : texts_) text_at_.emplace(text.address, text.text);
    for (const auto& import : binary.imports) {
      if (import.stub) names_[import.stub] = import.name;
      for (const auto stub : import.more_stubs) names_[stub] = import.name;
    }
    for (const auto& function : program.functions)
      if (!names_.contains(function.address))
        names_[function.address] = function.library.empty() ? function.name : function.library;
  }

  Lines at(std::uint64_t address, bool masked) {
    Lines out;
    if (const auto text = text_at_.find(address); text != text_at_.end() && !masked)
      out.push_back("a text of the program: " + in_quotes(text->second));
    tell_calls(address, masked, out);
    tell_code(address, masked, out);
    return out;
  }

 private:
  void tell_calls(std::uint64_t address, bool masked, Lines& out) {
    std::set<std::string> chains, calls;
    std::string values;
    for (const auto& call : program_.calls) {
      if (call.site != address) continue;
      std::string chain;
      for (std::size_t i = 0; i < call.reached_from.size(); ++i)
        if (i == 0 || call.reached_from[i] != call.reached_from[i - 1])
          chain += (chain.empty() ? "" : " -> ") + call.reached_from[i];
      if (chains.size() < kChains) chains.insert(chain);
      std::string words;
      for (const auto& arg : call.args) {
        words += (words.empty() ? "" : ", ") +
                 (masked && arg.kind == flow::ArgValue::Kind::text ? "(masked)" : value_words(arg));
        if (arg.kind == flow::ArgValue::Kind::text)
          for (const auto& value : arg.values) values += value + "\n";
      }
      if (calls.size() < kCalls) calls.insert(call.callee + "(" + words + ")");
    }
    for (const auto& chain : chains) out.push_back("called by: " + chain);
    for (const auto& call : calls) out.push_back("the call: " + call);
    if (masked || values.empty()) return;
    std::vector<const elf::Text*> used;
    for (const auto& text : texts_)
      if (text.text.size() > kShortest && may_make(text.text, values)) used.push_back(&text);
    const auto all = used;
    std::erase_if(used, [&all](const auto* one) {  // "/mnt" says nothing beside "mount /mnt"
      return std::ranges::any_of(all, [&](const auto* other) {
        return other->text.size() > one->text.size() && other->text.find(one->text) != std::string_view::npos;
      });
    });
    std::ranges::stable_sort(used,
                             [](const auto* a, const auto* b) { return a->text.size() > b->text.size(); });
    used.resize(std::min(used.size(), kTexts));
    std::ranges::sort(used, {}, &elf::Text::address);
    if (!used.empty()) out.push_back("texts of the program that these values hold:");
    for (const auto* text : used)
      out.push_back(fmt::format("  0x{:x}  {}", text->address, in_quotes(text->text)));
  }

  const flow::Function* function_with(std::uint64_t address) const {
    for (const auto& function : program_.functions) {
      if (address >= function.address && address < function.end) return &function;
      for (const auto& [begin, end] : function.parts)
        if (address >= begin && address < end) return &function;
    }
    return nullptr;
  }

  // What the numbers of an instruction mean: a function's name, a text, or a text that the word there points
  // to.
  std::string meaning(const std::string& instruction, bool masked) const {
    for (auto at = instruction.find("0x"); at != std::string::npos; at = instruction.find("0x", at + 2)) {
      std::uint64_t number = 0;
      if (std::from_chars(instruction.data() + at + 2, instruction.data() + instruction.size(), number, 16)
              .ec != std::errc())
        continue;
      if (const auto name = names_.find(number); name != names_.end()) return "  ; " + name->second;
      for (const auto address : {std::optional(number), binary_.word(number)})
        if (const auto text = address ? text_at_.find(*address) : text_at_.end(); text != text_at_.end())
          return masked ? "  ; (masked)" : "  ; " + in_quotes(text->second.substr(0, 60));
    }
    return {};
  }

  void tell_code(std::uint64_t address, bool masked, Lines& out) {
    const auto* function = function_with(address);
    if (!translator_ || !function) return;
    auto from = function->address;
    for (const auto& [begin, end] : function->parts)
      if (address >= begin && address < end) from = begin;
    std::vector<std::pair<std::uint64_t, std::string>> code;
    std::size_t after = 0;
    for (std::uint64_t i = 0; i < kMostInstructions && after <= kAfter; ++i) {
      std::vector<sleigh::PcodeOp> ignored;
      if (!translator_->lift(from, function->thumb, ignored)) break;
      code.emplace_back(from, translator_->disassemble(from, function->thumb));
      if (from >= address) ++after;
      if (code.size() > kBefore + kAfter + 1) code.erase(code.begin());
      from += std::max(1u, translator_->last_length());
    }
    if (std::ranges::find(code, address, &std::pair<std::uint64_t, std::string>::first) == code.end()) return;
    out.push_back(fmt::format("code of {}:", function->name));
    for (const auto& [where, instruction] : code)
      out.push_back(fmt::format("{} 0x{:x}  {}{}", where == address ? ">" : " ", where, instruction,
                                meaning(instruction, masked)));
  }

  const elf::Binary& binary_;
  const flow::Program& program_;
  sleigh::Translator* translator_;
  std::vector<elf::Text> texts_;
  std::map<std::uint64_t, std::string_view> text_at_;
  std::map<std::uint64_t, std::string> names_;
};

// Runs in a worker. A table of address -> lines as JSON; strings are escaped to cross the pipe.
base::Bytes read_program(base::ByteView bytes, const std::map<std::uint64_t, bool>& wanted) {
  Json out = Json::object();
  if (const auto binary = elf::read(bytes))
    if (const auto program = flow::analyse(*binary, bytes)) {
      const auto machine = sleigh::machine_for(*binary);
      auto translator = machine ? sleigh::Translator::open(*machine, *binary)
                                : base::Result<std::unique_ptr<sleigh::Translator>>(nullptr);
      Reader reader(*binary, *program, translator ? translator->get() : nullptr);
      for (const auto& [address, masked] : wanted)
        for (const auto& line : reader.at(address, masked))
          out[fmt::format("{:x}", address)].push_back(base::escape_bytes(line));
    }
  const auto text = out.dump();
  return {text.begin(), text.end()};
}

const result::FileEntry* entry(const result::Result& result, const std::string& path) {
  const auto found = std::ranges::find(result.files, path, &result::FileEntry::path);
  return found == result.files.end() ? nullptr : &*found;
}

// Tables of accounts, keys and settings are none: their lines are what is masked elsewhere.
bool is_script(const result::Result& result, const std::string& path) {
  for (const auto& program : result.graph.programs)
    if (program.path == path) return program.kind == effects::Program::Kind::script;
  return false;
}

}  // namespace

report::CloserLook look_closer(const unpack::Firmware& firmware, const result::Result& result,
                               const result::Finding& finding) {
  report::CloserLook out;
  std::map<std::string, std::vector<const effects::Site*>> by_file;
  const auto want = [&](std::uint32_t index) {
    if (index < result.graph.effects.size())
      by_file[result.graph.effects[effects::EffectId{index}].site.file].push_back(
          &result.graph.effects[effects::EffectId{index}].site);
  };
  for (const auto index : finding.effects) want(index);

  for (const auto& [path, sites] : by_file) {
    const auto* node = firmware.root.resolve(path);
    if (!node || node->type != unpack::NodeType::regular) continue;
    const auto bytes = firmware.bytes(*node);
    if (const auto* known = entry(result, path);
        known && !known->sha256.empty() && known->sha256 != base::sha256_hex(bytes)) {
      for (const auto* site : sites)
        out[report::place_words(*site)] = {"the image that was given has other bytes at this path"};
      continue;
    }
    const auto masked = [](const effects::Site& site) {
      return site.words.find("(masked)") != std::string::npos;
    };
    std::map<std::uint64_t, bool> wanted;
    for (const auto* site : sites) {
      if (site->address) wanted[*site->address] |= masked(*site);
      if (site->line && is_script(result, path) && !masked(*site))
        out[report::place_words(*site)] = script_lines(bytes, site->line);
    }
    if (wanted.empty() || !elf::is_elf(bytes)) continue;
    if (const auto header = elf::read_header(bytes))  // a worker may not open the table
      if (const auto machine = sleigh::machine_for(*header)) (void)sleigh::prepare(*machine);
    const auto read = base::run_worker({}, [&] { return read_program(bytes, wanted); });
    const auto json = read ? Json::parse(base::as_text(*read), nullptr, false) : Json();
    for (const auto* site : sites) {
      if (!site->address) continue;
      const auto key = fmt::format("{:x}", *site->address);
      auto& lines = out[report::place_words(*site)];
      lines.clear();
      if (!read) lines.push_back("not read: " + read.error().message);
      if (json.is_object() && json.contains(key))
        for (const auto& line : json[key])
          lines.push_back(base::unescape_bytes(line.get<std::string>()).value_or(""));
    }
  }
  return out;
}

}  // namespace app
