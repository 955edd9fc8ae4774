// A firmware in, the traits of each of its own programs out.
#include <fmt/format.h>
#include <fuzzy.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_set>

#include "base/escape.h"
#include "base/hash.h"
#include "base/worker.h"
#include "compare/alike.h"
#include "compare/embedded.h"
#include "derive/components.h"
#include "elf/elf.h"
#include "flow/flow.h"
#include "sleigh/sleigh.h"

namespace comparison {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLargest = std::size_t{16} << 20;   // bytes of a program that is read
constexpr std::size_t kShortest = 6, kLongest = 200;      // of a string that counts
constexpr std::size_t kMost = 20'000;                     // strings of one program
constexpr std::uint32_t kBlocks = 3, kInstructions = 12;  // smaller functions look alike everywhere
constexpr std::uint64_t kSteps =
    500'000;  // no value is asked for, only where functions lie and how they are built
constexpr std::size_t kDigestLeast = 512;  // ssdeep says nothing of less

// What comes with every compiler, by the name of the library without what follows ".so" or a dash.
constexpr std::string_view kToolchain[] = {
    "ld",    "ld-linux",  "ld-musl",      "ld-uClibc", "libatomic",   "libc",       "libcrypt",
    "libdl", "libgcc_s",  "libm",         "libnsl",    "libnss",      "libpthread", "libresolv",
    "librt", "libstdc++", "libthread_db", "libuClibc", "libuClibc++", "libutil"};

bool of_the_toolchain(std::string_view path) {
  auto name = path.substr(path.rfind('/') + 1);
  if (name.find(".so") == std::string_view::npos) return false;
  name = name.substr(0, name.find(".so"));
  const auto version = name.find_first_of("-_", 3);
  const auto bare = name.substr(0, version);
  return std::ranges::find(kToolchain, name) != std::end(kToolchain) ||
         std::ranges::find(kToolchain, bare) != std::end(kToolchain);
}

std::string digest_of(base::ByteView bytes) {
  if (bytes.size() < kDigestLeast) return {};
  std::string out(FUZZY_MAX_RESULT, '\0');
  if (fuzzy_hash_buf(bytes.data(), static_cast<std::uint32_t>(bytes.size()), out.data()) != 0) return {};
  out.resize(out.find('\0'));
  return out;
}

// models/public_strings.txt: lines of hashes, six hexadecimal digits each, after lines that begin with '#'.
std::unordered_set<std::uint32_t> read_public_strings(std::string_view text) {
  std::unordered_set<std::uint32_t> out;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(" \n"), text.size());
    const auto word = text.substr(0, end);
    if (word.starts_with('#')) {
      text.remove_prefix(std::min(text.find('\n'), text.size()));
      continue;
    }
    std::uint32_t hash = 0;
    if (std::from_chars(word.data(), word.data() + word.size(), hash, 16).ec == std::errc()) out.insert(hash);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

bool is_public(std::string_view text) {
  static const auto known = read_public_strings(embedded::public_strings_txt);
  const auto hash = base::sha256(base::as_bytes(text));
  return known.contains(std::uint32_t{hash[0]} << 16 | std::uint32_t{hash[1]} << 8 | hash[2]);
}

std::vector<std::string> sorted(const std::set<std::string>& from) { return {from.begin(), from.end()}; }

void read_lines(std::string_view text, std::set<std::string>& out) {
  while (!text.empty() && out.size() < kMost) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.size() >= kShortest && line[0] != '#') out.emplace(line.substr(0, kLongest));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// Runs in a worker. Strings are hostile: they cross the pipe as numbers and escaped text.
base::Bytes read_traits(base::ByteView bytes, bool script) {
  std::set<std::string> strings, functions;
  std::string machine = "script", why;
  bool is_static = false;
  std::uint64_t of_public = 0;
  if (script) {
    read_lines(base::as_text(bytes), strings);
  } else if (const auto binary = elf::read(bytes)) {
    machine = elf::name(binary->machine);
    is_static = binary->is_static;
    for (const auto& one : binary->strings(kShortest)) {
      const auto text = one.text.substr(0, kLongest);
      if (is_public(text))
        ++of_public;
      else if (strings.size() < kMost)
        strings.emplace(text);
    }
    flow::Budget budget;
    budget.steps = kSteps;
    if (is_static) {
      // Most of its functions are the C library's: they, and the digest, would call any two such programs
      // alike.
    } else if (const auto program = flow::analyse(*binary, bytes, budget)) {
      for (const auto& f : program->functions)
        if (f.blocks >= kBlocks && f.instructions >= kInstructions && f.library.empty())
          functions.insert(fmt::format("{}/{}/{}", f.blocks, f.instructions, f.calls.size()));
    } else {
      why = program.error().message;
    }
  } else {
    why = binary.error().message;
  }
  Json json{{"machine", machine},
            {"digest", is_static ? "" : digest_of(bytes)},
            {"static", is_static},
            {"public", of_public},
            {"why", base::escape_bytes(why)},
            {"functions", functions},
            {"strings", Json::array()}};
  for (const auto& text : strings) json["strings"].push_back(base::escape_bytes(text));
  const auto text = json.dump();
  return {text.begin(), text.end()};
}

}  // namespace

Sketch sketch(const unpack::Firmware& firmware, const std::string& device, unsigned jobs) {
  Sketch out;
  out.device = device;
  std::set<std::string> known;
  for (const auto& component : derive::find_components(firmware))
    if (component.kind != "package") known.insert(component.path);

  std::vector<base::WorkerFunction> functions;
  std::set<std::string> seen;  // hard links and copies count once
  for (const auto& node : firmware.root.nodes()) {
    if (node.type != unpack::NodeType::regular) continue;
    const auto bytes = firmware.bytes(node);
    const bool script = base::as_text(bytes.first(std::min<std::size_t>(2, bytes.size()))) == "#!";
    if (!script && !elf::is_elf(bytes)) continue;
    if (known.contains(node.path) || of_the_toolchain(node.path)) {
      ++out.components;
      continue;
    }
    Traits traits;
    traits.path = node.path;
    traits.sha256 = base::sha256_hex(bytes);
    if (!seen.insert(traits.sha256).second) continue;
    if (bytes.size() > kLargest) {
      out.not_read.push_back(node.path + ": too large");
      continue;
    }
    out.programs.push_back(std::move(traits));
    // A worker may open no file: the processor's table must be read before.
    if (!script)
      if (const auto header = elf::read_header(bytes); header)
        if (const auto machine = sleigh::machine_for(*header); machine && !sleigh::prepare(*machine))
          out.not_read.push_back(node.path + ": the table of its processor is missing");
    functions.push_back([bytes, script] { return read_traits(bytes, script); });
  }
  const auto read = base::run_workers({}, jobs, functions);
  for (std::size_t i = 0; i < read.size(); ++i) {
    auto& traits = out.programs[i];
    const auto json = read[i] ? Json::parse(base::as_text(*read[i]), nullptr, false) : Json();
    if (!json.is_object()) {
      out.not_read.push_back(
          fmt::format("{}: {}", traits.path, read[i] ? "damaged" : read[i].error().message));
      continue;
    }
    traits.machine = json.value("machine", "");
    traits.digest = json.value("digest", "");
    traits.is_static = json.value("static", false);
    out.public_strings += json.value("public", std::uint64_t{0});
    traits.strings = sorted(json.value("strings", std::set<std::string>()));
    traits.functions = sorted(json.value("functions", std::set<std::string>()));
    if (const auto why = json.value("why", ""); !why.empty())
      out.not_read.push_back(traits.path + ": " + why);
  }
  return out;
}

}  // namespace comparison
