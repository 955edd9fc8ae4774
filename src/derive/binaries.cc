// A program's code in, what its calls do out. The values come from flow/; models/calls.yaml says what a call does.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "base/hash.h"
#include "base/text.h"
#include "derive/binary_checks.h"
#include "derive/binary_data.h"
#include "derive/data_classes.h"
#include "derive/doors.h"
#include "derive/facts.h"
#include "flow/flow.h"

namespace derive {

using effects::Effect;
using effects::EffectId;
using effects::Kind;
using effects::Provenance;
using effects::Text;
using effects::Trigger;

namespace {

// The first "${...}" origin in a text, without the braces.
std::string origin_in(std::string_view text) {
  const auto open = text.find("${");
  if (open == std::string_view::npos) return {};
  const auto close = text.find('}', open);
  return std::string(text.substr(open + 2, close == std::string_view::npos ? close : close - open - 2));
}

// Who decides about a value with this origin (flow/flow.h names them).
Provenance provenance_of_origin(std::string_view origin) {
  if (origin.empty()) return Provenance::literal;
  if (origin.starts_with("input") || origin.starts_with("argv[")) return Provenance::input;
  if (origin.starts_with("read:") || origin.starts_with("setting:") || origin.starts_with("ret:nvram") || origin.starts_with("ret:uci") || origin.starts_with("ret:cfg")) return Provenance::setting;
  return Provenance::unknown;
}

Text text_from(std::string_view value) {
  Text text;
  text.value = std::string(value);
  text.origin = origin_in(value);
  text.resolved = text.origin.empty();
  text.provenance = provenance_of_origin(text.origin);
  return text;
}

// One argument as texts: its alternatives.
std::vector<Text> texts_of(const flow::ArgValue& argument) {
  std::vector<Text> out;
  using Value = flow::ArgValue::Kind;
  if (argument.kind == Value::text)
    for (const auto& value : argument.values) out.push_back(text_from(value));
  if (argument.kind == Value::number)
    for (const auto number : argument.numbers) out.push_back(text_from(std::to_string(number)));
  if (argument.kind == Value::unknown && !argument.values.empty())
    for (const auto& origin : argument.values) out.push_back(text_from(origin.starts_with("${") ? origin : "${" + origin + "}"));
  if (out.empty()) out.emplace_back(text_from("${unknown}"));
  if (out.size() > 8) out.resize(8);
  return out;
}

// A text for the shell parser: ${origin} is no shell, so every unknown becomes a plain variable, and back again after.
struct Unknowns {
  std::vector<std::string> names;

  std::string hide(std::string_view text) {
    std::string out;
    while (!text.empty()) {
      const auto open = text.find("${");
      const auto close = open == std::string_view::npos ? open : text.find('}', open);
      if (close == std::string_view::npos) return out.append(text);
      out.append(text.substr(0, open));
      out += fmt::format("${{UNKNOWN{}}}", names.size());
      names.emplace_back(text.substr(open, close - open + 1));
      text.remove_prefix(close + 1);
    }
    return out;
  }
  void show(std::string& text) const {
    for (std::size_t i = names.size(); i-- > 0;)
      for (const std::string& form : {fmt::format("${{UNKNOWN{}}}", i), fmt::format("$UNKNOWN{}", i)})
        for (auto at = text.find(form); at != std::string::npos; at = text.find(form, at + names[i].size())) text.replace(at, form.size(), names[i]);
  }
  void show(Text& text) const {
    const bool hidden = text.value.find("UNKNOWN") != std::string::npos;
    show(text.value);
    if (!hidden) return;
    text.origin = origin_in(text.value);
    text.provenance = provenance_of_origin(text.origin);
    text.resolved = text.origin.empty();
  }
  void show(Effect& effect) const {
    show(effect.object);
    show(effect.target);
    for (auto& [name, value] : effect.notes) show(value);
    if (!effect.peer) return;
    const std::string before = effect.peer->name();
    std::string name = before;
    show(name);
    if (name == before) return;
    auto peer = effects::endpoint_from_name(name, provenance_of_origin(origin_in(name)));
    peer.port = effect.peer->port;
    peer.protocol = effect.peer->protocol;
    peer.origin = origin_in(name);
    effect.peer = std::move(peer);
  }
};

bool opens_file(std::string_view callee) {
  return callee == "open" || callee == "open64" || callee == "fopen" || callee == "fopen64" || callee == "openat" || callee == "creat" || callee == "freopen" || callee == "fdopen";
}

bool is_user_device(std::string_view path) {
  for (const auto prefix : {"/dev/tty", "/dev/input", "/dev/console", "/dev/key", "/dev/event"})
    if (path.starts_with(prefix)) return true;
  return false;
}

constexpr std::size_t kLongestScript = 1 << 16;  // of those that a program writes

class BinaryReader {
 public:
  BinaryReader(ProgramFacts& facts, const flow::Program& program, const elf::Binary& binary, const Models& models) : facts_(facts), program_(program), binary_(binary), models_(models), data_(program, binary), effects_of_(program.calls.size()) {}

