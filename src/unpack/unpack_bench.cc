// Images in, unpacking speed out: the median of some rounds, in MB of image a second, and how the bytes add up.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "unpack/unpack.h"

int main(int argc, char** argv) {
  unpack::Options options;
  int rounds = 5;
  bool verbose = false;
  std::vector<std::string> images;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--jobs") == 0 && i + 1 < argc) options.jobs = static_cast<unsigned>(std::atoi(argv[++i]));
    else if (std::strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) rounds = std::max(1, std::atoi(argv[++i]));
    else if (std::strcmp(argv[i], "--verbose") == 0) verbose = true;
    else images.emplace_back(argv[i]);
  }
  if (images.empty()) {
    std::fprintf(stderr, "usage: unpack_bench [--jobs N] [--rounds N] [--verbose] IMAGE...\n");
    return 2;
  }
  std::printf("%-44s %8s %8s %8s %7s %6s %6s %6s\n", "image", "MB", "ms", "MB/s", "files", "claim%", "pad%", "unkn%");
  for (const auto& image : images) {
    std::vector<double> times;
    for (int round = 0; round < rounds; ++round) {
      const auto start = std::chrono::steady_clock::now();
      const auto firmware = unpack::open({image}, options);
      times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
      if (!firmware) {
        std::fprintf(stderr, "%s\n", firmware.error().message.c_str());
        return 3;
      }
      if (round + 1 < rounds) continue;
      std::sort(times.begin(), times.end());
      const double median = times[times.size() / 2];
      const auto sum = unpack::coverage(*firmware);
      const double total = static_cast<double>(sum.claimed + sum.padding + sum.unknown);
      std::printf("%-44s %8.2f %8.1f %8.1f %7zu %6.1f %6.1f %6.1f\n", image.substr(image.size() > 44 ? image.size() - 44 : 0).c_str(),
                  total / 1e6, median, total / 1e3 / median, firmware->root.nodes().size(), 100.0 * static_cast<double>(sum.claimed) / total,
                  100.0 * static_cast<double>(sum.padding) / total, 100.0 * static_cast<double>(sum.unknown) / total);
      if (!verbose) continue;
      for (const auto& blob : firmware->blobs) {
        if (blob.parent.valid() && blob.name.find(":/") != std::string::npos && blob.extents.size() < 2 && (blob.extents.empty() || blob.extents[0].format == "elf" || blob.extents[0].format == "text" || blob.extents[0].kind != unpack::Extent::Kind::claimed)) continue;
        std::printf("  blob %s (%zu bytes)\n", blob.name.c_str(), blob.bytes.size());
        for (const auto& e : blob.extents)
          std::printf("    0x%08llx %10llu %s %s %s\n", static_cast<unsigned long long>(e.offset), static_cast<unsigned long long>(e.size),
                      e.kind == unpack::Extent::Kind::claimed ? "claimed" : e.kind == unpack::Extent::Kind::padding ? "padding" : "unknown",
                      e.format.c_str(), e.note.c_str());
      }
      for (const auto& mount : firmware->mounts) std::printf("  mount %s <- %s%s\n", mount.at.c_str(), mount.source.c_str(), mount.assumed ? " (assumed)" : "");
      for (const auto& note : firmware->kernel_notes) std::printf("  note %s\n", note.c_str());
      for (const auto& d : firmware->doubts)
        std::printf("  doubt %s x%llu %s+0x%llx: %s\n", d.name.c_str(), static_cast<unsigned long long>(d.count), d.where.c_str(),
                    static_cast<unsigned long long>(d.offset), d.detail.c_str());
    }
  }
}
