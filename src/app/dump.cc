// biopsy dump STAGE INPUT [WHERE]: what each stage of a scan sees, for looking over its shoulder.
#include <fmt/format.h>

#include <functional>
#include <memory>

#include "app/commands.h"
#include "app/pipeline.h"
#include "base/bytes.h"
#include "base/escape.h"
#include "effects/json.h"
#include "flow/flow.h"
#include "shell/shell.h"
#include "unpack/unpack.h"

namespace app {
namespace {

using Text = base::Result<std::string>;

std::string shown(std::string_view raw) { return base::escape_terminal(raw); }

Text with_firmware(const std::string& input, const std::function<std::string(const unpack::Firmware&)>& tell) {
  const auto firmware = unpack::open({input});
  if (!firmware) return std::unexpected(firmware.error());
  return tell(*firmware);
}

Text dump_blobs(const std::string& input) {
  return with_firmware(input, [](const unpack::Firmware& firmware) {
    std::string out;
    for (std::size_t i = 0; i < firmware.inputs; ++i) {
      const auto& blob = firmware.blobs[firmware.blobs.id_at(i)];
      out += fmt::format("{} {} bytes\n", shown(blob.name), blob.bytes.size());
      for (const auto& e : blob.extents)
        out += fmt::format("  0x{:08x} {:>10} {:8} {} {}\n", e.offset, e.size, e.kind == unpack::Extent::Kind::claimed ? "claimed" : e.kind == unpack::Extent::Kind::padding ? "padding" : "unknown", e.format, shown(e.note));
    }
    for (const auto& mount : firmware.mounts) out += fmt::format("mount {} at {}: {}\n", firmware.file_systems[mount.file_system].format, shown(mount.at), shown(mount.source));
    for (const auto& doubt : firmware.doubts) out += fmt::format("doubt {} {} {} ({})\n", doubt.name, shown(doubt.where), shown(doubt.detail), doubt.count);
    return out;
  });
}

Text dump_tree(const std::string& input) {
  return with_firmware(input, [](const unpack::Firmware& firmware) {
    std::string out;
    constexpr char types[] = {'-', 'd', 'l', 'c', 'b', 'p', 's'};
    for (const auto& node : firmware.root.nodes())
      out += fmt::format("{}{:04o} {:>5} {:>5} {:>9} {}{}\n", types[static_cast<int>(node.type)], node.mode, node.uid, node.gid, node.size, shown(node.path), node.link_target.empty() ? "" : " -> " + shown(node.link_target));
    return out;
  });
}

// Runs `tell` on one ELF file: INPUT itself, or the file WHERE inside the firmware INPUT.
Text with_program(const std::string& input, const std::string& where, const std::function<Text(base::ByteView, const std::string&)>& tell) {
  const auto firmware = unpack::open({input});
  if (!firmware) return std::unexpected(firmware.error());
  const auto& first = firmware->blobs[firmware->blobs.id_at(0)];
  if (elf::is_elf(first.bytes)) return tell(first.bytes, input);
  const auto* node = firmware->root.resolve(where);
  if (!node || node->type != unpack::NodeType::regular) return base::fail(base::Error::Kind::unreadable, fmt::format("{}: no file '{}' inside", input, where));
  return tell(firmware->bytes(*node), node->path);
}

base::Result<std::pair<elf::Binary, flow::Program>> analysed(base::ByteView bytes, flow::Budget::Alone alone) {
  auto binary = elf::read(bytes);
  if (!binary) return std::unexpected(binary.error());
  flow::Budget budget;
  budget.alone = alone;
  auto program = flow::analyse(*binary, bytes, budget);
  if (!program) return std::unexpected(program.error());
  return std::pair(std::move(*binary), std::move(*program));
}

Text dump_functions(const std::string& input, const std::string& where) {
  return with_program(input, where, [](base::ByteView bytes, const std::string&) -> Text {
    const auto read = analysed(bytes, flow::Budget::Alone::none);
    if (!read) return std::unexpected(read.error());
    return flow::dump_functions(read->second);
  });
}

Text dump_calls(const std::string& input, const std::string& where) {
  return with_program(input, where, [](base::ByteView bytes, const std::string& path) -> Text {
    const auto read = analysed(bytes, flow::Budget::Alone::every);
    if (!read) return std::unexpected(read.error());
    return flow::dump_calls_jsonl(read->second, path);
  });
}

// WHERE is FUNCTION for an ELF file, PATH:FUNCTION inside a firmware.
Text dump_pcode(const std::string& input, const std::string& where) {
  const auto colon = where.rfind(':');
  const std::string function = colon == std::string::npos ? where : where.substr(colon + 1);
  return with_program(input, where.substr(0, colon), [&](base::ByteView bytes, const std::string&) -> Text {
    const auto read = analysed(bytes, flow::Budget::Alone::none);
    if (!read) return std::unexpected(read.error());
    return flow::dump_pcode(read->first, read->second, function);
  });
}

Text dump_strings(const std::string& input, const std::string& where) {
  return with_program(input, where, [](base::ByteView bytes, const std::string&) -> Text {
    const auto binary = elf::read(bytes);
    if (!binary) return std::unexpected(binary.error());
    std::string out;
    for (const auto& [address, text] : binary->strings(4)) out += fmt::format("0x{:08x} {}\n", address, shown(text));
    return out;
  });
}

Text dump_shell(const std::string& input, const std::string& where) {
  const auto firmware = unpack::open({input});
  if (!firmware) return std::unexpected(firmware.error());
  const auto* node = firmware->root.resolve(where);
  const base::ByteView bytes = node ? firmware->bytes(*node) : firmware->blobs[firmware->blobs.id_at(0)].bytes;
  shell::Environment environment;
  environment.read_file = [&](std::string_view path) -> std::optional<std::string> {
    const auto* file = firmware->root.resolve(path);
    if (!file || file->type != unpack::NodeType::regular) return std::nullopt;
    return std::string(base::as_text(firmware->bytes(*file)));
  };
  const auto script = shell::parse(base::as_text(bytes), node ? node->path : input, environment);
  std::string out;
  for (const auto& command : script.commands) {
    const auto effective = shell::effective_command(command);
    out += fmt::format("{}:{}{}{}: {}", shown(command.file), command.line, command.function.empty() ? "" : " in " + shown(command.function) + "()", command.reached ? "" : " (not reached)", shown(effective.name));
    for (const auto& word : effective.arguments) out += fmt::format(" [{}]", shown(word.text));
    out += '\n';
  }
  for (const auto& doubt : script.doubts) out += fmt::format("doubt {}: {}\n", doubt.name, shown(doubt.detail));
  return out;
}

Text dump_effects(const std::string& input) {
  ScanOptions options;
  const auto result = scan_device({input}, options, {});
  if (!result) return std::unexpected(result.error());
  std::string out;
  for (const auto& effect : result->graph.effects) {
    auto json = effects::to_json(effect);
    json["program"] = base::escape_bytes(result->graph.programs[effect.program].path);
    out += json.dump() + "\n";
  }
  return out;
}

struct Stage {
  std::string_view name, title;
  std::function<Text(const std::string& input, const std::string& where)> dump;
};

const std::vector<Stage>& stages() {
  static const std::vector<Stage> list = {
      {"blobs", "extents of the inputs, mounts, doubts", [](auto& input, auto&) { return dump_blobs(input); }},
      {"tree", "the composed file tree", [](auto& input, auto&) { return dump_tree(input); }},
      {"strings", "strings of a program with their addresses", dump_strings},
      {"functions", "functions of a program", dump_functions},
      {"calls", "calls of a program with their values, as JSON Lines", dump_calls},
      {"pcode", "p-code of a function (WHERE: FUNCTION or PATH:FUNCTION)", dump_pcode},
      {"shell", "commands of a script with resolved words", dump_shell},
      {"effects", "effects of everything, as JSON Lines", [](auto& input, auto&) { return dump_effects(input); }},
  };
  return list;
}

}  // namespace

void add_dump(CLI::App& program, int& status) {
  auto* command = program.add_subcommand("dump", "Show what one stage of a scan sees");
  auto words = std::make_shared<std::vector<std::string>>();
  std::string footer = "Stages:\n";
  std::vector<std::string> names;
  for (const auto& stage : stages()) {
    names.emplace_back(stage.name);
    footer += fmt::format("  {:10} {}\n", stage.name, stage.title);
  }
  command->footer(footer);
  auto stage_name = std::make_shared<std::string>();
  command->add_option("stage", *stage_name, "Which stage")->required()->check(CLI::IsMember(names));
  command->add_option("input", *words, "An image or a program, then WHERE inside it")->required()->expected(1, 2);
  command->callback([stage_name, words, &status] {
    for (const auto& stage : stages()) {
      if (stage.name != *stage_name) continue;
      const auto text = stage.dump(words->front(), words->size() > 1 ? words->back() : "");
      if (!text) {
        fmt::print(stderr, "biopsy: {}\n", shown(text.error().message));
        status = kUnreadable;
        return;
      }
      fmt::print("{}", *text);
      status = kFine;
    }
  });
}

}  // namespace app