  void read() {
    collect_written();
    for (std::uint32_t i = 0; i < program_.calls.size(); ++i) read_call(i);
    for (auto& [i, effect] : checks_of(facts_, program_, effects_of_)) add_check(i, std::move(effect));
    connect();
    connect_order();
    set_user_triggers();
    add_doors();
  }

 private:
  const flow::CallSite& call(std::uint32_t i) const { return program_.calls[i]; }

  // From the descriptor's own origin, "ret:open:PATH" or "ret:socket"; false when it does not say.
  static bool descriptor_of(const flow::CallSite& site, Invocation& invocation) {
    for (const auto& argument : site.args) {
      if (argument.kind != flow::ArgValue::Kind::unknown && argument.kind != flow::ArgValue::Kind::number) continue;
      for (std::string_view origin : argument.values) {
        if (!origin.starts_with("ret:")) continue;
        origin.remove_prefix(4);
        const auto colon = origin.find(':');
        const auto callee = origin.substr(0, colon);
        if (callee == "socket" || callee == "accept" || callee == "accept4") {
          invocation.opened = text_from("socket");
          return true;
        }
        if (colon == std::string_view::npos || !opens_file(callee)) continue;
        invocation.opened = text_from(std::string(origin.substr(colon + 1)));
        return true;
      }
    }
    return false;
  }

  // Texts that the program writes to files of its own, by path: a script among them may be run later. Calls that were passed
  // by more others come later; a call on several paths is written once a path.
  void collect_written() {
    struct Writer { std::size_t content, stream; };  // argument numbers
    static const std::map<std::string_view, Writer> known = {{"fputs", {0, 1}}, {"fwrite", {0, 3}}, {"fprintf", {1, 0}}, {"vfprintf", {1, 0}}, {"dprintf", {1, 0}}, {"write", {1, 0}}, {"fputc", {0, 1}}, {"putc", {0, 1}}};
    std::vector<std::uint32_t> writers;
    for (std::uint32_t i = 0; i < program_.calls.size(); ++i) {
      const auto at = known.find(call(i).callee);
      if (at != known.end() && call(i).args.size() > std::max(at->second.content, at->second.stream)) writers.push_back(i);
    }
    std::ranges::stable_sort(writers, {}, [&](auto i) { return call(i).precedes.size(); });
    for (const auto i : writers) {
      const auto [content, stream] = known.at(call(i).callee);
      const auto& said = call(i).args[content].values;
      if (said.empty()) continue;
      for (const auto& origin : call(i).args[stream].values) {  // "ret:fopen:PATH"
        const auto path = origin.find(":/");
        if (!origin.starts_with("ret:") || path == std::string::npos || !opens_file(std::string_view(origin).substr(4, path - 4))) continue;
        std::string& text = written_[origin.substr(path + 1)];
        if (text.size() + said.front().size() < kLongestScript) text += said.front();
      }
    }
  }

  // The scripts, written by the program itself, that a call runs: `sh PATH`, `. PATH` or PATH.
  std::vector<std::string> written_scripts_run_by(const std::vector<std::string>& words) const {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < words.size() && i < 4; ++i) {
      const auto text = written_.find(words[i]);
      if (text == written_.end() || text->second.empty()) continue;
      const bool by_shell = i > 0 && std::ranges::any_of(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(i), [](const std::string& word) {
        const auto name = std::string_view(word).substr(word.rfind('/') + 1);
        return name == "sh" || name == "ash" || name == "bash" || name == "." || name == "source";
      });
      const bool script = text->second.starts_with("#!");
      if ((i == 0 || by_shell) && (by_shell || script) && std::ranges::find(out, text->second) == out.end()) out.push_back(text->second);
    }
    return out;
  }

