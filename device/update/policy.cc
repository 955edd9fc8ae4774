#include "device/update/policy.h"

#include <fmt/format.h>

#include <algorithm>

#include "tuf/fields.h"
#include "tuf/key.h"

namespace update {
namespace {

using base::Error;

std::unexpected<Error> refuse(std::string why) {
  return base::fail(Error::Kind::unsupported, std::move(why));
}

}  // namespace

base::Result<Offer> read_offer(const tuf::TargetFile& target) {
  tuf::Fields fields(target.custom, "release " + target.path);
  Offer offer;
  offer.target = target.path;
  offer.hardware = fields.text("hardware");
  offer.version = fields.text("version");
  offer.notes = fields.text("notes");
  offer.from_release = static_cast<std::uint64_t>(fields.whole("from_release", 0));
  offer.image.release = static_cast<std::uint64_t>(fields.whole("release", 1));
  offer.image.floor = static_cast<std::uint64_t>(fields.whole("floor", 0));
  if (offer.image.floor > offer.image.release) fields.refuse("its floor lies above itself");
  tuf::Fields image(fields.object("image"), "image of " + target.path);
  offer.image.length = static_cast<std::uint64_t>(image.whole("length", 1));
  const auto sum = tuf::from_hex(image.text("sha256"));
  if (!sum || sum->size() != offer.image.image.size()) image.refuse("\"sha256\" is no such hash");
  if (!fields.ok()) return base::fail(Error::Kind::damaged, fields.error().message);
  if (!image.ok()) return base::fail(Error::Kind::damaged, image.error().message);
  std::ranges::transform(*sum, offer.image.image.begin(),
                         [](char c) { return static_cast<std::uint8_t>(c); });
  return offer;
}

std::string fingerprint(const Offer& offer) {
  const tuf::Json all = {offer.target,      offer.hardware,     offer.version,
                         offer.notes,       offer.from_release, offer.image.release,
                         offer.image.floor, offer.image.length, base::hex(offer.image.image)};
  return base::sha256_hex(base::as_bytes(tuf::canonical_json(all)));
}

base::Result<void> judge(const Offer& offer, const std::string& hardware, const BootRecord& record,
                         std::uint64_t slot_size) {
  const Slot& running = record.slots[record.active];
  if (offer.hardware != hardware)
    return refuse(fmt::format("made for \"{}\", this device is \"{}\"", offer.hardware, hardware));
  if (offer.image.release < record.floor)
    return refuse(fmt::format("release {} lies below the floor {}", offer.image.release, record.floor));
  if (offer.image.release <= running.release)
    return refuse(fmt::format("release {} is not newer than {}", offer.image.release, running.release));
  if (running.release < offer.from_release)
    return refuse(
        fmt::format("needs release {} first, this device runs {}", offer.from_release, running.release));
  if (offer.image.length > slot_size)
    return refuse(fmt::format("{} bytes do not fit the slot's {}", offer.image.length, slot_size));
  if (!record.confirmed) return refuse("an update is still on trial");
  return {};
}

base::Result<void> judge_consent(const Offer& offer, const Consent& consent, const Ward& ward) {
  if (ward.patient_admitted) return refuse("a patient is admitted");
  if (consent.person.empty()) return refuse("nobody accepted it");
  if (consent.offer_seen != fingerprint(offer)) return refuse("what was accepted is not what is offered now");
  return {};
}

}  // namespace update
