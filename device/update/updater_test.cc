// Why: the whole road, with the real SWUpdate: a publisher signs, a device checks, a person accepts, the
// other slot is written, starts, is confirmed. And each way in which the road must end before anything is
// written.
#include "device/update/updater.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>

#include "device/update/publish.h"
#include "tuf/client.h"

namespace update {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t slot_bytes = 300'000;

void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}
std::string image_text(std::uint64_t release) {
  return "release " + std::to_string(release) + std::string(100'000, static_cast<char>('a' + release));
}
Slot image_slot(std::uint64_t release) {
  const std::string text = image_text(release);
  return {release, 0, text.size(), base::sha256(base::as_bytes(text))};
}

class UpdaterTest : public testing::Test {
 protected:
  UpdaterTest() {
    std::string pattern = (fs::temp_directory_path() / "bedside-update-XXXXXX").string();
    home_ = ::mkdtemp(pattern.data());
    for (const char* name : {"metadata", "incoming", "r1", "r2", "r3"})
      fs::create_directory(home_ + "/" + name);
    publisher_ = {home_ + "/repository",
                  home_ + "/keys",
                  {home_ + "/r1", home_ + "/r2", home_ + "/r3"},
                  std::time(nullptr)};
    settings_.hardware = "bed-1";
    settings_.repository = "file://" + home_ + "/repository";
    settings_.target = "monitor.swu";
    settings_.metadata_dir = home_ + "/metadata";
    settings_.incoming_dir = home_ + "/incoming";
    settings_.records = home_ + "/records";
    settings_.slots = {home_ + "/slot-a", home_ + "/slot-b"};
    settings_.log = home_ + "/audit.log";
    settings_.report_key = home_ + "/keys/timestamp.pem";  // any ed25519 key
    settings_.swupdate.certificate = home_ + "/keys/package.crt";
    settings_.swupdate.limit = std::chrono::seconds(60);
  }
  ~UpdaterTest() override { fs::remove_all(home_); }

  // A device with release 1 in slot 0, and a repository with nothing released.
  void SetUp() override {
    const auto first = publish_first(publisher_);
    ASSERT_TRUE(first) << first.error().message;
    for (const auto& path : settings_.slots) write_file(path, std::string(slot_bytes, '\xFF'));
    write_file(settings_.records, std::string(8192, '\xFF'));
    auto slot = open_flash(settings_.slots[0]);
    ASSERT_TRUE((*slot)->write(0, base::as_bytes(image_text(1))));
    BootRecord record;
    record.slots[0] = image_slot(1);
    auto records = open_flash(settings_.records);
    ASSERT_TRUE(save_record(**records, record));
    const auto root = base::read_file(home_ + "/repository/metadata/1.root.json");
    ASSERT_TRUE(root && tuf::install_root(settings_.metadata_dir, base::as_text(*root)));
  }

  void release(std::uint64_t number, const std::function<void(Release&)>& change = [](Release&) {}) {
    write_file(home_ + "/image", image_text(number));
    Release out{home_ + "/image",
                "monitor.swu",
                "bed-1",
                "2." + std::to_string(number),
                "Alarms are quieter",
                number,
                0,
                0,
                settings_.slots[0],
                settings_.slots[1],
                {}};
    change(out);
    const auto done = publish_release(publisher_, out);
    ASSERT_TRUE(done) << done.error().message;
  }
  Updater open() {
    auto updater = Updater::open(settings_);
    EXPECT_TRUE(updater) << (updater ? "" : updater.error().message);
    return std::move(*updater);
  }
  base::Result<void> update_now() {
    auto updater = open();
    const auto offer = updater.check();
    if (!offer) return std::unexpected(offer.error());
    return updater.install(*offer, {"nurse", fingerprint(*offer)}, {false});
  }
  void expect_refused(std::string_view why) {
    const auto before = *base::read_file(settings_.records);
    const auto other = *base::read_file(settings_.slots[1]);
    const auto done = update_now();
    ASSERT_FALSE(done) << why;
    EXPECT_NE(done.error().message.find(why), std::string::npos) << done.error().message;
    EXPECT_EQ(*base::read_file(settings_.records), before);
    EXPECT_EQ(*base::read_file(settings_.slots[1]), other);
    auto updater = open();
    EXPECT_EQ(updater.log().entries().back().event, Event::refused);
    EXPECT_EQ(updater.log().entries().back().detail, done.error().message);
    EXPECT_EQ(updater.start()->release, 1u) << "the device is still up";
  }
  bool have_swupdate() const { return ::access(settings_.swupdate.program.c_str(), X_OK) == 0; }

  std::string home_;
  Publisher publisher_;
  Settings settings_;
};

TEST_F(UpdaterTest, the_whole_road) {
  if (!have_swupdate()) GTEST_SKIP() << "needs SWUpdate (Debian package swupdate)";
  release(2, [](Release& r) { r.floor = 2; });
  const auto done = update_now();
  ASSERT_TRUE(done) << done.error().message;
  {
    auto updater = open();
    const auto choice = updater.start();
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->release, 2u);
    EXPECT_EQ(choice->slot, 1);
    ASSERT_TRUE(updater.confirm());
    const auto report = updater.report();
    ASSERT_TRUE(report);
    EXPECT_NE(report->find("\"floor\": 2"), std::string::npos) << *report;
  }
  release(3);
  const auto again = update_now();
  ASSERT_TRUE(again) << again.error().message;
  auto updater = open();
  EXPECT_EQ(updater.start()->slot, 0) << "and back into the first slot";
  std::vector<Event> events;
  for (const auto& entry : updater.log().entries()) events.push_back(entry.event);
  EXPECT_EQ(events,
            (std::vector<Event>{Event::offered, Event::accepted, Event::install_started, Event::installed,
                                Event::started, Event::confirmed, Event::offered, Event::accepted,
                                Event::install_started, Event::installed, Event::started}));
}

