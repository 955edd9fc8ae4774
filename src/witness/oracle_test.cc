// An independent dissector reads the same captures: what both name must be the same, value by value and frame
// by frame. Differences that remain, and who is right, stand in docs/wire.md. Needs tshark and the shared
// captures; skipped by name without them. Preferences: tcp.reassemble_out_of_order on; HL7 decoded as such on
// the ports where it is spoken.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "witness/capture.h"

namespace {

using witness::Capture;
using witness::Observation;
using Kind = Observation::Kind;
using Fact = std::pair<std::uint64_t, std::string>;  // frame, value

std::string captures() {
  const char* set = std::getenv("BIOPSY_SHARED");
  return (set ? set : std::string(BIOPSY_SOURCE_DIR) + "/../shared") + "/captures/";
}

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string out;
  char part[4096];
  while (const std::size_t got = pipe ? std::fread(part, 1, sizeof part, pipe.get()) : 0)
    out.append(part, got);
  return out;
}

bool have_tshark() { return std::system("command -v tshark > /dev/null 2>&1") == 0; }

// Rows of `fields` for the frames that `filter` selects; several values of a field are separated by a
// backquote.
std::vector<std::vector<std::string>> tshark(const std::string& file, const std::string& more,
                                             const std::string& filter,
                                             const std::vector<std::string>& fields) {
  std::string command = "tshark -n -o tcp.reassemble_out_of_order:TRUE -r '" + captures() + file + "' " +
                        more + " -Y '" + filter + "' -T fields -E separator=/t -E aggregator='`'";
  for (const std::string& field : fields) command += " -e " + field;
  std::vector<std::vector<std::string>> rows;
  const std::string text = output_of(command + " 2> /dev/null");
  for (const std::string_view line : base::split(text, '\n')) {
    if (line.empty()) continue;
    std::vector<std::string> row;
    for (const std::string_view part : base::split(line, '\t')) row.emplace_back(part);
    row.resize(fields.size());
    rows.push_back(std::move(row));
  }
  return rows;
}

Capture ours(const std::string& file) {
  witness::Options options;
  options.show_secrets = true;
  auto capture = witness::read(captures() + file, options);
  EXPECT_TRUE(capture) << file;
  return capture ? std::move(*capture) : Capture{};
}

struct Check {
  const char* name;
  const char* file;
  const char* more;  // arguments of tshark
  const char* filter;
  const char* field;
  std::string (*value)(const Observation&);  // "" leaves the observation out
  bool frames = true;  // off: tshark names the frame in which a message ended, we the frames of its head
};

std::string object_if(const Observation& o, Kind kind, std::string_view protocol) {
  return o.kind == kind && o.protocol == protocol ? o.object : "";
}
std::string last_name(const Observation& o, std::initializer_list<std::string_view> words) {
  const bool named = (o.kind == Kind::share_read || o.kind == Kind::share_write) &&
                     std::find(words.begin(), words.end(), o.words) != words.end();
  return named ? o.object.substr(o.object.rfind('/') + 1) : "";
}

class Oracle : public testing::TestWithParam<Check> {};

// Every value that tshark shows is ours, in the frame where it shows it, and the other way round.
TEST_P(Oracle, SaysTheSame) {
  const Check& check = GetParam();
  if (!have_tshark()) GTEST_SKIP() << "needs tshark";
  if (!std::filesystem::exists(captures() + check.file))
    GTEST_SKIP() << "needs shared captures: " << check.file;
  std::set<Fact> theirs, mine;
  for (const auto& row : tshark(check.file, check.more, check.filter, {"frame.number", check.field}))
    for (const std::string_view value : base::split(row[1], '`'))
      if (!base::trim(value).empty()) theirs.emplace(std::stoull(row[0]), base::trim(value));
  std::set<std::string> values;
  const Capture capture = ours(check.file);
  for (const Observation& o : capture.observations) {
    const std::string value = check.value(o);
    if (value.empty()) continue;
    for (const std::uint64_t frame : o.frames) mine.emplace(frame, base::trim(value));
  }
  ASSERT_FALSE(theirs.empty()) << "tshark shows nothing: the check proves nothing";
  std::set<std::string> my_values;
  for (const auto& [frame, value] : mine) my_values.insert(value);
  for (const Fact& fact : theirs)
    EXPECT_TRUE(check.frames ? mine.contains(fact) : my_values.contains(fact.second))
        << "tshark alone: frame " << fact.first << " " << fact.second;
  // A fact of ours also names the frames of the answer: only a value that tshark shows nowhere is a
  // difference.
  for (const auto& [frame, value] : theirs) values.insert(value);
  for (const Fact& fact : mine)
    EXPECT_TRUE(values.contains(fact.second)) << "ours alone: frame " << fact.first << " " << fact.second;
}

