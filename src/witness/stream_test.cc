// A stream says the same however it was cut, shuffled, doubled or begun: patient data in three-byte segments
// is the case that per-packet search misses. All captures are made here.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "witness/verdict.h"
#include "witness/wire_builder.h"

namespace {

using namespace witness;
using wire::End;
using wire::Talk;

constexpr End kMonitor{wire::ip(10, 0, 0, 5), 40000}, kStation{wire::ip(203, 0, 113, 9), 2575};
const std::string kMessage =
    "\x0BMSH|^~\\&|MON|BED7|CENTRAL|HOSP|20250130090000||ORU^R01|17|P|2.3\r"
    "PID|1||MRN00042^^^HOSP^MR||TESTPATIENT^ALICE||19700101|F\r"
    "OBX|1|NM|HR^Heart Rate||70|bpm\r\x1C\r";

Capture read_frames(const std::vector<wire::Frame>& frames, Options options = {}, std::uint32_t link = 1) {
  auto capture = witness::read(wire::pcap(frames, link), options);
  EXPECT_TRUE(capture) << capture.error().message;
  return capture ? *capture : Capture{};
}

const Observation* find(const Capture& capture, Observation::Kind kind, std::string_view field) {
  for (const Observation& o : capture.observations)
    if (o.kind == kind && o.field == field) return &o;
  return nullptr;
}

bool has_doubt(const Capture& capture, std::string_view name) {
  return std::any_of(capture.doubts.begin(), capture.doubts.end(),
                     [&](const base::Doubt& d) { return d.name == name; });
}

std::vector<wire::Frame> message_frames(std::size_t segment) {
  Talk talk{kMonitor, kStation};
  talk.open();
  talk.say(true, kMessage, segment);
  talk.close();
  return talk.frames;
}

void expect_patient(const Capture& capture) {
  const Observation* name = find(capture, Observation::Kind::patient_data, "PID-5");
  ASSERT_NE(name, nullptr);
  EXPECT_EQ(name->words, "TESTPATIENT^ALICE");
  EXPECT_EQ(name->device, "10.0.0.5");
  EXPECT_EQ(name->peer.address, "203.0.113.9");
  EXPECT_EQ(name->peer.scope, "public");
  EXPECT_EQ(name->data_class, "identity");
  const Observation* rate = find(capture, Observation::Kind::patient_data, "OBX-5");
  ASSERT_NE(rate, nullptr);
  EXPECT_EQ(rate->words, "70");
  EXPECT_EQ(rate->object, "HR^Heart Rate");
}

Options showing() {
  Options options;
  options.show_secrets = true;
  return options;
}

class Segments : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, Segments, testing::Values(1, 2, 3, 7, 64, 1400));

TEST_P(Segments, Hl7IsReadWholeInSegmentsOfAnySize) {
  expect_patient(read_frames(message_frames(GetParam()), showing()));
}

TEST_P(Segments, Hl7IsReadWhenEverySegmentComesTwice) {
  std::vector<wire::Frame> doubled;
  for (const wire::Frame& frame : message_frames(GetParam())) doubled.insert(doubled.end(), 2, frame);
  const Capture capture = read_frames(doubled, showing());
  expect_patient(capture);
  EXPECT_EQ(find(capture, Observation::Kind::patient_data, "PID-5")->count, 1u);
  EXPECT_GT(capture.stats.duplicate_segments, 0u);
}

TEST_P(Segments, Hl7IsReadInAnyOrder) {
  for (const unsigned seed : {1u, 2u, 3u, 4u}) {
    std::vector<wire::Frame> frames = message_frames(GetParam());
    std::shuffle(frames.begin(), frames.end(), std::mt19937(seed));
    const Capture capture = read_frames(frames, showing());
    expect_patient(capture);
    EXPECT_EQ(capture.stats.stream_gaps, 0u) << "seed " << seed;
  }
}

TEST_P(Segments, Hl7IsReadWithoutAHandshake) {
  Talk talk{kMonitor, kStation};
  talk.say(true, kMessage, GetParam());
  expect_patient(read_frames(talk.frames, showing()));
}

