// Strings of a program in, effects out that need no code: accounts and messages that carry secrets. Where the code was not
// read to its end, also the commands, request fields and switches that its strings name; that they are used is assumed then.
#include <algorithm>
#include <regex>

#include "base/text.h"
#include "derive/data_classes.h"
#include "derive/facts.h"
#include "derive/marks.h"
#include "derive/passwords.h"

namespace derive {

using effects::Effect;
using effects::Kind;
using effects::Trigger;

namespace {

class StringReader {
 public:
  StringReader(ProgramFacts& facts, const elf::Binary& binary, const Models& models) : facts_(facts), binary_(binary), models_(models) {}

  void read_always() {
    for (const auto& [address, text] : binary_.strings(8)) read_account(address, base::trim(text));
  }

  void read_unfinished() {
    const bool runs = binary_.has_import("system") || binary_.has_import("popen"), asks = binary_.has_import("getenv"), prints = binary_.has_import("printf") || binary_.has_import("puts") || binary_.has_import("__printf_chk");
    for (const auto& [address, view] : binary_.strings(7)) {
      const auto text = base::trim(view);
      if (text.size() > 600 || told(text)) continue;
      if (asks) read_request(address, text);
      if (prints) read_message(address, text);
      read_switch(address, text);
      if (runs) read_script_name(address, text);
      if (runs) read_command(address, text);
    }
    read_marks();
  }

 private:
  bool told(std::string_view text) const {
    return std::ranges::any_of(facts_.effects, [&](const Effect& e) { return !e.assumed && e.site.words.find(text) != std::string::npos; });
  }

  Effect effect_at(Kind kind, std::uint64_t address, std::string_view words, const char* assumption) const {
    Effect effect;
    effect.kind = kind;
    effect.site.file = facts_.program.path;
    effect.site.address = address;
    effect.site.words = std::string(words);
    effect.triggers = {{Trigger::Kind::unknown, "the code was not read"}};
    effect.assumed = true;
    effect.assumption = assumption;
    return effect;
  }

  // A line of passwd(5) that the program carries with it.
  void read_account(std::uint64_t address, std::string_view text) {
    const auto fields = base::split(text, ':');
    if (fields.size() != 7 || fields[0].empty() || fields[0].size() > 32 || fields[1].find('%') != std::string_view::npos || !fields[5].starts_with('/') || !fields[6].starts_with('/')) return;
    const auto is_number = [](std::string_view field) { return !field.empty() && std::ranges::all_of(field, [](char c) { return c >= '0' && c <= '9'; }); };
    const std::string field(fields[1]);
    if (!is_number(fields[2]) || !is_number(fields[3]) || (!field.empty() && !is_crypt_hash(field))) return;
    Effect effect = effect_at(Kind::account, address, text, "a line of passwd in the program; that it is written there was not followed");
    effect.object.value = std::string(fields[0]);
    effect.notes["account"] = std::string(fields[0]);
    effect.notes["secret"] = field;
    const auto word = password_of_hash(field);
    effect.notes["password"] = field.empty() ? "none" : word ? "known" : "constant";
    effect.notes["says"] = field.empty() ? "an empty password" : word ? "a password from the list of published defaults" : "a password hash that every device shares";
    facts_.effects.push_back(std::move(effect));
  }

  void read_marks() {
    const auto texts = binary_.strings(16);
    const auto found = mirrored_marks(texts);
    if (!found) return;
    for (const auto& [mark, what] : {std::pair(found->first, "a mark at one end of a file"), std::pair(found->second, "the same mark, backwards, at the other end")}) {
      Effect effect = effect_at(Kind::compare_constant, mark.address, base::trim(mark.text), "a text and the same backwards mark the head and the tail of what the program takes; how it compares was not followed");
      effect.object.value = what;
      facts_.effects.push_back(std::move(effect));
    }
  }

  void read_request(std::uint64_t address, std::string_view text) {
    static const std::regex variable("^(HTTP_[A-Z_]{2,}|QUERY_STRING|REQUEST_URI|PATH_INFO|REMOTE_USER|SOAPACTION)$");
    if (text.size() > 60 || !std::regex_match(text.begin(), text.end(), variable)) return;
    Effect effect = effect_at(Kind::request, address, text, "the program holds the name of a request variable; what it does with it was not followed");
    effect.object.value = std::string(text);
    facts_.effects.push_back(std::move(effect));
  }

  void read_message(std::uint64_t address, std::string_view text) {
    if (text.find('%') == std::string_view::npos) return;
    const auto classes = data_classes_of_text(text);
    if (std::ranges::find(classes, "credentials") == classes.end()) return;
    Effect effect = effect_at(Kind::print, address, text, "a format of the program; where it is printed was not followed");
    effect.data = classes;
    facts_.effects.push_back(std::move(effect));
  }

  // "TelnetSwitch", "debug_enable": a switch whose name says that it opens a door.
  void read_switch(std::uint64_t address, std::string_view text) {
    static const std::regex name("^[A-Za-z0-9_.-]*(telnet|adbd?|sshd?|debug[_-]?shell|factory|backdoor|engineer|rlogin)[A-Za-z0-9_.-]*(switch|enable|open|start|mode|on|status)$", std::regex::icase);
    if (text.size() > 60 || text.size() < 8 || !std::regex_match(text.begin(), text.end(), name)) return;
    Effect effect = effect_at(Kind::setting, address, text, "the program holds the name of a switch; what it does was not followed");
    effect.object.value = std::string(text);
    effect.notes = {{"topic", "door-switch"}, {"says", "a switch whose name says that it opens a way in"}};
    facts_.effects.push_back(std::move(effect));
  }

  void read_script_name(std::uint64_t address, std::string_view text) {
    if (!text.ends_with(".sh") || text.find_first_of(" %$<>\"'\t\n") != std::string_view::npos || text.size() > 120) return;
    Effect effect = effect_at(Kind::execute, address, text, "the program holds a script's name and calls a shell; that it runs it was not followed");
    effect.object.value = std::string(text);
    facts_.effects.push_back(std::move(effect));
  }

  void read_command(std::uint64_t address, std::string_view text) {
    static const std::regex directive("%[-+ #0]*[0-9]*(\\.[0-9]+)?(hh|h|ll|l|z)?[diouxXsc]");
    static const std::regex message("\\b(fail(ed|ure)?|error|success(ful)?|ok|done|started|finished|timeout|not found|exist)[.! ]*$", std::regex::icase);  // "ping socket failed"
    const auto words = base::split_words(text);
    if (words.size() < 2 || std::regex_search(text.begin(), text.end(), message) || text.find("Usage") != std::string_view::npos || text.find('\n') != std::string_view::npos) return;
    const std::string name(words[0].substr(words[0].rfind('/') + 1));
    if (!models_.commands.contains(name)) return;
    const std::string line = std::regex_replace(std::string(text), directive, "$${arg}");
    effects::Site site;
    site.file = facts_.program.path;
    site.address = address;
    site.words = std::string(text);
    for (const auto i : add_command_line(facts_, line, site, {{Trigger::Kind::unknown, "the code was not read"}}, models_)) {
      facts_.effects[i].assumed = true;
      facts_.effects[i].assumption = "a command string of the program; that it is run, and in this order, was not followed in the code";
    }
  }

  ProgramFacts& facts_;
  const elf::Binary& binary_;
  const Models& models_;
};

}  // namespace

void add_string_facts(ProgramFacts& facts, const elf::Binary& binary, const Models& models, bool unfinished) {
  StringReader reader(facts, binary, models);
  reader.read_always();
  if (unfinished) reader.read_unfinished();
}

}  // namespace derive
