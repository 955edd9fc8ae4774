// biopsy unpack IMAGE DIR
#include "unpack/unpack.h"

#include <fmt/format.h>

#include <memory>

#include "app/commands.h"
#include "base/escape.h"

namespace app {

void add_unpack(CLI::App& program, int& status) {
  auto* command = program.add_subcommand("unpack", "Write what an image holds into a directory");
  auto words = std::make_shared<std::vector<std::string>>();
  auto everything = std::make_shared<bool>(false);
  command->add_option("image-and-directory", *words, "One image (or several partitions of one device), then an empty or new directory")->required()->expected(2, 64);
  command->add_flag("--everything", *everything, "Also every blob that is no file of the root file system");
  command->callback([words, everything, &status] {
    const std::string directory = words->back();
    const std::vector<std::string> inputs(words->begin(), words->end() - 1);
    const auto complain = [&](const base::Error& error) {
      fmt::print(stderr, "biopsy: {}\n", base::escape_terminal(error.message));
      status = kUnreadable;
    };
    const auto firmware = unpack::open(inputs);
    if (!firmware) return complain(firmware.error());
    unpack::WriteOptions options;
    options.everything = *everything;
    if (const auto written = unpack::write_out(*firmware, directory, options); !written) return complain(written.error());
    for (const auto& doubt : firmware->doubts)
      fmt::print(stderr, "biopsy: {}: {} ({})\n", base::escape_terminal(doubt.where), base::escape_terminal(doubt.detail), doubt.name);
    status = kFine;
  });
}

}  // namespace app
