// A boot record area from anywhere: never more than refused; what is started is whole.
#include <algorithm>
#include <cstdlib>

#include "device/update/boot.h"

namespace {

class Memory final : public update::Flash {
 public:
  explicit Memory(base::Bytes bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  base::Result<base::Bytes> read(std::uint64_t offset, std::uint64_t length) override {
    if (!base::in_bounds(offset, length, bytes_.size()))
      return base::fail(base::Error::Kind::internal, "outside");
    const auto part = base::clipped(bytes_, offset, length);
    return base::Bytes(part.begin(), part.end());
  }
  base::Result<void> write(std::uint64_t offset, base::ByteView bytes) override {
    if (!base::in_bounds(offset, bytes.size(), bytes_.size()))
      return base::fail(base::Error::Kind::internal, "outside");
    std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  }
  base::Result<void> flush() override { return {}; }

 private:
  base::Bytes bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView bytes(data, size);
  if (const auto record = update::decode_record(bytes))
    if (update::decode_record(update::encode_record(*record)) != record) std::abort();
  // The checksum keeps most inputs out: give the fields a right one, and see what the loader does with them.
  base::Bytes area(2 * update::record_spacing);
  std::copy_n(data, std::min<std::size_t>(size, update::record_size - 32), area.begin());
  const auto sum = base::sha256(base::ByteView(area).first(update::record_size - 32));
  std::copy(sum.begin(), sum.end(), area.begin() + update::record_size - 32);
  Memory records(area);
  Memory a(base::Bytes(bytes.begin(), bytes.end()));
  Memory b(base::Bytes(100, 7));
  const auto before = update::load_record(records);
  const auto choice = update::choose({&records, {&a, &b}, nullptr, {}});
  if (choice.from == update::BootChoice::From::slot) {
    if (!before || before->slots[choice.slot].release < before->floor) std::abort();
    if (!update::slot_is_whole(choice.slot == 0 ? static_cast<update::Flash&>(a) : b,
                               before->slots[choice.slot]))
      std::abort();
  }
  return 0;
}
