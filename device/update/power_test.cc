// Why: the promise of the whole update path. The power is cut at every operation of an update, of the start
// after it, and of the confirmation; after each cut every fate of the unflushed writes is tried; after each
// of those the power is cut once more during the next start. Always one whole, verified release starts, and
// the log says what happened.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <set>

#include "device/update/install.h"
#include "device/update/sim_test.h"

namespace update {
namespace {

using sim::PowerCut;
using sim::SimFlash;
using sim::SimLog;
using sim::World;

constexpr std::uint64_t slot_bytes = 3 * sim::sector;

base::Bytes image_of(std::uint64_t release) {
  return base::Bytes(slot_bytes - 100, static_cast<std::uint8_t>(release * 37));
}
Slot slot_of(std::uint64_t release, std::uint64_t floor = 0) {
  const auto image = image_of(release);
  return {release, floor, image.size(), base::sha256(image)};
}
Offer offer_of(std::uint64_t release) {
  Offer offer;
  offer.target = "monitor.swu";
  offer.hardware = "bed-1";
  offer.version = "2." + std::to_string(release);
  offer.image = slot_of(release, release);  // the strictest floor: once confirmed, nothing older may run
  return offer;
}

// A whole device; a copy of it is its state at one moment.
struct Device {
  World world;
  SimFlash records{world, 2 * record_spacing};
  std::array<SimFlash, 2> slots{SimFlash{world, slot_bytes}, SimFlash{world, slot_bytes}};
  SimFlash recovery{world, slot_bytes};
  SimLog log{world};
  std::int64_t now = 1'000'000;

