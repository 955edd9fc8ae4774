// An independent dissector reads the same captures: what both name must be the same, value by value and frame
// by frame. Differences that remain, and who is right, stand in docs/wire.md. Needs tshark and the shared
// captures; skipped by name without them. Preferences: tcp.reassemble_out_of_order on; HL7 decoded as such on
// the ports where it is spoken.
#include <algorithm>
#include <filesystem>
#include <map>

#include "base/hash.h"
#include "witness/oracle.h"

namespace {

using namespace oracle;
using witness::Capture;
using witness::Observation;
using Kind = Observation::Kind;

struct Check {
  const char* name;
  const char* file;
  const char* more;  // arguments of tshark
  const char* filter;
  std::vector<std::string> fields;           // one, of which each value is a fact; or more, and `theirs`
  std::string (*value)(const Observation&);  // "" leaves the observation out
  bool frames = true;  // off: tshark names the frame in which a message ended, we the frames of its head
  std::string (*theirs)(const Row&) = nullptr;  // one fact of several fields; the row begins with the frame
};

std::string object_if(const Observation& o, Kind kind, std::string_view protocol) {
  return o.kind == kind && o.protocol == protocol ? o.object : "";
}
std::string last_name(const Observation& o, std::initializer_list<std::string_view> words) {
  const bool named = (o.kind == Kind::share_read || o.kind == Kind::share_write) &&
                     std::find(words.begin(), words.end(), o.words) != words.end();
  return named ? o.object.substr(o.object.rfind('/') + 1) : "";
}

// What a port mapper was asked, in the words of ours.
std::string port_call(const Row& row) {
  static const std::map<std::string, std::string> kNames{{"100003", "nfs"},
                                                         {"100005", "mount"},
                                                         {"100021", "nlockmgr"},
                                                         {"100024", "status"},
                                                         {"100232", "sadmind"}};
  if (row[1].empty()) return "";
  const auto known = kNames.find(row[1]);
  return (known == kNames.end() ? "program " + row[1] : known->second) + " v" + row[2] +
         (row[3] == "6" || row[3] == "tcp" ? " tcp" : " udp");
}
std::string port_asked(const Observation& o) {
  return o.protocol == "portmap" && !o.object.starts_with("procedure") && !o.object.starts_with("portmap ")
             ? o.object
             : "";
}
std::string port_reply(const Row& row) { return row[1] == "0" ? "not registered" : "port " + row[1]; }
std::string port_told(const Observation& o) {
  return o.protocol == "portmap" && (o.words.starts_with("port ") || o.words == "not registered") ? o.words
                                                                                                  : "";
}
std::string status_of(std::string_view words) {
  if (words == "mounted") return "0";
  const std::size_t at = words.find("status ");
  return at == words.npos ? "" : std::string(words.substr(at + 7));
}
// "a/b -> c/d" to "b -> d".
std::string two_names(std::string_view object) {
  const std::size_t at = object.find(" -> ");
  const auto last = [](std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); };
  return last(object.substr(0, at)) + " -> " + last(object.substr(at + 4));
}
std::string hl7_type(const Observation& o) {
  return o.kind == Kind::message && o.protocol == "hl7" ? o.object : "";
}
std::string hl7_type_of(const Row& row) { return row[2].empty() ? row[1] : row[1] + "^" + row[2]; }

class Oracle : public testing::TestWithParam<Check> {};

