// The frames that a CMS8000 monitor sends to its central station, into the patient record and the vital signs
// in them. Source: public decoder of the protocol. A frame is u16le length (of what follows), 0x05, u8 type,
// payload. Offsets below count from the payload.
#include <array>

#include "base/text.h"
#include "witness/dissect.h"

namespace witness {
namespace {

constexpr std::uint8_t kMark = 0x05, kRecord = 0x3E, kBed = 0x45, kTelemetry = 0x46, kSync = 0x47,
                       kMessage = 0x49;
constexpr std::size_t kHead = 4;
constexpr std::uint16_t kMaxLength = 4096;
constexpr std::uint16_t kRecordLength =
    0xAD;  // mark and type, and a payload to the last octet of the doctor's name

struct RecordField {
  std::string_view name;
  std::size_t offset, width;
  std::string_view data_class;
};
constexpr RecordField kRecordFields[] = {
    {"department", 0x00, 0x20, ""},         {"name", 0x23, 0x20, "identity"},
    {"number", 0x43, 0x20, "identity"},     {"admitted", 0x63, 0x10, "identity"},
    {"birth-date", 0x7C, 0x10, "identity"}, {"doctor", 0x8D, 0x20, ""},
};

struct Telemetry {
  std::uint8_t subtype;
  std::string_view name, data_class;
};
constexpr Telemetry kTelemetryKinds[] = {
    {0x14, "ecg, respiration, heart rate", "waveform"},
    {0x15, "pleth, spo2", "waveform"},
    {0x16, "nibp", "vital-signs"},
    {0x17, "temperature", "vital-signs"},
};

bool known_type(std::uint8_t type) {
  return type == kRecord || type == kBed || type == kTelemetry || type == kSync || type == kMessage;
}

bool frame_head(ByteView bytes, std::size_t at, std::uint16_t& length) {
  const auto size = base::load_le16(bytes, at);
  if (!size || *size < 2 || *size > kMaxLength || bytes.size() - at < kHead) return false;
  if (bytes[at + 2] != kMark || !known_type(bytes[at + 3])) return false;
  if (bytes[at + 3] == kRecord && *size < kRecordLength) return false;
  length = *size;
  return true;
}

// A fixed field: text, in which NULs stand between the parts of a date.
std::string field_text(ByteView payload, std::size_t offset, std::size_t width) {
  std::string out(base::as_text(base::clipped(payload, offset, width)));
  while (!out.empty() && (out.back() == '\0' || out.back() == ' ')) out.pop_back();
  for (char& c : out)
    if (c == '\0') c = ' ';
  return std::string(base::trim(out));
}

void read_record(World& world, const Conversation& c, const View& view, std::size_t end, ByteView payload) {
  for (const RecordField& field : kRecordFields) {
    std::string value = field_text(payload, field.offset, field.width);
    if (value.empty() || field.data_class.empty()) continue;
    world.tell(c, view, 0, end,
               {.kind = Kind::patient_data,
                .protocol = "cms8000",
                .words = std::move(value),
                .secret = true,
                .answered = true,
                .data_class = std::string(field.data_class),
                .field = "0x3E." + std::string(field.name)});
  }
}

void read_telemetry(World& world, const Conversation& c, const View& view, std::size_t end,
                    ByteView payload) {
  if (payload.size() < 3) return;
  for (const Telemetry& kind : kTelemetryKinds)
    if (kind.subtype == payload[2])
      world.tell(c, view, 0, end,
                 {.kind = Kind::patient_data,
                  .protocol = "cms8000",
                  .object = std::string(kind.name),
                  .answered = true,
                  .data_class = std::string(kind.data_class),
                  .field = "0x46." + base::lower(kind.name.substr(0, kind.name.find(',')))});
}

}  // namespace

// Yes for a whole patient record or two frames in a row; one short frame alone proves nothing.
Probe probe_cms(ByteView bytes) {
  std::uint16_t length = 0;
  if (bytes.size() < kHead) {
    const bool possible =
        (bytes.size() < 2 || (bytes[1] <= (kMaxLength >> 8))) && (bytes.size() < 3 || bytes[2] == kMark);
    return possible ? Probe::maybe : Probe::no;
  }
  if (!frame_head(bytes, 0, length)) return Probe::no;
  if (bytes[3] == kRecord) return Probe::yes;
  const std::size_t second = 2u + length;
  if (bytes.size() < second + kHead) return Probe::maybe;
  return frame_head(bytes, second, length) ? Probe::yes : Probe::no;
}

Progress read_cms(World& world, Conversation& c, int, const View& view) {
  std::uint16_t length = 0;
  if (view.bytes.size() < kHead) return {0, kHead};
  if (!frame_head(view.bytes, 0, length)) {
    // Out of step: look for the next head.
    for (std::size_t at = 1; at + kHead <= view.bytes.size(); ++at)
      if (frame_head(view.bytes, at, length)) return {at, 0};
    return {view.bytes.size() - (view.closing ? 0 : kHead - 1), 0};
  }
  const std::size_t end = 2u + length;
  if (view.bytes.size() < end && !view.closing) return {0, end};
  const std::size_t have = std::min(end, view.bytes.size());
  const ByteView payload = view.bytes.subspan(kHead, have - kHead);
  ++std::get<CmsState>(c.state).frames;
  const std::uint8_t type = view.bytes[3];
  if (type == kRecord)
    read_record(world, c, view, have, payload);
  else if (type == kTelemetry)
    read_telemetry(world, c, view, have, payload);
  else
    world.tell(c, view, 0, have,
               {.kind = Kind::message,
                .protocol = "cms8000",
                .object = type == kBed    ? "bed"
                          : type == kSync ? "sync"
                                          : "message",
                .answered = true});
  return {have, 0};
}

}  // namespace witness
