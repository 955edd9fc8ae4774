#include "app/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>

#include "app/accept.h"
#include "base/bytes.h"
#include "base/escape.h"
#include "base/text.h"
#include "declare/declare.h"
#include "report/report.h"
#include "rules/declared.h"

namespace app {
namespace {

// Explicit --format wins for standard output; a file name's ending wins for a file that has a known one.
report::Format format_for(const std::string& output, const ScanOptions& options) {
  const auto asked = report::format_from_key(options.format).value_or(report::Format::text);
  if (output == "-") return asked;
  for (const auto& [ending, key] : {std::pair{".csaf.json", "csaf"}, {".cdx.json", "cyclonedx"}, {".openvex.json", "openvex"}, {".json", "json"}, {".html", "html"}, {".htm", "html"}, {".txt", "text"}, {".sarif", "sarif"}})
    if (output.ends_with(ending) && options.format == "text") return *report::format_from_key(key);
  return asked;
}

// The worst of several devices: 3, 1, 4, 0.
int worse(int a, int b) {
  const auto rank = [](int status) { return status == kUnreadable ? 3 : status == kFound ? 2 : status == kNotEvaluated ? 1 : 0; };
  return rank(b) > rank(a) ? b : a;
}

int status_of(const result::Result& result, const ScanOptions& options) {
  const auto threshold = *result::severity_from_key(options.fail_on);
  for (const auto& finding : result.findings)
    if (finding.severity >= threshold && finding.accepted.empty()) return kFound;
  return options.strict && !result.coverage.not_evaluated.empty() ? kNotEvaluated : kFine;
}

std::string date_from_environment() {
  const char* epoch = std::getenv("SOURCE_DATE_EPOCH");
  if (!epoch) return {};
  const std::time_t seconds = std::strtoll(epoch, nullptr, 10);
  char text[32];
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// A saved result without a date takes that of the environment, for the formats that must have one.
base::Result<report::Publisher> publisher_of(const std::vector<result::Result>& results, const ScanOptions& options) {
  report::Publisher out;
  if (!options.publisher.empty()) {
    const auto bytes = base::read_file(options.publisher, report::kLargestPublisherFile);
    if (!bytes) return std::unexpected(bytes.error());
    auto read = report::read_publisher(base::as_text(*bytes));
    if (!read) return base::fail(read.error().kind, fmt::format("{}: {}", options.publisher, read.error().message));
    out = std::move(*read);
  }
  if (out.date.empty() && std::ranges::all_of(results, [](const auto& result) { return result.date.empty(); })) out.date = date_from_environment();
  return out;
}

}  // namespace

void add_output_options(CLI::App& command, ScanOptions& options) {
  command.add_option("--format,-f", options.format, "text, json, html, ...")->check(CLI::IsMember(report::format_keys()))->capture_default_str();
  command.add_option("--output,-o", options.outputs, "Write to this file, - for standard output; may be given several times; .json and .html choose their format")->allow_extra_args(false);
  command.add_option("--publisher", options.publisher, "YAML or JSON file for csaf, cyclonedx and openvex: publisher, sharing, document, products");
  command.add_flag("--show-secrets", options.show_secrets, "Show passwords, keys and patient data instead of masking them");
}

void add_judging_options(CLI::App& command, ScanOptions& options) {
  command.add_option("--fail-on", options.fail_on, "Exit with 1 when a finding is at or above this severity")
      ->check(CLI::IsMember({"info", "low", "medium", "high", "critical"}))->capture_default_str();
  command.add_flag("--strict", options.strict, "Exit with 4 when something was not evaluated");
  command.add_option("--accept", options.accept, "YAML file with accepted findings: id, reason, person, expires");
  command.add_option("--date", options.date, "Date to write into the result (default: SOURCE_DATE_EPOCH)");
}

void add_declared_option(CLI::App& command, ScanOptions& options) {
  command.add_option("--declared", options.declared, "What the maker declares: a MUD file (RFC 8520), a list of endpoints, or a manual as text or PDF; may be given several times")->allow_extra_args(false);
}

int conclude(std::vector<result::Result>& results, const ScanOptions& options, int status) {
  const auto acceptances = read_acceptances(options.accept);
  if (!acceptances) {
    fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(acceptances.error().message));
    return kUsage;
  }
  std::vector<declare::Declaration> declarations;
  for (const auto& path : options.declared) {
    auto declaration = declare::read(path);
    if (!declaration) {
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(declaration.error().message));
      return kUnreadable;
    }
    declarations.push_back(std::move(*declaration));
  }
  for (auto& result : results) {
    rules::apply_declarations(declarations, result);
    result.date = options.date.empty() ? date_from_environment() : options.date;
    apply_acceptances(*acceptances, result);
    status = worse(status, status_of(result, options));
  }
  if (results.empty()) return status;
  return write_results(results, options) ? status : kUnreadable;
}

bool write_results(const std::vector<result::Result>& results, const ScanOptions& options) {
  const auto publisher = publisher_of(results, options);
  if (!publisher) {
    fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(publisher.error().message));
    return false;
  }
  const std::vector<std::string> outputs = options.outputs.empty() ? std::vector<std::string>{"-"} : options.outputs;
  for (const auto& output : outputs) {
    report::Options rendering;
    rendering.publisher = *publisher;
    rendering.show_secrets = options.show_secrets;
    rendering.colour = output == "-" && ::isatty(STDOUT_FILENO) && !std::getenv("NO_COLOR");
    const auto text = report::render(format_for(output, options), results, rendering);
    if (!text) {
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(text.error().message));
      return false;
    }
    if (output == "-") {
      std::cout << *text << std::flush;
      if (!std::cout) return false;
      continue;
    }
    std::ofstream file(output, std::ios::binary);
    file << *text;
    file.close();
    if (!file) {
      fmt::print(stderr, "biopsy: {}: could not be written\n", base::escape_terminal(output));
      return false;
    }
  }
  return true;
}

}  // namespace app