  // stdout and its kin are variables of the C library, at fixed addresses or named by the loader: nothing was opened.
  static bool writes_to_constant(const flow::CallSite& site) {
    const std::size_t stream = site.callee == "fwrite" ? 3 : site.callee == "fputs" || site.callee == "fputc" || site.callee == "putc" ? 1 : 0;
    const bool writes = stream || site.callee == "fprintf" || site.callee == "vfprintf";
    if (!writes || stream >= site.args.size()) return false;
    const auto& argument = site.args[stream];
    if (argument.values.empty()) return argument.kind == flow::ArgValue::Kind::number;
    return std::ranges::all_of(argument.values, [](const std::string& origin) { return origin == "global:stdout" || origin == "global:stderr"; });
  }

  // What the descriptor or stream of a call was opened as: a path, "socket", "stdin"; and the socket's peer.
  void describe_descriptor(std::uint32_t i, Invocation& invocation) const {
    const auto& site = call(i);
    if (writes_to_constant(site)) return;
    const bool told = descriptor_of(site, invocation);  // what is written may come from a socket, and the descriptor be a file's
    for (const auto from : site.feeds) {
      if (told) break;
      const auto& source = call(from);
      if (opens_file(source.callee) && !source.args.empty()) {
        const std::size_t path = source.callee == "openat" && source.args.size() > 1 ? 1 : 0;
        const Text opened = texts_of(source.args[path]).front();
        // Of several that it may be, what a person speaks through counts: what it decides, a person decides.
        if (!is_user_device(invocation.opened.value)) invocation.opened = opened;
      }
      if (is_user_device(invocation.opened.value)) continue;
      if (source.callee == "socket" || source.callee == "accept" || source.callee == "accept4") invocation.opened = text_from("socket");
    }
    if (invocation.opened.empty())
      for (const auto& argument : site.args)
        if (argument.kind == flow::ArgValue::Kind::unknown)
          for (const auto& origin : argument.values)
            if (origin.find("stdin") != std::string::npos) invocation.opened = text_from("stdin");
    const bool reads = site.callee == "read" || site.callee == "fgets" || site.callee == "getc" || site.callee == "fgetc";
    const bool from_stdin = !site.args.empty() && (std::ranges::find(site.args[0].numbers, 0) != site.args[0].numbers.end() || std::ranges::find(site.args[0].values, "0") != site.args[0].values.end());
    if (reads && from_stdin && !is_user_device(invocation.opened.value)) invocation.opened = text_from("stdin");
    const bool from_nowhere = invocation.opened.empty() && (site.callee == "fread" || site.callee == "fgets" || site.callee == "getline");
    if (from_nowhere && std::ranges::none_of(site.feeds, [&](auto from) { return opens_file(call(from).callee) || call(from).callee == "popen"; }) && is_web_program()) invocation.opened = text_from("stdin");
    if (invocation.endpoint || invocation.opened.value != "socket") return;
    for (const auto& other : program_.calls) {
      if (other.callee != "connect" || !other.endpoint) continue;
      const bool same_socket = std::ranges::any_of(other.feeds, [&](auto s) { return call(s).callee == "socket" && std::ranges::find(site.feeds, s) != site.feeds.end(); });
      if (same_socket) invocation.endpoint = endpoint_of(*other.endpoint);
    }
  }

  static std::optional<effects::Endpoint> endpoint_of(const flow::Endpoint& from) {
    if (from.family == "unix" || from.family == "netlink" || from.family == "packet") return std::nullopt;
    const std::string origin = origin_in(from.address);
    auto out = effects::endpoint_from_name(from.address, provenance_of_origin(origin));
    if (!origin.empty()) out.origin = origin;
    out.port = from.port_known ? from.port : 0;
    return out;
  }

  effects::Site site_of(const flow::CallSite& site) const {
    effects::Site out;
    out.file = facts_.program.path;
    out.address = site.site;
    out.function = site.function;
    std::string words = site.callee + "(";
    for (std::size_t i = 0; i < site.args.size() && i < 6; ++i) {
      const Text text = texts_of(site.args[i]).front();
      const bool quoted = site.args[i].kind == flow::ArgValue::Kind::text;
      words += (i ? ", " : "") + (quoted ? "\"" + text.value.substr(0, 300) + "\"" : text.value);
    }
    out.words = words + ")";
    return out;
  }

