#include "device/update/install.h"

#include <fmt/format.h>

namespace update {
namespace {

// The release whose installation has begun and not ended, by the log; 0 when there is none.
std::uint64_t open_installation(const AuditLog& log) {
  std::uint64_t open = 0;
  for (const Entry& entry : log.entries()) {
    if (entry.event == Event::install_started) open = entry.release;
    if (entry.event == Event::installed || entry.event == Event::failed) open = 0;
  }
  return open;
}

// The last release that was installed, and whether the log already says how its trial ended.
struct Trial {
  std::uint64_t release = 0;
  bool undecided = false;
};
Trial last_trial(const AuditLog& log) {
  Trial trial;
  for (const Entry& entry : log.entries()) {
    if (entry.event == Event::installed) trial = {entry.release, true};
    const bool ends = entry.event == Event::confirmed || entry.event == Event::fell_back;
    if (ends && entry.release == trial.release) trial.undecided = false;
  }
  return trial;
}

// Writes the other slot and makes it the next to start. The log's "install-started" is on the disk already.
base::Result<void> write_slot(const Storage& storage, BootRecord& record, const Offer& offer,
                              const Writer& write) {
  if (auto done = begin_install(*storage.records, record); !done) return done;
  const std::uint8_t slot = record.inactive();
  if (auto done = write(slot); !done) return done;
  if (auto done = storage.slots[slot]->flush(); !done) return done;
  if (!slot_is_whole(*storage.slots[slot], offer.image))
    return base::fail(base::Error::Kind::damaged, "what was written is not the signed image");
  return arm(*storage.records, record, offer.image);
}

}  // namespace

base::Result<void> install(const Storage& storage, AuditLog& log, const std::string& hardware,
                           const Offer& offer, const Consent& consent, const Ward& ward,
                           const Writer& write) {
  const std::uint64_t release = offer.image.release;
  auto record = load_record(*storage.records);
  base::Result<void> allowed;
  if (!record)
    allowed = std::unexpected(record.error());
  else if (allowed = judge(offer, hardware, *record, storage.slots[record->inactive()]->size()); allowed)
    allowed = judge_consent(offer, consent, ward);
  if (!allowed) {
    if (auto noted = log.add(Event::refused, release, allowed.error().message, consent.person); !noted)
      return noted;
    return allowed;
  }
  if (auto noted =
          log.add(Event::accepted, release,
                  fmt::format("version {}, offer {}", offer.version, consent.offer_seen), consent.person);
      !noted)
    return noted;
  if (auto noted = log.add(Event::install_started, release, fmt::format("into slot {}", record->inactive()));
      !noted)
    return noted;
  if (const auto written = write_slot(storage, *record, offer, write); !written) {
    // The record on the flash decides, not our memory of what went wrong: an arm() that failed late may have
    // come through.
    const auto now = load_record(*storage.records);
    if (!now || now->slots[now->active] != offer.image) {
      if (auto noted = log.add(Event::failed, release, written.error().message); !noted) return noted;
      return written;
    }
  }
  return log.add(Event::installed, release, "starts next, on trial");
}

base::Result<void> record_start(const Storage& storage, AuditLog& log, const BootChoice& choice) {
  const auto record = load_record(*storage.records);
  if (const std::uint64_t open = open_installation(log); open != 0) {
    const bool armed = record && record->slots[record->active].release == open;
    const auto settled = armed
                             ? log.add(Event::installed, open, "found at the start after an interruption")
                             : log.add(Event::failed, open,
                                       "interrupted, or given up by the loader; what ran before still runs");
    if (!settled) return settled;
  }
  for (const auto& note : choice.notes)
    if (auto noted = log.add(Event::fell_back, 0, note); !noted) return noted;
  const Trial trial = last_trial(log);
  if (trial.undecided && choice.release == trial.release && record && record->confirmed)
    if (auto noted = log.add(Event::confirmed, trial.release, "found at the start after an interruption");
        !noted)
      return noted;
  if (trial.undecided && choice.release != trial.release)
    if (auto noted = log.add(Event::fell_back, trial.release, "installed, but it is not what runs"); !noted)
      return noted;
  switch (choice.from) {
    case BootChoice::From::slot:
      return log.add(Event::started, choice.release, fmt::format("from slot {}", choice.slot));
    case BootChoice::From::recovery:
      return log.add(Event::started, choice.release, "the recovery image");
    case BootChoice::From::nothing:
      break;
  }
  return log.add(Event::failed, 0, "nothing that may be started was found");
}

base::Result<void> record_confirmed(const Storage& storage, AuditLog& log) {
  auto record = load_record(*storage.records);
  if (!record) return std::unexpected(record.error());
  if (record->confirmed) return {};
  if (auto done = confirm(*storage.records, *record); !done) return done;
  return log.add(Event::confirmed, record->slots[record->active].release,
                 fmt::format("the floor is {}", record->floor));
}

}  // namespace update
