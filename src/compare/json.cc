// A comparison as JSON.
#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "compare/compare.h"

namespace comparison {
namespace {

using Json = nlohmann::ordered_json;

std::string out(std::string_view raw) { return base::escape_bytes(raw); }

Json texts(const std::vector<std::string>& list) {
  Json json = Json::array();
  for (const auto& item : list) json.push_back(out(item));
  return json;
}

Json to_json(const Step& step) {
  Json json{{"from", out(step.from)},  {"to", out(step.to)},     {"findings", Json::array()},
            {"grades", Json::array()}, {"files", Json::array()}, {"lacking", texts(step.not_compared)}};
  for (const auto& c : step.changes)
    json["findings"].push_back({{"verdict", key(c.verdict)},
                                {"id", out(c.id)},
                                {"rule", out(c.rule)},
                                {"title", out(c.title)},
                                {"program", out(c.program)},
                                {"before", result::key(c.before)},
                                {"after", result::key(c.after)},
                                {"because", texts(c.because)}});
  for (const auto& g : step.grades)
    json["grades"].push_back(
        {{"path", out(g.path)}, {"property", out(g.property)}, {"before", g.before}, {"after", g.after}});
  for (const auto& f : step.files) json["files"].push_back({{"path", out(f.path)}, {"change", f.change}});
  json["components"] = Json::array();
  for (const auto& c : step.components)
    json["components"].push_back({{"name", out(c.name)},
                                  {"kind", c.kind},
                                  {"path", out(c.path)},
                                  {"change", c.change},
                                  {"before", out(c.before)},
                                  {"after", out(c.after)}});
  json["opaque"] = texts(step.opaque);
  return json;
}

}  // namespace

std::string to_json(const Comparison& comparison) {
  Json json{{"comparison", 1},
            {"versions", texts(comparison.versions)},
            {"steps", Json::array()},
            {"matrix", Json::array()}};
  for (const auto& step : comparison.steps) json["steps"].push_back(to_json(step));
  for (const auto& row : comparison.rows)
    json["matrix"].push_back({{"id", out(row.id)},
                              {"title", out(row.title)},
                              {"program", out(row.program)},
                              {"cells", row.cells}});
  return json.dump(1) + "\n";
}

}  // namespace comparison
