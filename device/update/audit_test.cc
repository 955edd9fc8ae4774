// Why: the log is evidence. Each way of changing history must show, and hostile text in it must stay text.
#include "device/update/audit.h"

#include <gtest/gtest.h>

#include "device/update/sim_test.h"

namespace update {
namespace {

struct Written {
  sim::World world;
  sim::SimLog file{world};
  std::int64_t now = 100;
  std::vector<std::string> off_device;

  base::Result<AuditLog> open() {
    return AuditLog::open(
        file, [this] { return now; }, [this](const std::string& line) { off_device.push_back(line); });
  }
};

TEST(Audit, what_is_written_verifies_and_left_the_device) {
  Written w;
  auto log = w.open();
  ASSERT_TRUE(log);
  ASSERT_TRUE(log->add(Event::offered, 6, "version 2.6"));
  w.now = 200;
  ASSERT_TRUE(log->add(Event::refused, 6, "a \"quote\"\n\x1b[31m and \xff", "nur\\se"));
  const auto report = verify_log(w.file.bytes(), log->head());
  ASSERT_TRUE(report);
  ASSERT_EQ(report->entries.size(), 2u);
  EXPECT_EQ(report->entries[1].detail, "a \"quote\"\n\x1b[31m and \xff");
  EXPECT_EQ(report->entries[1].who, "nur\\se");
  EXPECT_EQ(report->entries[1].number, 2u);
  EXPECT_EQ(report->head, log->head());
  ASSERT_EQ(w.off_device.size(), 2u);
  EXPECT_EQ(w.off_device[0] + "\n" + w.off_device[1] + "\n", w.file.bytes());
  EXPECT_EQ(std::ranges::count(w.file.bytes(), '\n'), 2) << "one line an entry, whatever the text";
}

TEST(Audit, every_changed_byte_shows) {
  Written w;
  auto log = w.open();
  for (std::uint64_t i = 1; i <= 3; ++i) ASSERT_TRUE(log->add(Event::started, i, "x", "y"));
  const std::string good = w.file.bytes();
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bent = good;
    bent[i] = static_cast<char>(bent[i] ^ 1);
    const auto report = verify_log(bent, log->head());
    EXPECT_FALSE(report) << i << ": " << bent;
  }
}

TEST(Audit, lines_taken_out_put_in_or_exchanged_show) {
  Written w;
  auto log = w.open();
  for (std::uint64_t i = 1; i <= 3; ++i) ASSERT_TRUE(log->add(Event::started, i, "x"));
  std::vector<std::string> lines = w.off_device;
  const auto joined = [](const std::vector<std::string>& parts) {
    std::string out;
    for (const auto& part : parts) out += part + "\n";
    return out;
  };
  EXPECT_TRUE(verify_log(joined(lines)));
  EXPECT_FALSE(verify_log(joined({lines[1], lines[2]})));
  EXPECT_FALSE(verify_log(joined({lines[0], lines[2], lines[2]})));
  EXPECT_FALSE(verify_log(joined({lines[1], lines[0], lines[2]})));
  EXPECT_FALSE(verify_log(joined({lines[0], lines[0], lines[1]})));
  EXPECT_TRUE(verify_log(joined({lines[0], lines[1]}))) << "a shorter log holds in itself";
  EXPECT_FALSE(verify_log(joined({lines[0], lines[1]}), log->head()))
      << "but not against a hash that was seen elsewhere";
  EXPECT_FALSE(verify_log("", log->head()));
}

TEST(Audit, an_unfinished_end_is_cut_off_and_said) {
  Written w;
  {
    auto log = w.open();
    ASSERT_TRUE(log->add(Event::started, 5, "x"));
  }
  const std::string good = w.file.bytes();
  for (const std::string& torn : {std::string("{\"n\":2,\"ti"), std::string(50, '\0'), std::string("\n"),
                                  std::string("garbage\n"), std::string("garbage\0\0\n", 10)}) {
    w.file.bytes() = good + torn;
    auto log = w.open();
    ASSERT_TRUE(log);
    EXPECT_EQ(log->entries().size(), 2u);
    EXPECT_EQ(log->entries().back().event, Event::recovered);
    EXPECT_TRUE(verify_log(w.file.bytes()));
  }
}

TEST(Audit, damage_in_the_middle_is_not_taken_for_an_unfinished_end) {
  Written w;
  auto log = w.open();
  for (std::uint64_t i = 1; i <= 3; ++i) ASSERT_TRUE(log->add(Event::started, i, "x"));
  w.file.bytes()[10] = '9';
  EXPECT_FALSE(w.open());
}

TEST(Audit, a_clock_set_back_is_in_the_log) {
  Written w;
  auto log = w.open();
  ASSERT_TRUE(log->add(Event::started, 5, "x"));
  w.now = 40;
  ASSERT_TRUE(log->add(Event::started, 5, "y"));
  ASSERT_EQ(log->entries().size(), 3u);
  EXPECT_EQ(log->entries()[1].event, Event::clock);
  EXPECT_NE(log->entries()[1].detail.find("60 seconds"), std::string::npos);
}

}  // namespace
}  // namespace update
