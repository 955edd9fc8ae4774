#include "device/update/boot.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

namespace update {
namespace {

using base::Error;

constexpr std::uint32_t record_magic = 0x31524242;  // "BBR1"

void put(base::Bytes& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void put_slot(base::Bytes& out, const Slot& slot) {
  put(out, slot.release, 8);
  put(out, slot.floor, 8);
  put(out, slot.length, 8);
  out.insert(out.end(), slot.image.begin(), slot.image.end());
}

Slot get_slot(base::ByteReader& reader) {
  Slot slot;
  slot.release = reader.u64();
  slot.floor = reader.u64();
  slot.length = reader.u64();
  const auto image = reader.take(slot.image.size());
  std::ranges::copy(image, slot.image.begin());
  return slot;
}

std::array<std::optional<BootRecord>, 2> read_copies(Flash& records) {
  std::array<std::optional<BootRecord>, 2> copies;
  for (std::uint64_t i = 0; i < 2; ++i)
    if (const auto bytes = records.read(i * record_spacing, record_size)) copies[i] = decode_record(*bytes);
  return copies;
}

// Which copy load_record() takes; nothing when neither is whole.
std::optional<std::size_t> newest(const std::array<std::optional<BootRecord>, 2>& copies) {
  if (!copies[0] && !copies[1]) return std::nullopt;
  if (!copies[0] || !copies[1]) return copies[0] ? 0 : 1;
  return copies[0]->sequence >= copies[1]->sequence ? 0 : 1;
}

bool startable(const Storage& storage, const BootRecord& record, std::uint8_t which) {
  const Slot& slot = record.slots[which];
  return slot.length > 0 && slot.release >= record.floor && slot_is_whole(*storage.slots[which], slot);
}

}  // namespace

base::Bytes encode_record(const BootRecord& record) {
  base::Bytes out;
  put(out, record_magic, 4);
  put(out, record.active, 1);
  put(out, record.tries_left, 1);
  put(out, record.confirmed ? 1 : 0, 1);
  put(out, 0, 1);
  put(out, record.sequence, 8);
  put(out, record.floor, 8);
  for (const Slot& slot : record.slots) put_slot(out, slot);
  out.resize(record_size - 32);
  const auto sum = base::sha256(out);
  out.insert(out.end(), sum.begin(), sum.end());
  return out;
}

std::optional<BootRecord> decode_record(base::ByteView bytes) {
  if (bytes.size() != record_size) return std::nullopt;
  const auto sum = base::sha256(bytes.first(record_size - 32));
  if (!std::ranges::equal(sum, bytes.last(32))) return std::nullopt;
  base::ByteReader reader(bytes);
  BootRecord record;
  const std::uint32_t magic = reader.u32();
  record.active = reader.u8();
  record.tries_left = reader.u8();
  const std::uint8_t confirmed = reader.u8();
  reader.skip(1);
  record.confirmed = confirmed == 1;
  record.sequence = reader.u64();
  record.floor = reader.u64();
  for (Slot& slot : record.slots) slot = get_slot(reader);
  if (!reader.ok() || magic != record_magic || record.active > 1 || confirmed > 1) return std::nullopt;
  return record;
}

base::Result<BootRecord> load_record(Flash& records) {
  const auto copies = read_copies(records);
  const auto at = newest(copies);
  if (!at) return base::fail(Error::Kind::damaged, "no whole boot record");
  return *copies[*at];
}

base::Result<void> save_record(Flash& records, BootRecord& record) {
  const auto at = newest(read_copies(records));
  const std::uint64_t target = at && *at == 0 ? record_spacing : 0;
  record.sequence += 1;
  const auto bytes = encode_record(record);
  if (auto done = records.write(target, bytes); !done) return done;
  if (auto done = records.flush(); !done) return done;
  const auto back = records.read(target, record_size);
  if (!back) return std::unexpected(back.error());
  if (*back != bytes)
    return base::fail(Error::Kind::damaged, "the boot record does not read back as it was written");
  return {};
}

bool slot_is_whole(Flash& flash, const Slot& slot) {
  if (slot.length == 0 || slot.length > flash.size()) return false;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) return false;
  constexpr std::uint64_t chunk = 1 << 20;
  for (std::uint64_t at = 0; at < slot.length; at += chunk) {
    const auto bytes = flash.read(at, std::min(chunk, slot.length - at));
    if (!bytes || EVP_DigestUpdate(context.get(), bytes->data(), bytes->size()) != 1) return false;
  }
  base::Sha256 sum{};
  return EVP_DigestFinal_ex(context.get(), sum.data(), nullptr) == 1 && sum == slot.image;
}

BootChoice choose(const Storage& storage) {
  BootChoice choice;
  auto record = load_record(*storage.records);
  if (!record) choice.notes.push_back("no whole boot record");
  while (record) {
    const Slot slot = record->slots[record->active];
    const bool out_of_tries = !record->confirmed && record->tries_left == 0;
    if (!out_of_tries && startable(storage, *record, record->active)) {
      bool counted = true;
      if (!record->confirmed) {
        record->tries_left -= 1;
        counted = save_record(*storage.records, *record).has_value();
      }
      if (counted) {
        choice.from = BootChoice::From::slot;
        choice.slot = record->active;
        choice.release = slot.release;
        return choice;
      }
      choice.notes.push_back("a try could not be counted");
    }
    choice.notes.push_back(fmt::format("release {} in slot {} is given up: {}", slot.release, record->active,
                                       out_of_tries ? "no try left" : "not whole, or below the floor"));
    record->slots[record->active] = {};
    record->active ^= 1;
    record->confirmed = true;
    record->tries_left = 0;
    if (!startable(storage, *record, record->active)) break;
    if (!save_record(*storage.records, *record))
      choice.notes.push_back("the boot record could not be written");
  }
  if (storage.recovery != nullptr && slot_is_whole(*storage.recovery, storage.recovery_image)) {
    choice.from = BootChoice::From::recovery;
    choice.release = storage.recovery_image.release;
  }
  return choice;
}

base::Result<void> begin_install(Flash& records, BootRecord& record) {
  if (!record.confirmed) return base::fail(Error::Kind::unsupported, "an update is still on trial");
  record.slots[record.inactive()] = {};
  return save_record(records, record);
}

base::Result<void> arm(Flash& records, BootRecord& record, const Slot& image) {
  record.slots[record.inactive()] = image;
  record.active = record.inactive();
  record.tries_left = tries_for_an_update;
  record.confirmed = false;
  return save_record(records, record);
}

base::Result<void> confirm(Flash& records, BootRecord& record) {
  record.confirmed = true;
  record.tries_left = 0;
  record.floor = std::max(record.floor, record.slots[record.active].floor);
  return save_record(records, record);
}

}  // namespace update
