#include "app/analyse.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "app/cache.h"
#include "base/hash.h"
#include "base/worker.h"
#include "derive/data_classes.h"
#include "elf/elf.h"
#include "sleigh/sleigh.h"

namespace app {
namespace {

// The budget of an image is shared out evenly: between these two for each program.
constexpr std::uint64_t kFewestSteps = 200'000, kMostSteps = 16'000'000;

base::Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

derive::ProgramFacts unread(const derive::ProgramFile& file, const std::string& reason) {
  derive::ProgramFacts facts;
  facts.program.path = file.path;
  facts.program.kind = file.kind;
  facts.program.depth_reason = reason;
  facts.give_ups.push_back(reason);
  return facts;
}

// The header's first 64 bytes decide; a table that cannot be read is reported by each program that wanted it.
// False when the installation lacks the table that the program needs: what is learned of it then must not be kept.
bool prepare_machine(base::ByteView bytes) {
  const auto header = elf::read_header(bytes);
  if (!header) return true;
  const auto machine = sleigh::machine_for(*header);
  return !machine || sleigh::prepare(*machine).has_value();
}

}  // namespace

std::vector<derive::ProgramFacts> analyse_programs(const std::vector<derive::ProgramFile>& programs, const shell::Tree& files, const ScanOptions& options,
                                                   const Progress& progress, result::Result& out) {
  const derive::Models& models = derive::built_in_models();
  derive::data_classes_of_name("");  // read here: a worker may not open the tables that the labels are converted with
  shell::Environment environment;
  environment.read_file = files.read_file;
  const Cache cache(options);

  const auto binaries = static_cast<std::uint64_t>(std::ranges::count_if(programs, [](const auto& file) { return file.kind != effects::Program::Kind::script; }));
  const std::uint64_t steps = std::clamp(options.steps / std::max<std::uint64_t>(binaries, 1), kFewestSteps, kMostSteps);

  std::vector<derive::ProgramFacts> facts(programs.size());
  std::vector<base::WorkerFunction> work;
  std::vector<std::size_t> index;  // of the program that each function reads
  for (std::size_t i = 0; i < programs.size(); ++i) {
    const derive::ProgramFile& file = programs[i];
    if (!file.not_read.empty()) {
      facts[i] = unread(file, file.not_read);
      continue;
    }
    if (file.kind == effects::Program::Kind::script) {
      work.push_back([&] { return bytes_of(derive::to_bytes(derive::facts_of_script(base::as_text(file.bytes), file.path, environment, models))); });
      index.push_back(i);
      continue;
    }
    if (auto known = cache.find(file, steps)) {
      facts[i] = std::move(*known);
      continue;
    }
    work.push_back([&] { return bytes_of(derive::to_bytes(derive::facts_of_binary(file.bytes, file.path, models, steps))); });
    index.push_back(i);
  }

  // A worker cannot open files: the processor tables are read before the fork, those that this image needs.
  std::set<std::size_t> unprepared;
  for (const auto i : index)
    if (programs[i].kind != effects::Program::Kind::script && !prepare_machine(programs[i].bytes)) unprepared.insert(i);

  base::WorkerLimits limits;
  const auto results = base::run_workers(limits, options.jobs, work, [&](std::size_t done) {
    if (progress) progress("reading programs", done, work.size());
  });
  for (std::size_t k = 0; k < results.size(); ++k) {
    const derive::ProgramFile& file = programs[index[k]];
    auto parsed = results[k] ? derive::facts_from_bytes(base::as_text(*results[k])) : base::Result<derive::ProgramFacts>(std::unexpected(results[k].error()));
    if (!parsed) {
      facts[index[k]] = unread(file, parsed.error().message);
      base::add_doubt(out.doubts, {"program-not-read", file.path, 0, parsed.error().message});
      continue;
    }
    facts[index[k]] = std::move(*parsed);
    facts[index[k]].program.kind = file.kind;
    if (file.kind != effects::Program::Kind::script && !unprepared.contains(index[k])) cache.store(file, steps, facts[index[k]]);
  }
  for (const auto& one : facts)
    for (const auto& doubt : one.doubts) base::add_doubt(out.doubts, doubt);
  return facts;
}

}  // namespace app