TEST_F(UpdaterTest, keys_are_rotated_and_the_device_follows) {
  for (const char* role : {"timestamp", "snapshot", "targets", "root", "root"}) {
    const auto done = rotate_key(publisher_, role);
    ASSERT_TRUE(done) << role << ": " << done.error().message;
  }
  release(2);
  auto updater = open();
  const auto offer = updater.check();
  ASSERT_TRUE(offer) << offer.error().message;
  EXPECT_EQ(offer->notes, "Alarms are quieter");
}

TEST_F(UpdaterTest, one_root_key_signs_nothing) {
  Publisher thief = publisher_;
  thief.root_keys.resize(1);
  EXPECT_FALSE(rotate_key(thief, "targets"));
}

TEST_F(UpdaterTest, wrong_hardware) {
  release(2, [](Release& r) { r.hardware = "bed-2"; });
  expect_refused("made for \"bed-2\"");
}

TEST_F(UpdaterTest, older_or_the_same) {
  release(1);
  expect_refused("not newer");
}

TEST_F(UpdaterTest, a_release_that_needs_another_first) {
  release(5, [](Release& r) { r.from_release = 4; });
  expect_refused("needs release 4 first");
}

TEST_F(UpdaterTest, every_older_repository_replayed) {
  release(2);
  ASSERT_TRUE(open().check());
  fs::copy(home_ + "/repository", home_ + "/old", fs::copy_options::recursive);
  release(3);
  ASSERT_TRUE(open().check());
  fs::remove_all(home_ + "/repository");
  fs::rename(home_ + "/old", home_ + "/repository");
  expect_refused("rollback");
}

TEST_F(UpdaterTest, every_older_package_replayed_as_a_new_repository) {
  // The attacker has every package that was ever signed, and each in the repository that it came with.
  for (std::uint64_t number = 2; number <= 5; ++number) {
    release(number);
    fs::copy(home_ + "/repository", home_ + "/old" + std::to_string(number), fs::copy_options::recursive);
  }
  auto records = open_flash(settings_.records);
  BootRecord record = *load_record(**records);
  record.slots[0] = image_slot(5);
  record.floor = 4;
  ASSERT_TRUE(save_record(**records, record));
  auto slot = open_flash(settings_.slots[0]);
  ASSERT_TRUE((*slot)->write(0, base::as_bytes(image_text(5))));
  const auto forget = [&] {  // even a device that has forgotten what it had seen
    fs::remove_all(home_ + "/metadata");
    fs::create_directory(home_ + "/metadata");
  };
  forget();
  for (std::uint64_t number = 2; number <= 5; ++number) {
    const auto root = base::read_file(home_ + "/repository/metadata/1.root.json");
    ASSERT_TRUE(tuf::install_root(settings_.metadata_dir, base::as_text(*root)));
    settings_.repository = "file://" + home_ + "/old" + std::to_string(number);
    const auto done = update_now();
    ASSERT_FALSE(done) << number;
    EXPECT_NE(done.error().message.find(number < 4 ? "below the floor" : "not newer"), std::string::npos) << done.error().message;
    auto updater = open();
    EXPECT_EQ(updater.log().entries().back().event, Event::refused);
    EXPECT_EQ(updater.start()->release, 5u);
    forget();
  }
}

