// Why: an owner must not wait for the verdict. Judging may add at most a tenth to what reading the device costs; the figures that
// the test prints stand in docs/benchmarks.md.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "app/pipeline.h"
#include "derive/boot_loader.h"
#include "derive/models.h"
#include "derive/pages.h"
#include "derive/settings.h"
#include "derive/uefi.h"
#include "derive/ways_in.h"
#include "rules/evaluate.h"
#include "rules/update_paths.h"
#include "unpack/unpack.h"

namespace {

// Processor time of this process and of the workers that have ended, in seconds: other work on the machine does not count.
double used() {
  double out = 0;
  for (const auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    out += static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + 1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  }
  return out;
}

template <typename Work>
double cost(const Work& work) {
  const double before = used();
  work();
  return used() - before;
}

std::vector<std::vector<std::string>> devices() {
  const char* set = std::getenv("BIOPSY_SHARED");
  const std::filesystem::path shared = (set ? std::filesystem::path(set) : std::filesystem::path(BIOPSY_SOURCE_DIR) / ".." / "shared") / "firmware";
  std::vector<std::vector<std::string>> out;
  std::error_code error;
  for (const auto& image : std::filesystem::directory_iterator(shared / "images", error)) out.push_back({image.path().string()});
  for (const auto& dump : std::filesystem::directory_iterator(shared / "dumps", error)) {
    std::vector<std::string> parts;
    for (const auto& part : std::filesystem::directory_iterator(dump.path())) parts.push_back(part.path().string());
    std::ranges::sort(parts);
    out.push_back(std::move(parts));
  }
  std::ranges::sort(out);
  return out;
}

TEST(Judgement, adds_at_most_a_tenth_to_a_scan) {
  const auto all = devices();
  if (all.empty()) GTEST_SKIP() << "needs shared firmware: images, dumps";
  double scans = 0, judged = 0;
  for (const auto& inputs : all) {
    app::ScanOptions options;
    options.cache = false;
    options.jobs = 1;
    base::Result<result::Result> result = std::unexpected(base::Error{});
    const double scan = cost([&] { result = app::scan_device(inputs, options, {}); });
    ASSERT_TRUE(result) << inputs.front();
    const double rules = cost([&] {
      EXPECT_EQ(rules::evaluate(result->graph, rules::built_in_rules(), rules::built_in_severity()).findings.size(), result->findings.size());
      EXPECT_EQ(rules::update_paths(result->graph).size(), result->update_paths.size());
    });
    // What is read for the judgement alone, beside the programs.
    const auto firmware = unpack::open(inputs, {});
    ASSERT_TRUE(firmware);
    const double beside = cost([&] {
      derive::facts_of_settings(*firmware);
      derive::facts_of_pages(*firmware, derive::built_in_models());
      derive::facts_of_boot_loaders(*firmware);
      derive::facts_of_uefi_modules(*firmware);
      derive::facts_of_upload_forms(*firmware);
      derive::facts_of_remote_management(*firmware);
    });
    std::printf("%-48s scan %6.2f s, rules and update paths %5.3f s, read beside programs %5.3f s: %4.1f %% of the rest\n",
                (inputs.size() > 1 ? std::filesystem::path(inputs.front()).parent_path() : std::filesystem::path(inputs.front())).filename().c_str(), scan, rules, beside,
                100 * (rules + beside) / (scan - rules - beside));
    scans += scan;
    judged += rules + beside;
  }
  const double share = judged / (scans - judged);
  std::printf("all: judgement adds %.1f %%\n", 100 * share);
  EXPECT_LE(share, 0.10);
}

}  // namespace