INSTANTIATE_TEST_SUITE_P(
    Fields, Oracle,
    testing::Values(
        Check{"dns_names", "dns_exfiltration.pcap", "", "dns.flags.response == 0", "dns.qry.name",
              [](const Observation& o) { return object_if(o, Kind::lookup, "dns"); }},
        Check{"ftp_files", "ftp_transfer.pcap", "", "ftp.request.command == \"RETR\"", "ftp.request.arg",
              [](const Observation& o) {
                return o.data_class == "listing" ? "" : object_if(o, Kind::fetch, "ftp");
              }},
        Check{"ftp_passwords", "ftp_transfer.pcap", "", "ftp.request.command == \"PASS\"", "ftp.request.arg",
              [](const Observation& o) { return o.kind == Kind::credential ? o.words : ""; }},
        Check{"tftp_read", "tftp.pcap", "", "tftp.opcode == 1", "tftp.source_file",
              [](const Observation& o) { return object_if(o, Kind::fetch, "tftp"); }},
        Check{"tftp_written", "tftp.pcap", "", "tftp.opcode == 2", "tftp.destination_file",
              [](const Observation& o) { return object_if(o, Kind::send, "tftp"); }},
        Check{"mqtt_users", "mqtt_userpass.pcap", "", "mqtt.msgtype == 1", "mqtt.username",
              [](const Observation& o) { return object_if(o, Kind::credential, "mqtt"); }},
        Check{"mqtt_passwords", "mqtt.pcap", "", "mqtt.msgtype == 1", "mqtt.passwd",
              [](const Observation& o) { return o.kind == Kind::credential ? o.words : ""; }},
        Check{"mqtt_clients", "mqtt.pcap", "", "mqtt.msgtype == 1", "mqtt.clientid",
              [](const Observation& o) {
                return o.field == "connect" ? object_if(o, Kind::message, "mqtt") : "";
              }},
        Check{"mqtt_topics", "mqtt.pcap", "", "mqtt.msgtype == 3", "mqtt.topic",
              [](const Observation& o) {
                return o.field == "publish" ? object_if(o, Kind::message, "mqtt") : "";
              }},
        Check{"mount_paths", "mount_unmount_udp.pcap", "", "mount.path", "mount.path",
              [](const Observation& o) { return object_if(o, Kind::mount_remote, "mount"); }},
        Check{"mount_paths_nfs2", "nfs2_udp.pcap", "", "mount.path", "mount.path",
              [](const Observation& o) { return object_if(o, Kind::mount_remote, "mount"); }},
        Check{"nfs3_names", "nfs3_session_tcp.pcap", "",
              "rpc.msgtyp == 0 && nfs.procedure_v3 in {3, 8, 9, 12, 13}", "nfs.name",
              [](const Observation& o) {
                return last_name(o, {"look up", "create", "make directory", "remove", "remove directory"});
              }},
        Check{"nfs2_names", "nfs2_udp.pcap", "", "rpc.msgtyp == 0 && nfs.procedure_v2 in {4, 9, 10, 14, 15}",
              "nfs.name",
              [](const Observation& o) {
                return o.protocol == "nfs2" ? last_name(o, {"look up", "create", "make directory", "remove",
                                                            "remove directory"})
                                            : "";
              }},
        Check{"dicom_called", "dicom_assoc_find.pcap", "", "dicom", "dicom.assoc.ae.called",
              [](const Observation& o) { return object_if(o, Kind::association, "dicom"); }},
        Check{"dicom_calling", "dicom_assoc_find.pcap", "", "dicom", "dicom.assoc.ae.calling",
              [](const Observation& o) { return o.kind == Kind::association ? o.words : ""; }},
        Check{"mud_url", "dhcp_mud_url.pcap", "", "dhcp.option.dhcp == 3", "dhcp.option.mudurl",
              [](const Observation& o) { return object_if(o, Kind::declaration_claim, "dhcp"); }},
        Check{"mud_url_v6", "dhcpv6_mud_url.pcap", "", "dhcpv6", "dhcpv6.mudurl",
              [](const Observation& o) { return object_if(o, Kind::declaration_claim, "dhcpv6"); }},
        Check{"host_name", "dhcp_mud_url.pcap", "", "dhcp.option.dhcp == 3", "dhcp.option.hostname",
              [](const Observation& o) { return object_if(o, Kind::announce, "dhcp"); }},
        Check{"http_targets", "ipp_print.pcap", "", "http.request", "http.request.full_uri",
              [](const Observation& o) {
                return o.protocol == "http" && (o.kind == Kind::send || o.kind == Kind::fetch)
                           ? "http://" + o.object
                           : "";
              },
              false}),
    [](const testing::TestParamInfo<Check>& one) { return one.param.name; });