TEST_F(UpdaterTest, a_clock_set_back_brings_nothing_old_to_life) {
  release(2);
  ASSERT_TRUE(open().check());
  {  // twenty days later the device starts; then its clock is set back to today, when the metadata still held
    auto file = open_log_file(settings_.log);
    auto log = AuditLog::open(**file, [] { return static_cast<std::int64_t>(std::time(nullptr)) + 20 * 86'400; });
    ASSERT_TRUE(log && log->add(Event::started, 1, "from slot 0"));
  }
  expect_refused("expired");
  auto updater = open();
  EXPECT_GT(std::ranges::count(updater.log().entries(), Event::clock, &Entry::event), 0);
}

TEST_F(UpdaterTest, no_room_for_the_package) {
  release(2);
  settings_.incoming_dir = home_ + "/small";
  fs::create_directory(settings_.incoming_dir);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, SIG_IGN);
  auto updater = open();
  const auto offer = updater.check();
  ASSERT_TRUE(offer) << offer.error().message;
  const auto package_size = fs::file_size(fs::directory_iterator(home_ + "/repository/targets")->path());
  const rlimit little{package_size / 2, before.rlim_max};  // a write beyond it fails as on a full disk
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &little), 0);
  const auto done = updater.install(*offer, {"nurse", fingerprint(*offer)}, {false});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("storage"), std::string::npos) << done.error().message;
  EXPECT_EQ(updater.log().entries().back().event, Event::refused);
  EXPECT_EQ(updater.start()->release, 1u);
  const auto later = updater.check();
  EXPECT_TRUE(later) << "with room again it is offered again";
}

TEST_F(UpdaterTest, records_that_cannot_be_read) {
  release(2);
  write_file(settings_.records, std::string(8192, '\xFF'));
  auto updater = open();
  const auto offer = updater.check();
  ASSERT_FALSE(offer);
  EXPECT_EQ(updater.log().entries().back().event, Event::refused);
}

TEST_F(UpdaterTest, a_frozen_repository) {
  publisher_.now -= 40 * 86'400;
  release(2);
  expect_refused("expired");
}

TEST_F(UpdaterTest, a_repository_of_somebody_else) {
  release(2);
  fs::remove_all(home_ + "/repository");
  Publisher other = publisher_;
  for (const char* name : {"k", "o1", "o2", "o3"}) fs::create_directory(home_ + "/" + name);
  other.keys = home_ + "/k";
  other.root_keys = {home_ + "/o1", home_ + "/o2", home_ + "/o3"};
  ASSERT_TRUE(publish_first(other));
  expect_refused("unsigned");
}

TEST_F(UpdaterTest, a_package_changed_on_the_server) {
  release(2);
  for (const auto& entry : fs::directory_iterator(home_ + "/repository/targets")) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(5000);
    file << "X";
  }
  expect_refused("mismatch");
}

TEST_F(UpdaterTest, a_package_that_writes_elsewhere) {
  release(2, [&](Release& r) { r.slot_a = home_ + "/records"; });
  expect_refused("writes elsewhere");
}

TEST_F(UpdaterTest, no_consent_no_update) {
  release(2);
  auto updater = open();
  const auto offer = updater.check();
  ASSERT_TRUE(offer);
  EXPECT_FALSE(updater.install(*offer, {"nurse", fingerprint(*offer)}, {true}));
  EXPECT_FALSE(updater.install(*offer, {"", fingerprint(*offer)}, {false}));
  EXPECT_FALSE(updater.install(*offer, {"nurse", "yes"}, {false}));
  ASSERT_TRUE(updater.decline(*offer, "nurse"));
  EXPECT_EQ(updater.start()->release, 1u);
  EXPECT_EQ(std::ranges::count(updater.log().entries(), Event::refused, &Entry::event), 4);
}

