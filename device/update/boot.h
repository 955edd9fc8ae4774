// Which of two slots starts, and how an update becomes it: two copies of one small record, written in turn,
// each with a checksum and a sequence number, so that at every moment one whole copy says what to do.
//
// An update's life:  begin_install()  the inactive slot is no longer bootable
//                    … the image is written and read back …
//                    arm()            the other slot is active, on trial, with a few tries
//                    choose()         (loader) counts a try; out of tries or damaged: back to the other slot
//                    confirm()        after the self-test: the trial is over, and only now the rollback floor
//                    rises
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "device/update/flash.h"

namespace update {

inline constexpr std::uint8_t tries_for_an_update = 3;
inline constexpr std::uint64_t record_size = 512;  // bytes: one sector
inline constexpr std::uint64_t record_spacing =
    4096;  // the copies lie in different erase blocks, at 0 and here

// What a slot holds. `length` 0: nothing that may be started.
struct Slot {
  std::uint64_t release = 0;  // counts up with every release
  std::uint64_t floor =
      0;  // once this release is confirmed, no release below this one is started or installed
  std::uint64_t length = 0;  // bytes of the image
  base::Sha256 image{};
  bool operator==(const Slot&) const = default;
};

struct BootRecord {
  std::uint64_t sequence = 0;
  std::uint8_t active = 0;  // 0 or 1
  std::uint8_t tries_left = 0;
  bool confirmed = true;
  std::uint64_t floor = 0;
  std::array<Slot, 2> slots;
  bool operator==(const BootRecord&) const = default;
  std::uint8_t inactive() const { return active ^ 1; }
};

base::Bytes encode_record(const BootRecord& record);            // record_size bytes
std::optional<BootRecord> decode_record(base::ByteView bytes);  // nothing for torn or foreign bytes

// The whole copy with the higher sequence number. Error (damaged): neither is whole.
base::Result<BootRecord> load_record(Flash& records);
// Over the other copy, flushed and read back. `record` gets the next sequence number. On error the old copy
// still stands.
base::Result<void> save_record(Flash& records, BootRecord& record);

// True when the slot's bytes are the image that `slot` names.
bool slot_is_whole(Flash& flash, const Slot& slot);

struct Storage {
  Flash* records = nullptr;
  std::array<Flash*, 2> slots{};
  Flash* recovery = nullptr;  // may be absent
  Slot recovery_image;        // known to the loader, not to the record
};

// The loader's decision, at every start.
struct BootChoice {
  enum class From : std::uint8_t { slot, recovery, nothing };
  From from = From::nothing;
  std::uint8_t slot = 0;
  std::uint64_t release = 0;
  std::vector<std::string> notes;  // what was found on the way, for the audit log
};
BootChoice choose(const Storage& storage);

// Refused while an update is on trial.
base::Result<void> begin_install(Flash& records, BootRecord& record);
base::Result<void> arm(Flash& records, BootRecord& record, const Slot& image);
base::Result<void> confirm(Flash& records, BootRecord& record);

}  // namespace update