// Every value that tshark shows is ours, in the frame where it shows it, and the other way round.
TEST_P(Oracle, SaysTheSame) {
  const Check& check = GetParam();
  if (!have_tshark()) GTEST_SKIP() << "needs tshark";
  if (!std::filesystem::exists(captures() + check.file))
    GTEST_SKIP() << "needs shared captures: " << check.file;
  std::set<Fact> theirs, mine;
  std::vector<std::string> fields{"frame.number"};
  fields.insert(fields.end(), check.fields.begin(), check.fields.end());
  for (const Row& row : tshark(captures() + check.file, check.more, check.filter, fields)) {
    const std::string all = check.theirs ? check.theirs(row) : row[1];
    for (const std::string_view value : base::split(all, '`'))
      if (!base::trim(value).empty()) theirs.emplace(std::stoull(row[0]), base::trim(value));
  }
  const Capture capture = ours(captures() + check.file);
  for (const Observation& o : capture.observations) {
    const std::string value = check.value(o);
    if (value.empty()) continue;
    for (const std::uint64_t frame : o.frames) mine.emplace(frame, base::trim(value));
  }
  compare(theirs, mine, check.frames);
}

INSTANTIATE_TEST_SUITE_P(
    Fields, Oracle,
    testing::Values(
        Check{"dns_names",
              "dns_exfiltration.pcap",
              "",
              "dns.flags.response == 0",
              {"dns.qry.name"},
              [](const Observation& o) { return object_if(o, Kind::lookup, "dns"); }},
        Check{"ftp_files",
              "ftp_transfer.pcap",
              "",
              "ftp.request.command == \"RETR\"",
              {"ftp.request.arg"},
              [](const Observation& o) {
                return o.data_class == "listing" ? "" : object_if(o, Kind::fetch, "ftp");
              }},
        Check{"ftp_passwords",
              "ftp_transfer.pcap",
              "",
              "ftp.request.command == \"PASS\"",
              {"ftp.request.arg"},
              [](const Observation& o) { return o.kind == Kind::credential ? o.words : ""; }},
        Check{"tftp_read",
              "tftp.pcap",
              "",
              "tftp.opcode == 1",
              {"tftp.source_file"},
              [](const Observation& o) { return object_if(o, Kind::fetch, "tftp"); }},
        Check{"tftp_written",
              "tftp.pcap",
              "",
              "tftp.opcode == 2",
              {"tftp.destination_file"},
              [](const Observation& o) { return object_if(o, Kind::send, "tftp"); }},
        Check{"mqtt_users",
              "mqtt_userpass.pcap",
              "",
              "mqtt.msgtype == 1",
              {"mqtt.username"},
              [](const Observation& o) { return object_if(o, Kind::credential, "mqtt"); }},
        Check{"mqtt_passwords",
              "mqtt.pcap",
              "",
              "mqtt.msgtype == 1",
              {"mqtt.passwd"},
              [](const Observation& o) { return o.kind == Kind::credential ? o.words : ""; }},
        Check{"mqtt_clients",
              "mqtt.pcap",
              "",
              "mqtt.msgtype == 1",
              {"mqtt.clientid"},
              [](const Observation& o) {
                return o.field == "connect" ? object_if(o, Kind::message, "mqtt") : "";
              }},
        Check{"mqtt_topics",
              "mqtt.pcap",
              "",
              "mqtt.msgtype == 3",
              {"mqtt.topic"},
              [](const Observation& o) {
                return o.field == "publish" ? object_if(o, Kind::message, "mqtt") : "";
              }},
        Check{"mount_paths",
              "mount_unmount_udp.pcap",
              "",
              "mount.path",
              {"mount.path"},
              [](const Observation& o) { return object_if(o, Kind::mount_remote, "mount"); }},
        Check{"mount_paths_nfs2",
              "nfs2_udp.pcap",
              "",
              "mount.path",
              {"mount.path"},
              [](const Observation& o) { return object_if(o, Kind::mount_remote, "mount"); }},
        Check{"nfs3_names",
              "nfs3_session_tcp.pcap",
              "",
              "rpc.msgtyp == 0 && nfs.procedure_v3 in {3, 8, 9, 12, 13}",
              {"nfs.name"},
              [](const Observation& o) {
                return last_name(o, {"look up", "create", "make directory", "remove", "remove directory"});
              }},
        Check{"nfs2_names",
              "nfs2_udp.pcap",
              "",
              "rpc.msgtyp == 0 && nfs.procedure_v2 in {4, 9, 10, 14, 15}",
              {"nfs.name"},
              [](const Observation& o) {
                return o.protocol == "nfs2" ? last_name(o, {"look up", "create", "make directory", "remove",
                                                            "remove directory"})
                                            : "";
              }},
        Check{"dicom_called",
              "dicom_assoc_find.pcap",
              "",
              "dicom",
              {"dicom.assoc.ae.called"},
              [](const Observation& o) { return object_if(o, Kind::association, "dicom"); }},
        Check{"dicom_calling",
              "dicom_assoc_find.pcap",
              "",
              "dicom",
              {"dicom.assoc.ae.calling"},
              [](const Observation& o) { return o.kind == Kind::association ? o.words : ""; }},
        Check{"mud_url",
              "dhcp_mud_url.pcap",
              "",
              "dhcp.option.dhcp == 3",
              {"dhcp.option.mudurl"},
              [](const Observation& o) { return object_if(o, Kind::declaration_claim, "dhcp"); }},
        Check{"mud_url_v6",
              "dhcpv6_mud_url.pcap",
              "",
              "dhcpv6",
              {"dhcpv6.mudurl"},
              [](const Observation& o) { return object_if(o, Kind::declaration_claim, "dhcpv6"); }},
        Check{"host_name",
              "dhcp_mud_url.pcap",
              "",
              "dhcp.option.dhcp == 3",
              {"dhcp.option.hostname"},
              [](const Observation& o) { return object_if(o, Kind::announce, "dhcp"); }},
        Check{"tls_server_name",
              "hl7_mllps_tls_2576.pcap",
              "",
              "tls.handshake.type == 1",
              {"tls.handshake.extensions_server_name"},
              [](const Observation& o) {
                return o.field == "client-hello" ? object_if(o, Kind::connect, "tls") : "";
              }},
        Check{"syslog_priority",
              "syslog_mixed.pcap",
              "",
              "syslog",
              {"syslog.facility", "syslog.level"},
              [](const Observation& o) { return object_if(o, Kind::message, "syslog"); },
              true,
              [](const Row& row) {
                return "<" + std::to_string(std::stoi(row[1]) * 8 + std::stoi(row[2])) + ">";
              }},
        Check{"rsh_commands",
              "rsh.pcap",
              "",
              "rsh.command",
              {"rsh.command"},
              [](const Observation& o) { return object_if(o, Kind::shell, "rsh"); }},
        Check{"rsh_users",
              "rsh.pcap",
              "",
              "rsh.command",
              {"rsh.client_username", "rsh.server_username"},
              [](const Observation& o) { return object_if(o, Kind::credential, "rsh"); },
              true,
              [](const Row& row) { return row[1] + " as " + row[2]; }},
        Check{"portmap_calls",
              "portmap_sadmind_udp.pcap",
              "",
              "portmap && rpc.msgtyp == 0",
              {"portmap.prog", "portmap.version", "portmap.proto"},
              port_asked,
              true,
              port_call},
        Check{"portmap_calls_nfs2",
              "nfs2_udp.pcap",
              "",
              "portmap && rpc.msgtyp == 0",
              {"portmap.rpcb.prog", "portmap.rpcb.version", "portmap.rpcb.netid"},
              port_asked,
              true,
              port_call},
        Check{"portmap_calls_unanswered",
              "portmap_many_unanswered.pcapng.gz",
              "",
              "portmap && rpc.msgtyp == 0",
              {"rpc.programversion", "rpc.procedure"},
              [](const Observation& o) { return object_if(o, Kind::attempt, "portmap"); },
              false,
              [](const Row& row) {  // many in a frame, all alike
                const auto first = [](const std::string& all) { return all.substr(0, all.find('`')); };
                return "portmap v" + first(row[1]) + " procedure " + first(row[2]);
              }},
        Check{"portmap_ports",
              "portmap_sadmind_udp.pcap",
              "",
              "portmap.port && rpc.msgtyp == 1",
              {"portmap.port"},
              port_told,
              false,
              port_reply},
        Check{"portmap_ports_nfs2",
              "nfs2_udp.pcap",
              "",
              "portmap.uaddr && rpc.msgtyp == 1",
              {"portmap.uaddr"},
              port_told,
              false,
              [](const Row& row) {
                const auto parts = base::split(row[1], '.');
                if (parts.size() != 6) return std::string("not registered");
                return "port " + std::to_string(std::stoi(std::string(parts[4])) * 256 +
                                                std::stoi(std::string(parts[5])));
              }},
        Check{"mount_status",
              "mount_bad_status.pcap",
              "",
              "mount.status",
              {"mount.status"},
              [](const Observation& o) { return o.protocol == "mount" ? status_of(o.words) : ""; }},
        Check{"mount_status_v3",
              "nfs3_session_tcp.pcap",
              "",
              "mount.status",
              {"mount.status"},
              [](const Observation& o) { return o.protocol == "mount" ? status_of(o.words) : ""; }},
        Check{"nfs3_renamed",
              "nfs3_session_tcp.pcap",
              "",
              "rpc.msgtyp == 0 && nfs.procedure_v3 in {10, 14, 15}",
              {"nfs.procedure_v3", "nfs.name"},
              [](const Observation& o) {
                return o.words == "rename"                                    ? two_names(o.object)
                       : o.words == "link" || o.words == "make symbolic link" ? last_name(o, {o.words})
                                                                              : "";
              },
              true,
              [](const Row& row) {
                const auto names = base::split(row[2], '`');
                return row[1] != "14" || names.size() < 2
                           ? std::string(names[0])
                           : std::string(names[0]) + " -> " + std::string(names[1]);
              }},
        Check{"nfs4_names",
              "nfs4_tcp.pcap",
              "",
              "rpc.msgtyp == 0 && nfs.pathname.component",
              {"nfs.pathname.component"},
              [](const Observation& o) {
                return o.protocol == "nfs4" && o.object != "/" && !o.object.starts_with('(')
                           ? o.object.substr(o.object.rfind('/') + 1)
                           : "";
              }},
        Check{"nfs4_operations",
              "nfs4_tcp.pcap",
              "",
              "rpc.msgtyp == 0 && nfs.opcode in {18, 25, 26, 38}",
              {"nfs.opcode"},
              [](const Observation& o) {
                return o.protocol == "nfs4" && (o.words == "open" || o.words == "read" || o.words == "list" ||
                                                o.words == "write")
                           ? o.words
                           : "";
              },
              true,
              [](const Row& row) {
                static const std::map<std::string, std::string> kWords{
                    {"18", "open"}, {"25", "read"}, {"26", "list"}, {"38", "write"}};
                std::string out;
                for (const std::string_view code : base::split(row[1], '`'))
                  if (const auto at = kWords.find(std::string(code)); at != kWords.end())
                    out += (out.empty() ? "" : "`") + at->second;
                return out;
              }},
        Check{"hl7_types",
              "hl7_mllp_2575.pcap",
              "",
              "hl7.message.type",
              {"hl7.message.type", "hl7.event.type"},
              hl7_type,
              true,
              hl7_type_of},
        Check{"hl7_types_adt",
              "hl7_adt.pcap",
              "-d tcp.port==6661,hl7",
              "hl7.message.type",
              {"hl7.message.type", "hl7.event.type"},
              hl7_type,
              true,
              hl7_type_of},
        Check{"hl7_types_orm",
              "hl7_orm.pcap",
              "-d tcp.port==6661,hl7",
              "hl7.message.type",
              {"hl7.message.type", "hl7.event.type"},
              hl7_type,
              true,
              hl7_type_of},
        Check{"vendor_class",
              "dhcp_mud_url.pcap",
              "",
              "dhcp.option.dhcp == 3",
              {"dhcp.option.vendor_class_id"},
              [](const Observation& o) {
                return o.protocol == "dhcp" && o.kind == Kind::announce ? o.words : "";
              }},
        Check{"ftp_users",
              "ftp_transfer.pcap",
              "",
              "ftp.request.command == \"USER\"",
              {"ftp.request.arg"},
              [](const Observation& o) { return object_if(o, Kind::credential, "ftp"); },
              false},
        Check{"http_targets",
              "ipp_print.pcap",
              "",
              "http.request",
              {"http.request.full_uri"},
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
  for (const Row& row :
       tshark(captures() + file, "-d tcp.port==6661,hl7", "hl7", {"frame.number", "hl7.field"}))
    for (const std::string_view value : base::split(row[1], '`')) theirs.emplace(std::stoull(row[0]), value);
  std::size_t checked = 0;
  const Capture capture = ours(captures() + file);
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
    for (const Row& row :
         tshark(captures() + file, "-o ip.defragment:TRUE", "(tcp || udp) && !icmp && !icmpv6",
                {"tcp.stream", "tcp.len", "udp.stream", "udp.length"})) {
      const bool udp = row[0].empty();
      ++packets[udp];
      payload[udp] += udp ? std::stoull(row[3]) - 8 : std::stoull(row[1]);
      streams.insert((udp ? "u" : "t") + row[udp ? 2 : 0]);
    }
    const Capture capture = ours(captures() + file);
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

// The files that tshark's own exporter puts together are among the carried objects, byte for byte.
class Exported : public testing::TestWithParam<std::pair<const char*, const char*>> {};
TEST_P(Exported, FilesAreCarriedWhole) {
  const auto& [protocol, file] = GetParam();
  if (!have_tshark()) GTEST_SKIP() << "needs tshark";
  if (!std::filesystem::exists(captures() + file)) GTEST_SKIP() << "needs shared captures: " << file;
  const std::filesystem::path out = testing::TempDir() + "exported_" + protocol + "_" + file;
  std::filesystem::remove_all(out);
  output_of("tshark -n -o tcp.reassemble_out_of_order:TRUE -q -r '" + captures() + file +
            "' --export-objects '" + protocol + "," + out.string() + "' 2> /dev/null");
  std::set<std::string> carried;
  for (const witness::Object& object : ours(captures() + file).objects)
    if (object.complete) carried.insert(object.sha256);
  std::size_t checked = 0;
  for (const auto& entry : std::filesystem::directory_iterator(out)) {
    const auto bytes = base::read_file(entry.path().string());
    ASSERT_TRUE(bytes);
    EXPECT_TRUE(carried.contains(base::sha256_hex(*bytes))) << entry.path().filename();
    ++checked;
  }
  EXPECT_GT(checked, 0u);
  std::filesystem::remove_all(out);
}
INSTANTIATE_TEST_SUITE_P(Files, Exported,
                         testing::Values(std::pair{"tftp", "tftp.pcap"},
                                         std::pair{"tftp", "tftp_rrq_small.pcap"},
                                         std::pair{"ftp-data", "ftp_transfer.pcap"}),
                         [](const auto& one) {
                           const std::string_view file = one.param.second;
                           return std::string(file.substr(0, file.find('.')));
                         });

// What NFS carried: each run of bytes that tshark shows stands in an object of ours.
TEST(NfsOracle, CarriedBytesAreTheSame) {
  if (!have_tshark()) GTEST_SKIP() << "needs tshark";
  for (const auto& [file, filter] :
       {std::pair{"nfs2_udp.pcap", "nfs.data"}, std::pair{"nfs4_tcp.pcap", "nfs.data && nfs.opcode == 38"}}) {
    if (!std::filesystem::exists(captures() + file)) GTEST_SKIP() << "needs shared captures: " << file;
    const Capture capture = ours(captures() + file);
    std::size_t checked = 0;
    for (const Row& row : tshark(captures() + file, "", filter, {"nfs.data"})) {
      std::string bytes;
      for (std::size_t i = 0; i + 1 < row[0].size(); i += 2)
        bytes += static_cast<char>(std::stoi(row[0].substr(i, 2), nullptr, 16));
      ++checked;
      EXPECT_TRUE(std::any_of(capture.objects.begin(), capture.objects.end(),
                              [&](const witness::Object& one) {
                                return base::as_text(one.bytes).find(bytes) != std::string_view::npos;
                              }))
          << file << " " << row[0];
    }
    EXPECT_GT(checked, 0u) << file;
  }
}

// Addresses that answered a name: every connection to one carries the name that was asked for.
TEST(DnsOracle, AnswersNameThePeers) {
  if (!have_tshark()) GTEST_SKIP() << "needs tshark";
  const std::string file = captures() + "iot_cloud_logsink_nest.pcap";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "needs shared captures: iot_cloud_logsink_nest.pcap";
  std::map<std::string, std::string> answers;
  for (const Row& row : tshark(file, "", "dns.a", {"dns.a", "dns.qry.name"})) answers[row[0]] = row[1];
  std::size_t named = 0;
  for (const witness::Flow& flow : ours(file).flows)
    if (const auto known = answers.find(flow.server); known != answers.end()) {
      EXPECT_EQ(flow.host, known->second);
      EXPECT_TRUE(flow.looked_up);
      ++named;
    }
  EXPECT_EQ(named, answers.size());
}

// The inventory: who spoke ARP or sent an IP packet over Ethernet, with the address of the card that it came
// from first.
TEST(DeviceOracle, NamesTheSameCards) {
  if (!have_tshark()) GTEST_SKIP() << "needs tshark";
  if (!std::filesystem::exists(captures())) GTEST_SKIP() << "needs shared captures: all of them";
  std::size_t checked = 0, spoke_arp = 0;
  for (const auto& entry : std::filesystem::directory_iterator(captures())) {
    const std::string file = entry.path().filename().string();
    if (file.find(".pcap") == file.npos) continue;
    std::map<std::string, std::string> cards;
    for (const Row& row : tshark(captures() + file, "", "eth && (tcp || udp) && !icmp && !icmpv6",
                                 {"ip.src", "ipv6.src", "eth.src"}))
      cards.try_emplace(row[0].empty() ? row[1] : row[0], row[2]);
    const Capture capture = ours(captures() + file);
    std::set<std::string> known;
    for (const witness::Device& device : capture.devices) {
      known.insert(device.address);
      if (device.mac.empty()) continue;
      EXPECT_EQ(device.mac, cards[device.address]) << file << " " << device.address;
      ++checked;
    }
    for (const Row& row :
         tshark(captures() + file, "", "arp && arp.src.proto_ipv4 != 0.0.0.0", {"arp.src.proto_ipv4"})) {
      EXPECT_TRUE(known.contains(row[0])) << file << " " << row[0];
      ++spoke_arp;
    }
  }
  EXPECT_GT(checked, 30u);
  EXPECT_GT(spoke_arp, 100u);
}

// tshark knows LPD by the port: what we call a print job must lie in frames that it gives to LPD.
TEST(LpdOracle, JobsLieInItsFrames) {
  if (!have_tshark()) GTEST_SKIP() << "needs tshark";
  const std::string file = captures() + "lpd_benign_print_job.pcap";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "needs shared captures: lpd_benign_print_job.pcap";
  std::set<std::string> frames;
  for (const Row& row : tshark(file, "", "lpd.request", {"frame.number"})) frames.insert(row[0]);
  std::size_t jobs = 0;
  for (const Observation& o : ours(file).observations) {
    if (o.kind != Kind::print_job) continue;
    for (const std::uint64_t frame : o.frames) EXPECT_TRUE(frames.contains(std::to_string(frame))) << frame;
    ++jobs;
  }
  EXPECT_GT(jobs, 0u);
}

}  // namespace