TEST_F(UpdaterTest, an_offer_that_changed_under_the_hand) {
  release(2);
  auto updater = open();
  const auto offer = updater.check();
  ASSERT_TRUE(offer);
  release(3);
  const auto done = updater.install(*offer, {"nurse", fingerprint(*offer)}, {false});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("something else"), std::string::npos);
}

TEST_F(UpdaterTest, no_repository_is_set) {
  settings_.repository.clear();
  expect_refused("no repository is set");
}

TEST_F(UpdaterTest, swupdate_that_does_not_end_is_ended) {
  write_file(home_ + "/sleeper", "#!/bin/sh\nsleep 600\n");
  fs::permissions(home_ + "/sleeper", fs::perms::owner_all);
  settings_.swupdate.program = home_ + "/sleeper";
  settings_.swupdate.limit = std::chrono::seconds(1);
  release(2);
  const auto begun = std::chrono::steady_clock::now();
  const auto done = update_now();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("not done after 1 s"), std::string::npos) << done.error().message;
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20));
  auto updater = open();
  EXPECT_EQ(updater.log().entries().back().event, Event::failed);
  EXPECT_EQ(updater.start()->release, 1u);
}

TEST_F(UpdaterTest, swupdate_that_claims_success_and_wrote_nothing_is_not_believed) {
  settings_.swupdate.program = "/bin/true";
  release(2);
  const auto done = update_now();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("not the signed image"), std::string::npos) << done.error().message;
  EXPECT_EQ(open().start()->release, 1u);
}

TEST_F(UpdaterTest, the_bill_of_materials_is_signed_for_and_shown_on_request) {
  write_file(home_ + "/bom", "{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"1.6\"}");
  release(2, [&](Release& r) { r.sbom = home_ + "/bom"; });
  auto updater = open();
  const auto offered = updater.offered_sbom();
  ASSERT_TRUE(offered) << offered.error().message;
  EXPECT_EQ(*offered, base::as_text(*base::read_file(home_ + "/bom")));
  for (const auto& entry : fs::directory_iterator(home_ + "/repository/targets"))
    if (entry.path().string().ends_with(".cdx.json")) write_file(entry.path(), "{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"1.5\"}");
  fs::remove_all(settings_.incoming_dir);
  fs::create_directory(settings_.incoming_dir);
  const auto changed = open().offered_sbom();
  ASSERT_FALSE(changed);
  EXPECT_NE(changed.error().message.find("mismatch"), std::string::npos) << changed.error().message;
}

TEST_F(UpdaterTest, a_package_signed_by_another_certificate) {
  if (!have_swupdate()) GTEST_SKIP() << "needs SWUpdate (Debian package swupdate)";
  release(2);
  fs::create_directory(home_ + "/k");
  Publisher other = publisher_;
  other.repository = home_ + "/other";
  other.keys = home_ + "/k";
  other.root_keys = {home_ + "/o1", home_ + "/o2", home_ + "/o3"};
  ASSERT_TRUE(publish_first(other));
  settings_.swupdate.certificate = home_ + "/k/package.crt";
  const auto done = update_now();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("SWUpdate:"), std::string::npos) << done.error().message;
  EXPECT_EQ(open().start()->release, 1u);
}

TEST(DescriptionTest, only_what_we_write_is_read) {
  const Description good{"2.1", "monitor.img", std::string(64, 'a'), {"/dev/a", "/dev/b"}};
  const std::string text = describe(good);
  ASSERT_TRUE(read_description(text));
  EXPECT_EQ(*read_description(text), good);
  const auto with = [&](std::string_view what, std::string_view instead) {
    std::string bent = text;
    bent.replace(bent.find(what), what.size(), instead);
    return read_description(bent);
  };
  EXPECT_FALSE(with("\"raw\"", "\"shellscript\""));
  EXPECT_FALSE(with("\"version\"", "\"embedded-script\": \"os.execute('reboot')\", \"version\""));
  EXPECT_FALSE(
      with("\"copy1\"", "\"scripts\": [{\"filename\": \"x.sh\", \"type\": \"preinstall\"}], \"copy1\""));
  EXPECT_FALSE(with("\"type\"", "\"preserve-attributes\": true, \"type\""));
  EXPECT_FALSE(with("monitor.img", "../monitor.img"));
  EXPECT_FALSE(with("/dev/a", "dev/a"));
  EXPECT_FALSE(read_description("software = { version = \"1\"; }"));
  EXPECT_FALSE(read_description(""));
}

}  // namespace
}  // namespace update
