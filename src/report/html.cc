// One self-contained HTML page: findings first, then what they rest on. Nothing is loaded from anywhere, the
// page works without its script, and its Content-Security-Policy admits only the one style sheet and the one
// script whose hashes it names.
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>

#include "base/escape.h"
#include "base/hash.h"
#include "report/embedded.h"
#include "report/html_tree.h"
#include "report/report.h"
#include "report/words.h"

namespace report {
namespace {

using result::Finding;
using result::Result;
using result::Severity;

std::string shown(std::string_view raw) { return base::escape_html(raw); }

// 'sha256-...' as Content Security Policy Level 3 writes it.
std::string csp_hash(std::string_view text) {
  const auto digest = base::sha256(base::as_bytes(text));
  unsigned char encoded[64];
  const int length = EVP_EncodeBlock(encoded, digest.data(), static_cast<int>(digest.size()));
  return fmt::format("'sha256-{}'", std::string(encoded, encoded + length));
}

// A shape as well as a colour, and always the word.
std::string mark(Severity severity) {
  static constexpr const char* kShapes[] = {"○", "●", "◆", "▲", "■"};
  return fmt::format("<span class=\"mark {0}\">{1} {0}</span>", result::key(severity),
                     kShapes[static_cast<std::size_t>(severity)]);
}

struct Page {
  const Options& options;
  std::string text;
  std::size_t device = 0;  // anchors of several devices must differ

  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
  }
};

void tell_evidence(Page& page, const result::Evidence& evidence) {
  page.add("<li{}><p>{}{}</p>", evidence.assumed ? " class=\"assumed\"" : "", shown(evidence.says),
           evidence.assumed && !says_assumed(evidence) ? " <span class=\"assumed-word\">assumed</span>" : "");
  if (evidence.site) {
    page.add("<p class=\"place\">{}</p>", shown(place_words(*evidence.site)));
    if (const auto words = words_of(evidence, page.options.show_secrets); !words.empty())
      page.add("<pre>{}</pre>", shown(words.substr(0, 2000)));
  }
  if (!evidence.parts.empty()) {
    page.add("<ol>");
    for (const auto& part : evidence.parts) tell_evidence(page, part);
    page.add("</ol>");
  }
  page.add("</li>\n");
}

void tell_certainty(Page& page, const Finding& finding) {
  page.add("<details><summary>How sure this is, and what could be wrong with it</summary>\n<p>{}.</p>\n",
           confidence_words(finding));
  if (!finding.severity_reason.empty())
    page.add("<p>Why {}: {}</p>\n", result::key(finding.severity), shown(finding.severity_reason));
  if (!finding.misses.empty()) page.add("<p>What this rule cannot see: {}</p>\n", shown(finding.misses));
  if (!finding.hidden.empty()) {
    page.add("<p>Hidden functionality (CWE-912) has three parts:</p><ul>");
    for (const auto& limb : finding.hidden)
      page.add("<li>{}: {}{}</li>", shown(limb_words(limb.limb)), state_words(limb.state),
               limb.quote.empty() ? "" : " (" + shown(limb.quote) + ")");
    page.add("</ul>\n");
  }
  if (!finding.occurrences.empty()) {
    page.add("<p>Found in {} more place{}:</p><ul>", finding.occurrences.size(),
             finding.occurrences.size() == 1 ? "" : "s");
    for (const auto& other : finding.occurrences)
      page.add("<li>{} <span class=\"place\">{}</span></li>", shown(other.says),
               shown(place_words(other.site)));
    page.add("</ul>\n");
  }
  page.add("</details>\n");
}

// What starts it, what is tested, what it does: the order in which it happens. rules/wording.cc words the
// beginnings.
int order_of(const result::Evidence& part) {
  return part.says.starts_with("trigger: ") ? 0 : part.says.starts_with("tested before: ") ? 1 : 2;
}

// `biopsy contain` in an advice, as code.
std::string with_code(std::string_view raw) {
  std::string out;
  bool open = false;
  for (const char c : shown(raw)) {
    if (c != '`') {
      out += c;
      continue;
    }
    out += open ? "</code>" : "<code>";
    open = !open;
  }
  return open ? out + "</code>" : out;
}

void tell_finding(Page& page, const Finding& finding, std::size_t number) {
  page.add("<article class=\"finding {}\" id=\"d{}-finding-{}\">\n<h3>{}{}</h3>\n<p>{}</p>\n",
           result::key(finding.severity), page.device, number, mark(finding.severity), shown(finding.title),
           shown(finding.says));
  if (!finding.accepted.empty())
    page.add("<p class=\"accepted\">Accepted: {}</p>\n", shown(finding.accepted));
  if (!finding.wire.empty() && !is_of_traffic(finding))
    page.add("<p>On the wire: {}.</p>\n", shown(wire_words(finding.wire)));
  page.add("<h4>Proof</h4>\n<ol class=\"proof\">\n");
  auto parts = finding.evidence.parts;
  std::ranges::stable_sort(parts, {}, order_of);
  for (const auto& part : parts) tell_evidence(page, part);
  if (finding.evidence.parts.empty()) tell_evidence(page, finding.evidence);
  page.add("</ol>\n");
  if (!finding.advice.empty())
    page.add("<div class=\"todo\"><strong>What to do.</strong> {}</div>\n", with_code(finding.advice));
  tell_certainty(page, finding);
  page.add("<p class=\"id\">{}{}{}</p>\n</article>\n", shown(finding.id), finding.cwe.empty() ? "" : " · ",
           cwe_words(finding.cwe, finding.ours));
}

void tell_findings(Page& page, const Result& result) {
  page.add("<section id=\"d{}-findings\">\n<h2>Findings</h2>\n", page.device);
  if (result.findings.empty())
    page.add("<p>{}</p>\n",
             result.coverage.verdict == "unknown" ? "None, because nothing was recognised." : "None.");
  std::size_t number = 0;
  for (const auto& finding : result.findings)
    if (finding.severity >= Severity::medium) tell_finding(page, finding, ++number);
  const auto brief =
      std::ranges::count_if(result.findings, [](const Finding& f) { return f.severity < Severity::medium; });
  if (brief > 0) {
    page.add("<h3>Also worth knowing</h3>\n");
    for (const auto& finding : result.findings) {
      if (finding.severity >= Severity::medium) continue;
      page.add("<details><summary>{} <span>{}</span></summary>\n", mark(finding.severity),
               shown(finding.says));
      tell_finding(page, finding, ++number);
      page.add("</details>\n");
    }
  }
  page.add("</section>\n");
}

// Which programs reach a peer, by the effects that name it.
std::map<std::string, std::vector<std::string>> users_of_peers(const Result& result) {
  std::map<std::string, std::vector<std::string>> out;
  for (const auto& effect : result.graph.effects) {
    if (!effect.peer || effect.program.index >= result.graph.programs.size()) continue;
    auto& users = out[endpoint_words(*effect.peer)];
    const auto& path = result.graph.programs[effect.program].path;
    if (std::ranges::find(users, path) == users.end()) users.push_back(path);
  }
  return out;
}

void tell_endpoints(Page& page, const Result& result) {
  if (result.endpoints.empty()) return;
  const auto users = users_of_peers(result);
  page.add(
      "<section id=\"d{}-endpoints\">\n<h2>Peers it can reach</h2>\n<div class=\"scroll\"><table "
      "class=\"stack\"><thead><tr><th>Peer</th><th>Where it lies</th><th>Who chose "
      "it</th><th>Programs</th></tr></thead><tbody>\n",
      page.device);
  auto peers = result.endpoints;  // those that nothing is known of stand last
  std::ranges::stable_partition(
      peers, [](const auto& peer) { return endpoint_words(peer).find("${") == std::string::npos; });
  for (const auto& peer : peers) {
    std::string programs;
    if (const auto found = users.find(endpoint_words(peer)); found != users.end())
      for (const auto& path : found->second) programs += (programs.empty() ? "" : ", ") + path;
    page.add(
        "<tr><td class=\"mono\">{}</td><td data-name=\"lies\">{}</td><td data-name=\"chosen\">{}{}</td><td "
        "class=\"mono\" data-name=\"programs\">{}</td></tr>\n",
        shown(endpoint_words(peer)), scope_words(peer.scope), provenance_words(peer.provenance),
        peer.origin.empty() ? "" : " (" + shown(peer.origin) + ")", shown(programs));
  }
  page.add("</tbody></table></div>\n</section>\n");
}

// A shape and a colour beside the word; a state that is not known gets those of "not evaluated".
std::string_view state_class(std::string_view state) {
  return state == "present" || state == "absent" || state == "fake" ? state : "unclear";
}
std::string_view state_shape(std::string_view state) {
  return state == "present" ? "✓" : state == "absent" ? "✗" : state == "fake" ? "▲" : "?";
}

void tell_update_paths(Page& page, const Result& result) {
  if (result.update_paths.empty()) return;
  page.add(
      "<section id=\"d{}-updates\">\n<h2>Ways in which new code can arrive</h2>\n<p>Each is set beside what "
      "a properly managed update has.</p>\n",
      page.device);
  for (const auto& path : result.update_paths) {
    page.add("<h3>{}</h3>\n<p>{}", shown(path.program), shown(path.source));
    for (const auto& target : path.targets)
      page.add("{}<code>{}</code>", &target == &path.targets.front() ? " → " : ", ", shown(target));
    page.add(
        "</p>\n<div class=\"scroll\"><table "
        "class=\"stack\"><thead><tr><th>Property</th><th>State</th><th>Because</th></tr></thead><tbody>\n");
    for (const auto& property : path.properties)
      page.add(
          "<tr><td>{}</td><td class=\"state {}\"><strong>{} {}</strong></td><td>{}{}</td></tr>\n",
          shown(property_words(property.key)), state_class(property.state), state_shape(property.state),
          shown(property_state_words(property.state) + rests_on(property)), shown(property.because),
          property.site ? " <span class=\"place\">" + shown(place_words(*property.site)) + "</span>" : "");
    page.add("</tbody></table></div>\n");
  }
  page.add("</section>\n");
}

// The image as a strip, its parts in proportion; below it the same as a table.
void tell_extents(Page& page, const result::ImageInfo& image) {
  if (image.extents.empty() || image.size == 0) return;
  page.add(
      "<svg class=\"bytes\" viewBox=\"0 0 1000 20\" preserveAspectRatio=\"none\" role=\"img\" "
      "aria-label=\"where the bytes of the image belong\">");
  const double scale = 1000.0 / static_cast<double>(image.size);
  for (std::size_t i = 0; i < image.extents.size();) {
    const std::string& kind = image.extents[i].kind;
    const auto begin = image.extents[i].offset;
    auto end = begin;
    for (; i < image.extents.size() && image.extents[i].kind == kind; ++i)
      end = image.extents[i].offset + image.extents[i].size;
    page.add("<rect class=\"{}\" x=\"{:.2f}\" y=\"0\" width=\"{:.2f}\" height=\"20\"/>", shown(kind),
             static_cast<double>(begin) * scale, static_cast<double>(end - begin) * scale);
  }
  page.add(
      "</svg>\n<details><summary>The parts of {}</summary>\n<div "
      "class=\"scroll\"><table><thead><tr><th>Offset</th><th>Size</th><th>What it "
      "is</th><th></th></tr></thead><tbody>\n",
      shown(image.name));
  for (const auto& extent : image.extents)
    page.add(
        "<tr><td class=\"mono number\">0x{:x}</td><td class=\"number\">{}</td><td>{}</td><td>{}</td></tr>\n",
        extent.offset, size_words(extent.size), shown(extent.format.empty() ? extent.kind : extent.format),
        shown(extent.note));
  page.add("</tbody></table></div></details>\n");
}

bool has_devices(const Result& result) {
  return std::ranges::any_of(result.graph.programs, [](const auto& p) {
    return p.kind == effects::Program::Kind::device && !p.depth_reason.empty();
  });
}

// The inventory of a capture: every address that spoke, with what it said of itself.
void tell_devices(Page& page, const Result& result) {
  if (!has_devices(result)) return;
  page.add(
      "<section id=\"d{}-devices\">\n<h2>Devices on the wire</h2>\n<div class=\"scroll\"><table "
      "class=\"stack\"><thead><tr><th>Address</th><th>What it said of itself</th></tr></thead><tbody>\n",
      page.device);
  for (const auto& program : result.graph.programs)
    if (program.kind == effects::Program::Kind::device && !program.depth_reason.empty())
      page.add("<tr><td class=\"mono\">{}</td><td>{}</td></tr>\n", shown(program.path),
               shown(program.depth_reason));
  page.add("</tbody></table></div>\n</section>\n");
}

void tell_coverage(Page& page, const Result& result) {
  const auto& c = result.coverage;
  page.add(
      "<section id=\"d{}-read\">\n<h2>What was read</h2>\n<p>Of the bytes, {} belong to a known format, {} "
      "are padding, {} are unknown.</p>\n",
      page.device, size_words(c.claimed), size_words(c.padding), size_words(c.unknown));
  if (!is_capture(result))
    page.add("<p>{} file system{}, {} files, {} scripts, {} programs and libraries.</p>\n", c.file_systems,
             c.file_systems == 1 ? "" : "s", c.files, c.scripts, c.binaries);
  if (!c.programs_by_depth.empty() && !is_capture(result)) {
    page.add("<ul>");
    for (const auto& [depth, count] : c.programs_by_depth)
      page.add("<li>{} {}</li>", count, shown(depth_words(depth)));
    page.add("</ul>\n");
  }
  for (const auto& image : result.images) {
    page.add("<h3>{}</h3>\n<p class=\"quiet\">{}{}, sha256 <code>{}</code></p>\n", shown(image.name),
             size_words(image.size), image.format.empty() ? "" : ", " + shown(image.format),
             shown(image.sha256));
    tell_extents(page, image);
  }
  page.add("</section>\n");
  if (c.not_evaluated.empty()) return;
  page.add(
      "<section id=\"d{}-gaps\">\n<h2>Not evaluated</h2>\n<p>This is not the same as clean: here nothing can "
      "be said.</p>\n",
      page.device);
  for (const auto& gap : gaps(c)) {
    page.add("<details><summary>{} <span class=\"quiet\">({})</span></summary>\n<ul>", shown(gap.why),
             gap.what.size());
    for (const auto& what : gap.what) page.add("<li><code>{}</code></li>", shown(what));
    page.add("</ul></details>\n");
  }
  page.add("</section>\n");
}

void tell_components(Page& page, const Result& result) {
  if (result.components.empty()) return;
  page.add(
      "<section id=\"d{}-components\">\n<h2>What it is made of</h2>\n<div class=\"scroll\"><table "
      "class=\"stack\"><thead><tr><th>Component</th><th>Version</th><th>Where</th><th>Licence</th><th>Known "
      "from</th></tr></thead><tbody>\n",
      page.device);
  for (const auto& part : result.components)
    page.add(
        "<tr><td>{}</td><td data-name=\"version\">{}</td><td class=\"mono\" data-name=\"where\">{}</td><td "
        "data-name=\"licence\">{}</td><td data-name=\"from\">{}</td></tr>\n",
        shown(part.name), part.version.empty() ? "<span class=\"quiet\">unknown</span>" : shown(part.version),
        shown(part.path.empty() ? part.kind : part.path), shown(part.license), shown(part.evidence));
  page.add("</tbody></table></div>\n</section>\n");
}

void tell_doubts(Page& page, const Result& result) {
  if (result.doubts.empty()) return;
  page.add("<section id=\"d{}-doubts\">\n<h2>Doubts</h2>\n<p>Odd, but the work went on.</p>\n<ul>\n",
           page.device);
  for (const auto& doubt : result.doubts)
    page.add("<li><strong>{}</strong> <span class=\"place\">{}</span> {}{}</li>\n",
             shown(property_words(doubt.name)), shown(doubt.where), shown(doubt.detail),
             doubt.count > 1 ? fmt::format(" ({} times)", doubt.count) : "");
  page.add("</ul>\n</section>\n");
}

void tell_counts(Page& page, const Result& result) {
  page.add("<ul class=\"counts\">");
  for (auto severity :
       {Severity::critical, Severity::high, Severity::medium, Severity::low, Severity::info}) {
    const auto count =
        std::ranges::count_if(result.findings, [&](const Finding& f) { return f.severity == severity; });
    if (count > 0) page.add("<li>{} {}</li>", mark(severity), count);
  }
  page.add("</ul>\n");
}

void tell(Page& page, const Result& result) {
  page.add("<header id=\"d{}\">\n<h1>{}</h1>\n<p class=\"headline\">{}</p>\n", page.device,
           shown(result.device), shown(headline(result)));
  tell_counts(page, result);
  page.add("<nav aria-label=\"Parts of the report\"><a href=\"#d{0}-findings\">Findings</a>", page.device);
  const auto link = [&](bool there, const char* part, const char* title) {
    if (there) page.add("<a href=\"#d{}-{}\">{}</a>", page.device, part, title);
  };
  link(!result.endpoints.empty(), "endpoints", "Peers");
  link(!result.update_paths.empty(), "updates", "Updates");
  link(!result.components.empty(), "components", "Components");
  link(has_devices(result), "devices", "Devices");
  link(true, "read", "What was read");
  link(!result.coverage.not_evaluated.empty(), "gaps", "Not evaluated");
  link(!result.doubts.empty(), "doubts", "Doubts");
  link(!result.files.empty(), "files", "Files");
  page.add("</nav>\n</header>\n<main>\n");
  tell_findings(page, result);
  tell_endpoints(page, result);
  tell_update_paths(page, result);
  tell_components(page, result);
  tell_devices(page, result);
  tell_coverage(page, result);
  tell_doubts(page, result);
  if (!result.files.empty())
    page.add("<section id=\"d{}-files\">\n<h2>Files</h2>\n<p>What was and was not read.</p>\n{}</section>\n",
             page.device, html_tree(result.files));
  page.add("</main>\n");
}

}  // namespace