TEST(Stream, ACaptureThatBeginsWithTheSecondHandshakePacketIsRead) {
  Talk talk{kMonitor, {kStation.address, 1883}};
  talk.client_seq += 1;       // the client's SYN was not captured
  talk.add(false, 0x12, "");  // the answer to it says where the client begins
  talk.say(true, std::string("\x10\x13\0\x04MQTT\x04\xC2\0\x05\0\x01"
                             "c\0\x01"
                             "u\0\x01p",
                             21));
  talk.say(false, std::string("\x20\x02\0\0", 4));
  const Capture capture = read_frames(talk.frames, showing());
  const Observation* credential = find(capture, Observation::Kind::credential, "connect");
  ASSERT_NE(credential, nullptr);
  EXPECT_EQ(credential->device, "10.0.0.5");
  EXPECT_EQ(credential->words, "p");
}

TEST(Stream, AFalseAcknowledgementHidesNothing) {
  Talk talk{kMonitor, kStation};
  talk.client_seq += 500'000;
  talk.add(false, 0x12, "");  // acknowledges what the client never said
  talk.client_seq -= 500'000;
  talk.say(true, kMessage, 20);
  talk.close();
  expect_patient(read_frames(talk.frames, showing()));
}

TEST(Stream, FramesNameTheSegmentsThatCarryTheField) {
  Talk talk{kMonitor, kStation};
  talk.open();  // frames 1 to 3
  const std::size_t pid = kMessage.find("PID"), obx = kMessage.find("OBX");
  talk.say(true, kMessage.substr(0, pid));          // 4
  talk.say(true, kMessage.substr(pid, obx - pid));  // 5
  talk.say(true, kMessage.substr(obx));             // 6
  const Capture capture = read_frames(talk.frames);
  EXPECT_EQ(find(capture, Observation::Kind::patient_data, "PID-5")->frames, std::vector<std::uint64_t>{5});
  EXPECT_EQ(find(capture, Observation::Kind::patient_data, "OBX-5")->frames, std::vector<std::uint64_t>{6});
}

TEST(Stream, PatientDataIsMaskedUnlessSecretsAreShown) {
  const Capture capture = read_frames(message_frames(1400));
  const Observation* name = find(capture, Observation::Kind::patient_data, "PID-5");
  ASSERT_NE(name, nullptr);
  EXPECT_TRUE(name->masked);
  EXPECT_EQ(name->words, "T… (17 bytes)");
  for (const Observation& o : capture.observations)
    EXPECT_EQ(o.words.find("ALICE"), std::string::npos) << o.field;
  for (const Verdict& v : judge(capture)) EXPECT_EQ(v.title.find("ALICE"), std::string::npos);
}

TEST(Stream, AGapCostsOnlyWhatItTouches) {
  // The header's segment is missing: the patient's own segment is still read.
  Talk talk{kMonitor, kStation};
  talk.open();
  talk.say(true, "an earlier line\r");
  const std::size_t pid = kMessage.find("PID");
  talk.client_seq += static_cast<std::uint32_t>(pid - 4);
  talk.say(true, kMessage.substr(pid - 4));
  talk.close();
  const Capture capture = read_frames(talk.frames, showing());
  EXPECT_NE(find(capture, Observation::Kind::patient_data, "PID-5"), nullptr);
  EXPECT_EQ(capture.stats.stream_gaps, 1u);
}

TEST(Stream, WhatFollowsAGapIsRead) {
  Talk talk{kMonitor, kStation};
  talk.open();
  talk.say(true, kMessage.substr(0, 30));
  talk.client_seq += 500;  // never captured
  talk.say(true, "rest of a line\r" + kMessage);
  talk.close();
  expect_patient(read_frames(talk.frames, showing()));
}

TEST(Stream, OverlappingBytesWithOtherContentAreNamed) {
  Talk talk{kMonitor, kStation};
  talk.open();
  const std::uint32_t at = talk.client_seq;
  talk.client_seq = at + 10;
  talk.say(true, "second part");
  talk.client_seq = at + 10;
  talk.say(true, "SECOND PART");
  talk.client_seq = at;
  talk.say(true, "first part");
  EXPECT_TRUE(has_doubt(read_frames(talk.frames), "overlap-differs"));
}