  // Empty: the triggers of the program count.
  static std::vector<Trigger> triggers_of(const flow::CallSite& site) {
    std::vector<Trigger> out;
    for (const auto& root : site.reached_from) {
      if (root == "main" || root == "init" || root == "thread" || root == "exit") return {};
      if (root.starts_with("signal")) out.push_back({Trigger::Kind::signal, root});
      else if (root == "timer") out.push_back({Trigger::Kind::timer, "a timer of the program"});
      else if (root == "exported") out.push_back({Trigger::Kind::unknown, "an exported function; who calls it was not followed"});
      else if (root == "table" || root == "address-taken") out.push_back({Trigger::Kind::unknown, "through a function pointer"});
      else if (root == "unreached") out.push_back({Trigger::Kind::unknown, "no call that leads to it was found"});
      else break;
    }
    return out;
  }

  static void mark_unreached(const flow::CallSite& site, Effect& effect) {
    if (std::ranges::find(site.reached_from, "unreached") == site.reached_from.end()) return;
    effect.assumed = true;
    effect.assumption = "no call leads to this function as far as the code was read";
  }

  void add(std::uint32_t i, Effect effect) {
    const auto& site = call(i);
    effect.site = site_of(site);
    effect.triggers = triggers_of(site);
    mark_unreached(site, effect);
    effects_of_[i].push_back(static_cast<std::uint32_t>(facts_.effects.size()));
    facts_.effects.push_back(std::move(effect));
  }

  void add_check(std::uint32_t i, Effect effect) {
    const bool assumed = effect.assumed;
    const std::string assumption = effect.assumption;
    add(i, std::move(effect));
    if (assumed) facts_.effects.back().assumed = true, facts_.effects.back().assumption = assumption;
  }

  void read_call(std::uint32_t i) {
    const auto& site = call(i);
    const auto model = models_.calls.find(site.callee);
    if (model == models_.calls.end()) return;
    for (auto& invocation : invocations_of(i)) {
      Applied applied = apply_model(model->second, invocation);
      for (Effect& effect : applied.effects) {
        if (effect.kind == Kind::make_executable && effect.object.resolved && (std::strtol(effect.object.value.c_str(), nullptr, 10) & 0111) == 0) continue;
        set_data(i, effect);
        if (effect.kind == Kind::ask_user && effect.object.value == "stdin" && is_web_program()) {
          effect.kind = Kind::request;
          effect.object = text_from("${input}");
          effect.object.value = "the body";
        }
        const bool tells = effect.kind != Kind::print || !effect.data.empty();  // what it prints matters only by what it tells
        if (tells) add(i, std::move(effect));
      }
      for (const Text& line : applied.shell_texts) {
        run_shell(i, line);
        std::vector<std::string> words;
        for (const auto word : base::split_words(line.value)) words.emplace_back(word);
        run_written(i, words);
      }
      if (site.callee.starts_with("exec")) {
        std::vector<std::string> words;
        for (const Text& word : invocation.words) words.push_back(word.value);
        run_written(i, words);
        if (words.size() > 2) run_shell(i, text_from(command_line(words)));
      }
    }
  }

  // The command line of an exec: its path, then what follows argv[0], quoted so that a shell would take the words as they are.
  static std::string command_line(const std::vector<std::string>& words) {
    std::string out;
    for (std::size_t w = 0; w < words.size(); ++w) {
      if (w == 1) continue;
      out += out.empty() ? "\"" : " \"";
      const std::string& word = words[w];
      for (std::size_t at = 0; at < word.size(); ++at) {
        const bool unknown = word[at] == '$' && at + 1 < word.size() && word[at + 1] == '{';
        if (!unknown && (word[at] == '$' || word[at] == '"' || word[at] == '\\' || word[at] == '`')) out += '\\';
        out += word[at];
      }
      out += '"';
    }
    return out;
  }

  // A script that the program wrote is read as the script it is, where it is run.
  void run_written(std::uint32_t i, const std::vector<std::string>& words) {
    for (const auto& script : written_scripts_run_by(words)) {
      Unknowns unknowns;
      const std::string hidden = unknowns.hide(script);
      for (const auto e : add_command_line(facts_, hidden, site_of(call(i)), triggers_of(call(i)), models_)) {
        unknowns.show(facts_.effects[e]);
        mark_unreached(call(i), facts_.effects[e]);
        effects_of_[i].push_back(e);
      }
    }
  }

