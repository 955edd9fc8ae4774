// biopsy contain REPORT --as ...: rules that stop or watch exactly the peers that findings name.
#include "contain/contain.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "app/commands.h"
#include "base/bytes.h"
#include "base/escape.h"

namespace app {
namespace {

struct ContainOptions {
  std::string report, as, output = "-", outside, from = "medium";
  bool watch = false;
};

// A share of NFS is asked for at the port mapper, mounted at the mount daemon and read at 2049, each by TCP or UDP
// (RFC 1833, RFC 1813; 20048 is the mount daemon's by IANA): stopping one alone leaves the others talking.
constexpr std::uint16_t kSharePorts[] = {111, 2049, 20048};
bool is_share(std::string_view protocol) { return protocol.starts_with("nfs") || protocol == "mount" || protocol == "portmap"; }

// What the firmware was read to reach, but for what findings name, may pass. A peer that the owner sets is the owner's machine.
void add_needed(contain::Plan& plan, const result::Result& result) {
  using effects::Kind;
  plan.profile = true;
  for (const auto& effect : result.graph.effects) {
    const bool outward = effect.kind == Kind::connect || effect.kind == Kind::mount_remote || effect.kind == Kind::fetch || effect.kind == Kind::send || effect.kind == Kind::upload || effect.kind == Kind::look_up;
    if (!outward || !effect.peer || effect.witness != effects::Witness::derived) continue;
    const auto& peer = *effect.peer;
    // An address in a settings file may be the device's own; where a service goes with it, it is another's.
    if (result.graph.programs[effect.program].kind == effects::Program::Kind::table && peer.protocol.empty()) continue;
    if (peer.scope == effects::Scope::loopback || peer.scope == effects::Scope::unspecified) continue;
    if (peer.provenance == effects::Provenance::setting || peer.provenance == effects::Provenance::input) {
      plan.controllers = true;
      continue;
    }
    const auto target = contain::Target::make(peer.name(), peer.port, peer.protocol, {"needed"});
    if (!target) continue;  // not known well enough to be allowed
    const auto same = [&](const contain::Target& other) { return other.place() == target->place() && (other.port() == 0 || target->port() == 0 || other.port() == target->port()); };
    if (std::ranges::any_of(plan.stop, same)) continue;
    const bool known = std::ranges::any_of(plan.declared, [&](const contain::Target& other) { return other.place() == target->place() && other.port() == target->port() && other.transport() == target->transport(); });
    if (!known) plan.declared.push_back(*target);
  }
}

base::Result<std::string> contain_report(const ContainOptions& options) {
  const auto bytes = base::read_file(options.report);
  if (!bytes) return std::unexpected(bytes.error());
  const auto results = result::from_json(base::as_text(*bytes));
  if (!results) return std::unexpected(results.error());
  contain::Plan plan;
  plan.watch = options.watch;
  plan.outside = options.outside;
  const auto threshold = *result::severity_from_key(options.from);
  for (const auto& one : *results) {
    if (!one.date.empty()) plan.date = one.date;
    for (const auto& finding : one.findings) {
      if (finding.severity < threshold) continue;
      for (const auto& peer : finding.endpoints) {
        contain::add(plan, peer.name(), peer.port, peer.protocol, {finding.id});
        if (is_share(peer.protocol))
          for (const auto port : kSharePorts) contain::add(plan, peer.name(), port, "", {finding.id});
      }
    }
  }
  if (options.as == "mud")
    for (const auto& one : *results) add_needed(plan, one);
  for (const auto& refused : plan.refused) fmt::print(stderr, "biopsy: {} ({} times)\n", base::escape_terminal(refused.detail), refused.count);
  return contain::render(*contain::format_from_key(options.as), plan);
}

}  // namespace

void add_contain(CLI::App& program, int& status) {
  auto* command = program.add_subcommand("contain", "Write rules that stop or watch the peers that findings name");
  auto options = std::make_shared<ContainOptions>();
  command->add_option("report", options->report, "Result of scan --format json")->required();
  command->add_option("--as", options->as, "Which rules")->required()->check(CLI::IsMember({"suricata", "zeek", "nftables", "mud", "csv"}));
  command->add_option("--from", options->from, "Findings at or above this severity")->check(CLI::IsMember({"info", "low", "medium", "high", "critical"}))->capture_default_str();
  command->add_flag("--watch", options->watch, "Log, and let pass");
  command->add_option("--outside", options->outside, "nftables: the interface that leads out of the site");
  command->add_option("--output,-o", options->output, "Write to this file, - for standard output")->capture_default_str();
  command->callback([options, &status] {
    const auto text = contain_report(*options);
    if (!text) {
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(text.error().message));
      status = kUnreadable;
      return;
    }
    if (options->output == "-") {
      fmt::print("{}", *text);
      status = kFine;
      return;
    }
    std::ofstream file(options->output, std::ios::binary);
    file << *text;
    file.close();
    status = file ? kFine : kUnreadable;
    if (!file) fmt::print(stderr, "biopsy: {}: could not be written\n", base::escape_terminal(options->output));
  });
}

}  // namespace app
