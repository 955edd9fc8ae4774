// The report that a person reads top-down in a terminal: the sentence that matters, the proof, what to do,
// what was not evaluated.
#include <fmt/format.h>

#include <algorithm>

#include "base/escape.h"
#include "report/report.h"
#include "report/words.h"

namespace report {
namespace {

using result::Finding;
using result::Result;
using result::Severity;

std::string shown(std::string_view raw) { return base::escape_terminal(raw); }

class Writer {
 public:
  explicit Writer(const Options& options) : options_(options) {}

  std::string text;

  std::string bold(std::string_view words) const {
    return options_.colour ? fmt::format("\x1b[1m{}\x1b[0m", words) : std::string(words);
  }
  std::string dim(std::string_view words) const {
    return options_.colour ? fmt::format("\x1b[2m{}\x1b[0m", words) : std::string(words);
  }
  std::string marked(Severity severity) const {
    const auto word = result::key(severity);
    if (!options_.colour) return std::string(word);
    const int colour = severity >= Severity::high ? 31 : severity == Severity::medium ? 33 : 36;
    return fmt::format("\x1b[1;{}m{}\x1b[0m", colour, word);
  }

  // Words folded at the width, each line indented; `words` are escaped already.
  void paragraph(std::string_view words, unsigned indent, std::string_view first = {}) {
    std::string line = std::string(indent, ' ');
    if (!first.empty()) line = std::string(indent - first.size(), ' ') + std::string(first);
    std::size_t column = indent;
    bool fresh = true;
    while (!words.empty()) {
      const auto end = words.find(' ');
      const std::string_view word = words.substr(0, end);
      if (!fresh && column + 1 + word.size() > options_.width) {
        text += line + "\n";
        line = std::string(indent, ' ');
        column = indent;
        fresh = true;
      }
      if (!fresh) line += ' ', ++column;
      line += word;
      column += word.size();
      fresh = false;
      words = end == std::string_view::npos ? std::string_view{} : words.substr(end + 1);
    }
    text += line + "\n";
  }