  std::vector<Invocation> invocations_of(std::uint32_t i) const {
    const auto& site = call(i);
    Invocation first;
    first.name = site.callee;
    if (site.endpoint) first.endpoint = endpoint_of(*site.endpoint);
    describe_descriptor(i, first);
    std::vector<std::vector<Text>> alternatives;
    for (const auto& argument : site.args) {
      alternatives.push_back(texts_of(argument));
      first.words.push_back(alternatives.back().front());
    }
    std::vector<Invocation> out{first};
    for (std::size_t a = 0; a < alternatives.size(); ++a)
      for (std::size_t k = 1; k < alternatives[a].size() && out.size() < 8; ++k) {
        out.push_back(first);
        out.back().words[a] = alternatives[a][k];
      }
    return out;
  }

  // A command line that the program gives to a shell.
  void run_shell(std::uint32_t i, const Text& line) {
    Unknowns unknowns;
    const std::string hidden = unknowns.hide(line.value);
    effects::Site site = site_of(call(i));
    const bool all_unknown = base::trim(hidden).starts_with("${UNKNOWN") && base::trim(hidden).find(' ') == std::string_view::npos;
    const auto added = all_unknown ? std::vector<std::uint32_t>{} : add_command_line(facts_, hidden, site, triggers_of(call(i)), models_);
    for (const auto e : added) {
      unknowns.show(facts_.effects[e]);
      facts_.effects[e].site.words = site.words;
      mark_unreached(call(i), facts_.effects[e]);
      effects_of_[i].push_back(e);
    }
    const bool received = std::ranges::any_of(call(i).feeds, [&](auto from) {
      return std::ranges::any_of(effects_of_[from], [&](auto e) { return facts_.effects[e].kind == Kind::receive; });
    });
    if (!all_unknown && !received) return;
    Effect effect;
    effect.kind = Kind::execute;
    effect.object = line;
    effect.notes["interpreter"] = "sh";
    add(i, std::move(effect));
  }

  void connect() {
    for (std::uint32_t to = 0; to < program_.calls.size(); ++to) {
      for (const auto from : hashed_by(program_, to))
        for (const auto a : effects_of_[from]) {
          const Effect& source = facts_.effects[a];
          const bool reads = source.kind == Kind::read && !source.notes.contains("flags") && !opens_file(call(from).callee);
          if (source.kind != Kind::receive && source.kind != Kind::fetch && source.kind != Kind::request && !reads) continue;
          for (const auto b : effects_of_[to])
            if (a != b) facts_.edges.push_back({EffectId{a}, EffectId{b}, effects::EdgeKind::feeds, false, reads ? "what was read" : source.kind == Kind::request ? "a word of the request" : "what was received"});
        }
      for (const auto from : call(to).guards) {
        std::vector<std::uint32_t> tested{from};
        // The status that pclose gives is that of the command which popen ran.
        if (call(from).callee == "pclose") tested.insert(tested.end(), call(from).feeds.begin(), call(from).feeds.end());
        for (const auto source : tested)
          for (const auto a : effects_of_[source])
            for (const auto b : effects_of_[to])
              if (a != b) facts_.edges.push_back({EffectId{a}, EffectId{b}, effects::EdgeKind::guards, false, "its result is tested"});
      }
    }
  }

  // What stands before a record, a question or a print on every path: whether something is told of what was done.
  void connect_order() {
    for (std::uint32_t to = 0; to < program_.calls.size(); ++to)
      for (const auto b : effects_of_[to]) {
        const Kind kind = facts_.effects[b].kind;
        if (kind != Kind::log && kind != Kind::ask_user && kind != Kind::write && kind != Kind::copy) continue;
        for (const auto from : call(to).precedes)
          for (const auto a : effects_of_[from]) {
            const Kind before = facts_.effects[a].kind;
            const bool tells = before == Kind::print && kind == Kind::ask_user;
            if (!tells && before != Kind::copy && before != Kind::write_flash && before != Kind::unpack && before != Kind::execute && before != Kind::fetch && before != Kind::mount_remote && before != Kind::mount_media) continue;
            if (a != b) facts_.edges.push_back({EffectId{a}, EffectId{b}, effects::EdgeKind::precedes, false, "passed on every path"});
          }
      }
  }

