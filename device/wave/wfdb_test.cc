// Why: every figure of the monitor rests on samples and annotations read as WFDB wrote them, and files are hostile input.
#include "device/wave/wfdb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace bedside {
namespace {

using testing::ElementsAre;

std::string shared() {
  const char* given = std::getenv("BIOPSY_SHARED");
  return (given ? std::string(given) : std::string(BIOPSY_SOURCE_DIR) + "/../shared") + "/physio/mitdb";
}

TEST(Header, reads_the_fields_of_header_5) {
  const auto header = parse_wfdb_header("# before\nr1 2 360/72(10.5) 650000 12:00:00 1/1/2001\n"
                                        "r1.dat 212x2:3+24 200(-5)/uV 11 1024 995 -22131 0 MLII lead\nr1.dat 212\n# 69 M\n");
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ(header->frequency, 360);
  EXPECT_EQ(header->length, 650000u);
  const auto& first = header->signals[0];
  EXPECT_EQ(first.format, 212);
  EXPECT_EQ(first.samples_per_frame, 2);
  EXPECT_EQ(first.skew, 3);
  EXPECT_EQ(first.byte_offset, 24u);
  EXPECT_EQ(first.baseline, -5);
  EXPECT_EQ(first.units, "uV");
  EXPECT_EQ(first.description, "MLII lead");
  EXPECT_EQ(header->signals[1].gain, 200) << "the default of header(5)";
  EXPECT_THAT(header->comments, ElementsAre("before", "69 M"));
}

TEST(Header, refuses_what_it_cannot_mean) {
  for (const char* bad : {"", "r1", "r1 2 360\nr1.dat 16\n", "r1 -1 360\n", "r1 1 0\nx 16\n", "r1 1 nan\nx 16\n", "r1 1 360\nx y\n",
                          "r1 99999999 360\n", "r1/3 2 360\n"})
    EXPECT_FALSE(parse_wfdb_header(bad)) << bad;
}

// Expected values worked out by hand from signal(5).
TEST(Samples, each_format_decodes_known_bytes) {
  const auto decode = [](base::Bytes bytes, int format, std::uint64_t count) { return decode_samples(bytes, format, count).value(); };
  EXPECT_THAT(decode({0x34, 0x12, 0xFF, 0xFF, 0x00, 0x80}, 16, 3), ElementsAre(0x1234, -1, missing_sample));
  EXPECT_THAT(decode({0x12, 0x34}, 61, 1), ElementsAre(0x1234));
  EXPECT_THAT(decode({0x00, 0x80}, 160, 1), ElementsAre(0));
  EXPECT_THAT(decode({0x80, 0xFF, 0x00}, 80, 3), ElementsAre(0, 127, missing_sample));
  EXPECT_THAT(decode({0xE3, 0x33, 0xF3}, 212, 2), ElementsAre(995, 1011)) << "the first frame of MIT-BIH record 100";
  EXPECT_THAT(decode({0x00, 0x08, 0xFF}, 212, 2), ElementsAre(missing_sample, 255));
  EXPECT_THAT(decode({0x01, 0x00, 0x80}, 24, 1), ElementsAre(-8388607));
  EXPECT_THAT(decode({0x05, 0xFE, 0x01}, 8, 3), ElementsAre(5, 3, 4));
  // 310: sample 1 in bits 1-10 of the first word, 2 in those of the second, 3 in the upper five bits of both.
  EXPECT_THAT(decode({0x02, 0x08, 0x04, 0x08}, 310, 3), ElementsAre(1, 2, 33));
  // 311: ten bits each of one 32-bit word: 1 | 2 << 10 | -1 << 20.
  EXPECT_THAT(decode({0x01, 0x08, 0xF0, 0x3F}, 311, 3), ElementsAre(1, 2, -1));
  EXPECT_FALSE(decode_samples({}, 516, 1));
}

TEST(Samples, a_file_cut_anywhere_gives_fewer_samples_and_no_overrun) {
  const base::Bytes bytes = {1, 2, 3, 4, 5, 6, 7, 8};
  for (const int format : {8, 16, 24, 32, 61, 80, 160, 212, 310, 311})
    for (std::size_t n = 0; n <= bytes.size(); ++n) {
      const base::Bytes exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
      const auto samples = decode_samples(exact, format, 1000);
      ASSERT_TRUE(samples);
      EXPECT_LE(samples->size(), n) << format;
    }
}

TEST(Annotations, survive_the_round_trip) {
  std::vector<Annotation> all(5);
  all[0] = {18, 28, 0, 0, 0, "(N"};
  all[1] = {77, 1, 0, 0, 0, {}};
  all[2] = {5000, 5, -1, 1, 2, "odd"};
  all[3] = {5000, 14, 3, 1, 2, {}};
  all[4] = {3'000'000'000, 8, 0, 0, 0, {}};  // beyond one SKIP
  const auto back = parse_annotations(write_annotations(all));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, all);
}

TEST(Annotations, a_cut_file_is_damaged_and_never_overruns) {
  std::vector<Annotation> all(2);
  all[0] = {2000, 1, 0, 0, 0, "note"};
  all[1] = {4000, 1, 0, 0, 0, {}};
  const auto bytes = write_annotations(all);
  const base::Bytes inside_skip(bytes.begin(), bytes.begin() + 4);
  EXPECT_FALSE(parse_annotations(inside_skip));
}

TEST(Record, checksum_and_first_beats_of_a_real_record) {
  if (!std::filesystem::exists(shared())) GTEST_SKIP() << "needs shared physiological data: mitdb";
  base::Doubts doubts;
  const auto record = read_wfdb_record(shared(), "100", doubts);
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_TRUE(doubts.empty()) << doubts[0].detail;
  EXPECT_EQ(record->samples[0].size(), 650000u);
  EXPECT_FLOAT_EQ(record->physical(0, 0), -0.145F);  // (995 - 1024) / 200 mV
  const auto bytes = base::read_file(shared() + "/100.atr");
  const auto beats = parse_annotations(*bytes);
  ASSERT_TRUE(beats);
  EXPECT_EQ(beats->size(), 2274u) << "as PhysioNet's own list for record 100 says: 2273 beats and a rhythm label";
  EXPECT_EQ((*beats)[0].aux, std::string("(N\0", 3));
  EXPECT_EQ((*beats)[1].time, 77);
}

}  // namespace
}  // namespace bedside
