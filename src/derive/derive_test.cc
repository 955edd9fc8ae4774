// Why: what is read beside programs (settings, pages, boot loaders, names of data) must say what stands there, for forms that
// no image of ours has, and must stay silent about words that only look alike.
#include <gtest/gtest.h>

#include <algorithm>

#include "derive/boot_loader.h"
#include "derive/data_classes.h"
#include "derive/flows.h"
#include "derive/marks.h"
#include "derive/pages.h"
#include "derive/passwords.h"
#include "derive/settings.h"
#include "unpack/firmware.h"

namespace {

using effects::Effect;
using effects::Kind;

std::vector<Effect> settings(std::string_view text, const std::string& file = "/etc/x.conf") { return derive::effects_of_settings(derive::read_settings(text), file); }

const Effect* find(const std::vector<Effect>& list, Kind kind) {
  const auto found = std::ranges::find(list, kind, &Effect::kind);
  return found == list.end() ? nullptr : &*found;
}

TEST(Settings, one_key_reads_the_same_in_every_form) {
  const std::pair<const char*, const char*> forms[] = {
      {"<config>\n<account><name>admin</name>\n<password></password></account></config>", "config/account/password"},
      {"<config>\n<account name=\"x\">\n<admin password=\"\"/></account></config>", "config/account/admin/password"},
      {"[account]\nuser=admin\nadmin_password=\n", "account/admin_password"},
      {"var loginuser=\"admin\";\nvar x=1;\nvar loginpass=\"\";\n", "loginpass"},
      {"{\n \"admin_name\": \"admin\",\n \"admin_password\": \"\"\n}\n", "admin_password"},
      {"config login 'web'\n\toption username 'admin'\n\toption password ''\n", "login/web/password"}};
  for (const auto& [text, path] : forms) {
    const auto read = derive::read_settings(text);
    const auto entry = std::ranges::find(read, path, &derive::Setting::path);
    ASSERT_NE(entry, read.end()) << text;
    EXPECT_EQ(entry->value, "") << text;
    const auto effects = settings(text);
    const Effect* account = find(effects, Kind::account);
    ASSERT_NE(account, nullptr) << text;
    EXPECT_EQ(account->notes.at("password"), "none") << text;
    EXPECT_GE(account->site.line, 2u) << text;
  }
}

TEST(Settings, an_attribute_pair_is_a_key) {
  const auto effects = settings("<db><row name=\"TelnetEnable\" val=\"1\"/></db>");
  ASSERT_NE(find(effects, Kind::setting), nullptr);
  EXPECT_EQ(find(effects, Kind::setting)->notes.at("topic"), "remote-shell");
}

TEST(Settings, peers_are_shipped_defaults_with_their_protocol) {
  const auto effects = settings("ntp_server=time.maker.example.org\nacs_url=http://acs.maker.example.org:7547/x\n");
  ASSERT_EQ(effects.size(), 2u);
  EXPECT_EQ(effects[0].peer->protocol, "ntp");
  EXPECT_EQ(effects[0].peer->provenance, effects::Provenance::shipped_default);
  EXPECT_EQ(effects[1].peer->host, "acs.maker.example.org");
  EXPECT_EQ(effects[1].peer->port, 7547);
}

TEST(Settings, what_only_looks_like_a_peer_or_a_secret_is_none) {
  EXPECT_TRUE(settings("ntp_server=\nupdate_path=/etc/update.conf\nserver=main.cgi\nurl=index.html\n").empty());
  EXPECT_TRUE(settings("password_min_length=8\nadmin_password_enable=1\nppp_password=\nwpa_key_length=64\n").empty());
  EXPECT_TRUE(settings("# admin_password=x1y2z3\n; telnet_enable=1\n<!-- <telnet>1</telnet> -->\n").empty());
  EXPECT_TRUE(settings("telnet_enable=0\ntelnet_port=23\n").empty());
}

TEST(Settings, hostile_text_ends) {
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += "<a b=\"";
  derive::read_settings(deep);
  derive::read_settings(std::string(100'000, '<'));
  derive::read_settings(std::string(100'000, '='));
  EXPECT_LE(derive::read_settings([] { std::string s; for (int i = 0; i < 50'000; ++i) s += "a=1\n"; return s; }()).size(), 20'000u);
}

TEST(DataClasses, names_are_words_not_substrings) {
  using V = std::vector<std::string>;
  EXPECT_EQ(derive::data_classes_of_name("PatientName"), V{"identity"});
  EXPECT_EQ(derive::data_classes_of_name("frame_patient"), V{"identity"});
  EXPECT_EQ(derive::data_classes_of_name("HeartRateValue"), V{"vital-signs"});
  EXPECT_EQ(derive::data_classes_of_name("wpa_psk"), V{"credentials"});
  EXPECT_EQ(derive::data_classes_of_name("LANMAC"), V{"network-identity"});
  EXPECT_TRUE(derive::data_classes_of_name("impatient_loop").empty());
  EXPECT_TRUE(derive::data_classes_of_name("machine_state").empty());
  EXPECT_TRUE(derive::data_classes_of_name("").empty());
}

TEST(DataClasses, prompts_are_known_in_utf8_and_gbk) {
  const std::string utf8 = "\xE6\x82\xA3\xE8\x80\x85\xE5\xA7\x93\xE5\x90\x8D:";  // 患者姓名
  const std::string gbk = "\xBB\xBC\xD5\xDF\xD0\xD5\xC3\xFB:";                  // the same
  EXPECT_EQ(derive::data_classes_of_text(utf8), std::vector<std::string>{"identity"});
  EXPECT_EQ(derive::data_classes_of_text(gbk), std::vector<std::string>{"identity"});
  EXPECT_EQ(derive::data_classes_of_text("MSH|^~\\&|X\rPID|||1\r"), std::vector<std::string>{"identity"});
  EXPECT_TRUE(derive::data_classes_of_text("GET /index.html HTTP/1.1").empty());
}

TEST(Passwords, hashes_of_published_words_are_known) {
  EXPECT_EQ(derive::password_of_hash("LSiuY7pOmZG2s"), "123456");  // crypt(3): a published vendor default
  EXPECT_FALSE(derive::password_of_hash("*"));
  EXPECT_FALSE(derive::is_crypt_hash("nonya"));
  EXPECT_FALSE(derive::is_crypt_hash("hello world!!"));
}

derive::ProgramFacts page(std::string_view text) {
  return derive::facts_of_page(text, "/www/x.php", [](std::string_view name) { return name == "vendord"; }, derive::built_in_models());
}

TEST(Pages, a_word_of_the_request_is_followed_to_what_it_names) {
  const auto facts = page("<?\n$s = $_GET[\"section\"];\n$file = \"/htdocs/\".$s.\".xml\";\ndophp(\"load\", $file);\n?>");
  const Effect* request = find(facts.effects, Kind::request);
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(request->site.line, 2u);
  const Effect* read = find(facts.effects, Kind::read);
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read->site.line, 4u);
  EXPECT_EQ(facts.edges.size(), 1u);
}

TEST(Pages, a_variable_that_is_set_anew_is_clean) {
  const auto facts = page("<?\n$s = $_GET[\"s\"];\n$s = \"fixed\";\nsystem($s);\n?>");
  EXPECT_TRUE(facts.edges.empty());
}

TEST(Pages, commands_that_a_page_writes_are_read_with_their_lines) {
  const auto facts = page("<?\nfwrite(\"a\", $START,\n 'vendord -i '.$inf.' &\\n'.\n 'telnetd -l /bin/sh -p 2323\\n');\necho \"<b>telnetd is off</b>\";\n?>");
  const Effect* run = find(facts.effects, Kind::execute);
  ASSERT_NE(run, nullptr);
  EXPECT_EQ(run->object.value, "vendord");
  EXPECT_EQ(run->site.line, 3u);
  EXPECT_TRUE(run->assumed);
  const Effect* shell = find(facts.effects, Kind::open_shell);
  ASSERT_NE(shell, nullptr);
  EXPECT_EQ(shell->site.line, 4u);
  EXPECT_EQ(std::ranges::count(facts.effects, Kind::open_shell, &Effect::kind), 1);
}

std::vector<derive::ProgramFacts> boot_loader(const std::string& bytes) {
  unpack::Firmware firmware;
  firmware.buffers.emplace_back(bytes.begin(), bytes.end());
  unpack::Blob blob;
  blob.name = "uboot.bin";
  blob.bytes = firmware.buffers.back();
  firmware.blobs.add(std::move(blob));
  firmware.inputs = 1;
  return derive::facts_of_boot_loaders(firmware);
}

std::string environment(std::initializer_list<const char*> lines) {
  std::string out(16, '\0');
  for (const auto line : lines) out += std::string(line) + '\0';
  return out + std::string(16, '\0');
}

TEST(BootLoader, bootcmd_starts_at_boot_and_the_rest_is_typed) {
  const auto facts = boot_loader(environment({"bootdelay=3", "serverip=192.0.2.1", "up=tftp 0x80600000 fw.bin; sf write 0x80600000 0x40000 0x1000", "bootcmd=run card; bootm 0x80600000", "card=fatload mmc 0 0x80600000 boot.img"}));
  ASSERT_EQ(facts.size(), 1u);
  const auto& effects = facts[0].effects;
  const Effect* card = find(effects, Kind::mount_media);
  ASSERT_NE(card, nullptr);
  EXPECT_EQ(card->triggers[0].kind, effects::Trigger::Kind::boot);
  EXPECT_EQ(card->target.value, "0x80600000");
  const Effect* flash = find(effects, Kind::write_flash);
  ASSERT_NE(flash, nullptr);
  EXPECT_EQ(flash->triggers[0].kind, effects::Trigger::Kind::user);
  EXPECT_EQ(flash->object.value, "0x80600000");
  ASSERT_NE(find(effects, Kind::setting), nullptr);
  EXPECT_EQ(find(effects, Kind::setting)->notes.at("topic"), "boot-prompt");
}

TEST(BootLoader, an_nfs_root_for_developers_starts_nothing) {
  const auto facts = boot_loader(environment({"bootargs=root=/dev/nfs nfsroot=192.0.2.1:/root", "bootcmd=sf read 0x80600000 0x40000 0x1000; bootm 0x80600000", "ipaddr=192.0.2.2"}));
  for (const auto& one : facts)
    for (const auto& effect : one.effects) EXPECT_TRUE(effect.kind == Kind::execute) << effects::key(effect.kind);
}

TEST(BootLoader, a_word_that_starts_an_update_is_told) {
  const auto told = [](const char* word) {
    auto bytes = environment({"bootdelay=1", "ipaddr=192.0.2.2", "bootcmd=sf read 0x80600000 0x40000 0x1000; bootm 0x80600000"});
    bytes += std::string(word) + std::string(8, '\0');
    for (const auto& one : boot_loader(bytes))
      for (const auto& effect : one.effects)
        if (effect.notes.contains("topic") && effect.notes.at("topic") == "update-flag") return effect.assumed;
    return false;
  };
  EXPECT_TRUE(told("FWUPGRADE=kernel"));
  EXPECT_TRUE(told("UPDATE_FLAG="));
  EXPECT_FALSE(told("last update = never"));
  EXPECT_FALSE(told("UPDATED=1"));
}

TEST(Marks, a_text_and_the_same_backwards_mark_a_file) {
  const auto found = [](std::vector<derive::Text> texts) { return derive::mirrored_marks(texts).has_value(); };
  EXPECT_TRUE(found({{1, "www.maker.example.org.head"}, {2, "daeh.gro.elpmaxe.rekam.www"}}));
  EXPECT_TRUE(found({{1, "ww.maker.example.org.head."}, {2, "daeh.gro.elpmaxe.rekam.www"}})) << "a first letter that was loaded apart";
  EXPECT_FALSE(found({{1, "www.maker.example.org.head"}, {2, "www.maker.example.org.tail"}}));
  EXPECT_FALSE(found({{1, "0123456789abcdef"}, {2, "fedcba9876543210"}})) << "tables of characters";
  EXPECT_FALSE(found({{1, "00:00:00:00:00:00"}, {2, "00:00:00:00:00:01"}}));
  EXPECT_FALSE(found({{1, "abcxyzqrstsrqzyxcba"}})) << "its own mirror";
  EXPECT_FALSE(found({{1, "head of a file %s"}, {2, "s% elif a fo daeh"}})) << "words for people";
}

TEST(Flows, two_unknown_places_are_not_one) {
  for (const auto& [path, edges] : {std::pair<std::string, std::size_t>{"${unknown}", 0}, {"${unknown}/", 0}, {"/run/package", 1}, {"${ret:tmpnam}", 1}}) {
    effects::Graph graph;
    const auto program = graph.programs.add({});
    effects::Effect receive, run;
    receive.kind = effects::Kind::receive;
    receive.program = program;
    receive.target.value = path;
    run.kind = effects::Kind::execute;
    run.program = program;
    run.object.value = path;
    graph.effects.add(receive);
    graph.effects.add(run);
    derive::follow_paths(graph);
    EXPECT_EQ(graph.edges.size(), edges) << path;
  }
}

}  // namespace
