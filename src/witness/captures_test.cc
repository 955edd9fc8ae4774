// Real captures are judged as their README says: what must be told is told, what must stay quiet stays quiet,
// and every file is read to its end. Needs the shared captures; skipped by name without them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "witness/packet.h"
#include "witness/source.h"
#include "witness/verdict.h"
#include "witness/wire_builder.h"

namespace {

namespace wire = witness::wire;

std::string shared() {
  const char* set = std::getenv("BIOPSY_SHARED");
  return set ? set : std::string(BIOPSY_SOURCE_DIR) + "/../shared";
}

struct Expected {
  const char* file;
  const char* kind;       // the verdict that must be there; "" when none may be
  const char* protocol;   // of an observation behind it; "" for any
  std::uint64_t frame;    // that must be among the evidence; 0 for any
  std::uint64_t packets;  // in the file
};

class JudgedCapture : public testing::TestWithParam<Expected> {};

TEST_P(JudgedCapture, AsItsReadmeSays) {
  const Expected& want = GetParam();
  const std::string path = shared() + "/captures/" + want.file;
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs shared captures: " << want.file;
  const auto capture = witness::read(path);
  ASSERT_TRUE(capture) << capture.error().message;
  EXPECT_EQ(capture->stats.packets, want.packets);
  const auto verdicts = witness::judge(*capture);
  if (*want.kind == '\0') {
    for (const auto& v : verdicts)
      ADD_FAILURE() << "not quiet: " << v.severity << " " << v.kind << ": " << v.title;
    return;
  }
  const auto found = std::find_if(verdicts.begin(), verdicts.end(), [&](const witness::Verdict& v) {
    const bool frame =
        want.frame == 0 || std::find(v.frames.begin(), v.frames.end(), want.frame) != v.frames.end();
    const bool protocol = *want.protocol == '\0' ||
                          std::any_of(v.observations.begin(), v.observations.end(), [&](std::size_t i) {
                            return capture->observations[i].protocol == want.protocol;
                          });
    return v.kind == want.kind && frame && protocol;
  });
  EXPECT_NE(found, verdicts.end()) << "no verdict " << want.kind << " on frame " << want.frame;
}

// Frames and packet counts were read off with an independent dissector.
INSTANTIATE_TEST_SUITE_P(
    Shared, JudgedCapture,
    testing::Values(
        Expected{"hl7_adt.pcap", "patient-data-clear", "hl7", 4, 9},
        Expected{"hl7_adt_udi_obx.pcap", "patient-data-clear", "hl7", 4, 9},
        Expected{"hl7_orm.pcap", "patient-data-clear", "hl7", 4, 9},
        Expected{"hl7_mllp_2575.pcap", "patient-data-clear", "hl7", 12, 24},
        Expected{"cms_binary_515.pcap", "patient-data-clear", "cms8000", 8, 86},
        Expected{"mount_unmount_udp.pcap", "remote-share", "mount", 5, 10},
        Expected{"nfs2_udp.pcap", "remote-share", "mount", 3, 156},
        Expected{"nfs3_session_tcp.pcap", "remote-share", "mount", 15, 99},
        Expected{"nfs3_readdirplus.pcap", "remote-share", "nfs3", 1, 2},
        Expected{"nfs4_tcp.pcap", "remote-share", "nfs4", 20, 81},
        Expected{"portmap_sadmind_udp.pcap", "remote-share", "portmap", 1, 28},
        Expected{"arm_boot_unanswered_portmap_515.pcap", "attempt-unanswered", "tcp", 4, 26},
        Expected{"portmap_many_unanswered.pcapng.gz", "attempt-unanswered", "portmap", 4, 189},
        Expected{"dicom_assoc_find.pcap", "medical-protocol-no-identity", "dicom", 1, 1},
        Expected{"dicom_assoc_find_bogus.pcap", "medical-protocol-no-identity", "dicom", 1, 1},
        Expected{"ftp_transfer.pcap", "credential-or-shell-clear", "ftp", 10, 209},
        Expected{"mqtt_userpass.pcap", "credential-or-shell-clear", "mqtt", 4, 12},
        Expected{"rsh.pcap", "credential-or-shell-clear", "rsh", 6, 24},
        Expected{"shell_in_tcp.pcap", "credential-or-shell-clear", "tcp", 4, 18},
        Expected{"tftp.pcap", "files-clear", "tftp", 3, 109},
        Expected{"tftp_rrq_small.pcap", "files-clear", "tftp", 1, 7},
        Expected{"iot_cloud_logsink_nest.pcap", "periodic-peer", "", 0, 1000},
        Expected{"iot_udp_beacon_tuya.pcap", "periodic-peer", "", 1, 98},
        Expected{"dns_exfiltration.pcap", "oddity", "dns", 1, 300},
        Expected{"hl7_mllps_tls_2576.pcap", "", "", 0, 14}, Expected{"ipp_print.pcap", "", "", 0, 279},
        Expected{"lpd_benign_print_job.pcap", "", "", 0, 49}, Expected{"mqtt.pcap", "", "", 0, 9},
        Expected{"syslog_mixed.pcap", "", "", 0, 94}, Expected{"wsdiscovery_3702.pcap", "", "", 0, 14},
        Expected{"dhcp_mud_url.pcap", "", "", 0, 2}, Expected{"dhcpv6_mud_url.pcap", "", "", 0, 5},
        Expected{"nfs_attr_oobr.pcap", "", "", 0, 48},
        Expected{"mount_bad_status.pcap", "remote-share", "mount", 5, 10}),
    [](const testing::TestParamInfo<Expected>& one) {
      std::string name = one.param.file;
      std::replace_if(
          name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
      return name;
    });

// ---- the same captures, cut anew ----

struct Cut {
  const char* name;
  std::size_t segment;
  bool swap;  // neighbouring packets change places
};

// Every TCP payload over IPv4 in segments of `cut.segment` bytes; all else as it was, as raw IP.
wire::Bytes cut_anew(const std::string& path, const Cut& cut) {
  auto source = witness::Source::open(path);
  if (!source) return {};
  std::vector<wire::Frame> frames;
  witness::Source::Frame frame;
  while (source->next(frame) == witness::Source::Next::frame) {
    const witness::LinkFrame link = witness::decode_link(source->link_type(), frame.bytes);
    const witness::IpPacket ip = witness::decode_ip(link.ethertype, link.payload);
    if (!ip.ok) continue;
    const witness::Segment s = witness::decode_segment(ip.protocol, ip.payload, ip.payload_size);
    if (!s.ok || !s.tcp || !ip.source.is_v4() || ip.fragment || s.payload.size() <= cut.segment) {
      frames.push_back({frame.time / 1000, wire::Bytes(link.payload.begin(), link.payload.end())});
      continue;
    }
    const wire::End from{ip.source.v4(), s.source_port}, to{ip.destination.v4(), s.destination_port};
    for (std::size_t at = 0; at < s.payload.size(); at += cut.segment) {
      const bool last = at + cut.segment >= s.payload.size();
      const auto part = base::as_text(base::clipped(s.payload, at, cut.segment));
      const auto flags = static_cast<std::uint8_t>(last ? s.flags : s.flags & ~witness::kFin);
      frames.push_back(
          {frame.time / 1000,
           wire::ipv4(from.address, to.address, 6,
                      wire::tcp(from, to, s.seq + static_cast<std::uint32_t>(at), flags, part, s.ack))});
    }
  }
  if (cut.swap)
    for (std::size_t i = 0; i + 1 < frames.size(); i += 2) std::swap(frames[i].bytes, frames[i + 1].bytes);
  return wire::pcap(frames, 101);
}

std::set<std::string> verdicts_of(const witness::Capture& capture) {
  std::set<std::string> out;
  for (const witness::Verdict& v : witness::judge(capture))
    if (v.kind != "periodic-peer")
      out.insert(v.severity + " " + v.kind + " " + v.device + " " + v.peer.address);
  return out;
}

class CutCapture : public testing::TestWithParam<Cut> {};

// What a capture shows does not depend on how its streams were cut or in which order their packets came.
TEST_P(CutCapture, IsJudgedAsBefore) {
  const std::string folder = shared() + "/captures";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "needs shared captures: all of them";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().string().find(".pcap") == std::string::npos) continue;
    const auto before = witness::read(entry.path().string());
    const auto after = witness::read(cut_anew(entry.path().string(), GetParam()));
    ASSERT_TRUE(before && after) << entry.path();
    EXPECT_EQ(verdicts_of(*before), verdicts_of(*after)) << entry.path().filename();
  }
}
INSTANTIATE_TEST_SUITE_P(Shared, CutCapture,
                         testing::Values(Cut{"three", 3, false}, Cut{"three_swapped", 3, true},
                                         Cut{"swapped", 1u << 16, true}),
                         [](const testing::TestParamInfo<Cut>& one) { return one.param.name; });

}  // namespace
