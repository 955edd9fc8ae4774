#include "report/export.h"

#include <fmt/format.h>

#include <regex>

#include "base/bytes.h"
#include "base/escape.h"
#include "base/hash.h"
#include "report/words.h"

namespace report {

std::optional<std::string> date_time(std::string_view text) {
  static const std::regex day("[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"),
      whole("[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-][01][0-9]:[0-5][0-9])");
  const std::string date(text.substr(0, 40));
  if (std::regex_match(date, day)) return date + "T00:00:00Z";
  if (std::regex_match(date, whole)) return date;
  return std::nullopt;
}

base::Result<Dated> date_of(const std::vector<result::Result>& results, const Publisher& publisher) {
  if (!publisher.date.empty()) return Dated{publisher.date, true};
  for (const auto& result : results) {
    if (result.date.empty()) continue;
    if (const auto date = date_time(result.date)) return Dated{*date, true};
    return base::fail(base::Error::Kind::unsupported, fmt::format("'{}' is not a date like 2030-12-31, which this format needs", result.date));
  }
  return Dated{"1970-01-01T00:00:00Z", false};
}

Publisher::Product product_of(const result::Result& result, const Publisher& publisher) {
  const Publisher::Product* fits = nullptr;
  for (const auto& product : publisher.products)
    if (product.device == result.device || (!fits && product.device.empty())) fits = &product;
  if (fits) return *fits;
  return {result.device, {}, shown(result.device), {}, {}, {}};
}

std::string uuid_of(std::string_view content) {
  auto bytes = base::sha256(base::as_bytes(content));
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | 0x80);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);
  const std::string digits = base::hex(bytes);
  return fmt::format("urn:uuid:{}-{}-{}-{}-{}", digits.substr(0, 8), digits.substr(8, 4), digits.substr(12, 4), digits.substr(16, 4), digits.substr(20, 12));
}

std::string content_of(std::string_view format, const std::vector<result::Result>& results, const Publisher& publisher) {
  std::string out = fmt::format("{}\n{}\n{}\n", format, publisher.address, publisher.id);
  for (const auto& result : results) {
    out += result.device + "\n";
    for (const auto& image : result.images) out += image.name + " " + image.sha256 + "\n";
    for (const auto& finding : result.findings) out += finding.id + "\n";
    for (const auto& file : result.files) out += file.path + " " + file.sha256 + "\n";
  }
  return out;
}

std::string shown(std::string_view raw) {
  auto text = base::escape_terminal(raw);
  return text.empty() ? "(no name)" : text;
}

std::string_view cwe_name(int wanted) {
#define CWE(number, name) \
  if (wanted == number) return name;
#include "report/cwe.def"
#undef CWE
  return {};
}

std::string about(const result::Finding& finding) {
  std::string out = fmt::format("{} Severity: {}{}{}. Confidence: {}.", finding.says, result::key(finding.severity), finding.severity_reason.empty() ? "" : ": ", finding.severity_reason, result::key(finding.confidence));
  for (const auto& file : finding.files) out += fmt::format(" Program: {}.", file);
  for (const auto& target : finding.targets) out += fmt::format(" Target: {}.", target);
  for (const auto& peer : finding.endpoints) out += fmt::format(" Peer: {}.", endpoint_words(peer));
  if (!finding.misses.empty()) out += fmt::format(" What the rule cannot see: {}", finding.misses);
  return shown(out);
}

}  // namespace report
