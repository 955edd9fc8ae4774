// DICOM upper-layer associations and the identity tags of the data sets that they carry.
// Sources: DICOM PS3.8 section 9.3 (PDUs), PS3.5 section 7.1 (data elements), PS3.6 (tags).
#include "base/text.h"
#include "witness/dissect.h"

namespace witness {
namespace {

using base::ByteOrder;
using base::ByteReader;

constexpr std::uint32_t kMaxPdu = 4u << 20;
constexpr int kMaxElements = 4096;

struct Tag {
  std::uint16_t group, element;
  std::string_view field, data_class;
};
constexpr Tag kTags[] = {
    {0x0008, 0x0050, "(0008,0050) accession number", "identity"},
    {0x0010, 0x0010, "(0010,0010) patient name", "identity"},
    {0x0010, 0x0020, "(0010,0020) patient id", "identity"},
    {0x0010, 0x0030, "(0010,0030) birth date", "identity"},
    {0x0010, 0x1000, "(0010,1000) other ids", "identity"},
    {0x0010, 0x1040, "(0010,1040) address", "identity"},
    {0x0010, 0x2154, "(0010,2154) telephone", "identity"},
};

bool is_vr(std::uint8_t a, std::uint8_t b) { return a >= 'A' && a <= 'Z' && b >= 'A' && b <= 'Z'; }

// Walks the elements of a data set (little endian, implicit or explicit) from its beginning until one has no
// length.
void read_data_set(World& world, Conversation& c, const View& view, std::size_t end, ByteView bytes) {
  DicomState& state = std::get<DicomState>(c.state);
  ByteReader in(bytes, ByteOrder::little);
  const bool explicit_vr = bytes.size() >= 6 && is_vr(bytes[4], bytes[5]);
  for (int i = 0; i < kMaxElements && in.ok() && in.left() >= 8; ++i) {
    const std::uint16_t group = in.u16(), element = in.u16();
    std::uint32_t length = 0;
    if (explicit_vr) {
      const std::string vr(base::as_text(in.take(2)));
      const bool wide = vr == "OB" || vr == "OW" || vr == "OF" || vr == "SQ" || vr == "UT" || vr == "UN" ||
                        vr == "OD" || vr == "UC" || vr == "UR";
      if (wide) in.u16();
      length = wide ? in.u32() : in.u16();
    } else {
      length = in.u32();
    }
    if (!in.ok() || group > 0x0010 || length == 0xFFFFFFFFu) return;
    const ByteView value = in.take(length);
    if (!in.ok()) return;
    for (const Tag& tag : kTags) {
      if (tag.group != group || tag.element != element) continue;
      const std::string text(base::trim(base::as_text(value)));
      if (text.empty() || text.find_first_not_of("*?^\0 ") == text.npos) continue;  // a query's wildcard
      state.identity = true;
      world.tell(c, view, 0, end,
                 {.kind = Kind::patient_data,
                  .protocol = "dicom",
                  .words = text,
                  .secret = true,
                  .answered = true,
                  .data_class = std::string(tag.data_class),
                  .field = std::string(tag.field)});
    }
  }
}

void read_values(World& world, Conversation& c, const View& view, std::size_t end, ByteView body) {
  ByteReader in(body, ByteOrder::big);
  while (in.ok() && in.left() >= 6) {
    const std::uint32_t length = in.u32();
    if (length < 2) return;
    in.u8();
    const std::uint8_t control = in.u8();
    const ByteView fragment = in.take(std::min<std::uint64_t>(length - 2, in.left()));
    if (!(control & 1)) read_data_set(world, c, view, end, fragment);  // bit 0: command, not data set
  }
}

void read_associate(World& world, Conversation& c, const View& view, std::size_t end, ByteView body) {
  DicomState& state = std::get<DicomState>(c.state);
  state.called = base::trim(base::as_text(base::clipped(body, 4, 16)));
  state.calling = base::trim(base::as_text(base::clipped(body, 20, 16)));
  world.tell(c, view, 0, end,
             {.kind = Kind::association,
              .protocol = "dicom",
              .object = state.called,
              .words = state.calling,
              .answered = true});
}

}  // namespace

Probe probe_dicom(ByteView bytes) {
  static constexpr int kHead[] = {1, 0, -1, -1, -1, -1, 0, 1, 0, 0};  // A-ASSOCIATE-RQ, protocol version 1
  for (std::size_t i = 0; i < bytes.size() && i < std::size(kHead); ++i)
    if (kHead[i] >= 0 && bytes[i] != kHead[i]) return Probe::no;
  if (bytes.size() < std::size(kHead)) return Probe::maybe;
  const std::uint32_t length = *base::load_be32(bytes, 2);
  return length >= 68 && length <= kMaxPdu ? Probe::yes : Probe::no;
}

Progress read_dicom(World& world, Conversation& c, int direction, const View& view) {
  if (view.bytes.size() < 6) return {0, 6};
  const std::uint32_t length = *base::load_be32(view.bytes, 2);
  if (view.bytes[0] < 1 || view.bytes[0] > 7 || length > kMaxPdu) {
    c.streams[direction].lost = true;
    return {view.bytes.size(), 0};
  }
  const std::size_t size = 6u + length;
  if (view.bytes.size() < size && !view.closing) return {0, size};
  const ByteView body = base::clipped(view.bytes, 6, length);
  const std::size_t end = std::min(size, view.bytes.size());
  if (view.bytes[0] == 1) read_associate(world, c, view, end, body);
  if (view.bytes[0] == 4) read_values(world, c, view, end, body);
  return {end, 0};
}

}  // namespace witness
