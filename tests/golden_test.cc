// Why: one file a case, in and out together, so that a person can review what the program says about what.
//
// tests/golden/NAME.case: the first line says why the case exists; `--- /path` begins a file of a root file system (the line
// `--- /path hex` one written in hexadecimal); `===` begins what is expected. BIOPSY_BLESS=1 rewrites that part.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/escape.h"
#include "base/text.h"
#include "report/report.h"
#include "tests/small_root.h"

namespace {

namespace fs = std::filesystem;

struct Case {
  std::string head;  // everything before the expected part
  std::map<std::string, std::string> files;
  std::string expected;
};

std::string unhex(std::string_view text) {
  std::string out;
  unsigned value = 0, digits = 0;
  for (const char c : text) {
    if (!std::isxdigit(static_cast<unsigned char>(c))) continue;
    value = value * 16 + static_cast<unsigned>(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    if (++digits % 2 == 0) {
      out += static_cast<char>(value & 0xFF);
      value = 0;
    }
  }
  return out;
}

Case read_case(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream buffer;
  buffer << in.rdbuf();
  Case out;
  std::string current;
  bool hexadecimal = false, expected = false;
  const std::string text = buffer.str();
  for (const auto line : base::split(text, '\n')) {
    if (line == "===") {
      expected = true;
      continue;
    }
    if (expected) {
      out.expected.append(line).append("\n");
      continue;
    }
    out.head.append(line).append("\n");
    if (line.starts_with("--- ")) {
      current = std::string(line.substr(4));
      hexadecimal = current.ends_with(" hex");
      if (hexadecimal) current.resize(current.size() - 4);
      out.files[current];
    } else if (!current.empty()) {
      out.files[current] += hexadecimal ? unhex(line) : std::string(line) + "\n";
    }
  }
  while (out.expected.ends_with("\n\n")) out.expected.pop_back();
  return out;
}

void tell(const result::Evidence& evidence, int depth, std::string& out) {
  out += fmt::format("{:{}}- {}{}", "", depth * 2 + 2, base::escape_terminal(evidence.says), evidence.assumed ? " [assumed]" : "");
  if (evidence.site) {
    out += fmt::format(" @ {}", base::escape_terminal(evidence.site->file));
    if (evidence.site->line) out += fmt::format(":{}", evidence.site->line);
    out += fmt::format(" `{}`", base::escape_terminal(evidence.site->words));
  }
  out += "\n";
  for (const auto& part : evidence.parts) tell(part, depth + 1, out);
}

// What a reviewer wants to see, without what changes from build to build.
std::string summary(const result::Result& result) {
  std::string out;
  for (const auto& f : result.findings) {
    out += fmt::format("{} {} {}\n  {}\n", result::key(f.severity), result::key(f.confidence), f.id, base::escape_terminal(f.says));
    tell(f.evidence, 0, out);
  }
  for (const auto& missing : result.coverage.not_evaluated) out += fmt::format("not evaluated: {}: {}\n", base::escape_terminal(missing.what), base::escape_terminal(missing.why));
  for (const auto& doubt : result.doubts) out += fmt::format("doubt: {} {}\n", doubt.name, base::escape_terminal(doubt.detail));
  return out.empty() ? "nothing\n" : out;
}

std::vector<fs::path> cases() {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(BIOPSY_SOURCE_DIR "/tests/golden"))
    if (entry.path().extension() == ".case") out.push_back(entry.path());
  std::ranges::sort(out);
  return out;
}

class Golden : public testing::TestWithParam<fs::path> {};

TEST_P(Golden, says_what_was_reviewed) {
  const Case wanted = read_case(GetParam());
  const auto result = tests::SmallRoot(wanted.files).scan();
  ASSERT_TRUE(result) << result.error().message;
  const std::string got = summary(*result);
  if (std::getenv("BIOPSY_BLESS")) std::ofstream(GetParam(), std::ios::binary) << wanted.head << "===\n" << got;
  else EXPECT_EQ(got, wanted.expected);

  // Every case goes through every rendering: valid UTF-8, no control characters, and JSON that reads back to itself.
  const auto json = result::to_json({*result});
  const auto back = result::from_json(json);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(result::to_json(*back), json);
  for (const auto& key : report::format_keys()) {
    const auto text = report::render(*report::format_from_key(key), {*result});
    ASSERT_TRUE(text) << key << ": " << text.error().message;
    EXPECT_EQ(*text, *report::render(*report::format_from_key(key), {*result})) << "same input, same bytes";
    for (std::string_view rest = *text; !rest.empty();) {
      const auto length = base::utf8_sequence(rest);
      ASSERT_GT(length, 0u) << key << ": not UTF-8";
      const auto first = static_cast<unsigned char>(rest[0]);
      ASSERT_TRUE(first >= 0x20 || first == '\n' || first == '\t') << key << ": control character " << int(first);
      ASSERT_NE(first, 0x7F) << key;
      rest.remove_prefix(length);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::ValuesIn(cases()), [](const auto& parameter) {
  std::string name = parameter.param.stem().string();
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