  Device() = default;
  Device(const Device& other) = default;
  Device& operator=(const Device&) = delete;
  void rebind() {
    for (SimFlash* flash : {&records, &slots[0], &slots[1], &recovery}) flash->rebind(world);
    log.rebind(world);
  }
  Storage storage() { return {&records, {&slots[0], &slots[1]}, &recovery, slot_of(1)}; }
  base::Result<AuditLog> open_log() {
    return AuditLog::open(log, [this] { return now; });
  }
  std::uint64_t fates() const {
    std::uint64_t count = log.pending() ? 4 : 1;
    for (const SimFlash* flash : {&records, &slots[0], &slots[1]})
      for (std::size_t i = 0; i < flash->pending(); ++i) count *= 3;
    return count;
  }
  void settle(std::uint64_t fate) {
    const std::uint64_t of_log = log.pending() ? fate % 4 : 0;
    if (log.pending()) fate /= 4;
    log.settle(of_log);
    for (SimFlash* flash : {&records, &slots[0], &slots[1]}) {
      std::uint64_t mine = 1;
      for (std::size_t i = 0; i < flash->pending(); ++i) mine *= 3;
      flash->settle(fate % mine);
      fate /= mine;
    }
  }
};

// Release 5 runs, confirmed; slot 1 still holds release 4.
Device factory() {
  Device device;
  device.rebind();
  static_cast<void>(device.slots[0].write(0, image_of(5)));
  static_cast<void>(device.slots[1].write(0, image_of(4)));
  static_cast<void>(device.recovery.write(0, image_of(1)));
  for (SimFlash* flash : {&device.slots[0], &device.slots[1], &device.recovery})
    static_cast<void>(flash->flush());
  BootRecord record;
  record.slots = {slot_of(5), slot_of(4)};
  record.floor = 3;
  static_cast<void>(save_record(device.records, record));
  static_cast<void>(save_record(device.records, record));
  device.world = {};
  return device;
}

base::Result<void> update_to(Device& device, std::uint64_t release) {
  auto log = device.open_log();
  if (!log) return std::unexpected(log.error());
  const Offer offer = offer_of(release);
  return install(device.storage(), *log, "bed-1", offer, {"nurse", fingerprint(offer)}, {false},
                 [&](std::uint8_t slot) -> base::Result<void> {
                   const auto image = image_of(release);
                   for (std::uint64_t at = 0; at < image.size(); at += sim::sector)
                     if (auto done = device.slots[slot].write(at, base::clipped(image, at, sim::sector));
                         !done)
                       return done;
                   return {};
                 });
}

// The start of the device: loader, then system. Returns the release that runs.
std::uint64_t start(Device& device, bool healthy) {
  const BootChoice choice = choose(device.storage());
  auto log = device.open_log();
  EXPECT_TRUE(log) << (log ? "" : log.error().message);
  EXPECT_TRUE(log && record_start(device.storage(), *log, choice));
  if (healthy && log) {
    EXPECT_TRUE(record_confirmed(device.storage(), *log));
  }
  return choice.release;
}

// What must hold whenever the device has started.
void expect_sound(Device& device, std::uint64_t running, std::uint64_t old_release,
                  std::uint64_t new_release) {
  ASSERT_TRUE(running == old_release || running == new_release) << running;
  const auto record = load_record(device.records);
  ASSERT_TRUE(record);
  EXPECT_TRUE(slot_is_whole(device.slots[record->active], record->slots[record->active]));
  EXPECT_EQ(record->slots[record->active].release, running);
  EXPECT_LE(record->floor, running) << "the floor never locks out what runs";

  const auto report = verify_log(device.log.bytes());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->torn, 0u);
  int open = 0;
  std::uint64_t started = 0;
  std::set<std::uint64_t> installed;
  for (const Entry& entry : report->entries) {
    if (entry.event == Event::install_started) ++open;
    if (entry.event == Event::installed || entry.event == Event::failed) --open;
    if (entry.event == Event::installed) installed.insert(entry.release);
    if (entry.event == Event::started) started = entry.release;
    EXPECT_TRUE(open == 0 || open == 1);
  }
  EXPECT_EQ(open, 0) << "every installation that began has exactly one end";
  EXPECT_EQ(started, running) << "the log names what runs";
  if (running == new_release) {
    EXPECT_TRUE(installed.contains(new_release)) << "nothing runs that was not logged as installed";
  }
}

struct Counts {
  int cuts = 0;
  long states = 0;
};

// Runs `act` on copies of `before`, cutting at every operation; for each cut and fate, starts the device, and
// cuts that start at every operation too when `twice`.
Counts cut_everywhere(const Device& before, const std::function<void(Device&)>& act,
                      std::uint64_t old_release, std::uint64_t new_release, bool healthy, bool twice) {
  Counts counts;
  for (int at = 0;; ++at) {
    Device cut(before);
    cut.rebind();
    cut.world = {0, at};
    bool finished = false;
    try {
      act(cut);
      finished = true;
    } catch (const PowerCut&) {
    }
    if (finished) return counts;
    ++counts.cuts;
    const std::uint64_t fates = cut.fates();
    for (std::uint64_t fate = 0; fate < fates; ++fate) {
      Device again(cut);
      again.rebind();
      again.world = {};
      again.settle(fate);
      ++counts.states;
      if (twice) {
        const auto inner = cut_everywhere(
            again, [&](Device& device) { start(device, healthy); }, old_release, new_release, healthy, false);
        counts.states += inner.states;
      }
      const std::uint64_t running = start(again, healthy);
      expect_sound(again, running, old_release, new_release);
      if (testing::Test::HasFailure()) {
        ADD_FAILURE() << "cut at operation " << at << ", fate " << fate << "\n" << again.log.bytes();
        return counts;
      }
    }
  }
}

TEST(Power, cut_anywhere_in_an_update) {
  const auto counts =
      cut_everywhere(factory(), [](Device& device) { ASSERT_TRUE(update_to(device, 6)); }, 5, 6, true, true);
  EXPECT_EQ(counts.cuts, 14)
      << "two entries, the record, three sectors and their flush, the record, an entry";
  RecordProperty("cuts", counts.cuts);
  RecordProperty("states", static_cast<int>(counts.states));
  std::printf("%d cuts, %ld states\n", counts.cuts, counts.states);
}

TEST(Power, cut_anywhere_in_the_first_start_and_its_confirmation) {
  Device device(factory());
  device.rebind();
  ASSERT_TRUE(update_to(device, 6));
  const auto counts = cut_everywhere(device, [](Device& d) { start(d, true); }, 5, 6, true, true);
  EXPECT_GT(counts.cuts, 5);
}

TEST(Power, a_release_that_never_confirms_is_given_up_whenever_the_power_goes) {
  Device device(factory());
  device.rebind();
  ASSERT_TRUE(update_to(device, 6));
  for (int i = 0; i < tries_for_an_update; ++i) {
    cut_everywhere(device, [](Device& d) { start(d, false); }, 5, 6, false, true);
    EXPECT_EQ(start(device, false), 6u);
  }
  cut_everywhere(device, [](Device& d) { start(d, false); }, 5, 6, false, true);
  EXPECT_EQ(start(device, false), 5u);
  expect_sound(device, 5, 5, 6);
  ASSERT_TRUE(update_to(device, 7)) << "and the next update goes its way";
  EXPECT_EQ(start(device, true), 7u);
}

TEST(Power, cut_again_and_again_the_update_still_comes_through) {
  Device device(factory());
  device.rebind();
  int at = 0;
  for (; at < 1000; ++at) {
    device.world = {0, at};
    try {
      if (update_to(device, 6)) break;
    } catch (const PowerCut&) {
    }
    device.world = {};
    device.settle(static_cast<std::uint64_t>(at) * 7919 % device.fates());
    const auto running = start(device, true);
    expect_sound(device, running, 5, 6);
    if (running == 6) break;
  }
  device.world = {};
  EXPECT_EQ(start(device, true), 6u);
  EXPECT_GT(at, 10);
}

TEST(Floor, rises_only_with_the_confirmation) {
  Device device(factory());
  device.rebind();
  ASSERT_TRUE(update_to(device, 6));
  EXPECT_EQ(load_record(device.records)->floor, 3u);
  EXPECT_EQ(start(device, false), 6u);
  EXPECT_EQ(load_record(device.records)->floor, 3u);
  EXPECT_EQ(start(device, true), 6u);
  EXPECT_EQ(load_record(device.records)->floor, 6u);
}

TEST(Floor, a_confirmed_release_that_rots_does_not_bring_back_what_lies_below_the_floor) {
  Device device(factory());
  device.rebind();
  ASSERT_TRUE(update_to(device, 6));
  start(device, true);
  static_cast<void>(device.slots[1].write(0, base::Bytes{0}));
  static_cast<void>(device.slots[1].flush());
  const BootChoice choice = choose(device.storage());
  EXPECT_EQ(choice.from, BootChoice::From::recovery);
  EXPECT_EQ(choice.release, 1u);
}

TEST(Start, a_rotten_active_slot_falls_back_and_a_rotten_recovery_image_does_not_start) {
  Device device(factory());
  device.rebind();
  static_cast<void>(device.slots[0].write(7, base::Bytes{0}));
  EXPECT_EQ(choose(device.storage()).release, 4u);
  static_cast<void>(device.slots[1].write(7, base::Bytes{0}));
  EXPECT_EQ(choose(device.storage()).from, BootChoice::From::recovery);
  static_cast<void>(device.recovery.write(7, base::Bytes{0}));
  EXPECT_EQ(choose(device.storage()).from, BootChoice::From::nothing);
}

TEST(Start, read_errors_lead_to_the_recovery_image) {
  Device device(factory());
  device.rebind();
  device.records.break_reads(true);
  EXPECT_EQ(choose(device.storage()).from, BootChoice::From::recovery);
  device.records.break_reads(false);
  device.slots[0].break_reads(true);
  EXPECT_EQ(choose(device.storage()).release, 4u);
}

TEST(Install, refusals_are_recorded_and_touch_nothing) {
  Device device(factory());
  device.rebind();
  const auto before = *device.records.read(0, 2 * record_spacing);
  auto log = device.open_log();
  ASSERT_TRUE(log);
  const auto writer = [](std::uint8_t) -> base::Result<void> {
    ADD_FAILURE() << "nothing may be written";
    return {};
  };
  const auto refused = [&](const Offer& offer, const Consent& consent, const Ward& ward,
                           std::string_view why) {
    const auto result = install(device.storage(), *log, "bed-1", offer, consent, ward, writer);
    ASSERT_FALSE(result) << why;
    EXPECT_NE(result.error().message.find(why), std::string::npos) << result.error().message;
    EXPECT_EQ(log->entries().back().event, Event::refused);
    EXPECT_EQ(log->entries().back().detail, result.error().message);
  };
  const auto willing = [](const Offer& offer) { return Consent{"nurse", fingerprint(offer)}; };
  for (std::uint64_t old = 1; old <= 5; ++old) {
    const Offer replay = offer_of(old);
    refused(replay, willing(replay), {false}, old < 3 ? "below the floor" : "not newer");
  }
  Offer offer = offer_of(6);
  refused(offer, willing(offer), {true}, "a patient is admitted");
  refused(offer, {}, {false}, "nobody accepted");
  refused(offer, willing(offer_of(7)), {false}, "not what is offered");
  offer.hardware = "bed-2";
  refused(offer, willing(offer), {false}, "made for \"bed-2\"");
  offer = offer_of(9);
  offer.from_release = 8;
  refused(offer, willing(offer), {false}, "needs release 8 first");
  offer = offer_of(6);
  offer.image.length = slot_bytes + 1;
  refused(offer, willing(offer), {false}, "do not fit");
  EXPECT_EQ(*device.records.read(0, 2 * record_spacing), before);
}

TEST(Install, what_was_written_is_read_back_against_the_signed_hash) {
  Device device(factory());
  device.rebind();
  auto log = device.open_log();
  const Offer offer = offer_of(6);
  const auto result = install(device.storage(), *log, "bed-1", offer, {"nurse", fingerprint(offer)}, {false},
                              [&](std::uint8_t slot) { return device.slots[slot].write(0, image_of(7)); });
  EXPECT_FALSE(result);
  EXPECT_EQ(log->entries().back().event, Event::failed);
  EXPECT_EQ(choose(device.storage()).release, 5u);
}

TEST(Install, what_cannot_be_read_back_does_not_start) {
  Device device(factory());
  device.rebind();
  auto log = device.open_log();
  const Offer offer = offer_of(6);
  const auto result = install(device.storage(), *log, "bed-1", offer, {"nurse", fingerprint(offer)}, {false},
                              [&](std::uint8_t slot) {
                                auto done = device.slots[slot].write(0, image_of(6));
                                device.slots[slot].break_reads(true);
                                return done;
                              });
  EXPECT_FALSE(result);
  EXPECT_EQ(log->entries().back().event, Event::failed);
  EXPECT_EQ(choose(device.storage()).release, 5u);
}

TEST(Install, no_record_of_it_no_update) {
  Device device(factory());
  device.rebind();
  auto log = device.open_log();
  device.log.fill(true);
  const Offer offer = offer_of(6);
  EXPECT_FALSE(install(device.storage(), *log, "bed-1", offer, {"nurse", fingerprint(offer)}, {false},
                       [](std::uint8_t) -> base::Result<void> {
                         ADD_FAILURE() << "the disk of the log is full: nothing may be written";
                         return {};
                       }));
  EXPECT_EQ(choose(device.storage()).release, 5u);
}

TEST(Record, any_single_damaged_byte_is_noticed) {
  BootRecord record;
  record.sequence = 7;
  record.slots = {slot_of(5, 2), slot_of(4)};
  const auto bytes = encode_record(record);
  ASSERT_EQ(decode_record(bytes), record);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (const int bit : {0, 3, 7}) {
      auto bent = bytes;
      bent[i] ^= static_cast<std::uint8_t>(1 << bit);
      EXPECT_FALSE(decode_record(bent)) << i;
    }
}

}  // namespace
}  // namespace update
