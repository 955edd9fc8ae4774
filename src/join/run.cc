#include "join/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/hash.h"
#include "base/text.h"
#include "join/join.h"

namespace join {
namespace {

using box::Event;
using effects::Effect;
using effects::EffectId;
using effects::Kind;
using effects::ProgramId;

constexpr std::size_t kEffectsKept = 5'000;

effects::Text text(std::string value) {
  effects::Text out;
  out.value = std::move(value);
  out.provenance = effects::Provenance::unknown;
  return out;
}

bool is_remote(const Event& event) { return event.call == "mount" && !event.address.empty(); }

std::optional<Kind> kind_of(const Event& event) {
  if (event.call == "mount") return is_remote(event) ? std::optional(Kind::mount_remote) : event.answer == "canary" ? std::optional(Kind::mount_media) : std::nullopt;
  if (event.call == "umount") return Kind::unmount;
  if (event.call == "connect") return Kind::connect;
  if (event.call == "send") return Kind::send;
  if (event.call == "listen") return Kind::listen;
  if (event.call == "execute") return event.answer == "missing" ? std::nullopt : std::optional(Kind::execute);
  if (event.call == "module") return Kind::load_module;
  if (event.call == "reboot") return event.object == "ctrl-alt-del" ? std::nullopt : std::optional(Kind::reboot);
  if (event.call == "interface") return event.target == "up" ? Kind::raise_interface : event.target == "down" ? Kind::lower_interface : Kind::configure_network;
  return std::nullopt;
}

effects::Endpoint peer_of(const Event& event) {
  effects::Endpoint out = effects::endpoint_from_name(event.address, effects::Provenance::unknown);
  out.port = event.port;
  out.protocol = event.protocol;
  return out;
}

class Builder {
 public:
  Builder(const box::Record& record, const std::string& name, result::Result& out) : record_(record), name_(name), out_(out) {}

  void events() {
    for (const Event& event : record_.events) {
      const auto kind = kind_of(event);
      if (!kind || out_.graph.effects.size() >= kEffectsKept) continue;
      Effect effect;
      effect.kind = *kind;
      effect.program = program_at(event.actor.empty() ? event.program : event.actor);
      effect.witness = effects::Witness::run;
      effect.site = site(fmt::format("{} {}{}{}", event.call, event.object, event.target.empty() ? "" : " ", event.target));
      if (!event.address.empty()) effect.peer = peer_of(event);
      const auto colon = is_remote(event) ? event.object.find(':') : std::string::npos;
      effect.object = text(colon == std::string::npos ? event.object : event.object.substr(colon + 1));
      effect.target = text(event.target);
      effect.notes["answered"] = event.answer == "refused" || event.answer == "missing" ? "no" : "yes";
      effect.notes["by"] = event.actor.empty() ? event.program : event.actor;
      if (event.count > 1) effect.notes["count"] = std::to_string(event.count);
      if (event.answer == "canary" && event.call == "execute") executed_.push_back(&event);
      out_.graph.effects.add(std::move(effect));
    }
  }

  void landings() {
    for (const auto& landing : record_.landings) {
      const Event* from = mount_above(landing.canary);
      if (!landing.replaced) continue;
      auto finding = found("run-canary-in-program", landing.path, from);
      const std::string source = from ? fmt::format("{} mounted at {}", from->object, from->target) : landing.canary;
      const std::string actor = from ? (from->actor.empty() ? from->program : from->actor) : record_.started;
      finding.title = "What a peer or a medium gave replaced a file of the device";
      finding.says = fmt::format("In the closed box, {} took content from {} and it ended up as {}.", actor, source, landing.path);
      finding.files = {actor};
      finding.targets = {landing.path};
      finding.evidence.says = finding.says;
      if (from) finding.evidence.parts.push_back({fmt::format("mounts {}; the box answered with a share that holds a canary", source), site(fmt::format("mount {} {}", from->object, from->target)), false, "", {}});
      finding.evidence.parts.push_back({fmt::format("after the run the canary {} is the content of {}", landing.canary, landing.path), site(landing.path), false, "", {}});
      out_.findings.push_back(std::move(finding));
    }
    for (const Event* event : executed_) {
      auto finding = found("run-canary-executed", event->object, nullptr);
      finding.title = "What a peer or a medium gave was executed";
      finding.says = fmt::format("In the closed box, {} executed {}, whose content the box had given as a peer or a medium.", event->actor, event->object);
      finding.files = {event->actor};
      finding.targets = {event->object};
      finding.evidence.says = finding.says;
      finding.evidence.parts.push_back({"the executed file held a canary", site("execute " + event->object), false, "", {}});
      out_.findings.push_back(std::move(finding));
    }
  }

  // What was not reached, and why.
  void limits() {
    const auto not_reached = [&](std::string what, std::string why, std::uint64_t count = 1) { out_.coverage.not_evaluated.push_back({std::move(what), std::move(why), count}); };
    not_reached("what was not exercised in this run", "a run shows what its input, its time and its surroundings led to; not reached is not absent");
    if (record_.ended == "wall-clock") not_reached(record_.started + " after the end of the run", "the time of the run was over");
    if (record_.ended == "memory" || record_.ended == "calls" || record_.ended == "killed") not_reached(record_.started + " after the end of the run", "a limit ended the run: " + record_.ended);
    for (const auto& name : record_.missing) not_reached(name, "asked for and not in the image");
    for (const auto& [what, count] : record_.unanswered) not_reached(what, "the box does not know this call and refused it", count);
  }

