#include "report/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/escape.h"
#include "report/html.h"
#include "report/words.h"

namespace report {
namespace {

using comparison::Comparison;
using comparison::Step;
using comparison::Verdict;
using result::Severity;

// The answer in one sentence, about what weighs: high and above.
std::string answer(const Step& step) {
  std::map<Verdict, std::size_t> counts;
  for (const auto& change : step.changes)
    if (std::max(change.before, change.after) >= Severity::high) ++counts[change.verdict];
  if (counts.empty()) return "Neither side has a finding at high or above.";
  std::string out = "Of the findings at high or above: ";
  bool first = true;
  for (const auto& [verdict, count] : counts) {
    out += fmt::format("{}{} {}", first ? "" : ", ", count, comparison::words(verdict));
    first = false;
  }
  return out + ".";
}

std::string cell_words(const std::string& cell) {
  if (cell.empty()) return "–";
  if (cell == "there") return "found";
  for (const auto verdict : {Verdict::still_there, Verdict::masked, Verdict::moved, Verdict::new_,
                             Verdict::fixed, Verdict::not_compared})
    if (cell == comparison::key(verdict)) return std::string(comparison::words(verdict));
  return cell;
}

struct FileCounts {
  std::map<std::string, std::vector<std::string>> by_change;
  explicit FileCounts(const Step& step) {
    for (const auto& file : step.files) by_change[file.change].push_back(file.path);
  }
};

std::string state_or_none(const std::string& state) {
  return state.empty() ? "no such way" : property_state_words(state);
}

std::string version_words(const comparison::ComponentChange& one) {
  const auto version = [](const std::string& text) {
    return text.empty() ? std::string("version unknown") : text;
  };
  if (one.change == "version") return version(one.before) + " -> " + version(one.after);
  if (one.change == "rebuilt") return version(one.after) + ", other bytes";
  if (one.change == "removed") return "removed, " + version(one.before);
  if (one.change == "not-compared")
    return "not compared, " + version(one.before.empty() ? one.after : one.before);
  return one.change + ", " + version(one.after);
}

constexpr std::size_t kComponentsShown = 40;  // in text; HTML has all

// A shape for each verdict, so that colour is never all.
const char* shape(Verdict verdict) {
  switch (verdict) {
    case Verdict::still_there:
      return "■";
    case Verdict::masked:
      return "▲";
    case Verdict::moved:
      return "→";
    case Verdict::new_:
      return "+";
    case Verdict::fixed:
      return "✓";
    case Verdict::not_compared:
      return "?";
  }
  return "";
}

std::string cell_shape(const std::string& cell) {
  for (const auto verdict : {Verdict::still_there, Verdict::masked, Verdict::moved, Verdict::new_,
                             Verdict::fixed, Verdict::not_compared})
    if (cell == comparison::key(verdict)) return shape(verdict);
  return cell == "there" ? "■" : "";
}

// What is as it was needs no card of its own.
bool unchanged(const comparison::Change& change) {
  return change.verdict == Verdict::still_there && change.because.empty();
}

}  // namespace

std::string render_comparison_text(const Comparison& comparison, const Options& options) {
  const auto shown = [](std::string_view raw) { return base::escape_terminal(raw); };
  const auto bold = [&](const std::string& words) {
    return options.colour ? "\x1b[1m" + words + "\x1b[0m" : words;
  };
  std::string out;
  for (const auto& step : comparison.steps) {
    if (&step != &comparison.steps.front()) out += "\n";
    out += bold(fmt::format("{} -> {}", shown(step.from), shown(step.to))) + "\n\n" + answer(step) + "\n\n";
    for (const auto& change : step.changes) {
      out += fmt::format("{:18}{}: {} ({})\n", comparison::words(change.verdict), shown(change.program),
                         shown(change.title), result::key(std::max(change.before, change.after)));
      for (const auto& because : change.because) out += fmt::format("{:18}  {}\n", "", shown(because));
      out += fmt::format("{:18}  {}\n", "", shown(change.id));
    }
    if (!step.not_compared.empty()) {
      out += "\nNot compared, because one side lacks it:\n";
      for (const auto& image : step.not_compared) out += "    " + shown(image) + "\n";
    }
    if (!step.grades.empty()) out += "\nWays in which new code can arrive:\n";
    for (const auto& grade : step.grades)
      out += fmt::format("    {}, {}: {} -> {}\n", shown(grade.path), shown(property_words(grade.property)),
                         state_or_none(grade.before), state_or_none(grade.after));
    if (!step.components.empty()) out += "\nComponents:\n";
    for (const auto& one : step.components) {
      if (&one - step.components.data() == kComponentsShown) {
        out += fmt::format("    and {} more\n", step.components.size() - kComponentsShown);
        break;
      }
      out += fmt::format("    {} ({}): {}\n", shown(one.name), shown(one.path.empty() ? one.kind : one.path),
                         shown(version_words(one)));
    }
    for (const auto& image : step.opaque)
      out += fmt::format("\n{}: its bytes differ; it holds no file, and what changed in it is not told\n",
                         shown(image));
    const FileCounts files(step);
    if (!files.by_change.empty()) out += "\nFiles:\n";
    for (const auto& [change, paths] : files.by_change) {
      out += fmt::format("    {} {}: ", paths.size(), property_words(change));
      for (std::size_t i = 0; i < paths.size() && i < 8; ++i) out += (i ? ", " : "") + shown(paths[i]);
      out += paths.size() > 8 ? " ...\n" : "\n";
    }
  }
  if (comparison.versions.size() > 2) {
    out += "\n" + bold("Over all versions") + "\n\n";
    for (std::size_t i = 0; i < comparison.versions.size(); ++i)
      out += fmt::format("    {}: {}\n", i + 1, shown(comparison.versions[i]));
    out += "\n";
    for (const auto& row : comparison.rows) {
      out += fmt::format("    {} ({})\n      ", shown(row.title), shown(row.program));
      for (std::size_t i = 0; i < row.cells.size(); ++i)
        out += fmt::format("{}{}: {}", i ? ", " : "", i + 1, cell_words(row.cells[i]));
      out += "\n";
    }
  }
  return out;
}

std::string render_comparison_html(const Comparison& comparison) {
  const auto shown = [](std::string_view raw) { return base::escape_html(raw); };
  std::string body = "<header>\n<h1>Was it fixed?</h1>\n";
  for (const auto& step : comparison.steps)
    body += fmt::format("<p class=\"headline\">{} → {}: {}</p>\n", shown(step.from), shown(step.to),
                        shown(answer(step)));
  body += "</header>\n<main>\n";
  if (comparison.versions.size() > 2) {
    body +=
        "<section>\n<h2>Over all versions</h2>\n<div class=\"scroll\"><table "
        "class=\"stack\"><thead><tr><th>Finding</th>";
    for (const auto& version : comparison.versions) body += "<th>" + shown(version) + "</th>";
    body += "</tr></thead><tbody>\n";
    for (const auto& row : comparison.rows) {
      const bool twice = std::ranges::count_if(comparison.rows, [&](const auto& other) {
                           return other.title == row.title && other.program == row.program;
                         }) > 1;
      body += fmt::format("<tr><td>{}<br><span class=\"place\">{}{}</span></td>", shown(row.title),
                          shown(row.program), twice ? "<br>" + shown(row.id) : "");
      for (std::size_t i = 0; i < row.cells.size(); ++i)
        body += fmt::format("<td class=\"verdict {}\" data-name=\"{}\">{} {}</td>", shown(row.cells[i]),
                            shown(comparison.versions[i]), cell_shape(row.cells[i]),
                            shown(cell_words(row.cells[i])));
      body += "</tr>\n";
    }
    body += "</tbody></table></div>\n</section>\n";
  }
  for (const auto& step : comparison.steps) {
    body += fmt::format("<section>\n<h2>{} → {}</h2>\n", shown(step.from), shown(step.to));
    for (const auto& change : step.changes) {
      if (unchanged(change)) continue;
      body += fmt::format(
          "<article class=\"change {}\">\n<h3><span class=\"mark\">{} {}</span>{}</h3>\n<p>{} <span "
          "class=\"quiet\">({})</span></p>\n",
          comparison::key(change.verdict), shape(change.verdict), comparison::words(change.verdict),
          shown(change.title), shown(change.program), result::key(std::max(change.before, change.after)));
      for (const auto& because : change.because) body += "<p>" + shown(because) + ".</p>\n";
      body += "<p class=\"id\">" + shown(change.id) + "</p>\n</article>\n";
    }
    if (const auto same = std::ranges::count_if(step.changes, unchanged)) {
      body += fmt::format("<h3>{} {}, as before: {}</h3>\n<ul>", shape(Verdict::still_there),
                          comparison::words(Verdict::still_there), same);
      for (const auto& change : step.changes)
        if (unchanged(change))
          body += fmt::format(
              "<li>{} <span class=\"quiet\">({})</span><br><span class=\"place\">{} · {}</span></li>\n",
              shown(change.title), result::key(std::max(change.before, change.after)), shown(change.program),
              shown(change.id));
      body += "</ul>\n";
    }
    if (!step.not_compared.empty()) {
      body += "<h3>Not compared, because one side lacks it</h3>\n<ul>";
      for (const auto& image : step.not_compared) body += "<li>" + shown(image) + "</li>";
      body += "</ul>\n";
    }
    if (!step.grades.empty()) {
      body +=
          "<h3>Ways in which new code can arrive</h3>\n<div "
          "class=\"scroll\"><table><thead><tr><th>Way</th><th>Property</th><th>Before</th><th>After</th></"
          "tr></thead><tbody>\n";
      for (const auto& grade : step.grades)
        body += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n", shown(grade.path),
                            shown(property_words(grade.property)), shown(state_or_none(grade.before)),
                            shown(state_or_none(grade.after)));
      body += "</tbody></table></div>\n";
    }
    if (!step.components.empty()) {
      body +=
          "<h3>Components</h3>\n<div "
          "class=\"scroll\"><table><thead><tr><th>Name</th><th>Where</th><th>Change</th></tr></"
          "thead><tbody>\n";
      for (const auto& one : step.components)
        body += fmt::format("<tr><td>{}</td><td class=\"place\">{}</td><td>{}</td></tr>\n", shown(one.name),
                            shown(one.path.empty() ? one.kind : one.path), shown(version_words(one)));
      body += "</tbody></table></div>\n";
    }
    for (const auto& image : step.opaque)
      body += "<p>" + shown(image) +
              ": its bytes differ; it holds no file, and what changed in it is not told.</p>\n";
    const FileCounts files(step);
    if (!files.by_change.empty()) body += "<h3>Files</h3>\n";
    for (const auto& [change, paths] : files.by_change) {
      body += fmt::format("<details><summary>{} {}</summary>\n<ul class=\"place\">", paths.size(),
                          shown(property_words(change)));
      for (const auto& path : paths) body += "<li>" + shown(path) + "</li>";
      body += "</ul></details>\n";
    }
    body += "</section>\n";
  }
  return html_page(
      comparison.versions.empty() ? "comparison" : shown(comparison.versions.front()) + ": was it fixed?",
      body + "</main>\n");
}

}  // namespace report
