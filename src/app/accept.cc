#include "app/accept.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <ctime>
#include <regex>

#include "base/bytes.h"

namespace app {

base::Result<std::vector<Acceptance>> read_acceptances(const std::string& path) {
  std::vector<Acceptance> out;
  if (path.empty()) return out;
  const auto bytes = base::read_file(path, 1 << 20);
  if (!bytes) return std::unexpected(bytes.error());
  const auto damaged = [&](const std::string& why) { return base::fail(base::Error::Kind::damaged, fmt::format("{}: {}", path, why)); };
  static const std::regex day("[0-9]{4}-[0-9]{2}-[0-9]{2}");
  try {
    for (const auto& item : YAML::Load(std::string(base::as_text(*bytes)))) {
      Acceptance acceptance;
      for (const auto& [name, field] : {std::pair{"id", &acceptance.id}, {"reason", &acceptance.reason}, {"person", &acceptance.person}, {"expires", &acceptance.expires}}) {
        if (!item[name] || item[name].as<std::string>().empty()) return damaged(fmt::format("an entry has no {}", name));
        *field = item[name].as<std::string>();
      }
      if (!std::regex_match(acceptance.expires, day)) return damaged(fmt::format("'{}' is not a date like 2030-12-31", acceptance.expires));
      out.push_back(std::move(acceptance));
    }
  } catch (const YAML::Exception& error) {
    return damaged(error.what());
  }
  return out;
}

void apply_acceptances(const std::vector<Acceptance>& acceptances, result::Result& result) {
  std::string today = result.date.substr(0, 10);
  if (today.empty()) {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[16];
    std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
    today = text;
  }
  for (const auto& acceptance : acceptances) {
    bool found = false;
    for (auto& finding : result.findings) {
      if (finding.id != acceptance.id) continue;
      found = true;
      if (acceptance.expires < today) base::add_doubt(result.doubts, {"acceptance-expired", acceptance.id, 0, fmt::format("accepted by {} until {}", acceptance.person, acceptance.expires)});
      else finding.accepted = fmt::format("{} ({}, until {})", acceptance.reason, acceptance.person, acceptance.expires);
    }
    if (!found) base::add_doubt(result.doubts, {"acceptance-unused", acceptance.id, 0, "no finding of this scan has this id"});
  }
}

}  // namespace app
