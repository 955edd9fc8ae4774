// severity.yaml in, one table out: how grave a finding is, decided by its facts alone. A rule never says.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "result/result.h"

namespace rules {

// The facts of a finding that the table may ask for, by name:
//   class     the rule's group: remote-code, media-code, access, credential, patient-data, interface, ...
//   peer      fixed, setting, input, unknown, none
//   scope     keys of effects::Scope, or none
//   verified  yes, no, fake
//   asked     user, unasked, unknown
//   secret    empty, known, constant, none
//   login     yes, no: a way to use the credential was seen
using Facts = std::map<std::string, std::string>;

struct SeverityRow {
  std::map<std::string, std::vector<std::string>> when;
  result::Severity severity{};
  std::string because;
};

using SeverityTable = std::vector<SeverityRow>;

base::Result<SeverityTable> parse_severity(std::string_view yaml);
const SeverityTable& built_in_severity();

// The first row whose conditions all hold; info, "no row of the table applies", when there is none.
const SeverityRow& decide(const SeverityTable& table, const Facts& facts);

}  // namespace rules
