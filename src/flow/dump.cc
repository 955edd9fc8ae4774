// A Program as text: what `biopsy dump` prints.
#include <map>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "flow/flow.h"
#include "sleigh/sleigh.h"

namespace flow {

std::string dump_functions(const Program& program) {
  std::map<std::uint64_t, std::string> lines;
  for (const auto& f : program.functions) {
    const auto name = base::escape_terminal(f.name);
    lines[f.address] = fmt::format("{:x}\t{:x}\t{}\t{}\t{}\t{}{}{}\n", f.address, f.end, f.blocks, f.instructions, name, f.thumb ? "thumb " : "",
                                   f.returns ? "returns" : "no-return", f.library.empty() ? "" : "\tis " + f.library);
    for (const auto& [start, end] : f.parts) lines.emplace(start, fmt::format("{:x}\t{:x}\t\t\t{}\t{}part\n", start, end, name, f.thumb ? "thumb " : ""));
  }
  std::string out;
  for (const auto& [unused, line] : lines) out += line;
  return out;
}

std::string dump_calls_jsonl(const Program& program, std::string_view where) {
  static constexpr const char* kinds[] = {"text", "number", "buffer", "unknown"};
  std::string out;
  std::uint32_t index = 0;
  for (const auto& c : program.calls) {
    nlohmann::ordered_json line;
    line["file"] = base::escape_bytes(where);
    line["index"] = index++;
    line["function"] = base::escape_bytes(c.function);
    line["function_address"] = fmt::format("0x{:x}", c.function_address);
    line["site"] = fmt::format("0x{:x}", c.site);
    line["callee"] = c.callee;
    line["args"] = nlohmann::ordered_json::array();
    for (const auto& a : c.args) {
      nlohmann::ordered_json arg;
      arg["kind"] = kinds[static_cast<int>(a.kind)];
      arg["values"] = nlohmann::ordered_json::array();
      for (const auto& v : a.values) arg["values"].push_back(base::escape_bytes(v));
      for (const auto v : a.numbers) arg["values"].push_back(v);
      if (!a.buffer_id.empty()) arg["buffer"] = a.buffer_id;
      line["args"].push_back(std::move(arg));
    }
    if (c.endpoint) {
      line["endpoint"] = {{"address", base::escape_bytes(c.endpoint->address)}, {"family", c.endpoint->family}};
      if (c.endpoint->port_known) line["endpoint"]["port"] = c.endpoint->port;
    }
    line["reached_from"] = nlohmann::ordered_json::array();
    for (const auto& r : c.reached_from) line["reached_from"].push_back(base::escape_bytes(r));
    if (!c.feeds.empty()) line["feeds"] = c.feeds;
    if (!c.guards.empty()) line["guards"] = c.guards;
    if (!c.precedes.empty()) line["precedes"] = c.precedes;
    if (c.raw) line["raw"] = true;
    if (c.inferred) line["inferred"] = true;
    out += line.dump() + '\n';
  }
  return out;
}

base::Result<std::string> dump_pcode(const elf::Binary& binary, const Program& program, std::string_view function) {
  const Function* wanted = nullptr;
  for (const auto& f : program.functions)
    if (f.name == function || fmt::format("0x{:x}", f.address) == function || fmt::format("{:x}", f.address) == function) wanted = &f;
  if (!wanted) return base::fail(base::Error::Kind::unreadable, fmt::format("No function {} was found.", function));
  const auto machine = sleigh::machine_for(binary);
  if (!machine) return base::fail(base::Error::Kind::unsupported, "No processor table for this machine.");
  auto translator = sleigh::Translator::open(*machine, binary);
  if (!translator) return std::unexpected(translator.error());
  std::string out;
  std::vector<sleigh::PcodeOp> ops;
  const auto text = [&](const sleigh::Varnode& v) -> std::string {
    switch (v.space) {
      case sleigh::Space::none: return "";
      case sleigh::Space::constant: return fmt::format("0x{:x}:{}", v.offset, v.size);
      case sleigh::Space::ram: return fmt::format("[0x{:x}]:{}", v.offset, v.size);
      case sleigh::Space::unique: return fmt::format("u{:x}:{}", v.offset, v.size);
      case sleigh::Space::reg: {
        const auto name = (*translator)->register_name(v);
        return name.empty() ? fmt::format("r{:x}:{}", v.offset, v.size) : name;
      }
    }
    return "";
  };
  for (std::uint64_t at = wanted->address; at < wanted->end;) {
    ops.clear();
    const auto assembly = (*translator)->disassemble(at, wanted->thumb);
    const auto length = (*translator)->lift(at, wanted->thumb, ops);
    out += fmt::format("{:x}: {}\n", at, base::escape_terminal(assembly));
    for (const auto& op : ops) {
      out += "    ";
      if (op.space[0] != sleigh::Space::none) out += text(op.part(0)) + " = ";
      out += sleigh::name(op.op);
      for (int i = 1; i <= op.inputs; ++i) out += (i == 1 ? " " : ", ") + text(op.part(i));
      if (op.op == sleigh::Op::CALLOTHER) out += fmt::format(" ({})", (*translator)->user_op(op.at[1]));
      out += '\n';
    }
    at += length == 0 ? machine->alignment : (*translator)->last_length();
  }
  return out;
}

}  // namespace flow
