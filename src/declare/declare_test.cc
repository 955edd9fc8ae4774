// Why: what a maker declares decides which limbs of CWE-912 hold. A wrong match would excuse what nobody declared.
#include "declare/declare.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace {

using namespace declare;

std::string profile(const std::string& entry) { return R"({"ietf-mud:mud":{"mud-version":1},"ietf-access-control-list:acls":{"acl":[{"name":"out","aces":{"ace":[)" + entry + "]}}]}}"; }
const std::string kCentral = R"({"name":"central","matches":{"ipv4":{"destination-ipv4-network":"192.0.2.7/32","protocol":6},"tcp":{"destination-port":{"operator":"eq","port":515}}},"actions":{"forwarding":"accept"}})";

TEST(Mud, an_entry_is_address_port_and_transport) {
  const auto mud = from_mud(profile(kCentral), "p.json");
  ASSERT_TRUE(mud) << mud.error().message;
  ASSERT_EQ(mud->endpoints.size(), 1u);
  EXPECT_TRUE(match(*mud, "192.0.2.7", 515, "tcp").port);
  EXPECT_TRUE(match(*mud, "192.0.2.7", 2049, "tcp").place);
  EXPECT_FALSE(match(*mud, "192.0.2.7", 2049, "tcp").port) << "another port is not what was declared";
  EXPECT_FALSE(match(*mud, "192.0.2.7", 515, "udp").port);
  EXPECT_FALSE(match(*mud, "192.0.2.70", 515, "tcp").place);
  EXPECT_NE(match(*mud, "192.0.2.7", 515, "tcp").quote.find("central"), std::string::npos);
}

TEST(Mud, what_it_drops_it_does_not_declare) {
  std::string drop = kCentral;
  drop.replace(drop.find("accept"), 6, "drop");
  const auto mud = from_mud(profile(drop), "p.json");
  ASSERT_TRUE(mud);
  EXPECT_TRUE(mud->endpoints.empty());
}

TEST(Mud, names_and_controllers) {
  const auto mud = from_mud(profile(R"({"name":"n","matches":{"ipv6":{"ietf-acldns:dst-dnsname":"Updates.Example"}},"actions":{"forwarding":"accept"}},{"name":"c","matches":{"ietf-mud:mud":{"my-controller":[null]}},"actions":{"forwarding":"accept"}})"), "p.json");
  ASSERT_TRUE(mud);
  EXPECT_TRUE(match(*mud, "updates.example", 443, "tcp").port) << "no port is every port";
  ASSERT_EQ(mud->doubts.size(), 1u);
  EXPECT_EQ(mud->doubts[0].name, "declare-unknown-entry");
}

