#include "app/run_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/escape.h"
#include "base/text.h"

namespace app {
namespace {

constexpr std::size_t kLines = 200, kOutputTail = 12;

std::string why_ended(const box::Record& record) {
  if (record.ended == "exited") return fmt::format("it ended by itself with status {}", record.status);
  if (record.ended == "rebooted") return "it asked for a restart";
  if (record.ended == "wall-clock") return "its time was over and everything was killed";
  if (record.ended == "memory") return "it used more memory than the box gives and was killed";
  if (record.ended == "calls") return "it made more calls than are answered and was killed";
  return "it was killed";
}

std::string line_of(const box::Event& e) {
  const std::string peer = e.address.empty() ? "" : fmt::format("{} port {}", e.address, e.port);
  if (e.call == "mount") return fmt::format("mounts {} at {} ({})", e.object, e.target, e.answer == "canary" ? "answered with a canary" : e.answer);
  if (e.call == "umount") return fmt::format("unmounts {}", e.target);
  if (e.call == "connect") return fmt::format("connects to {} over {} ({})", peer, e.protocol, e.answer);
  if (e.call == "send") return fmt::format("sends datagrams to {} ({})", peer, e.answer);
  if (e.call == "listen") return fmt::format("listens on {}", peer);
  if (e.call == "execute") return fmt::format("executes {}{}: {}", e.object, e.answer == "canary" ? ", which holds a CANARY" : e.answer == "missing" ? ", which is not there" : "", e.target);
  if (e.call == "module") return fmt::format("{}s the kernel module {}", e.target, e.object);
  if (e.call == "reboot") return e.object == "ctrl-alt-del" ? "sets what ctrl-alt-del does" : fmt::format("asks for: {}", e.object);
  return fmt::format("interface {}: {}", e.object, e.target);
}

}  // namespace

std::string run_text(const box::Record& record, const std::vector<std::string>& canaries) {
  std::string out;
  const auto put = [&](std::string_view text) { out += base::escape_terminal(text) + "\n"; };
  put(fmt::format("Run in the closed box: {}", record.started));
  put(fmt::format("  {} ms; {}. {} calls were seen.", record.run_ms, why_ended(record), record.notified_calls));
  std::set<std::string> started, absent(record.missing.begin(), record.missing.end());
  std::uint64_t last = 0;
  for (const auto& event : record.events) {
    if (event.call == "execute" && event.answer != "missing") started.insert(event.object + " " + event.target.substr(0, event.target.find(' ')));
    if (event.answer != "missing") last = std::max(last, event.first_ms);
  }
  put(fmt::format("  {} different programs were started; the last new thing happened after {} ms.", started.size(), last));
  put("");
  put("What it did (milliseconds, program)");
  std::size_t lines = 0;
  for (const auto& event : record.events) {
    // A search along PATH is told only where nothing was found.
    if (event.answer == "missing" && !absent.contains(event.object.substr(event.object.rfind('/') + 1))) continue;
    if (++lines > kLines) continue;
    put(fmt::format("  {:>6}  {}  {}{}", event.first_ms, event.actor.empty() ? event.program.empty() ? "the box" : event.program : event.actor, line_of(event), event.count > 1 ? fmt::format("  ({} times)", event.count) : ""));
  }
  if (lines > kLines) put(fmt::format("  ... and {} more", lines - kLines));
  if (record.events.empty()) put("  nothing that the box watches");
  put("");
  if (!record.landings.empty()) {
    put("Where canaries ended up");
    for (const auto& landing : record.landings) put(fmt::format("  {} holds {}{}", landing.path, landing.canary, landing.replaced ? " (it replaced a file of the image)" : ""));
    put("");
  }
  const std::string_view frames = base::as_text(record.capture);
  for (const auto& canary : canaries)
    if (frames.find(canary) != std::string_view::npos) put(fmt::format("The patient's \"{}\" was sent in clear.", canary));
  if (!record.missing.empty()) put("Missing in the image: " + base::join(record.missing, ", "));
  for (const auto& [what, count] : record.unanswered) put(fmt::format("Refused, since the box does not know it: {} ({} times)", what, count));
  for (const auto& doubt : record.doubts) put(fmt::format("Doubt: {} ({})", doubt.detail, doubt.name));
  const auto printed = base::split(record.output, '\n');
  const std::size_t from = printed.size() > kOutputTail ? printed.size() - kOutputTail : 0;
  put("Last words on its console");
  for (std::size_t i = from; i < printed.size(); ++i)
    if (!base::trim(printed[i]).empty()) put(fmt::format("  | {}", base::trim(printed[i])));
  put("");
  put("What was not reached in this run is not evaluated, and never absent.");
  put("");
  return out;
}

}  // namespace app
