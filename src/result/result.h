// What a scan says, as plain data: the types behind the JSON (docs/schema.json) and every report.
// Strings hold raw bytes as found; json.cc and the renderers escape them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "effects/effects.h"

namespace result {

enum class Severity : std::uint8_t { info, low, medium, high, critical };  // ordered
std::string_view key(Severity severity);
std::optional<Severity> severity_from_key(std::string_view key);

enum class Confidence : std::uint8_t { tentative, firm, confirmed };
std::string_view key(Confidence confidence);
std::optional<Confidence> confidence_from_key(std::string_view key);

// Whether one of CWE-912's limbs, or a property of an update path, holds.
enum class Limb : std::uint8_t { not_evaluated, holds, does_not_hold };
std::string_view key(Limb limb);

// A tree that proves a finding. Leaves name file, line or address, and the words; inner nodes say why the leaves belong together.
struct Evidence {
  std::string says;                  // one sentence
  std::optional<effects::Site> site; // on a leaf
  bool assumed = false;              // this link was not shown
  std::string secret_words;          // the site's words unmasked; empty when they hold no secret. Shown with --show-secrets only
  std::vector<Evidence> parts;
};

// One of the three limbs of CWE-912 (hidden functionality).
struct Hidden {
  std::string limb;   // "not-documented", "not-in-specification", "not-reachable-obviously"
  Limb state = Limb::not_evaluated;
  std::string quote;  // page and sentence of the declaration, or the reason in words
};

struct Occurrence {
  effects::Site site;
  std::string says;
};

struct Finding {
  std::string id;          // rule + hash, see ids in docs/architecture.md
  std::string rule;
  std::string title;
  std::vector<int> cwe;    // numbers, ascending
  std::vector<int> ours;   // of cwe, those that are our own judgement and stand in no published advisory of the case
  Severity severity = Severity::info;
  std::string severity_reason;  // the row of severity.yaml that decided, in words
  Confidence confidence = Confidence::tentative;
  std::string says;        // the sentence that matters, for a person
  std::string advice;      // what to do
  std::string misses;      // what the rule cannot see
  std::vector<std::string> files;    // acting program first
  std::vector<std::string> targets;  // what is overwritten or run
  std::vector<effects::Endpoint> endpoints;
  effects::Trigger trigger;          // the one that weighs most
  std::vector<effects::Trigger> triggers;
  Evidence evidence;
  std::vector<Hidden> hidden;        // only where cwe lists 912
  std::vector<Occurrence> occurrences;
  std::map<std::string, std::string> fingerprints;  // "peer", "path", "program-sha256", "guards", ...
  std::vector<std::uint32_t> effects;               // indices into Result::graph.effects
  std::string accepted;    // "reason (person, until date)" when --accept names it
  std::string wire;        // with a capture: "seen", "attempted-unanswered", "not-exercised"; else empty
};

// One way that new code can arrive, graded line by line.
struct Property {
  std::string key;      // stable, from update_properties.yaml
  std::string state;    // "present", "absent", "fake", "not-evaluated"
  std::string because;  // one sentence
  std::optional<effects::Site> site;
  std::string follows{};  // key of the property that this one rests on and falls with; empty where it falls by itself
};
struct UpdatePath {
  std::string id;
  std::string program;
  effects::Trigger trigger;
  std::string source;     // "nfs 198.51.100.7:/pm", "media /dev/sda1", "upload"
  std::string transport;
  std::vector<effects::Endpoint> endpoints;
  std::vector<std::string> targets;
  std::vector<Property> properties;
};

struct Component {
  std::string name, version, kind;  // kind: package, library, program, kernel, module
  std::string license, purl, cpe;
  std::string path, sha256;
  std::string evidence;             // how the version is known; empty version: unknown
};

struct ImageInfo {
  std::string name;                 // base name of the input
  std::uint64_t size = 0;
  std::string sha256;
  std::string format;               // of the outermost layer
  struct Extent { std::uint64_t offset, size; std::string kind, format, note; };
  std::vector<Extent> extents;      // sorted; sizes add up to `size`
  std::uint64_t claimed = 0, padding = 0, unknown = 0;
};

struct NotEvaluated {
  std::string what;   // a rule id, a file, or a limb
  std::string why;
  std::uint64_t count = 1;
};

struct Coverage {
  std::uint64_t claimed = 0, padding = 0, unknown = 0;  // bytes, over all images
  std::map<std::string, std::uint64_t> programs_by_depth;
  std::uint64_t files = 0, scripts = 0, binaries = 0, file_systems = 0;
  std::vector<NotEvaluated> not_evaluated;
  std::string verdict;  // "known", "partial", "unknown": unrecognised bytes alone are unknown
};

struct FileEntry {  // what was and was not read, for the file tree of the report
  std::string path, kind, depth, note;
  std::uint64_t size = 0;
  std::string sha256;
  std::string image;                            // name of the image that holds it; empty where that is not known
  std::map<std::string, std::string> switches;  // of a settings file: names whose values say on or off, and nothing else of it
};

struct Result {
  int schema = 1;
  std::string tool_version;
  std::string date;                   // ISO 8601 from SOURCE_DATE_EPOCH or --date; empty when neither is set
  std::string device;                 // name of the device: the input's base name
  std::vector<ImageInfo> images;
  std::vector<Finding> findings;      // by severity, then id
  std::vector<UpdatePath> update_paths;
  std::vector<Component> components;
  std::vector<effects::Endpoint> endpoints;  // every peer that was seen, once each
  effects::Graph graph;               // programs and effects
  Coverage coverage;
  std::vector<FileEntry> files;
  base::Doubts doubts;
};

// ---- switches.cc: NAME=VALUE lines whose value says on or off (on, no, 1, enabled, ...), lower case; the last of a name counts.
// Empty for text of over 64 KiB or with a NUL.
std::map<std::string, std::string> switches_of(std::string_view text);

// ---- json.cc: the schema of docs/schema.json; bytes that are not UTF-8 are written \xHH, backslash doubled.
// Masks secrets unless `show_secrets`. Same result, same bytes.
std::string to_json(const std::vector<Result>& results, bool show_secrets = false);
// Reads back what to_json wrote. Errors: damaged, with the place; unsupported for another schema number.
base::Result<std::vector<Result>> from_json(std::string_view text);

}  // namespace result
