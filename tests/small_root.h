// A map of path -> content as a root file system on the disk, scanned like any directory; gone when it goes out of scope.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "app/pipeline.h"

namespace tests {

class SmallRoot {
 public:
  explicit SmallRoot(const std::map<std::string, std::string>& files) {
    std::string pattern = (std::filesystem::temp_directory_path() / "biopsy-test-XXXXXX").string();
    parent_ = mkdtemp(pattern.data());
    directory_ = parent_ + "/device";
    std::filesystem::create_directory(directory_);
    for (const auto& [path, content] : files) {
      const std::filesystem::path where = directory_ + path;
      std::filesystem::create_directories(where.parent_path());
      std::ofstream(where, std::ios::binary) << content;
      const bool program = content.starts_with("#!");
      std::filesystem::permissions(where, program ? std::filesystem::perms(0755) : std::filesystem::perms(0644));
    }
  }
  ~SmallRoot() {
    std::error_code ignored;
    std::filesystem::remove_all(parent_, ignored);
  }
  SmallRoot(const SmallRoot&) = delete;
  SmallRoot& operator=(const SmallRoot&) = delete;

  base::Result<result::Result> scan(bool cache = false) const {
    app::ScanOptions options;
    options.cache = cache;
    return app::scan_device({directory_}, options, {});
  }
  const std::string& directory() const { return directory_; }

 private:
  std::string parent_, directory_;
};

}  // namespace tests