  const Options& options_;
};

void tell_evidence(Writer& out, const result::Evidence& evidence, unsigned indent) {
  out.paragraph(shown(evidence.says) + (evidence.assumed && !says_assumed(evidence) ? " (assumed)" : ""),
                indent, "- ");
  if (evidence.site) {
    const std::string words = shown(words_of(evidence, out.options_.show_secrets).substr(0, 300));
    out.paragraph(out.dim(shown(place_words(*evidence.site)) + (words.empty() ? "" : ":  " + words)),
                  indent + 2);
  }
  for (const auto& part : evidence.parts) tell_evidence(out, part, indent + 2);
}

// The three limbs of CWE-912 in one sentence.
void tell_hidden(Writer& out, const Finding& finding) {
  if (finding.hidden.empty()) return;
  std::string line = "Is it hidden functionality (CWE-912)?";
  for (const auto& limb : finding.hidden) {
    if (limb.state == result::Limb::not_evaluated)
      line += fmt::format(" Whether {}: not evaluated", limb_words(limb.limb));
    else
      line += fmt::format(" That {}: {}", limb_words(limb.limb), state_words(limb.state));
    line += limb.quote.empty() ? "." : fmt::format(" ({}).", limb.quote);
  }
  out.paragraph(shown(line), 4);
}

void tell_finding(Writer& out, const Finding& finding) {
  out.text += fmt::format("\n{}  {}\n", out.marked(finding.severity), out.bold(shown(finding.title)));
  out.paragraph(shown(finding.says), 4);
  if (!finding.accepted.empty()) out.paragraph("Accepted: " + shown(finding.accepted), 4);
  if (!finding.wire.empty() && !is_of_traffic(finding))
    out.paragraph("On the wire: " + shown(wire_words(finding.wire)) + ".", 4);
  out.text += "    Proof:\n";
  for (const auto& part : finding.evidence.parts) tell_evidence(out, part, 8);
  if (!finding.occurrences.empty())
    out.text += fmt::format("      and {} more place{} of the same kind\n", finding.occurrences.size(),
                            finding.occurrences.size() == 1 ? "" : "s");
  out.paragraph(fmt::format("This is {}.", confidence_words(finding)), 4);
  tell_hidden(out, finding);
  out.paragraph("What to do: " + shown(finding.advice), 4);
  out.paragraph(out.dim(fmt::format("{}{}{}", shown(finding.id), finding.cwe.empty() ? "" : "  ",
                                    cwe_words(finding.cwe, finding.ours))),
                4);
}

// One line for findings that only inform.
void tell_briefly(Writer& out, const Finding& finding) {
  out.paragraph(fmt::format("{}: {}", result::key(finding.severity), shown(finding.says)), 4, "- ");
}

constexpr std::size_t kInventory = 60;  // lines of each list; the JSON result has all

// A list under its heading; nothing where it is empty.
void tell_list(Writer& out, std::string_view heading, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  out.text += "\n" + out.bold(heading) + "\n";
  for (std::size_t i = 0; i < lines.size() && i < kInventory; ++i) out.paragraph(shown(lines[i]), 4, "- ");
  if (lines.size() > kInventory)
    out.paragraph(fmt::format("and {} more, all in the JSON result", lines.size() - kInventory), 4);
}

// The inventory of a capture: every address that spoke with what it said of itself, its peers, what was
// carried in clear.
void tell_traffic(Writer& out, const Result& result) {
  std::vector<std::string> devices, peers, carried;
  for (const auto& program : result.graph.programs)
    if (program.kind == effects::Program::Kind::device && !program.depth_reason.empty())
      devices.push_back(program.path + ": " + program.depth_reason);
  if (is_capture(result))
    for (const auto& peer : result.endpoints)
      peers.push_back(fmt::format("{}, {}{}{}", endpoint_words(peer), scope_words(peer.scope),
                                  peer.host.empty() || peer.address.empty() ? "" : ", called " + peer.host,
                                  peer.looked_up ? ", looked up" : ""));
  for (const auto& file : result.files)
    if (file.kind == "carved")
      carried.push_back(
          fmt::format("{}: {}, {}, sha256 {}", file.path, size_words(file.size), file.note, file.sha256));
  tell_list(out, "Devices on the wire", devices);
  tell_list(out, "Peers", peers);
  tell_list(out, "Carried in clear", carried);
}

void tell_coverage(Writer& out, const Result& result) {
  const auto& c = result.coverage;
  out.text += "\n" + out.bold("What was read") + "\n";
  out.paragraph(fmt::format("Bytes: {} claimed by a format, {} padding, {} unknown.", size_words(c.claimed),
                            size_words(c.padding), size_words(c.unknown)),
                4);
  if (c.files + c.file_systems > 0 || !is_capture(result))
    out.paragraph(fmt::format("{} file system{}, {} files, {} scripts, {} programs and libraries.",
                              c.file_systems, c.file_systems == 1 ? "" : "s", c.files, c.scripts, c.binaries),
                  4);
  if (!c.programs_by_depth.empty() && !is_capture(result)) {
    std::string depths;
    for (const auto& [depth, count] : c.programs_by_depth)
      depths += fmt::format("{}{} {}", depths.empty() ? "" : "; ", count, depth_words(depth));
    out.paragraph("What can act: " + shown(depths) + ".", 4);
  }
  if (c.not_evaluated.empty()) return;
  out.text += "\n" + out.bold("Not evaluated") + " (not the same as clean)\n";
  for (const auto& gap : gaps(c)) {
    std::string line = gap.why + ": ";
    for (std::size_t i = 0; i < gap.what.size() && i < 6; ++i) line += (i ? ", " : "") + gap.what[i];
    if (gap.what.size() > 6) line += fmt::format(" and {} more", gap.what.size() - 6);
    out.paragraph(shown(line), 4, "- ");
  }
}

void tell_update_paths(Writer& out, const Result& result) {
  if (result.update_paths.empty()) return;
  out.text += "\n" + out.bold("Ways in which new code can arrive") + "\n";
  for (const auto& path : result.update_paths) {
    out.paragraph(fmt::format("{}: {}", shown(path.program), shown(path.source)), 4, "- ");
    for (const auto& property : path.properties)
      out.paragraph(fmt::format("{}: {}. {}", shown(property_words(property.key)),
                                shown(property_state_words(property.state) + rests_on(property)), shown(property.because)),
                    8);
  }
}

void tell_doubts(Writer& out, const Result& result) {
  if (result.doubts.empty()) return;
  out.text += "\n" + out.bold("Doubts") + " (odd, but the work went on)\n";
  std::size_t told = 0;
  for (const auto& doubt : result.doubts) {
    if (++told > 12) {
      out.text += fmt::format("    and {} more, all in the JSON result\n", result.doubts.size() - 12);
      break;
    }
    out.paragraph(
        fmt::format("{}, {}: {}{}", shown(property_words(doubt.name)), shown(doubt.where),
                    shown(doubt.detail), doubt.count > 1 ? fmt::format(" ({} times)", doubt.count) : ""),
        4, "- ");
  }
}

void tell(Writer& out, const Result& result) {
  out.text += out.bold(shown(result.device)) + "\n";
  for (const auto& image : result.images)
    out.paragraph(fmt::format("{}  {}  sha256 {}", shown(image.name), size_words(image.size), image.sha256),
                  2);
  out.text += "\n";
  out.paragraph(shown(headline(result)), 0);
  for (const auto& finding : result.findings)
    if (finding.severity >= Severity::medium) tell_finding(out, finding);
  bool brief = false;
  for (const auto& finding : result.findings) {
    if (finding.severity >= Severity::medium) continue;
    if (!brief) out.text += "\n" + out.bold("Also worth knowing") + "\n";
    brief = true;
    tell_briefly(out, finding);
  }
  tell_traffic(out, result);
  tell_update_paths(out, result);
  tell_coverage(out, result);
  tell_doubts(out, result);
}

}  // namespace

std::string render_text(const std::vector<result::Result>& results, const Options& options) {
  Writer out(options);
  for (const auto& result : results) {
    if (&result != &results.front()) out.text += "\n" + std::string(options.width, '=') + "\n\n";
    tell(out, result);
  }
  return std::move(out.text);
}

}  // namespace report
