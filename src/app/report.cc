// biopsy report REPORT --format ...: another rendering of a saved result.
#include <fmt/format.h>

#include <memory>

#include "app/commands.h"
#include "app/output.h"
#include "base/bytes.h"
#include "base/escape.h"

namespace app {

void add_report(CLI::App& program, int& status) {
  auto* command = program.add_subcommand("report", "Render a saved JSON result in another format");
  auto options = std::make_shared<ScanOptions>();
  command->add_option("report", options->inputs, "Result of scan --format json")->required()->expected(1);
  add_output_options(*command, *options);
  command->callback([options, &status] {
    const auto bytes = base::read_file(options->inputs.front());
    auto results = bytes ? result::from_json(base::as_text(*bytes)) : base::Result<std::vector<result::Result>>(std::unexpected(bytes.error()));
    if (!results) {
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(results.error().message));
      status = kUnreadable;
      return;
    }
    status = write_results(*results, *options) ? kFine : kUnreadable;
  });
}

}  // namespace app