TEST(Mud, other_json_and_broken_json_are_refused) {
  EXPECT_FALSE(from_mud("{}", "p.json"));
  EXPECT_FALSE(from_mud("{\"ietf-mud:mud\":", "p.json"));
  EXPECT_FALSE(from_mud(std::string(100'000, '['), "p.json"));
  EXPECT_FALSE(from_mud(R"({"ietf-mud:mud":)" + std::string(5000, '[') + std::string(5000, ']') + "}", "p.json"));
}

TEST(List, every_usual_form) {
  const auto list = from_list("# the maker's list\n192.0.2.7:515\ntcp updates.example 443 ; comment\n[2001:db8::7]:80\n198.18.0.0/15 123/udp\nhttps://portal.example/path\nnot an endpoint at all, sorry\n", "l.txt");
  EXPECT_EQ(list.endpoints.size(), 5u);
  ASSERT_EQ(list.doubts.size(), 1u);
  EXPECT_TRUE(match(list, "192.0.2.7", 515, "tcp").port);
  EXPECT_TRUE(match(list, "Updates.Example", 443, "tcp").port);
  EXPECT_FALSE(match(list, "updates.example", 80, "tcp").port);
  EXPECT_TRUE(match(list, "2001:db8:0::7", 80, "").port);
  EXPECT_TRUE(match(list, "198.19.200.1", 123, "udp").port);
  EXPECT_FALSE(match(list, "198.20.0.1", 123, "udp").place);
  EXPECT_EQ(match(list, "192.0.2.7", 515, "tcp").quote, "line 2: 192.0.2.7 port 515");
}

TEST(List, a_text_is_told_from_a_list) {
  EXPECT_TRUE(looks_like_list("# endpoints\n192.0.2.7\n192.0.2.8 515\n"));
  EXPECT_FALSE(looks_like_list("The central station uses 192.0.2.7.\n192.0.2.7\nIt listens.\n"));
  EXPECT_FALSE(looks_like_list("# only comments\n"));
}

TEST(Manual, page_and_sentence_are_quoted) {
  const auto manual = from_manual(split_pages("1  Use\n\nKeep dry.\n\n   page 3\n\f7.2  The central station uses the\naddress 192.0.2.7. This is the default.\n\nIt listens on TCP port 515.\n\n    page 21\n"), "m.txt");
  ASSERT_EQ(manual.pages.size(), 2u);
  const auto found = match(manual, "192.0.2.7", 515, "tcp");
  EXPECT_TRUE(found.port);
  EXPECT_EQ(found.quote, "page 21: \"7.2 The central station uses the address 192.0.2.7.\" and \"It listens on TCP port 515.\"");
  EXPECT_EQ(match(manual, "192.0.2.7", 2049, "tcp").quote, "page 21: \"7.2 The central station uses the address 192.0.2.7.\"");
  EXPECT_FALSE(match(manual, "192.0.2.7", 2049, "tcp").port);
}

TEST(Manual, part_of_an_address_is_another_address) {
  const auto manual = from_manual({"It uses 192.0.2.70, 1192.0.2.7, 192.0.2.7.9 and host-192.0.2.7x; see sub.updates.example.org."}, "m.txt");
  EXPECT_FALSE(match(manual, "192.0.2.7", 0, "").place);
  EXPECT_FALSE(match(manual, "updates.example", 0, "").place);
  EXPECT_TRUE(match(from_manual({"Use 192.0.2.7."}, "m"), "192.0.2.7", 0, "").place);
  EXPECT_TRUE(match(from_manual({"Use 192.0.2.7:515"}, "m"), "192.0.2.7", 0, "").place);
}

TEST(Manual, a_page_without_a_number_is_counted) {
  const auto manual = from_manual({"First.", "Second uses 192.0.2.7 here."}, "m.txt");
  EXPECT_EQ(match(manual, "192.0.2.7", 0, "").quote, "page 2: \"Second uses 192.0.2.7 here.\"");
}

TEST(Manual, a_sentence_holds_one_word_of_each_group) {
  const auto manual = from_manual({"The firmware is shown. Press U: an update is taken from the network share."}, "m.txt");
  EXPECT_EQ(sentence_with(manual, {{"firmware", "update"}, {"share", "server"}}), "page 1: \"Press U: an update is taken from the network share.\"");
  EXPECT_EQ(sentence_with(manual, {{"firmware"}, {"share"}}), "") << "words of two sentences";
}

TEST(Manual, as_pdf_it_says_the_same) {
  const std::string pdf = std::string(BIOPSY_SOURCE_DIR) + "/build/lab/manual.pdf", text = std::string(BIOPSY_SOURCE_DIR) + "/lab/manual.txt";
  if (!std::filesystem::exists(pdf)) GTEST_SKIP() << "needs the lab's manual: cmake --build build/release --target lab";
  const auto from_pdf = read(pdf), from_text = read(text);
  ASSERT_TRUE(from_pdf) << from_pdf.error().message;
  ASSERT_TRUE(from_text) << from_text.error().message;
  EXPECT_EQ(from_pdf->kind, Kind::manual);
  ASSERT_EQ(from_pdf->pages.size(), from_text->pages.size());
  const auto address = "198.51.100.23";
  EXPECT_EQ(match(*from_pdf, address, 515, "tcp").quote, match(*from_text, address, 515, "tcp").quote);
  EXPECT_TRUE(match(*from_pdf, address, 515, "tcp").port);
}

TEST(Pdf, what_is_no_pdf_is_refused_and_costs_nothing_else) {
  EXPECT_FALSE(pages_of_pdf(base::as_bytes("%PDF-1.4 and nothing more")));
  EXPECT_FALSE(pages_of_pdf(base::as_bytes("")));
  EXPECT_FALSE(read("/nonexistent/manual.pdf"));
}

}  // namespace