TEST(Stream, SequenceNumbersMayWrap) {
  Talk talk{kMonitor, kStation};
  talk.client_seq = 0xFFFFFFF0u;
  talk.open();
  talk.say(true, kMessage, 5);
  talk.close();
  expect_patient(read_frames(talk.frames, showing()));
}

TEST(Stream, PortsUsedAgainAreANewConversation) {
  Talk first{kMonitor, kStation};
  first.open();
  first.say(true, kMessage);
  first.close();
  Talk second{kMonitor, kStation};
  second.client_seq = 777'000;
  second.clock = 90'000'000;
  second.open();
  second.say(true, kMessage);
  first.frames.insert(first.frames.end(), second.frames.begin(), second.frames.end());
  const Capture capture = read_frames(first.frames);
  EXPECT_EQ(find(capture, Observation::Kind::patient_data, "PID-5")->count, 2u);
  ASSERT_EQ(capture.flows.size(), 1u);
  EXPECT_EQ(capture.flows[0].connections, 2u);
}

TEST(Stream, CanariesAreFoundAcrossSegments) {
  Options options;
  options.canaries = {"CANARY-7F3A"};
  Talk talk{kMonitor, kStation};
  talk.open();
  talk.say(true, std::string("\x01\x02\x03odd framing CANARY-7F3A\0\0", 28), 3);
  const Capture capture = read_frames(talk.frames, options);
  const auto found = std::count_if(
      capture.observations.begin(), capture.observations.end(),
      [](const Observation& o) { return o.kind == Observation::Kind::canary && o.object == "CANARY-7F3A"; });
  EXPECT_EQ(found, 1);
}

// ---- the CMS8000's frames ----

std::string cms_frame(std::uint8_t type, const std::string& payload) {
  wire::Bytes out;
  wire::put16_le(out, payload.size() + 2);
  wire::put8(out, 5);
  wire::put8(out, type);
  wire::put(out, payload);
  return std::string(base::as_text(out));
}
std::string cms_record() {
  std::string payload(0xB0, '\0');
  payload.replace(0x00, 3, "ICU");
  payload[0x22] = 7;
  payload.replace(0x23, 17, "TESTPATIENT ALICE");
  payload.replace(0x43, 8, "MRN00042");
  payload.replace(0x7C, 4, "1970");
  payload.replace(0x8D, 7, "DR TEST");
  return cms_frame(0x3E, payload);
}
std::string cms_telemetry(char subtype) {
  std::string payload(900, '\x80');
  payload[0] = payload[1] = 0;
  payload[2] = subtype;
  return cms_frame(0x46, payload);
}

TEST_P(Segments, CmsFramesAreReadInSegmentsOfAnySize) {
  Talk talk{kMonitor, {kStation.address, 515}};
  talk.open();
  talk.say(true,
           cms_frame(0x45, std::string("\0\0\x07\xFF", 4)) + cms_record() + cms_telemetry(0x14) +
               cms_telemetry(0x16),
           GetParam());
  const Capture capture = read_frames(talk.frames, showing());
  const Observation* name = find(capture, Observation::Kind::patient_data, "0x3E.name");
  ASSERT_NE(name, nullptr);
  EXPECT_EQ(name->words, "TESTPATIENT ALICE");
  EXPECT_EQ(find(capture, Observation::Kind::patient_data, "0x3E.number")->words, "MRN00042");
  EXPECT_EQ(find(capture, Observation::Kind::patient_data, "0x3E.doctor"), nullptr)
      << "the doctor is no patient";
  EXPECT_EQ(find(capture, Observation::Kind::patient_data, "0x46.ecg")->data_class, "waveform");
  EXPECT_EQ(find(capture, Observation::Kind::patient_data, "0x46.nibp")->data_class, "vital-signs");
  EXPECT_EQ(capture.flows.at(0).application, "cms8000");
}