 private:
  effects::Site site(std::string words) const {
    effects::Site out;
    out.file = name_;
    out.words = std::move(words);
    return out;
  }

  ProgramId program_at(const std::string& path) {
    const auto [at, fresh] = programs_.try_emplace(path, ProgramId{});
    if (fresh) {
      effects::Program program;
      program.path = (path.empty() ? std::string("a program") : path) + " in the closed box";
      program.kind = effects::Program::Kind::device;
      program.depth = effects::Program::Depth::recognised;
      program.depth_reason = "seen running";
      at->second = out_.graph.programs.add(std::move(program));
    }
    return at->second;
  }

  const Event* mount_above(const std::string& canary) const {
    for (const Event& event : record_.events)
      if (event.call == "mount" && event.answer == "canary" && base::is_beneath(canary, event.target)) return &event;
    return nullptr;
  }

  result::Finding found(const std::string& rule, const std::string& path, const Event* from) const {
    result::Finding finding;
    finding.rule = rule;
    finding.id = rule + "-" + base::sha256_hex(base::as_bytes(rule + "\n" + path + "\n" + (from ? from->object : ""))).substr(0, 10);
    finding.cwe = {494, 829};
    finding.severity = record_.boot ? result::Severity::critical : result::Severity::high;
    finding.severity_reason = record_.boot ? "seen in a run of the boot, in which nobody asked for it" : "seen in a run that was driven";
    finding.confidence = result::Confidence::firm;
    finding.advice = "Ask the maker for an update path that verifies a signature over what it installs; keep the device where that peer cannot answer.";
    finding.misses = "What the run did not reach.";
    if (from && !from->address.empty()) finding.endpoints.push_back(peer_of(*from));
    finding.trigger = {record_.boot ? effects::Trigger::Kind::boot : effects::Trigger::Kind::user, record_.boot ? "the boot was run" : "the run was driven"};
    finding.triggers = {finding.trigger};
    finding.wire = "seen";
    return finding;
  }

  const box::Record& record_;
  const std::string& name_;
  result::Result& out_;
  std::map<std::string, ProgramId> programs_;
  std::vector<const Event*> executed_;
};

}  // namespace

result::Result result_of_run(const box::Record& record, const witness::Capture& capture, const std::string& name) {
  result::Result out = result_of(capture, name, record.capture);
  std::erase_if(out.findings, [](const result::Finding& f) { return f.rule == "wire-periodic-peer"; });
  out.coverage.not_evaluated.clear();
  Builder builder(record, name, out);
  builder.events();
  builder.landings();
  builder.limits();
  for (const auto& doubt : record.doubts) base::add_doubt(out.doubts, doubt);
  std::ranges::stable_sort(out.findings, [](const auto& a, const auto& b) { return a.severity > b.severity; });
  std::map<std::string, int> seen;
  for (auto& finding : out.findings)
    if (const int count = ++seen[finding.id]; count > 1) finding.id += fmt::format("-{}", count);
  out.coverage.programs_by_depth = {{"recognised", out.graph.programs.size()}};
  out.coverage.verdict = "partial";
  return out;
}

void merge_run(result::Result& into, const result::Result& other) {
  const auto programs = static_cast<std::uint32_t>(into.graph.programs.size());
  const auto shift = static_cast<std::uint32_t>(into.graph.effects.size());
  for (const auto& program : other.graph.programs) into.graph.programs.add(program);
  for (Effect effect : other.graph.effects) {
    effect.program.index += programs;
    into.graph.effects.add(std::move(effect));
  }
  for (auto finding : other.findings) {
    if (std::ranges::any_of(into.findings, [&](const auto& known) { return known.id == finding.id; })) continue;
    for (auto& effect : finding.effects) effect += shift;
    into.findings.push_back(std::move(finding));
  }
  into.images.insert(into.images.end(), other.images.begin(), other.images.end());
  into.coverage.claimed += other.coverage.claimed;
  for (const auto& endpoint : other.endpoints) {
    const auto same = [&](const auto& known) { return known.name() == endpoint.name() && known.port == endpoint.port && known.protocol == endpoint.protocol; };
    if (!std::ranges::any_of(into.endpoints, same)) into.endpoints.push_back(endpoint);
  }
  for (const auto& missing : other.coverage.not_evaluated) {
    const auto same = [&](const auto& known) { return known.what == missing.what && known.why == missing.why; };
    if (!std::ranges::any_of(into.coverage.not_evaluated, same)) into.coverage.not_evaluated.push_back(missing);
  }
  for (const auto& doubt : other.doubts) base::add_doubt(into.doubts, doubt);
}

void add_landings(result::Result& scan, const std::vector<box::Record>& records) {
  for (auto& finding : scan.findings) {
    if (finding.wire != "seen" || finding.targets.empty() || finding.rule.starts_with("run-")) continue;
    std::set<std::string> landed;
    for (const auto& record : records)
      for (const auto& landing : record.landings)
        if (std::ranges::any_of(finding.targets, [&](const auto& target) { return landing.path == target || base::is_beneath(landing.path, target); })) landed.insert(landing.path);
    const std::string says = landed.empty() ? "the canary that the box gave was not found at the targets after the run" : fmt::format("after the run the canary that the box gave is the content of {}", fmt::join(landed, ", "));
    finding.evidence.parts.push_back({says, std::nullopt, false, "", {}});
  }
}

}  // namespace join
