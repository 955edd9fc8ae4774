#include "report/publisher.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <optional>
#include <regex>

#include "base/escape.h"
#include "base/text.h"
#include "report/export.h"

namespace report {
namespace {

constexpr std::size_t kLongest = 4096;

using Fields = std::map<std::string, std::string*>;
using Why = std::optional<std::string>;  // what is wrong; nothing when all is well

bool is_plain(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto length = base::utf8_sequence(std::string_view(text).substr(at));
    const auto byte = static_cast<unsigned char>(text[at]);
    if (length == 0 || (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F) return false;
    at += length;
  }
  return true;
}

// The pairs of a mapping into the fields of their names.
Why read_fields(const YAML::Node& node, std::string_view where, const Fields& fields) {
  if (!node.IsDefined() || node.IsNull()) return std::nullopt;
  if (!node.IsMap()) return fmt::format("{} is not a list of names with values", where);
  for (const auto& pair : node) {
    const auto name = pair.first.as<std::string>();
    const auto field = fields.find(name);
    if (field == fields.end()) return fmt::format("{}: no key '{}' is known", where, base::escape_terminal(name));
    auto value = std::string(base::trim(pair.second.as<std::string>()));
    if (value.empty()) return fmt::format("{}.{} is empty", where, name);
    if (value.size() > kLongest || !is_plain(value)) return fmt::format("{}.{} is too long or not plain text", where, name);
    *field->second = std::move(value);
  }
  return std::nullopt;
}

Why one_of(std::string_view what, const std::string& value, std::initializer_list<std::string_view> words) {
  if (std::ranges::find(words, value) != words.end()) return std::nullopt;
  std::string all;
  for (const auto word : words) all += (all.empty() ? "" : ", ") + std::string(word);
  return fmt::format("{} is '{}', not one of {}", what, base::escape_terminal(value), all);
}

Why check(Publisher& out) {
  static const std::regex uri("https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/%-]*)?"),
      id("[A-Za-z0-9][A-Za-z0-9+._-]*"), number("0|[1-9][0-9]{0,8}"), language("[a-z]{2,3}(-[A-Z]{2})?"),
      purl("pkg:[a-z][a-z0-9.+-]*/[A-Za-z0-9._~/%@?&=:#+-]+"),
      cpe(R"(cpe:2\.3:[aho](:[A-Za-z0-9._*\\~-]+){10})");
  // WHITE became CLEAR in TLP 2, which CSAF 2.0 does not know; AMBER+STRICT cannot be said in it and is refused.
  if (out.tlp == "CLEAR") out.tlp = "WHITE";
  if (!out.tlp.empty())
    if (auto why = one_of("sharing.tlp", out.tlp, {"RED", "AMBER", "GREEN", "WHITE", "CLEAR"})) return why;
  if (auto why = one_of("publisher.category", out.category, {"coordinator", "discoverer", "other", "translator", "user", "vendor"})) return why;
  if (auto why = one_of("document.status", out.status, {"draft", "interim", "final"})) return why;
  if (!std::regex_match(out.address, uri)) return "publisher.namespace is not an address like https://example.org";
  if (!out.id.empty() && !std::regex_match(out.id, id)) return "document.id may hold letters, digits and + . _ - only";
  if (!std::regex_match(out.version, number)) return "document.version is not a whole number";
  if (out.status == "final" && out.version == "0") return "document.version of a final document begins at 1";
  if (!std::regex_match(out.language, language)) return "document.language is not one like en or de-DE";
  if (!out.date.empty()) {
    const auto date = date_time(out.date);
    if (!date) return "document.date is not one like 2030-12-31 or 2030-12-31T12:00:00Z";
    out.date = *date;
  }
  for (const auto& product : out.products) {
    if (product.name.empty()) return "a product has no name";
    if (!product.purl.empty() && !std::regex_match(product.purl, purl)) return "the purl of a product is none";
    if (!product.cpe.empty() && !std::regex_match(product.cpe, cpe)) return "the cpe of a product is not one of CPE 2.3";
  }
  return std::nullopt;
}

Why read(const YAML::Node& file, Publisher& out) {
  if (!file.IsMap()) return "it is not a list of names with values";
  for (const auto& pair : file)
    if (auto why = one_of("a key", pair.first.as<std::string>(), {"publisher", "sharing", "document", "products"})) return why;
  out.name.clear();
  out.address.clear();
  if (auto why = read_fields(file["publisher"], "publisher", {{"name", &out.name}, {"namespace", &out.address}, {"category", &out.category}, {"contact", &out.contact}, {"authority", &out.authority}})) return why;
  if (out.name.empty() || out.address.empty()) return "publisher needs a name and a namespace";
  if (auto why = read_fields(file["sharing"], "sharing", {{"tlp", &out.tlp}, {"text", &out.sharing}})) return why;
  if (auto why = read_fields(file["document"], "document", {{"id", &out.id}, {"title", &out.title}, {"language", &out.language}, {"status", &out.status}, {"version", &out.version}, {"date", &out.date}})) return why;
  const auto products = file["products"];
  if (products && (!products.IsSequence() || products.size() > kMostProducts)) return fmt::format("products is not a list of at most {}", kMostProducts);
  for (const auto& item : products) {
    auto& product = out.products.emplace_back();
    if (auto why = read_fields(item, "products", {{"device", &product.device}, {"vendor", &product.vendor}, {"name", &product.name}, {"version", &product.version}, {"purl", &product.purl}, {"cpe", &product.cpe}})) return why;
  }
  return check(out);
}

}  // namespace

base::Result<Publisher> read_publisher(std::string_view text) {
  if (text.size() > kLargestPublisherFile) return base::fail(base::Error::Kind::damaged, "it is larger than 64 KiB");
  Publisher out;
  out.given = true;
  try {
    if (const auto why = read(YAML::Load(std::string(text)), out)) return base::fail(base::Error::Kind::damaged, *why);
  } catch (const YAML::Exception& error) {
    return base::fail(base::Error::Kind::damaged, base::escape_terminal(error.what()));
  }
  return out;
}

}  // namespace report