TEST(Cms, IsFoundAgainAfterAGap) {
  Talk talk{kMonitor, {kStation.address, 515}};
  talk.open();
  talk.say(true, cms_telemetry(0x14) + cms_telemetry(0x14).substr(0, 300));
  talk.client_seq += 300;
  talk.say(true, cms_telemetry(0x14).substr(600) + cms_record());
  talk.close();
  EXPECT_NE(find(read_frames(talk.frames), Observation::Kind::patient_data, "0x3E.name"), nullptr);
}

TEST(Lpd, ACommandOctetAloneIsNoPrintJob) {
  for (const std::string& bytes : {std::string("\x02lp\n\x02"
                                               "99 cfA001host\nnot a control file"),
                                   std::string("\x02\x01\x05\n"), cms_record()}) {
    Talk talk{kMonitor, {kStation.address, 515}};
    talk.open();
    talk.say(true, bytes);
    talk.close();
    for (const Observation& o : read_frames(talk.frames).observations)
      EXPECT_NE(o.kind, Observation::Kind::print_job);
  }
}

TEST(Lpd, AWholeJobIsOne) {
  const std::string control = "Hbed\nProot\nJresults.txt\nfdfA001bed\n";
  Talk talk{kMonitor, {kStation.address, 515}};
  talk.open();
  talk.say(true, "\x02lp\n");
  talk.say(true, "\x02" + std::to_string(control.size()) + " cfA001bed\n");
  talk.say(true, control + std::string(1, '\0'));
  talk.say(true, std::string("\x03"
                             "5 dfA001bed\nhello\0",
                             19));
  talk.close();
  const Capture capture = read_frames(talk.frames);
  const Observation* job = find(capture, Observation::Kind::print_job, "control");
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(job->object, "lp");
  EXPECT_EQ(job->words, "results.txt");
  EXPECT_TRUE(judge(capture).empty());
}

// ---- what nobody answered, what was cut, what is too much ----

TEST(Attempt, AMountThatNobodyAnswersIsAnAttempt) {
  Talk talk{{kMonitor.address, 800}, {kStation.address, 111}};
  talk.add(true, 0x02, "");
  talk.client_seq = 1000;
  talk.clock += 1'000'000;
  talk.add(true, 0x02, "");
  const Capture capture = read_frames(talk.frames);
  const auto verdicts = judge(capture);
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].kind, "attempt-unanswered");
  EXPECT_EQ(verdicts[0].peer.port, 111);
  EXPECT_EQ(verdicts[0].frames, (std::vector<std::uint64_t>{1, 2}));
}

std::string rpc_call(std::uint32_t program, std::uint32_t version, std::uint32_t procedure,
                     const wire::Bytes& arguments) {
  wire::Bytes out;
  for (const std::uint32_t word : {0x1234u, 0u, 2u, program, version, procedure, 0u, 0u, 0u, 0u})
    wire::put32(out, word);
  wire::put(out, arguments);
  return std::string(base::as_text(out));
}
wire::Bytes xdr_text(std::string_view text) {
  wire::Bytes out;
  wire::put32(out, text.size());
  wire::put(out, text);
  while (out.size() % 4) out.push_back(0);
  return out;
}

TEST(Attempt, AMountCallWithoutAReplyIsAnAttempt) {
  const End client{kMonitor.address, 700}, server{kStation.address, 635};
  const Capture capture = read_frames(
      {{1, wire::ethernet(wire::ipv4(client.address, server.address, 17,
                                     wire::udp(client, server, rpc_call(100005, 1, 1, xdr_text("/pm")))))}});
  const auto verdicts = judge(capture);
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].kind, "attempt-unanswered");
  EXPECT_EQ(capture.observations.at(verdicts[0].observations.at(0)).object, "/pm");
}