  // Run by a web server (RFC 3875): what it reads from its standard input is the body of a request.
  bool is_web_program() const {
    const std::string& path = facts_.program.path;
    if (path.find("cgi-bin/") != std::string::npos || path.ends_with(".cgi")) return true;
    return std::ranges::any_of(program_.calls, [](const flow::CallSite& site) {
      if (site.callee != "getenv" || site.args.empty()) return false;
      return std::ranges::any_of(site.args[0].values, [](const auto& value) { return value == "REQUEST_METHOD" || value == "QUERY_STRING" || value == "CONTENT_LENGTH"; });
    });
  }

  // Commands of a peer that reach a shell, with what is asked for before.
  void add_doors() {
    for (const Door& door : find_doors(program_, &binary_)) {
      Effect effect;
      effect.kind = door.opens_shell ? Kind::open_shell : Kind::compare_constant;
      if (door.opens_shell) effect.object.value = door.on_connection ? "a shell for whoever connects" : "a command of whoever connects";
      else effect.object.value = "the header " + door.found_in;
      if (door.port) effect.notes["port"] = std::to_string(door.port);
      effect.notes["protocol"] = door.protocol;
      effect.notes["listens"] = "yes";
      if (!door.secret.empty()) {
        effect.notes["secret"] = door.secret;
        effect.notes["magic"] = "yes";
        effect.notes["password"] = "constant";
      }
      if (door.key_assumed) effect.assumed = true, effect.assumption = "what the peer says is compared with something computed; that the one key in the program, which no call is given, is part of it is assumed";
      add(door.call, std::move(effect));
      Effect& added = facts_.effects.back();
      added.triggers = {{Trigger::Kind::network_input, door.port ? fmt::format("{} port {}", door.protocol, door.port) : "what it receives"}};
      if (door.compare == door.call) continue;
      Effect asked;
      asked.kind = Kind::compare_constant;
      asked.object.value = "what was received";
      asked.notes = {{"secret", door.secret}, {"magic", "yes"}};
      const auto to = static_cast<std::uint32_t>(facts_.effects.size() - 1);
      add(door.compare, std::move(asked));
      facts_.edges.push_back({EffectId{to + 1}, EffectId{to}, effects::EdgeKind::guards, false, "a constant opens it"});
    }
  }

  // Classes of data that leave the program at a call.
  void set_data(std::uint32_t i, Effect& effect) const {
    const auto& site = call(i);
    std::size_t argument = 0;
    if (effect.kind == Kind::send) argument = 1;
    else if (effect.kind != Kind::print && effect.kind != Kind::log && effect.kind != Kind::write && effect.kind != Kind::upload) return;
    if (effect.kind == Kind::write && (site.callee == "fopen" || site.callee == "open" || site.callee == "creat" || site.callee == "freopen")) return;
    if (site.callee == "fwrite" || site.callee == "fputs") argument = 0;
    const Carried carried = data_.carried_by(site, argument);
    if (carried.classes.empty() || (!carried.by_names.empty() && effect.kind != Kind::send)) return;
    effect.data = carried.classes;
    std::string words;
    for (const auto& one : carried.classes) words += (words.empty() ? "" : ", ") + std::string(data_class_words(one));
    effect.notes["data"] = words;
    if (carried.by_names.empty()) return;
    effect.assumed = true;
    effect.assumption = "what is sent is made by functions, or of fields, with these names: " + carried.by_names;
  }

  // What a key or a line of the operator decides, the operator starts.
  void set_user_triggers() {
    std::set<std::uint32_t> nested;
    for (const auto& edge : facts_.edges) {
      const bool asks = edge.kind == effects::EdgeKind::guards && facts_.effects[edge.from.index].kind == Kind::ask_user && facts_.effects[edge.to.index].kind == Kind::ask_user;
      if (asks && edge.from != edge.to) nested.insert(edge.to.index);
    }
    std::set<std::uint32_t> of_menu;
    for (const auto& edge : facts_.edges)
      if (edge.kind == effects::EdgeKind::guards && nested.contains(edge.from.index)) of_menu.insert(edge.to.index);
    for (const auto& edge : facts_.edges) {
      if (edge.kind != effects::EdgeKind::guards) continue;
      const Effect& guard = facts_.effects[edge.from.index];
      if (guard.kind != Kind::ask_user) continue;
      Effect& effect = facts_.effects[edge.to.index];
      if (std::ranges::any_of(effect.triggers, [](const Trigger& t) { return effects::started_by_user(t.kind); })) continue;
      // A question that another answer led to is an entry of a menu.
      const bool device = guard.object.value.starts_with("/dev/") && !of_menu.contains(edge.to.index);
      effect.triggers = {{device ? Trigger::Kind::key : Trigger::Kind::menu, fmt::format("{} at 0x{:x}", guard.site.function, guard.site.address.value_or(0))}};
    }
  }

