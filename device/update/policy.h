// A signed target into an offer, and the rules by which a device takes it or leaves it.
#pragma once

#include <cstdint>
#include <string>

#include "device/update/boot.h"
#include "tuf/metadata.h"

namespace update {

// The custom fields of a release, all signed by the publisher (the "custom" member of a TUF target).
struct Offer {
  std::string target;              // its path in the repository
  std::string hardware;            // hardware id that it is for
  std::string version;             // for people
  std::string notes;               // release note for the ward
  std::uint64_t from_release = 0;  // the least release that it can be installed over
  Slot image;                      // release, floor, and what the slot must hold afterwards
};

// Error (damaged): a field is missing or not of its kind; floor above release; an empty image.
base::Result<Offer> read_offer(const tuf::TargetFile& target);

// What the bedside programs say of the ward at this moment.
struct Ward {
  bool patient_admitted = true;
};

// A person's answer to an offer that was on the screen.
struct Consent {
  std::string person;      // who pressed the key
  std::string offer_seen;  // fingerprint() of the offer that the screen showed
};

// Hash over everything that the screen shows and the image: consent to one offer is none to another.
std::string fingerprint(const Offer& offer);

// Error (unsupported), one sentence for the screen and the log: other hardware, not newer, below the floor,
// from a release that is too old, larger than the slot, an update still on trial.
base::Result<void> judge(const Offer& offer, const std::string& hardware, const BootRecord& record,
                         std::uint64_t slot_size);

// Error (unsupported): a patient is admitted, nobody answered, or the answer was to another offer.
base::Result<void> judge_consent(const Offer& offer, const Consent& consent, const Ward& ward);

}  // namespace update
