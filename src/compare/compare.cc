#include "compare/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "compare/parts.h"
#include "compare/state.h"

namespace comparison {
namespace {

using effects::EffectId;
using result::Finding;
using result::Result;

constexpr std::size_t kHashDigits = 10;  // of a finding's id

std::string actor(const Finding& finding) {
  return finding.files.empty() ? std::string() : finding.files.front();
}
std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string print_of(const Finding& finding, const char* name) {
  const auto found = finding.fingerprints.find(name);
  return found == finding.fingerprints.end() ? std::string() : found->second;
}

// "rule-0123456789-2" without the "-2" that tells equals apart.
std::string family(const Finding& finding) {
  return finding.id.substr(0, std::min(finding.id.size(), finding.rule.size() + 1 + kHashDigits));
}

// What a finding is made of, wherever its program lies: kinds and objects of its effects.
std::string shape(const Finding& finding, const Result& result) {
  std::set<std::string> parts;
  for (const auto index : finding.effects) {
    const auto& effect = result.graph.effects[EffectId{index}];
    parts.insert(fmt::format("{} {}", effects::key(effect.kind), effect.object.value));
  }
  std::string out = finding.rule;
  for (const auto& part : parts) out += "\n" + part;
  return out;
}

struct Pairs {
  std::vector<std::optional<std::size_t>> of_old;  // index into the newer findings
  std::vector<bool> taken;                         // of the newer findings
  std::vector<bool> moved;                         // of the older findings
};

Pairs match(const Result& older, const Result& newer) {
  Pairs pairs{std::vector<std::optional<std::size_t>>(older.findings.size()),
              std::vector<bool>(newer.findings.size()), std::vector<bool>(older.findings.size())};
  const auto pass = [&](bool moved, auto&& fits) {
    for (std::size_t i = 0; i < older.findings.size(); ++i)
      for (std::size_t j = 0; !pairs.of_old[i] && j < newer.findings.size(); ++j) {
        if (pairs.taken[j] || !fits(older.findings[i], newer.findings[j])) continue;
        pairs.of_old[i] = j;
        pairs.taken[j] = true;
        pairs.moved[i] = moved;
      }
  };
  pass(false, [](const Finding& a, const Finding& b) {
    return family(a) == family(b) && print_of(a, "peer") == print_of(b, "peer");
  });
  pass(false, [](const Finding& a, const Finding& b) { return a.id == b.id; });
  pass(false, [](const Finding& a, const Finding& b) { return family(a) == family(b); });

  std::map<const Finding*, std::string> shapes;
  for (const auto* result : {&older, &newer})
    for (const auto& finding : result->findings) shapes[&finding] = shape(finding, *result);
  const auto alike = [&](const Finding& a, const Finding& b) {
    return shapes[&a] == shapes[&b] && actor(a) != actor(b);
  };
  pass(true, [&](const Finding& a, const Finding& b) {
    return alike(a, b) && !print_of(a, "program-sha256").empty() &&
           print_of(a, "program-sha256") == print_of(b, "program-sha256");
  });
  pass(true, [&](const Finding& a, const Finding& b) {
    return alike(a, b) && base_name(actor(a)) == base_name(actor(b));
  });
  pass(true, alike);
  return pairs;
}

const result::FileEntry* file_at(const Result& result, const std::string& path) {
  const auto found = std::ranges::find(result.files, path, &result::FileEntry::path);
  return found == result.files.end() ? nullptr : &*found;
}

// The images of `one` that `other` has no counterpart of. A device given as a single image always has one.
std::set<std::string> lacking(const Result& one, const Result& other) {
  std::set<std::string> out;
  if (one.images.size() < 2 && other.images.size() < 2) return out;
  for (const auto& image : one.images)
    if (std::ranges::find(other.images, image.name, &result::ImageInfo::name) == other.images.end())
      out.insert(image.name);
  return out;
}

int depth_of(const Result& result, const std::string& path) {
  for (const auto& program : result.graph.programs)
    if (program.path == path) return static_cast<int>(program.depth);
  return -1;
}

// The image of `lacks` that holds `program`, or that is it: a boot loader acts as an image, not as a file of one.
std::string lacking_image(const std::string& program, const Result& of,
                          const std::set<std::string>& lacks) {
  if (const auto* file = file_at(of, program)) return lacks.contains(file->image) ? file->image : std::string();
  const std::string name = program.substr(program.starts_with('/') ? 1 : 0);
  return lacks.contains(name) ? name : std::string();
}

// Why an older finding that has no counterpart must not be called fixed; empty when it may.
std::string not_comparable(const Finding& before, const Result& older, const Result& newer,
                           const std::set<std::string>& lacks) {
  const std::string program = actor(before);
  if (const auto image = lacking_image(program, older, lacks); !image.empty())
    return fmt::format("{} lies in {}, which the other side lacks", program, image);
  if (newer.coverage.verdict == "unknown") return "nothing in the other side was recognised";
  for (const auto& gap : newer.coverage.not_evaluated)
    if (gap.what == before.rule) return "the rule was not evaluated on the other side: " + gap.why;
  const int was = depth_of(older, program), is = depth_of(newer, program);
  if (is >= 0 && is < was) return program + " was read less deeply on the other side";
  // What is not seen in code that was not read is not shown to be gone, however it was read before.
  if (is >= 0 && is < static_cast<int>(effects::Program::Depth::modelled))
    return program + " was not read in full on the other side";
  return {};
}

Change describe(const Finding& finding, Verdict verdict) {
  return {verdict,        finding.id,       finding.rule,     finding.title,
          actor(finding), finding.severity, finding.severity, {}};
}

Change judge_pair(const Finding& before, const Result& older, const Finding& after, const Result& newer,
                  bool moved) {
  Change change = describe(before, moved ? Verdict::moved : Verdict::still_there);
  change.after = after.severity;
  if (moved)
    change.because.push_back(fmt::format("from {} to {}", actor(before), actor(after)));
  else if (auto reasons = hindrances(before, older, after, newer); !reasons.empty()) {
    change.verdict = Verdict::masked;
    change.because = std::move(reasons);
  }
  if (print_of(before, "peer") != print_of(after, "peer"))
    change.because.push_back(
        fmt::format("the peer was {} and is {}", print_of(before, "peer"), print_of(after, "peer")));
  if (before.severity != after.severity)
    change.because.push_back(fmt::format("the severity was {} and is {}", result::key(before.severity),
                                         result::key(after.severity)));
  return change;
}

Change judge_gone(const Finding& before, const Result& older, const Result& newer,
                  const std::set<std::string>& lacks) {
  Change change = describe(before, Verdict::fixed);
  if (auto reason = not_comparable(before, older, newer, lacks); !reason.empty()) {
    change.verdict = Verdict::not_compared;
    change.because.push_back(std::move(reason));
  } else if (verified_now(before, older, newer)) {
    change.because.push_back("a signature is verified before it now");
  } else if (const auto remains = effects_remain(before, older, newer); remains == Remains::unclear) {
    change.verdict = Verdict::not_compared;
    change.because.push_back(
        "its steps are still in the program, and where their peer comes from is not known");
  } else if (remains == Remains::remain) {
    change.verdict = Verdict::masked;
    change.because.push_back(
        "every step of it is still in the program; only how they hang together is no longer shown");
  } else {
    const int is = depth_of(newer, actor(before));
    if (is < 0)
      change.because.push_back(actor(before) + " is gone");
    else
      change.because.push_back(actor(before) + " no longer does it");
  }
  return change;
}

void compare_files(const Result& older, const Result& newer, const std::set<std::string>& old_only,
                   const std::set<std::string>& new_only, Step& step) {
  std::map<std::string_view, const result::FileEntry*> before, after;
  for (const auto& file : older.files) before[file.path] = &file;
  for (const auto& file : newer.files) after[file.path] = &file;
  for (const auto& [path, file] : before) {
    const auto other = after.find(path);
    if (other == after.end())
      step.files.push_back({file->path, old_only.contains(file->image) ? "not-compared" : "removed"});
    else if (file->sha256 != other->second->sha256 || file->size != other->second->size)
      step.files.push_back({file->path, "changed"});
  }
  for (const auto& [path, file] : after)
    if (!before.contains(path))
      step.files.push_back({file->path, new_only.contains(file->image) ? "not-compared" : "added"});
  std::ranges::sort(step.files, {}, &FileChange::path);
}

void compare_grades(const Result& older, const Result& newer, const std::set<std::string>& old_only,
                    const std::set<std::string>& new_only, Step& step) {
  std::map<std::string, std::map<std::string, std::pair<std::string, std::string>>> states;
  const auto name = [](const result::UpdatePath& path) { return path.program + ": " + path.source; };
  for (const auto& path : older.update_paths) {
    if (!lacking_image(path.program, older, old_only).empty()) continue;
    for (const auto& property : path.properties) states[name(path)][property.key].first = property.state;
  }
  for (const auto& path : newer.update_paths) {
    if (!lacking_image(path.program, newer, new_only).empty()) continue;
    for (const auto& property : path.properties) states[name(path)][property.key].second = property.state;
  }
  for (const auto& [path, properties] : states)
    for (const auto& [property, state] : properties)
      if (state.first != state.second) step.grades.push_back({path, property, state.first, state.second});
}

}  // namespace

std::string_view key(Verdict verdict) {
  switch (verdict) {
    case Verdict::still_there:
      return "still-there";
    case Verdict::masked:
      return "masked";
    case Verdict::moved:
      return "moved";
    case Verdict::new_:
      return "new";
    case Verdict::fixed:
      return "fixed";
    case Verdict::not_compared:
      return "not-compared";
  }
  return "";
}

std::string_view words(Verdict verdict) {
  return verdict == Verdict::still_there    ? "still there"
         : verdict == Verdict::not_compared ? "not compared"
         : verdict == Verdict::masked       ? "masked, not fixed"
                                            : key(verdict);
}

Step compare_two(const Result& older, const Result& newer) {
  Step step{older.device, newer.device, {}, {}, {}, {}, {}, {}};
  const auto old_only = lacking(older, newer), new_only = lacking(newer, older);
  step.not_compared.assign(old_only.begin(), old_only.end());
  step.not_compared.insert(step.not_compared.end(), new_only.begin(), new_only.end());
  std::ranges::sort(step.not_compared);

  const Pairs pairs = match(older, newer);
  for (std::size_t i = 0; i < older.findings.size(); ++i) {
    const Finding& before = older.findings[i];
    if (pairs.of_old[i])
      step.changes.push_back(
          judge_pair(before, older, newer.findings[*pairs.of_old[i]], newer, pairs.moved[i]));
    else
      step.changes.push_back(judge_gone(before, older, newer, old_only));
  }
  for (std::size_t j = 0; j < newer.findings.size(); ++j) {
    if (pairs.taken[j]) continue;
    Change change = describe(newer.findings[j], Verdict::new_);
    if (auto reason = not_comparable(newer.findings[j], newer, older, new_only); !reason.empty()) {
      change.verdict = Verdict::not_compared;
      change.because.push_back(std::move(reason));
    }
    step.changes.push_back(std::move(change));
  }
  std::ranges::stable_sort(step.changes, [](const Change& a, const Change& b) {
    return std::max(a.before, a.after) > std::max(b.before, b.after);
  });
  compare_grades(older, newer, old_only, new_only, step);
  compare_files(older, newer, old_only, new_only, step);
  step.components = compare_components(older, newer, old_only, new_only);
  step.opaque = changed_images(older, newer);
  return step;
}

Comparison compare_all(const std::vector<Result>& results) {
  Comparison out;
  for (const auto& result : results) out.versions.push_back(result.device);
  std::map<std::string, std::size_t> rows;
  const auto row = [&](const std::string& id, const std::string& title, const std::string& program) -> Row& {
    const auto [place, fresh] = rows.try_emplace(id, out.rows.size());
    if (fresh) out.rows.push_back({id, title, program, std::vector<std::string>(results.size())});
    return out.rows[place->second];
  };
  if (results.empty()) return out;
  for (const auto& finding : results.front().findings)
    row(finding.id, finding.title, actor(finding)).cells.front() = "there";
  for (std::size_t i = 1; i < results.size(); ++i) {
    out.steps.push_back(compare_two(results.front(), results[i]));
    for (const auto& change : out.steps.back().changes)
      row(change.id, change.title, change.program).cells[i] = key(change.verdict);
  }
  return out;
}

}  // namespace comparison