  ProgramFacts& facts_;
  const flow::Program& program_;
  const elf::Binary& binary_;
  const Models& models_;
  DataReader data_;
  std::vector<std::vector<std::uint32_t>> effects_of_;  // per call
  std::map<std::string, std::string> written_;          // path -> what the program writes there
};

// The C library and its kin, by the first part of the soname: they offer calls and make none of their own accord.
bool is_system_library(std::string_view soname) {
  constexpr std::string_view known[] = {"libc", "ld", "ld-linux", "ld-uClibc", "ld-musl", "libm", "libpthread", "libdl", "librt", "libcrypt", "libresolv", "libnsl", "libutil", "libuClibc", "libgcc_s",
                                        "libstdc++", "libcrypto", "libssl", "libz", "libatomic", "libthread_db", "libanl", "libBrokenLocale", "libnss_dns", "libnss_files", "libuargp", "libubacktrace"};
  const auto end = soname.find_first_of(".-", soname.starts_with("ld-") ? 3 : 0);
  const std::string_view name = soname.substr(0, end);
  return !soname.empty() && std::ranges::find(known, name) != std::end(known);
}

}  // namespace

ProgramFacts facts_of_binary(base::ByteView bytes, std::string_view path, const Models& models, std::uint64_t steps) {
  ProgramFacts facts;
  facts.program.path = std::string(path);
  facts.program.kind = effects::Program::Kind::binary;
  facts.program.sha256 = base::sha256_hex(bytes);
  facts.program.depth = effects::Program::Depth::recognised;
  const auto binary = elf::read(bytes);
  if (!binary) {
    facts.program.depth_reason = binary.error().message;
    facts.give_ups.push_back(binary.error().message);
    return facts;
  }
  facts.doubts = binary->doubts;
  if (binary->type == 1) {
    facts.program.depth_reason = "a kernel module or object file; its code is not read";
    facts.give_ups.push_back(facts.program.depth_reason);
    return facts;
  }
  if (is_system_library(binary->soname)) {
    facts.program.depth_reason = "a system library; what programs ask of it is read at their calls";
    return facts;
  }
  // A dynamic program without any import that a model knows asks nothing of the world that we could name.
  if (!binary->is_static && std::ranges::none_of(binary->imports, [&](const auto& import) { return models.calls.contains(import.name); })) {
    facts.program.depth_reason = "it imports nothing that a model knows";
    return facts;
  }
  flow::Budget budget;
  budget.steps = steps;
  const auto program = flow::analyse(*binary, bytes, budget);
  if (!program) {
    facts.program.depth_reason = program.error().message;
    facts.give_ups.push_back(program.error().message);
    add_string_facts(facts, *binary, models, true);
    return facts;
  }
  facts.program.depth = effects::Program::Depth::modelled;
  if (program->stats.budget_ran_out) {
    facts.program.depth = effects::Program::Depth::lifted;
    facts.program.depth_reason = "the budget of steps ran out";
    facts.give_ups.push_back(facts.program.depth_reason);
  }
  const bool unfinished = program->stats.budget_ran_out;
  facts.stats = {{"functions", std::to_string(program->stats.functions)}, {"lifted", std::to_string(program->stats.lifted)}, {"steps", std::to_string(program->stats.steps)},
                 {"arguments", std::to_string(program->stats.arguments)}, {"resolved", std::to_string(program->stats.resolved)}};
  for (const auto& doubt : program->doubts) base::add_doubt(facts.doubts, doubt);
  BinaryReader(facts, *program, *binary, models).read();
  add_string_facts(facts, *binary, models, unfinished);
  return facts;
}

}  // namespace derive
