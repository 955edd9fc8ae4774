// Results to where they are asked for, in the format that is asked for.
#pragma once

#include <CLI/CLI.hpp>

#include "app/options.h"
#include "result/result.h"

namespace app {

// --format, --output, --show-secrets: shared by scan and report.
void add_output_options(CLI::App& command, ScanOptions& options);

// --fail-on, --strict, --accept, --date: shared by scan and capture.
void add_judging_options(CLI::App& command, ScanOptions& options);
void add_declared_option(CLI::App& command, ScanOptions& options);

// Dates and accepts, writes everything, and says the exit status: the worst of `status` and each result's, in the order
// 3, 1, 4, 0. A file of acceptances that cannot be read is a usage error.
int conclude(std::vector<result::Result>& results, const ScanOptions& options, int status);

// Every --output in the format of its file name (.json, .html, ...), or of --format. False, having said why, when one fails.
bool write_results(const std::vector<result::Result>& results, const ScanOptions& options);

}  // namespace app