// HL7: every patient field of ours stands among the fields that tshark shows in that frame.
class Hl7Oracle : public testing::TestWithParam<const char*> {};
TEST_P(Hl7Oracle, ShowsOurPatientFields) {
  const std::string file = GetParam();
  if (!have_tshark()) GTEST_SKIP() << "needs tshark";
  if (!std::filesystem::exists(captures() + file)) GTEST_SKIP() << "needs shared captures: " << file;
  std::set<Fact> theirs;
  for (const auto& row : tshark(file, "-d tcp.port==6661,hl7", "hl7", {"frame.number", "hl7.field"}))
    for (const std::string_view value : base::split(row[1], '`')) theirs.emplace(std::stoull(row[0]), value);
  std::size_t checked = 0;
  const Capture capture = ours(file);
  for (const Observation& o : capture.observations) {
    if (o.kind != Kind::patient_data) continue;
    ++checked;
    EXPECT_TRUE(theirs.contains({o.frames.at(0), o.words}))
        << o.field << " frame " << o.frames.at(0) << " " << o.words;
  }
  EXPECT_GE(checked, 5u);
}
INSTANTIATE_TEST_SUITE_P(Fields, Hl7Oracle,
                         testing::Values("hl7_adt.pcap", "hl7_orm.pcap", "hl7_mllp_2575.pcap"),
                         [](const testing::TestParamInfo<const char*>& one) {
                           return std::string(one.param).substr(0, std::string_view(one.param).find('.'));
                         });

// Packets and payload bytes of every capture, TCP and UDP, and how many connections they make.
TEST(FlowOracle, CountsTheSamePacketsBytesAndConnections) {
  if (!have_tshark()) GTEST_SKIP() << "needs tshark";
  if (!std::filesystem::exists(captures())) GTEST_SKIP() << "needs shared captures: all of them";
  for (const auto& entry : std::filesystem::directory_iterator(captures())) {
    const std::string file = entry.path().filename().string();
    if (file.find(".pcap") == file.npos) continue;
    std::uint64_t packets[2] = {}, payload[2] = {}, my_packets[2] = {}, my_payload[2] = {},
                  my_connections = 0;
    std::set<std::string> streams;
    for (const auto& row : tshark(file, "-o ip.defragment:TRUE", "(tcp || udp) && !icmp && !icmpv6",
                                  {"tcp.stream", "tcp.len", "udp.stream", "udp.length"})) {
      const bool udp = row[0].empty();
      ++packets[udp];
      payload[udp] += udp ? std::stoull(row[3]) - 8 : std::stoull(row[1]);
      streams.insert((udp ? "u" : "t") + row[udp ? 2 : 0]);
    }
    const Capture capture = ours(file);
    for (const witness::Flow& flow : capture.flows) {
      const bool udp = flow.protocol == "udp";
      my_packets[udp] += flow.packets;
      my_payload[udp] += flow.client_payload + flow.server_payload;
      my_connections += flow.connections;
    }
    for (const int udp : {0, 1}) {
      EXPECT_EQ(my_packets[udp], packets[udp]) << file << (udp ? " udp" : " tcp");
      if (file !=
          "nfs_attr_oobr.pcap") {  // its UDP lengths exceed the IP packet; tshark shows them as they stand
        EXPECT_EQ(my_payload[udp], payload[udp]) << file << (udp ? " udp" : " tcp");
      }
    }
    if (file != "portmap_sadmind_udp.pcap") {  // tshark joins what a port mapper announced to one stream
      EXPECT_EQ(my_connections, streams.size()) << file;
    }
  }
}

}  // namespace
