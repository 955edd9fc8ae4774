#include "compare/alike.h"

#include <fuzzy.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/escape.h"

namespace comparison {
namespace {

constexpr int kWorthNaming = 20;       // of two programs; less is chance
constexpr std::size_t kFunctions = 8;  // of a program; shapes of fewer coincide by chance
constexpr std::size_t kQuoted = 4;     // strings shown of a pair
constexpr std::size_t kWords = 12;     // a quoted string is at least this long

struct Overlap {
  std::vector<std::string> both;
  std::uint64_t either = 0;
};

Overlap overlap(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  Overlap out;
  std::ranges::set_intersection(a, b, std::back_inserter(out.both));
  out.either = a.size() + b.size() - out.both.size();
  return out;
}

// Start scripts come with the platform, which makers of quite different devices share: they decide where
// there is nothing else.
bool is_script(const Traits& program) { return program.machine == "script"; }
bool has_code(const Sketch& sketch) { return !std::ranges::all_of(sketch.programs, is_script); }

std::vector<double> weights(const Sketch& sketch, bool scripts_too) {
  std::vector<double> out;
  for (const auto& program : sketch.programs)
    out.push_back(is_script(program) && !scripts_too ? 0 : static_cast<double>(program.strings.size()));
  return out;
}

int share(std::uint64_t part, std::uint64_t whole) {
  return whole ? static_cast<int>(std::lround(100.0 * static_cast<double>(part) / static_cast<double>(whole)))
               : 0;
}

// Prose alone is quoted: what might be a name with its password is not.
bool may_be_quoted(const std::string& text) {
  return text.size() >= kWords && text.find(' ') != std::string::npos &&
         text.find_first_of("=@") == std::string::npos;
}

Shared set_beside(const Traits& a, const Traits& b) {
  Shared out{.known = a.path,
             .other = b.path,
             .likeness = 0,
             .identical = a.sha256 == b.sha256,
             .digest = 0,
             .such_as = {}};
  const auto strings = overlap(a.strings, b.strings);
  out.strings = strings.both.size();
  out.of_strings = strings.either;
  if (!a.digest.empty() && !b.digest.empty())
    out.digest = std::max(0, fuzzy_compare(a.digest.c_str(), b.digest.c_str()));
  if (a.machine == b.machine && std::min(a.functions.size(), b.functions.size()) >= kFunctions) {
    const auto functions = overlap(a.functions, b.functions);
    out.functions = functions.both.size();
    out.of_functions = functions.either;
  }
  // Another level of optimisation leaves the texts and hardly a function; another text in many places leaves
  // the functions.
  out.likeness = out.identical ? 100
                               : std::max({share(out.strings, out.of_strings),
                                           share(out.functions, out.of_functions), out.digest});
  std::vector<std::string> quoted;
  std::ranges::copy_if(strings.both, std::back_inserter(quoted), may_be_quoted);
  std::ranges::stable_sort(quoted,
                           [&](const auto& one, const auto& other) { return one.size() > other.size(); });
  quoted.resize(std::min(quoted.size(), kQuoted));
  out.such_as = std::move(quoted);
  return out;
}

Likeness liken_two(const Sketch& known, const Sketch& other) {
  Likeness out{.known = known.device, .other = other.device, .programs = {}};
  out.by_scripts = !has_code(known) && !has_code(other);
  const auto weights_a = weights(known, out.by_scripts), weights_b = weights(other, out.by_scripts);
  const double whole =
      std::reduce(weights_a.begin(), weights_a.end()) + std::reduce(weights_b.begin(), weights_b.end());
  double matched = 0;
  const auto was_read = [](const Sketch& sketch) {
    return std::ranges::any_of(sketch.programs, [](const Traits& one) { return !one.strings.empty(); });
  };
  out.evaluated = was_read(known) && was_read(other) && whole > 0;
  if (!out.evaluated) return out;

  struct Pair {
    Shared shared;
    std::size_t a, b;
  };
  std::vector<Pair> pairs;
  for (std::size_t a = 0; a < known.programs.size(); ++a)
    for (std::size_t b = 0; b < other.programs.size(); ++b)
      if (auto one = set_beside(known.programs[a], other.programs[b]); one.likeness > 0)
        pairs.push_back({std::move(one), a, b});
  std::ranges::stable_sort(
      pairs, [](const Pair& one, const Pair& two) { return one.shared.likeness > two.shared.likeness; });
  std::vector<bool> taken_a(known.programs.size()), taken_b(other.programs.size());
  for (auto& pair : pairs) {
    if (taken_a[pair.a] || taken_b[pair.b]) continue;
    taken_a[pair.a] = taken_b[pair.b] = true;
    matched += (weights_a[pair.a] + weights_b[pair.b]) * pair.shared.likeness / 100.0;
    if (pair.shared.likeness >= kWorthNaming) out.programs.push_back(std::move(pair.shared));
  }
  out.likeness = static_cast<int>(std::lround(100 * matched / whole));
  out.alike = out.likeness >= kAlike;
  return out;
}

}  // namespace

std::vector<Likeness> liken(const std::vector<Sketch>& sketches) {
  std::vector<Likeness> out;
  for (std::size_t i = 1; i < sketches.size(); ++i) out.push_back(liken_two(sketches[0], sketches[i]));
  return out;
}

std::string to_json(const std::vector<Likeness>& list) {
  using Json = nlohmann::ordered_json;
  const auto text = [](const std::string& raw) { return base::escape_bytes(raw); };
  Json json{{"alike", 1}, {"known", list.empty() ? "" : text(list.front().known)}, {"others", Json::array()}};
  for (const auto& one : list) {
    Json other{{"device", text(one.other)}, {"evaluated", one.evaluated},   {"likeness", one.likeness},
               {"alike", one.alike},        {"by_scripts", one.by_scripts}, {"programs", Json::array()}};
    for (const auto& p : one.programs) {
      Json program{{"known", text(p.known)},
                   {"other", text(p.other)},
                   {"likeness", p.likeness},
                   {"identical", p.identical},
                   {"ssdeep", p.digest},
                   {"strings", {{"shared", p.strings}, {"of", p.of_strings}}},
                   {"functions", {{"shared", p.functions}, {"of", p.of_functions}}},
                   {"such_as", p.such_as}};
      other["programs"].push_back(std::move(program));
    }
    json["others"].push_back(std::move(other));
  }
  return json.dump(1) + "\n";
}

}  // namespace comparison
