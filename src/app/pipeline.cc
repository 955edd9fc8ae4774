#include "app/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "app/analyse.h"
#include "base/hash.h"
#include "base/text.h"
#include "derive/boot_loader.h"
#include "derive/components.h"
#include "derive/link.h"
#include "derive/pages.h"
#include "derive/programs.h"
#include "derive/settings.h"
#include "derive/shipped_defaults.h"
#include "derive/tables.h"
#include "derive/uefi.h"
#include "derive/ways_in.h"
#include "rules/evaluate.h"
#include "rules/update_paths.h"
#include "shell/boot.h"
#include "unpack/unpack.h"

#ifndef BIOPSY_VERSION
#define BIOPSY_VERSION "0"
#endif

namespace app {
namespace {

std::string base_name(const std::string& input) { return input == "-" ? "standard input" : std::filesystem::path(input).filename().string(); }

void describe_images(const unpack::Firmware& firmware, const std::vector<std::string>& inputs, result::Result& out) {
  for (std::size_t i = 0; i < firmware.inputs; ++i) {
    const unpack::Blob& blob = firmware.blobs[firmware.blobs.id_at(i)];
    result::ImageInfo image;
    image.name = i < inputs.size() ? base_name(inputs[i]) : blob.name;
    image.size = blob.bytes.size();
    image.sha256 = base::sha256_hex(blob.bytes);
    image.format = blob.format;
    for (const auto& extent : blob.extents) {
      using Kind = unpack::Extent::Kind;
      const char* kind = extent.kind == Kind::claimed ? "claimed" : extent.kind == Kind::padding ? "padding" : "unknown";
      (extent.kind == Kind::claimed ? image.claimed : extent.kind == Kind::padding ? image.padding : image.unknown) += extent.size;
      image.extents.push_back({extent.offset, extent.size, kind, extent.format, extent.note});
    }
    out.coverage.claimed += image.claimed;
    out.coverage.padding += image.padding;
    out.coverage.unknown += image.unknown;
    out.images.push_back(std::move(image));
  }
  out.doubts = firmware.doubts;
}

shell::Tree files_of(const unpack::Firmware& firmware) {
  shell::Tree files;
  files.read_file = [&firmware](std::string_view path) -> std::optional<std::string> {
    const auto* node = firmware.root.resolve(path);
    if (!node || node->type != unpack::NodeType::regular) return std::nullopt;
    const auto bytes = firmware.bytes(*node);
    if (bytes.size() > (1 << 20)) return std::nullopt;
    return std::string(base::as_text(bytes));
  };
  files.list_directory = [&firmware](std::string_view path) {
    std::vector<std::string> names;
    const auto* node = firmware.root.resolve(path);
    if (!node) return names;
    for (const auto* child : firmware.root.list(node->path)) names.push_back(child->path.substr(child->path.rfind('/') + 1));
    return names;
  };
  files.is_executable = [&firmware](std::string_view path) {
    const auto* node = firmware.root.resolve(path);
    return node && node->type == unpack::NodeType::regular && (node->mode & 0111) != 0;
  };
  files.read_link = [&firmware](std::string_view path) -> std::optional<std::string> {
    const auto* node = firmware.root.find(path);
    if (!node || node->type != unpack::NodeType::symlink) return std::nullopt;
    return node->link_target;
  };
  return files;
}

void collect_endpoints(result::Result& out) {
  std::map<std::string, effects::Endpoint> seen;
  for (const auto& effect : out.graph.effects) {
    if (!effect.peer || effect.peer->name().empty()) continue;
    const auto& peer = *effect.peer;
    seen.try_emplace(fmt::format("{}|{}|{}|{}", peer.name(), peer.port, peer.protocol, effects::key(peer.provenance)), peer);
  }
  for (auto& [key, peer] : seen) out.endpoints.push_back(std::move(peer));
}

// Name of the input that holds the file at `path`: of the deepest mount above it.
std::string image_of(const unpack::Firmware& firmware, std::string_view path, const result::Result& out) {
  const unpack::Mount* deepest = nullptr;
  for (const auto& mount : firmware.mounts)
    if (mount.file_system.valid() && base::is_beneath(path, mount.at) && (!deepest || mount.at.size() > deepest->at.size())) deepest = &mount;
  if (!deepest) return {};
  auto blob = firmware.file_systems[deepest->file_system].blob;
  if (!blob.valid()) return {};  // a directory given as it is
  while (firmware.blobs[blob].parent.valid()) blob = firmware.blobs[blob].parent;
  return blob.index < out.images.size() ? out.images[blob.index].name : std::string();
}

void state_coverage(const unpack::Firmware& firmware, result::Result& out) {
  auto& coverage = out.coverage;
  coverage.file_systems = firmware.file_systems.size();
  std::map<std::string, const effects::Program*> programs;
  for (const auto& program : out.graph.programs) {
    programs.emplace(program.path, &program);
    ++coverage.programs_by_depth[std::string(effects::key(program.depth))];
    if (program.kind == effects::Program::Kind::script) ++coverage.scripts;
    if (program.kind == effects::Program::Kind::binary || program.kind == effects::Program::Kind::library) ++coverage.binaries;
  }
  for (const auto& node : firmware.root.nodes()) {
    if (node.type != unpack::NodeType::regular) continue;
    ++coverage.files;
    result::FileEntry entry;
    entry.path = node.path;
    entry.size = node.size;
    const auto program = programs.find(node.path);
    entry.kind = program == programs.end() ? "data" : std::string(effects::key(program->second->kind));
    entry.depth = program == programs.end() ? "" : std::string(effects::key(program->second->depth));
    if (program != programs.end()) entry.note = program->second->depth_reason;
    const auto bytes = firmware.bytes(node);
    entry.sha256 = program != programs.end() && !program->second->sha256.empty() ? program->second->sha256 : base::sha256_hex(bytes);
    entry.image = image_of(firmware, node.path, out);
    if (entry.kind == "data" || entry.kind == "script" || entry.kind == "table") entry.switches = result::switches_of(base::as_text(bytes));
    out.files.push_back(std::move(entry));
  }
  // "unknown" is the word when nothing in the input was recognised: no finding then means nothing.
  const bool nothing = coverage.claimed == 0 && out.graph.programs.empty();
  coverage.verdict = nothing ? "unknown" : coverage.not_evaluated.empty() && coverage.unknown == 0 ? "known" : "partial";
  if (nothing) coverage.not_evaluated.push_back({"every rule", "nothing in the input was recognised"});
}

unpack::Options unpacking_of(const ScanOptions& options, const Progress& progress) {
  unpack::Options unpacking;
  unpacking.jobs = options.jobs;
  unpacking.progress = progress;
  return unpacking;
}

result::Result scan_firmware(const unpack::Firmware& firmware, const std::vector<std::string>& inputs, const ScanOptions& options, const Progress& progress) {
  result::Result out;
  out.tool_version = BIOPSY_VERSION;
  out.date = options.date;
  out.device = base_name(inputs.front());
  describe_images(firmware, inputs, out);

  // Find what can act, and what starts it.
  const auto programs = derive::find_programs(firmware);
  const shell::Tree files = files_of(firmware);
  const auto starts = shell::boot_plan(files);

  // Read each program by itself, in workers. After this every program's effects and its depth are known.
  auto facts = analyse_programs(programs, files, options, progress, out);
  derive::add_facts(facts, derive::facts_of_tables(firmware));
  derive::add_facts(facts, derive::facts_of_starts(starts, derive::built_in_models()));
  // What no program runs and still decides: settings, the pages of the web interface, the boot loader's environment.
  derive::add_facts(facts, derive::facts_of_settings(firmware));
  derive::add_facts(facts, derive::facts_of_pages(firmware, derive::built_in_models()));
  derive::add_facts(facts, derive::facts_of_boot_loaders(firmware));
  derive::add_facts(facts, derive::facts_of_uefi_modules(firmware));
  derive::add_facts(facts, derive::facts_of_upload_forms(firmware));
  derive::add_facts(facts, derive::facts_of_remote_management(firmware));

  // What a program reads from a file is what the image ships there.
  shell::Environment environment;
  environment.read_file = files.read_file;
  for (auto& one : facts) derive::join_shipped_defaults(one, environment);

  // Join them to one graph: who starts whom, what flows where.
  auto linked = derive::link(std::move(facts), firmware.root, starts, [&](const unpack::Node& node) { return base::as_text(firmware.bytes(node)); });
  out.graph = std::move(linked.graph);
  for (auto& reason : linked.give_ups) out.coverage.not_evaluated.push_back({reason.substr(0, reason.find(": ")), reason.substr(reason.find(": ") + 2)});

  // Judge. Beyond this point the graph does not change.
  auto judgement = rules::evaluate(out.graph, rules::built_in_rules(), rules::built_in_severity());
  out.findings = std::move(judgement.findings);
  out.update_paths = rules::update_paths(out.graph);
  for (auto& missing : judgement.not_evaluated) out.coverage.not_evaluated.push_back(std::move(missing));

  for (auto& component : derive::find_components(firmware)) out.components.push_back({component.name, component.version, component.kind, component.license, component.purl, "", component.path, "", component.evidence});
  collect_endpoints(out);
  state_coverage(firmware, out);
  for (auto& component : out.components)
    if (const auto file = std::ranges::find(out.files, component.path, &result::FileEntry::path); file != out.files.end() && component.kind != "package") component.sha256 = file->sha256;
  return out;
}

}  // namespace

base::Result<result::Result> scan_device(const std::vector<std::string>& inputs, const ScanOptions& options, const Progress& progress) {
  // Take it apart. After this every byte of every input is claimed, padding or unknown.
  const auto firmware = unpack::open(inputs, unpacking_of(options, progress));
  if (!firmware) return std::unexpected(firmware.error());
  return scan_firmware(*firmware, inputs, options, progress);
}

result::Result scan_bytes(base::Bytes bytes, const std::string& name, const ScanOptions& options) {
  const auto firmware = unpack::open_bytes(std::move(bytes), name, unpacking_of(options, {}));
  return scan_firmware(firmware, {name}, options, {});
}

}  // namespace app
