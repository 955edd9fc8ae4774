// The independent dissector beside ours on captures made here, for protocols that no shared capture speaks:
// it says that what was made is what it should be, and both must name the same. Needs tshark; skipped by name
// without it.
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include <unistd.h>

#include "witness/oracle.h"
#include "witness/wire_builder.h"

namespace {

using namespace oracle;
using namespace witness::wire;
using namespace std::string_literals;
using witness::Observation;
using Kind = Observation::Kind;

constexpr End kClient{ip(10, 0, 0, 5), 40000};
End server(std::uint16_t port) { return {ip(203, 0, 113, 9), port}; }

std::string file_of(const std::vector<Frame>& frames) {
  static int number = 0;
  const std::string path = testing::TempDir() + "made_oracle_" + std::to_string(getpid()) + "_" +
                           std::to_string(number++) + ".pcap";
  const Bytes bytes = pcap(frames);
  std::ofstream(path, std::ios::binary) << base::as_text(bytes);
  return path;
}

struct Says {
  std::string filter;
  std::string field;
  std::function<std::string(const Observation&)> ours;
};

void expect_same(const std::vector<Frame>& frames, const std::vector<Says>& all,
                 const std::string& more = "") {
  if (!have_tshark()) GTEST_SKIP() << "needs tshark";
  const std::string path = file_of(frames);
  const witness::Capture capture = ours(path);
  for (const Says& one : all) {
    SCOPED_TRACE(one.field);
    std::set<Fact> theirs, mine;
    for (const Row& row : tshark(path, more, one.filter, {"frame.number", one.field}))
      for (const std::string_view value : base::split(row[1], '`'))
        if (!value.empty()) theirs.emplace(std::stoull(row[0]), value);
    for (const Observation& o : capture.observations) {
      const std::string all_values = one.ours(o);
      for (const std::string_view value : base::split(all_values, '`'))
        if (!value.empty())
          for (const std::uint64_t frame : o.frames) mine.emplace(frame, value);
    }
    compare(theirs, mine);
  }
  std::filesystem::remove(path);
}

std::vector<Frame> talk(std::uint16_t port, const std::string& client, const std::string& from_server) {
  Talk talk{kClient, server(port)};
  talk.open();
  talk.say(true, client);
  talk.say(false, from_server);
  talk.close();
  return talk.frames;
}

std::vector<Frame> datagrams(End from, End to, const std::string& question, const std::string& answer) {
  std::vector<Frame> out{{1, ethernet(ipv4(from.address, to.address, 17, udp(from, to, question)))}};
  if (!answer.empty())
    out.push_back({2, ethernet(ipv4(to.address, from.address, 17, udp(to, from, answer)))});
  return out;
}

std::string commas(std::string text) {
  std::replace(text.begin(), text.end(), ',', '`');
  return text;
}

// ---- TLS: two real ends, talking in memory ----

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Certificate certificate(EVP_PKEY* key) {
  Certificate out(X509_new(), X509_free);
  X509_set_version(out.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(out.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(out.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(out.get()), 3600);
  X509_set_pubkey(out.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(out.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>("central.example"), -1, -1, 0);
  X509_set_issuer_name(out.get(), X509_get_subject_name(out.get()));
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:ward.example,DNS:backup.example");
  X509_add_ext(out.get(), names, -1);
  X509_EXTENSION_free(names);
  X509_sign(out.get(), key, EVP_sha256());
  return out;
}

std::string drain(SSL* ssl) {
  std::string out;
  char part[4096];
  for (int got; (got = BIO_read(SSL_get_wbio(ssl), part, sizeof part)) > 0;)
    out.append(part, static_cast<std::size_t>(got));
  return out;
}

std::vector<Frame> tls_handshake() {
  const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const Certificate shown = certificate(key.get());
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> here(SSL_CTX_new(TLS_client_method()),
                                                               SSL_CTX_free),
      there(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  SSL_CTX_set_max_proto_version(here.get(), TLS1_2_VERSION);
  SSL_CTX_use_certificate(there.get(), shown.get());
  SSL_CTX_use_PrivateKey(there.get(), key.get());
  const std::unique_ptr<SSL, decltype(&SSL_free)> a(SSL_new(here.get()), SSL_free),
      b(SSL_new(there.get()), SSL_free);
  for (SSL* ssl : {a.get(), b.get()}) SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(a.get());
  SSL_set_accept_state(b.get());
  SSL_set_tlsext_host_name(a.get(), "central.example");
  const std::string protocols = "\x02h2\x08http/1.1"s;
  SSL_set_alpn_protos(a.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                      static_cast<unsigned>(protocols.size()));
  Talk talk{kClient, server(443)};
  talk.open();
  for (int round = 0; round < 4; ++round) {
    SSL_do_handshake(a.get());
    const std::string said = drain(a.get());
    talk.say(true, said);
    BIO_write(SSL_get_rbio(b.get()), said.data(), static_cast<int>(said.size()));
    SSL_do_handshake(b.get());
    const std::string answered = drain(b.get());
    talk.say(false, answered);
    BIO_write(SSL_get_rbio(a.get()), answered.data(), static_cast<int>(answered.size()));
  }
  EXPECT_TRUE(SSL_is_init_finished(a.get()) && SSL_is_init_finished(b.get()));
  talk.close();
  return talk.frames;
}

TEST(Made, Tls) {
  const auto hello = [](const Observation& o) { return o.field == "client-hello"; };
  const auto shown = [](const Observation& o) { return o.field == "certificate"; };
  expect_same(tls_handshake(),
              {{"tls.handshake.type == 1", "tls.handshake.extensions_server_name",
                [&](const Observation& o) { return hello(o) ? o.object : ""; }},
               {"tls.handshake.type == 1", "tls.handshake.extensions_alpn_str",
                [&](const Observation& o) { return hello(o) ? commas(o.words) : ""; }},
               {"tls.handshake.type == 11", "x509sat.uTF8String",
                [&](const Observation& o) { return shown(o) ? o.object.substr(0, o.object.find(',')) : ""; }},
               {"tls.handshake.type == 11", "x509ce.dNSName", [&](const Observation& o) {
                  return shown(o) ? commas(o.object.substr(o.object.find(',') + 1)) : "";
                }}});
}

TEST(Made, Ntp) {
  expect_same(datagrams({kClient.address, 123}, server(123), "\x23"s + std::string(47, '\0'),
                        "\x24"s + std::string(47, '\1')),
              {{"ntp.flags.mode == 3", "ntp.flags.vn",
                [](const Observation& o) { return o.kind == Kind::time ? "4" : ""; }}});
}

TEST(Made, Telnet) {
  Talk talk{kClient, server(23)};
  talk.open();
  talk.say(false, "\xFF\xFD\x18login: ");
  talk.say(true, "operator\r\n");
  talk.say(false, "Password: ");
  talk.say(true, "secret\r\n");
  talk.say(false, "# ");
  talk.say(true, "cat /etc/shadow\r\n");
  expect_same(talk.frames, {{"telnet && ip.src == 10.0.0.5", "telnet.data", [](const Observation& o) {
                               // tshark shows the line as it went; we say which is a name, a password, a
                               // command
                               const std::string line = o.object == "password" || o.object == "command"
                                                            ? o.words
                                                        : o.kind == Kind::credential ? o.object
                                                                                     : "";
                               return line.empty() ? "" : line + "\\r\\n";
                             }}});
}

TEST(Made, Rexec) {
  const auto credential = [](const Observation& o) {
    return o.kind == Kind::credential && o.protocol == "rexec";
  };
  Talk talk{kClient, server(512)};
  talk.open();
  talk.say(true, "0\0"s);
  talk.say(true, "service\0word\0reboot\0"s);
  expect_same(talk.frames, {{"exec.username", "exec.username",
                             [&](const Observation& o) { return credential(o) ? o.object : ""; }},
                            {"exec.password", "exec.password",
                             [&](const Observation& o) { return credential(o) ? o.words : ""; }},
                            {"exec.command", "exec.command", [](const Observation& o) {
                               return o.kind == Kind::shell && o.protocol == "rexec" ? o.object : "";
                             }}});
}

TEST(Made, Rlogin) {
  Talk talk{kClient, server(513)};
  talk.open();
  talk.say(true, "\0"s);
  talk.say(true, "nurse\0root\0vt100/9600\0"s);
  talk.say(false, "\0"s);
  expect_same(talk.frames, {{"rlogin.server_user_name", "rlogin.server_user_name", [](const Observation& o) {
                               return o.kind == Kind::credential && o.protocol == "rlogin" ? o.object : "";
                             }}});
}

std::string wide(std::string_view text) {
  std::string out;
  for (const char c : text) out += c, out += '\0';
  return out;
}
std::string little(std::uint64_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}
std::string session(const std::string& message) {  // NetBIOS session service or direct TCP
  return "\0"s + little(message.size() >> 16, 1) + little(message.size() >> 8, 1) +
         little(message.size(), 1) + message;
}

// MS-SMB2 2.2.1.2, 2.2.9, 2.2.13.
std::string smb2(std::uint16_t command, const std::string& body) {
  return session("\xFESMB"s + little(64, 2) + little(0, 2) + little(0, 4) + little(command, 2) +
                 little(1, 2) + little(0, 4) + little(0, 4) + little(command, 8) + little(0xFEFF, 4) +
                 little(1, 4) + little(7, 8) + std::string(16, '\0') + body);
}

TEST(Made, Smb2) {
  const std::string share = wide("\\\\central\\pacs"), name = wide("patients\\list.csv");
  Talk talk{kClient, server(445)};
  talk.open();
  talk.say(true, smb2(3, little(9, 2) + little(0, 2) + little(64 + 8, 2) + little(share.size(), 2) + share));
  talk.say(true, smb2(5, little(57, 2) + std::string(2, '\0') + little(2, 4) + std::string(16, '\0') +
                             little(0x120089, 4) + little(0, 4) + little(7, 4) + little(1, 4) + little(0, 4) +
                             little(64 + 56, 2) + little(name.size(), 2) + little(0, 8) + name));
  expect_same(talk.frames,
              {{"smb2.cmd == 3", "smb2.tree",
                [](const Observation& o) { return o.kind == Kind::mount_remote ? o.object : ""; }},
               {"smb2.cmd == 5", "smb2.filename",
                [](const Observation& o) { return o.kind == Kind::share_read ? o.object : ""; }}});
}

// MS-CIFS 2.2.3.1, 2.2.4.55, 2.2.4.64; without Unicode, as old devices speak.
std::string smb1(std::uint8_t command, const std::string& words, const std::string& bytes) {
  return session("\xFFSMB"s + little(command, 1) + little(0, 4) + little(0x18, 1) + little(0x0001, 2) +
                 std::string(12, '\0') + little(1, 2) + little(99, 2) + little(1, 2) + little(command, 2) +
                 little(words.size() / 2, 1) + words + little(bytes.size(), 2) + bytes);
}

TEST(Made, Smb1) {
  Talk talk{kClient, server(445)};
  talk.open();
  talk.say(true, smb1(0x75, "\xFF\0\0\0\0\0\1\0"s, "\0"s + "\\\\CENTRAL\\PACS\0?????\0"s));
  const std::string name = "\\list.csv";
  talk.say(true, smb1(0xA2,
                      "\xFF\0\0\0\0"s + little(name.size(), 2) + little(0, 4) + little(0, 4) +
                          little(0x120089, 4) + little(0, 8) + little(0, 4) + little(7, 4) + little(1, 4) +
                          little(0, 4) + little(2, 4) + little(0, 1),
                      name + "\0"s));
  expect_same(talk.frames,
              {{"smb.cmd == 0x75", "smb.path",
                [](const Observation& o) { return o.kind == Kind::mount_remote ? o.object : ""; }},
               {"smb.cmd == 0xa2", "smb.file",
                [](const Observation& o) { return o.kind == Kind::share_read ? o.object : ""; }}});
}

TEST(Made, DnsOverTcp) {
  const std::string question =
      "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07"
      "central\x07"
      "example\0\0\x1C\0\x01"s;
  const std::string answer =
      "\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0\x07"
      "central\x07"
      "example\0\0\x1C\0\x01"s +
      "\xC0\x0C\0\x1C\0\x01\0\0\0\x05\0\x10\x20\x01\x0D\xB8"s + std::string(12, '\1');
  const auto framed = [](const std::string& message) {
    return std::string{static_cast<char>(message.size() >> 8), static_cast<char>(message.size())} + message;
  };
  expect_same(
      talk(53, framed(question), framed(answer)),
      {{"dns", "dns.qry.name", [](const Observation& o) { return o.kind == Kind::lookup ? o.object : ""; }}});
}

TEST(Made, Dhcp) {
  const std::string request = "\x01\x01\x06\0"s + std::string(24, '\0') + "\2\0\0\0\0\1"s +
                              std::string(202, '\0') +
                              "\x63\x82\x53\x63\x35\x01\x03\x0C\x07"
                              "bed-214\x3C\x05"
                              "udhcp\x32\x04\x0A\0\0\x09\xA1\x13"
                              "https://mud.example\xFF"s;
  expect_same(datagrams({0, 68}, {0xFFFFFFFF, 67}, request, ""),
              {{"dhcp", "dhcp.option.hostname",
                [](const Observation& o) { return o.kind == Kind::announce ? o.object : ""; }},
               {"dhcp", "dhcp.option.vendor_class_id",
                [](const Observation& o) { return o.kind == Kind::announce ? o.words : ""; }},
               {"dhcp", "dhcp.option.requested_ip_address",
                [](const Observation& o) { return o.kind == Kind::announce ? o.device : ""; }},
               {"dhcp", "dhcp.option.mudurl",
                [](const Observation& o) { return o.kind == Kind::declaration_claim ? o.object : ""; }}});
}

}  // namespace