std::string html_page(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src {}; script-src "
      "{}; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" "
      "content=\"no-referrer\">\n<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n{}<script>{}</"
      "script>\n"
      "</body>\n</html>\n",
      csp_hash(embedded::page_css), csp_hash(embedded::page_js), title, embedded::page_css, body,
      embedded::page_js);
}

std::string render_html(const std::vector<Result>& results, const Options& options) {
  Page page{options, {}};
  if (results.size() > 1) {
    page.add("<header><nav aria-label=\"Devices\">");
    for (std::size_t i = 0; i < results.size(); ++i)
      page.add("<a href=\"#d{}\">{}</a>", i + 1, shown(results[i].device));
    page.add("</nav></header>\n");
  }
  for (const auto& result : results) {
    ++page.device;
    tell(page, result);
  }
  if (results.empty()) return html_page("biopsy report", page.text);
  const Result& first = results.front();
  page.add(
      "<footer><p>biopsy {}{}. A finding says what the code can do, not that it is done, nor "
      "why.</p></footer>\n",
      shown(first.tool_version), first.date.empty() ? "" : ", " + shown(first.date));
  return html_page(shown(first.device) +
                       (results.size() > 1 ? fmt::format(" and {} more", results.size() - 1) : "") +
                       ": biopsy report",
                   page.text);
}

}  // namespace report
