// Writes the small corpora of the fuzz doors: one input a protocol, made here. Run when a dissector is added:
//   witness_make_corpus src/witness/corpus
#include <filesystem>
#include <fstream>

#include "witness/wire_builder.h"

namespace {

using namespace witness::wire;

void save(const std::string& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

// In the form of said.h.
Bytes payload(std::uint8_t port, std::uint8_t how, std::string_view client, std::string_view server) {
  Bytes out{port, how};
  put16_le(out, client.size());
  put(out, client);
  put(out, server);
  return out;
}

std::string words(std::initializer_list<std::uint32_t> all) {
  Bytes out;
  for (const std::uint32_t word : all) put32(out, word);
  return std::string(base::as_text(out));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string to = argc > 1 ? argv[1] : "corpus";
  for (const char* folder : {"/capture", "/payload", "/stream"})
    std::filesystem::create_directories(to + folder);
  using namespace std::string_literals;
  const std::string hl7 =
      "\x0BMSH|^~\\&|A|B|C|D|2025||ORU^R01|1|P|2.3\rPID|1||42||DOE^JO||1970|F\rOBX|1|NM|HR||70\r\x1C\r";
  const std::string record =
      "\xB2\x00\x05\x3E"s + std::string(0x23, '\0') + "DOE JO" + std::string(0xB0 - 0x23 - 6, '\0');
  const struct {
    const char* name;
    std::uint8_t port, how;
    std::string client, server;
  } all[] = {
      {"hl7", 19, 6, hl7, ""},
      {"hl7-udp", 22, 1, hl7, ""},
      {"cms8000", 14, 6, record + "\x03\x00\x05\x46\x00"s, ""},
      {"http", 0, 6,
       "POST /a?password=x HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YTpi\r\nContent-Length: 3\r\n\r\n#!/",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\x7F"
       "ELF\r\n0\r\n\r\n"},
      {"ftp", 1, 6, "USER a\r\nPASS b\r\nPASV\r\nRETR f\r\n", "220 x\r\n331\r\n227 (203,0,113,9,4,1)\r\n"},
      {"telnet", 2, 6, "root\r\nsecret\r\nls\r\n", "\xFF\xFD\x01login: Password: # "},
      {"dns", 3, 1,
       "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01"
       "a\x01"
       "b\0\0\x01\0\x01"s,
       "\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0\x01"
       "a\x01"
       "b\0\0\x01\0\x01\xC0\x0C\0\x01\0\x01\0\0\0\x05\0\x04\xCB\0q\x09"s},
      {"dhcp", 4, 1,
       "\x01\x01\x06\0"s + std::string(232, '\0') +
           "\x63\x82\x53\x63\x0C\x03"
           "bed\xA1\x0Ahttps://x/\xFF"s,
       ""},
      {"dhcpv6", 15, 1, "\x01\x01\x02\x03\0\x70\0\x0Ahttps://x/"s, ""},
      {"tftp", 5, 1,
       "\0\x01"
       "f\0octet\0"s,
       "\0\x03\0\x01#!/bin/sh"s},
      {"dicom", 6, 6,
       "\x01\0\0\0\0\x44\0\x01\0\0"s + std::string(64, ' ') +
           "\x04\0\0\0\0\x18\0\0\0\x14\x01\x02\x10\0\x10\0\x06\0\0\0DOE^JO"s,
       ""},
      {"portmap", 7, 1, words({7, 0, 2, 100000, 2, 3, 0, 0, 0, 0, 100003, 2, 17, 0}),
       words({7, 1, 0, 0, 0, 0, 2049})},
      {"mount-tcp", 7, 6, words({0x80000034, 7, 0, 2, 100005, 3, 1, 0, 0, 0, 0, 3, 0x2F706D00, 0}),
       words({0x80000024, 7, 1, 0, 0, 0, 0, 0, 4, 0x01020304})},
      {"nfs4", 18, 6,
       words({0x80000048, 7, 0, 2, 100003, 4, 1, 0, 0, 0, 0, 0, 0, 3, 24, 15, 1, 0x61000000, 10}),
       words({0x80000038, 7, 1, 0, 0, 0, 0, 0, 0, 3, 24, 0, 15, 0, 10})},
      {"nfs3-read", 18, 1, words({9, 0, 2, 100003, 3, 6, 0, 0, 0, 0, 4, 0x01020304, 0, 0, 64}),
       words({9, 1, 0, 0, 0, 0, 0, 0, 4, 1, 4, 0x7F454C46})},
      {"nfs3-remove", 18, 1, words({9, 0, 2, 100003, 3, 12, 0, 0, 0, 0, 4, 0x01020304, 1, 0x61000000}),
       words({9, 1, 0, 0, 0, 0, 0})},
      {"mount-unanswered", 7, 1, words({7, 0, 2, 100005, 1, 1, 0, 0, 0, 0, 3, 0x2F706D00}), ""},
      {"ntp", 8, 1, "\x23"s + std::string(47, '\0'), "\x24"s + std::string(47, '\0')},
      {"tls", 9, 6,
       "\x16\x03\x01\0\x3B\x01\0\0\x37\x03\x03"s + std::string(33, '\0') +
           "\0\x02\x13\x01\x01\0\0\x0C\0\0\0\x08\0\x06\0\0\x03"
           "a.b"s,
       "\x16\x03\x03\0\x04\x0B\0\0\0"s},
      {"smb2", 10, 6,
       "\0\0\0\x4C\xFESMB"s + std::string(8, '\0') + "\x03\0"s + std::string(50, '\0') +
           "\x09\0\0\0\x48\0\x04\0a\0b\0"s,
       ""},
      {"rexec", 11, 6, "0\0user\0word\0id\0"s, ""},
      {"rlogin", 12, 6, "\0a\0b\0vt/9600\0"s, ""},
      {"syslog", 13, 1, "<13>Jan 1 x: y", ""},
      {"rsh", 13, 6, "1022\0a\0root\0id\0"s, "\0uid=0"s},
      {"lpd", 14, 6,
       "\x02lp\n\x02"
       "17 cfA001bed\nHbed\nProot\nJx\nUf\n\0\x03"
       "2 dfA001bed\nhi\0"s,
       "\0\0\0"s},
      {"mqtt", 17, 6,
       "\x10\x13\0\x04MQTT\x04\xC2\0\x05\0\x01"
       "c\0\x01"
       "u\0\x01p"s +
           "\x30\x05\0\x01tMS"s,
       "\x20\x02\0\0"s},
      {"discovery", 20, 1,
       "<s:Envelope "
       "xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\"><a:Action>x/Hello</"
       "a:Action><d:Types>sdc:MedicalDevice</d:Types>",
       ""},
      {"script", 22, 6, "#!/bin/sh\nid\n", ""},
  };
  for (const auto& one : all)
    save(to + "/payload/" + one.name, payload(one.port, one.how, one.client, one.server));

  Talk talk{{ip(10, 0, 0, 5), 40000}, {ip(203, 0, 113, 9), 2575}};
  talk.open();
  talk.say(true, hl7, 40);
  talk.close();
  save(to + "/capture/hl7.pcap", pcap(talk.frames));
  Bytes cut = pcap(talk.frames);
  cut.resize(cut.size() - 20);
  save(to + "/capture/cut.pcap", cut);
  const Bytes datagram = udp({1, 5000}, {2, 514}, "<13>fragmented syslog message");
  const Bytes first(datagram.begin(), datagram.begin() + 24), second(datagram.begin() + 24, datagram.end());
  save(to + "/capture/fragments.pcap",
       pcap({{1, ethernet(ipv4(1, 2, 17, second, 3))}, {2, ethernet(ipv4(1, 2, 17, first, 0x2000))}}));
  save(to + "/capture/raw.pcap", pcap({{1, ipv4(1, 2, 17, datagram)}}, 101));
  Bytes vlan{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 1};
  put(vlan, Bytes{8, 0});
  put(vlan, ipv4(1, 2, 17, datagram));
  save(to + "/capture/vlan.pcap", pcap({{1, vlan}}));

  save(to + "/stream/in-order", {0, 0, 16, 79, 4, 0, 16, 79, 8, 0, 16, 79});
  save(to + "/stream/reversed", {8, 0, 16, 79, 4, 0, 16, 79, 0, 0, 16, 79});
  save(to + "/stream/overlap", {0, 0, 40, 79, 4, 0, 40, 79, 2, 1, 20, 79, 60, 0, 9, 79});
  save(to + "/stream/gap-and-snap", {0, 0, 30, 10, 20, 0, 30, 79, 9, 2, 5, 2});
  save(to + "/stream/wrap", {60, 0, 63, 79, 70, 0, 63, 79, 64, 0, 30, 79, 0, 0, 63, 79});
  return 0;
}