TEST(Mount, IsToldWithItsPathAndWhatWasRead) {
  const End client{kMonitor.address, 700}, server{kStation.address, 2049};
  std::vector<wire::Frame> frames;
  const auto exchange = [&](std::uint32_t xid, std::string call, const wire::Bytes& result) {
    wire::Bytes reply;
    for (const std::uint32_t word : {xid, 1u, 0u, 0u, 0u, 0u}) wire::put32(reply, word);
    wire::put(reply, result);
    for (int i = 0; i < 4; ++i) call[static_cast<std::size_t>(i)] = static_cast<char>(xid >> (24 - 8 * i));
    frames.push_back({frames.size(), wire::ethernet(wire::ipv4(client.address, server.address, 17,
                                                               wire::udp(client, server, call)))});
    frames.push_back(
        {frames.size(), wire::ethernet(wire::ipv4(server.address, client.address, 17,
                                                  wire::udp(server, client, base::as_text(reply))))});
  };
  const wire::Bytes root(32, 0xAA), file(32, 0xBB);
  wire::Bytes mounted, looked, arguments, read_arguments, data;
  wire::put32(mounted, 0), wire::put(mounted, root);
  exchange(1, rpc_call(100005, 1, 1, xdr_text("/pm")), mounted);
  wire::put(arguments, root), wire::put(arguments, xdr_text("monitor"));
  wire::put32(looked, 0), wire::put(looked, file), wire::put(looked, wire::Bytes(68, 0));
  exchange(2, rpc_call(100003, 2, 4, arguments), looked);
  wire::put(read_arguments, file), wire::put32(read_arguments, 0), wire::put32(read_arguments, 100),
      wire::put32(read_arguments, 0);
  wire::put32(data, 0), wire::put(data, wire::Bytes(68, 0)),
      wire::put(data, xdr_text("\x7F"
                               "ELF\x01\x01\x01 a program"));
  exchange(3, rpc_call(100003, 2, 6, read_arguments), data);
  const Capture capture = read_frames(frames);
  ASSERT_EQ(capture.objects.size(), 1u);
  EXPECT_EQ(capture.objects[0].name, "/pm/monitor");
  EXPECT_EQ(capture.objects[0].type, "elf");
  EXPECT_EQ(capture.objects[0].size, 17u);
  std::set<std::string> kinds;
  for (const Verdict& v : judge(capture)) kinds.insert(v.kind);
  EXPECT_EQ(kinds, (std::set<std::string>{"files-clear", "remote-share"}));
  const auto mount =
      std::find_if(capture.observations.begin(), capture.observations.end(),
                   [](const Observation& o) { return o.kind == Observation::Kind::mount_remote; });
  ASSERT_NE(mount, capture.observations.end());
  EXPECT_EQ(mount->object, "/pm");
  EXPECT_EQ(mount->frames, (std::vector<std::uint64_t>{1, 2}));
}

TEST(Capture, CutInsideARecordIsReadToItsEndWithADoubt) {
  wire::Bytes file = wire::pcap(message_frames(1400));
  file.resize(file.size() - 30);
  const auto capture = witness::read(file, showing());
  ASSERT_TRUE(capture);
  EXPECT_TRUE(has_doubt(*capture, "capture-cut"));
  expect_patient(*capture);
}

TEST(Capture, CutAnywhereIsSurvived) {
  const wire::Bytes whole = wire::pcap(message_frames(50));
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    const auto capture = witness::read(base::ByteView(whole).first(size));
    if (size < 24)
      EXPECT_FALSE(capture);
    else
      EXPECT_TRUE(capture) << size;
  }
}

TEST(Capture, NeitherFormatIsAnError) {
  const std::string text = "this is no capture at all, but it is long enough";
  const auto capture = witness::read(base::as_bytes(text));
  ASSERT_FALSE(capture);
  EXPECT_EQ(capture.error().kind, base::Error::Kind::damaged);
  EXPECT_FALSE(witness::read(std::string("/nonexistent/file.pcap")));
}

TEST(Capture, HalfOpenFlowsBeyondTheCapAreConcludedNotKept) {
  Options options;
  options.max_live_flows = 1000;
  options.max_flows = 500;
  std::vector<wire::Frame> frames;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    const End from{wire::ip(10, 1, 0, 0) + i, 1024}, to{kStation.address, 80};
    frames.push_back(
        {i, wire::ethernet(wire::ipv4(from.address, to.address, 6, wire::tcp(from, to, 5, 0x02, "")))});
  }
  Talk talk{kMonitor, kStation};
  talk.clock = 20'000'000;
  talk.open();
  talk.say(true, kMessage, 3);
  frames.insert(frames.end(), talk.frames.begin(), talk.frames.end());
  const Capture capture = read_frames(frames, options);
  EXPECT_EQ(capture.stats.live_flows_most, 1000u);
  EXPECT_EQ(capture.stats.flows, 20'001u);
  EXPECT_EQ(capture.flows.size(), 500u);
  EXPECT_TRUE(has_doubt(capture, "live-flows-beyond-cap"));
  EXPECT_TRUE(has_doubt(capture, "flows-beyond-cap"));
  EXPECT_NE(find(capture, Observation::Kind::patient_data, "PID-5"), nullptr)
      << "the one that speaks is still read";
}

