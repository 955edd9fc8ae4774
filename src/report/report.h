// A result in, text for people or for other programs out. Renderings decide nothing: what they say stands in
// the result.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "report/publisher.h"
#include "result/result.h"

namespace report {

// formats.def lists them: one line a format.
enum class Format : std::uint8_t {
#define FORMAT(name, key, title) name,
#include "report/formats.def"
#undef FORMAT
};
std::optional<Format> format_from_key(std::string_view key);
std::vector<std::string> format_keys();

struct Options {
  bool colour = false;  // ANSI colours, for a terminal
  bool show_secrets = false;
  unsigned width = 100;  // columns of text
  Publisher publisher;   // of the exports that name one
};

// Every byte that came from a firmware is escaped for the format. Error: unsupported, for what a format
// cannot carry.
base::Result<std::string> render(Format format, const std::vector<result::Result>& results,
                                 const Options& options = {});

// One file a format:
std::string render_text(const std::vector<result::Result>& results, const Options& options);
std::string render_html(const std::vector<result::Result>& results, const Options& options);
std::string render_sarif(const std::vector<result::Result>& results, const Options& options);
// Errors: unsupported, where the date is none or the format cannot say that there is nothing.
base::Result<std::string> render_csaf(const std::vector<result::Result>& results, const Options& options);
base::Result<std::string> render_cyclonedx(const std::vector<result::Result>& results, const Options& options);
base::Result<std::string> render_openvex(const std::vector<result::Result>& results, const Options& options);

}  // namespace report
