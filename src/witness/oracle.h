// What the tests beside tshark share: its output as rows of fields, and the comparison of facts with frames.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "witness/capture.h"

namespace oracle {

using Fact = std::pair<std::uint64_t, std::string>;  // frame, value
using Row = std::vector<std::string>;                // the fields asked for

inline std::string captures() {
  const char* set = std::getenv("BIOPSY_SHARED");
  return (set ? set : std::string(BIOPSY_SOURCE_DIR) + "/../shared") + "/captures/";
}

inline std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string out;
  char part[4096];
  while (const std::size_t got = pipe ? std::fread(part, 1, sizeof part, pipe.get()) : 0)
    out.append(part, got);
  return out;
}

inline bool have_tshark() { return std::system("command -v tshark > /dev/null 2>&1") == 0; }

// Rows of `fields` for the frames that `filter` selects; several values of a field are separated by a
// backquote.
inline std::vector<Row> tshark(const std::string& path, const std::string& more, const std::string& filter,
                               const std::vector<std::string>& fields) {
  std::string command = "tshark -n -o tcp.reassemble_out_of_order:TRUE -r '" + path + "' " + more + " -Y '" +
                        filter + "' -T fields -E separator=/t -E aggregator='`'";
  for (const std::string& field : fields) command += " -e " + field;
  std::vector<Row> rows;
  const std::string text = output_of(command + " 2> /dev/null");
  for (const std::string_view line : base::split(text, '\n')) {
    if (line.empty()) continue;
    Row row;
    for (const std::string_view part : base::split(line, '\t')) row.emplace_back(part);
    row.resize(fields.size());
    rows.push_back(std::move(row));
  }
  return rows;
}

inline witness::Capture ours(const std::string& path) {
  witness::Options options;
  options.show_secrets = true;
  auto capture = witness::read(path, options);
  EXPECT_TRUE(capture) << path;
  return capture ? std::move(*capture) : witness::Capture{};
}

// Every value that tshark shows is ours, in the frame where it shows it (with `frames` off: in any), and no
// value of ours is shown nowhere. A fact of ours also names the frames of the answer.
inline void compare(const std::set<Fact>& theirs, const std::set<Fact>& mine, bool frames = true) {
  ASSERT_FALSE(theirs.empty()) << "tshark shows nothing: the check proves nothing";
  std::set<std::string> values, my_values;
  for (const auto& [frame, value] : mine) my_values.insert(value);
  for (const auto& [frame, value] : theirs) values.insert(value);
  for (const Fact& fact : theirs)
    EXPECT_TRUE(frames ? mine.contains(fact) : my_values.contains(fact.second))
        << "tshark alone: frame " << fact.first << " " << fact.second;
  for (const Fact& fact : mine)
    EXPECT_TRUE(values.contains(fact.second)) << "ours alone: frame " << fact.first << " " << fact.second;
}

}  // namespace oracle
