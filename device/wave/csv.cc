// Implements csv.h.
#include "device/wave/csv.h"

#include <charconv>
#include <cmath>

#include "base/text.h"

namespace bedside {
namespace {

float cell(std::string_view text) {
  text = base::trim(text);
  float value = NAN;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? value : NAN;
}

}  // namespace

const std::vector<float>* CsvColumns::find(std::string_view name) const {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return &columns[i];
  return nullptr;
}

base::Result<CsvColumns> parse_csv(std::string_view text) {
  CsvColumns out;
  std::size_t at = text.find('\n');
  const auto head = base::trim(text.substr(0, at));
  if (head.empty()) return base::fail(base::Error::Kind::damaged, "a CSV file without a header line");
  for (const auto name : base::split(head, ',')) out.names.emplace_back(base::trim(name));
  if (out.names.size() > 64) return base::fail(base::Error::Kind::over_budget, "a CSV file of more than 64 columns");
  out.columns.resize(out.names.size());
  while (at < text.size()) {
    const std::size_t next = std::min(text.find('\n', at + 1), text.size());
    const auto line = base::trim(text.substr(at + 1, next - at - 1));
    at = next;
    if (line.empty()) continue;
    const auto cells = base::split(line, ',');
    for (std::size_t i = 0; i < out.columns.size(); ++i) out.columns[i].push_back(i < cells.size() ? cell(cells[i]) : NAN);
  }
  return out;
}

}  // namespace bedside
