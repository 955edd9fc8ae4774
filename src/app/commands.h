// The sub-commands. Each add_ function declares its words on `program` and sets `status` when it has run.
#pragma once

#include <CLI/CLI.hpp>

#include "app/options.h"

namespace app {

void add_scan(CLI::App& program, int& status);
void add_report(CLI::App& program, int& status);
void add_compare(CLI::App& program, int& status);
void add_capture(CLI::App& program, int& status);
void add_explain(CLI::App& program, int& status);
void add_contain(CLI::App& program, int& status);
void add_unpack(CLI::App& program, int& status);
void add_dump(CLI::App& program, int& status);
void add_rules(CLI::App& program, int& status);
void add_run(CLI::App& program, int& status);

}  // namespace app