TEST(Capture, WhatWaitsForReassemblyIsBounded) {
  Options options;
  options.max_buffered = 1u << 20;
  std::vector<wire::Frame> frames;
  const std::string filler(1400, 'x');
  for (std::uint16_t flow = 0; flow < 200; ++flow) {
    Talk talk{{kMonitor.address, static_cast<std::uint16_t>(2000 + flow)}, kStation};
    talk.open();
    talk.client_seq += 1;  // one byte never comes
    for (int i = 0; i < 20; ++i) talk.say(true, filler);
    frames.insert(frames.end(), talk.frames.begin(), talk.frames.end());
  }
  const Capture capture = read_frames(frames, options);
  EXPECT_TRUE(has_doubt(capture, "buffers-relieved"));
  EXPECT_EQ(capture.stats.packets, frames.size());
}

// ---- link and network layers: the same message beneath each ----

wire::Bytes message_packet() {
  return wire::ipv4(kMonitor.address, kStation.address, 6, wire::tcp(kMonitor, kStation, 1, 0x18, kMessage));
}

struct Link {
  const char* name;
  std::uint32_t type;
  wire::Bytes head;
  wire::Bytes tail = {};
};
class LinkTypes : public testing::TestWithParam<Link> {};
TEST_P(LinkTypes, CarryTheMessage) {
  wire::Bytes frame = GetParam().head;
  wire::put(frame, message_packet());
  wire::put(frame, GetParam().tail);
  expect_patient(read_frames({{1, frame}}, showing(), GetParam().type));
}
const wire::Bytes kMacs{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
wire::Bytes with_macs(std::initializer_list<std::uint8_t> rest) {
  wire::Bytes out = kMacs;
  out.insert(out.end(), rest);
  return out;
}
INSTANTIATE_TEST_SUITE_P(
    Layers, LinkTypes,
    testing::Values(Link{"ethernet", 1, with_macs({0x08, 0x00})},
                    Link{"vlan", 1, with_macs({0x81, 0x00, 0x00, 0x05, 0x08, 0x00})},
                    Link{"qinq", 1, with_macs({0x88, 0xA8, 0, 5, 0x81, 0, 0, 6, 0x08, 0x00})},
                    Link{"pppoe", 1, with_macs({0x88, 0x64, 0x11, 0, 0, 1, 0, 0, 0x00, 0x21})},
                    Link{"snap", 1, with_macs({0x00, 0xF0, 0xAA, 0xAA, 3, 0, 0, 0, 0x08, 0x00})},
                    Link{"cooked", 113, {0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x08, 0x00}},
                    Link{"cooked2", 276, {0x08, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0}},
                    Link{"raw", 101, {}}, Link{"null", 0, {2, 0, 0, 0}}, Link{"loop", 108, {0, 0, 0, 2}},
                    Link{"ppp", 9, {0xFF, 3, 0, 0x21}},
                    Link{"radiotap",
                         127,
                         {0,    0, 9, 0, 2, 0, 0, 0, 0x10,  // flags present: a frame check sequence follows
                          0x88, 1, 0, 0, 2, 0, 0, 0, 0,    1,    2,    0, 0, 0, 0, 2, 2,
                          0,    0, 0, 0, 3, 0, 0, 0, 0,    0xAA, 0xAA, 3, 0, 0, 0, 8, 0},
                         {1, 2, 3, 4}},
                    Link{"wireless", 105, {0x08, 2, 0, 0, 2, 0, 0, 0, 0,    1,    2, 0, 0, 0, 0, 2,
                                           2,    0, 0, 0, 0, 3, 0, 0, 0xAA, 0xAA, 3, 0, 0, 0, 8, 0}}),
    [](const testing::TestParamInfo<Link>& one) { return one.param.name; });

TEST(Network, FragmentsInAnyOrderAreOneDatagram) {
  const End from{kMonitor.address, 5000}, to{kStation.address, 6000};
  const wire::Bytes datagram = wire::udp(from, to, kMessage);
  std::vector<wire::Frame> frames;
  for (std::size_t at = 0; at < datagram.size(); at += 24) {
    const wire::Bytes part(
        datagram.begin() + static_cast<std::ptrdiff_t>(at),
        datagram.begin() + static_cast<std::ptrdiff_t>(std::min(at + 24, datagram.size())));
    const std::uint16_t more = at + 24 < datagram.size() ? 0x2000 : 0;
    frames.push_back({at, wire::ethernet(wire::ipv4(from.address, to.address, 17, part,
                                                    static_cast<std::uint16_t>(more | at / 8)))});
  }
  std::reverse(frames.begin(), frames.end());
  expect_patient(read_frames(frames, showing()));
  frames.pop_back();
  EXPECT_TRUE(has_doubt(read_frames(frames), "datagram-incomplete"));
}

TEST(Network, Ipv6ExtensionHeadersAreSteppedOver) {
  wire::Bytes segment = wire::tcp(kMonitor, kStation, 1, 0x18, kMessage), packet;
  wire::put32(packet, 0x60000000);
  wire::put16(packet, segment.size() + 16);
  wire::put8(packet, 0), wire::put8(packet, 64);  // hop-by-hop first
  wire::Bytes source{0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
      destination{0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  wire::put(packet, source), wire::put(packet, destination);
  wire::put(packet, wire::Bytes{60, 0, 1, 4, 0, 0, 0, 0}),
      wire::put(packet, wire::Bytes{6, 0, 1, 4, 0, 0, 0, 0});
  wire::put(packet, segment);
  const Capture capture = read_frames({{1, wire::ethernet(packet, 0x86DD)}}, showing());
  const Observation* name = find(capture, Observation::Kind::patient_data, "PID-5");
  ASSERT_NE(name, nullptr);
  EXPECT_EQ(name->device, "fd00::1");
  EXPECT_EQ(name->peer.address, "2001:db8::2");
}

TEST(Periodic, AClockIsFoundAndRetransmissionsDoNotHideIt) {
  std::vector<wire::Frame> frames;
  const std::uint32_t peer = wire::ip(198, 51, 100, 7);
  for (std::uint64_t i = 0; i < 10; ++i) {
    const End from{kMonitor.address, static_cast<std::uint16_t>(3000 + i)}, to{peer, 7001};
    for (const std::uint64_t again : {0, 1, 3})  // a SYN and its retransmissions
      frames.push_back(
          {i * 35'000'000 + again * 1'000'000,
           wire::ethernet(wire::ipv4(from.address, to.address, 6, wire::tcp(from, to, 5, 0x02, "")))});
  }
  const auto verdicts = judge(read_frames(frames));
  const auto found = std::find_if(verdicts.begin(), verdicts.end(),
                                  [](const Verdict& v) { return v.kind == "periodic-peer"; });
  ASSERT_NE(found, verdicts.end());
  EXPECT_NE(found->title.find("every 35 s (10 times"), std::string::npos) << found->title;
}

TEST(Periodic, ARandomVisitorIsNot) {
  std::mt19937 random(5);
  std::exponential_distribution<double> wait(1.0 / 30);
  std::vector<wire::Frame> frames;
  double clock = 0;
  for (std::uint16_t i = 0; i < 100; ++i) {
    clock += wait(random);
    const End from{kMonitor.address, static_cast<std::uint16_t>(3000 + i)}, to{kStation.address, 443};
    frames.push_back(
        {static_cast<std::uint64_t>(clock * 1e6),
         wire::ethernet(wire::ipv4(from.address, to.address, 6, wire::tcp(from, to, 5, 0x02, "")))});
  }
  for (const Verdict& v : judge(read_frames(frames))) EXPECT_NE(v.kind, "periodic-peer");
}

}  // namespace
