// Why: the screen is what people act on: both screens must say the same, survive any size and any name, and show alarms as alarms.
#include <gtest/gtest.h>
#include <httplib.h>

#include <nlohmann/json.hpp>

#include "device/screen/server.h"
#include "device/screen/state.h"
#include "device/screen/terminal.h"
#include "device/sim/demo.h"

namespace bedside {
namespace {

void watch(Bed& bed, DemoPatient& patient, double seconds) {
  for (int i = 0; i < static_cast<int>(seconds * 250); ++i) {
    const auto s = patient.next(false, true, 0);
    bed.push({{s.ecg[0], s.ecg[1]}, s.impedance, s.red, s.infrared, {s.ohms[0], s.ohms[1]}, s.cuff});
  }
}

std::string whole(const Grid& grid) {
  std::string out;
  for (int r = 0; r < grid.rows; ++r) out += grid.line(r) + "\n";
  return out;
}

TEST(Screen, terminal_and_page_say_the_same) {
  DemoPatient patient(250, 2);
  Bed bed(250);
  bed.admit({"1", "Doe", "Jo", "", "F", Age::adult});
  watch(bed, patient, 40);
  patient.truth.heart_rate = 0;
  watch(bed, patient, 10);
  const auto state = describe(bed, "BED 7", "12:00:00", "");
  const auto json = nlohmann::json::parse(to_json(state));
  EXPECT_EQ(json["alarms"][0]["text"], "ASYSTOLE");
  EXPECT_EQ(json["alarms"][0]["colour"], "red");
  EXPECT_EQ(json["traces"].size(), 4u);
  EXPECT_EQ(json["numerics"].size(), 6u);
  EXPECT_EQ(json["sounding"], "high");
  const auto text = whole(draw(state, 120, 36, 0));
  EXPECT_NE(text.find("!!! ASYSTOLE"), std::string::npos);
  EXPECT_NE(text.find("Doe, Jo"), std::string::npos);
  for (const auto& n : state.numerics) EXPECT_NE(text.find(n.label), std::string::npos);
}

TEST(Screen, only_new_samples_travel) {
  DemoPatient patient(250, 2);
  Bed bed(250);
  watch(bed, patient, 20);
  const auto all = describe(bed, "B", "", "");
  EXPECT_EQ(all.traces[0].values.size(), Trace::length);
  const auto few = describe(bed, "B", "", "", all.traces[0].written - 10);
  EXPECT_EQ(few.traces[0].values.size(), 10u);
  EXPECT_TRUE(describe(bed, "B", "", "", ~std::uint64_t{0}).traces[0].values.empty());
}

TEST(Screen, every_size_and_hostile_names_are_drawn) {
  Bed bed(250);
  bed.admit({"1", "\x1b[2J\xff</script>", "\xe2\x80\xae", "", "F", Age::neonate});
  const auto state = describe(bed, "B\n", "", "");
  for (int columns = 0; columns < 140; columns += 7)
    for (int rows = 0; rows < 60; rows += 3) {
      const auto text = whole(draw(state, columns, rows, 0.3));
      EXPECT_EQ(text.find('\x1b'), std::string::npos);
    }
  EXPECT_TRUE(nlohmann::json::accept(to_json(state)));
}

TEST(Server, answers_on_loopback_and_refuses_strangers) {
  std::string last;
  auto server = PageServer::start(0, {[](std::uint64_t since) { return std::to_string(since); }, [&](const std::string& action) {
                                        last = action;
                                        return action == "pause";
                                      }});
  ASSERT_TRUE(server) << server.error().message;
  httplib::Client client("127.0.0.1", (*server)->port());
  const auto page = client.Get("/");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->body, page_html);
  EXPECT_NE(page->get_header_value("Content-Security-Policy").find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(client.Get("/state?since=12")->body, "12");
  EXPECT_EQ(client.Get("/state?since=zzz")->body, "0");
  EXPECT_EQ(client.Get("/etc/passwd")->status, 404);
  EXPECT_EQ(client.Post("/do/pause")->status, 403) << "a page elsewhere can post without our header";
  EXPECT_EQ(client.Post("/do/pause", {{"X-Bedside", "1"}}, "", "text/plain")->status, 204);
  EXPECT_EQ(last, "pause");
  EXPECT_EQ(client.Post("/do/format", {{"X-Bedside", "1"}}, "", "text/plain")->status, 404);
  EXPECT_EQ(client.Get("/", {{"Host", "evil.example"}})->status, 403) << "a foreign name that resolves to 127.0.0.1";
}

}  // namespace
}  // namespace bedside
