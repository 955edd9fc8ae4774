// The command line: one sub-command a file, each a function from its words to an exit status.
#include <CLI/CLI.hpp>

#include "app/commands.h"

int main(int argc, char** argv) {
  CLI::App program{"Take a device's firmware apart and say, with proof, what it can do to the world.", "biopsy"};
  program.set_version_flag("--version", "biopsy " BIOPSY_VERSION);
  program.require_subcommand(1);
  program.footer("Exit status of scan and capture: 0 nothing at or above --fail-on; 1 something is; 2 usage; 3 an input could not be read;\n4 with --strict, something was not evaluated.");
  int status = app::kUsage;
  app::add_scan(program, status);
  app::add_report(program, status);
  app::add_compare(program, status);
  app::add_capture(program, status);
  app::add_explain(program, status);
  app::add_contain(program, status);
  app::add_unpack(program, status);
  app::add_dump(program, status);
  app::add_rules(program, status);
  app::add_run(program, status);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? app::kFine : app::kUsage;
  }
  return status;
}
