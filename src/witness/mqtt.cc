// MQTT 3.1, 3.1.1 and 5 into topics, and the credentials of CONNECT. Source: OASIS MQTT 3.1.1 section 3,
// MQTT 5.0 section 3.
#include "witness/dissect.h"

namespace witness {
namespace {

using base::ByteOrder;
using base::ByteReader;

constexpr std::size_t kMaxPacket = 1u << 20;

// The variable length at `at`; nothing when it is not complete (`more`) or not valid.
std::optional<std::uint32_t> variable_length(ByteView bytes, std::size_t& at, bool& more) {
  std::uint32_t value = 0;
  for (int shift = 0; shift < 28; shift += 7, ++at) {
    if (at >= bytes.size()) {
      more = true;
      return std::nullopt;
    }
    value |= static_cast<std::uint32_t>(bytes[at] & 0x7F) << shift;
    if (!(bytes[at] & 0x80)) {
      ++at;
      return value;
    }
  }
  return std::nullopt;
}

std::string field(ByteReader& in) { return std::string(base::as_text(in.take(in.u16()))); }

void skip_properties(ByteReader& in, ByteView body) {
  std::size_t at = in.offset();
  bool more = false;
  const auto size = variable_length(body, at, more);
  in.seek(at);
  in.skip(size.value_or(0));
}

void read_connect(World& world, Conversation& c, const View& view, std::size_t end, ByteView body) {
  MqttState& state = std::get<MqttState>(c.state);
  ByteReader in(body, ByteOrder::big);
  field(in);
  state.level = in.u8();
  const std::uint8_t flags = in.u8();
  in.u16();
  if (state.level >= 5) skip_properties(in, body);
  state.client_id = field(in);
  if (flags & 0x04) {
    if (state.level >= 5) skip_properties(in, body);
    field(in);
    field(in);
  }
  const std::string user = flags & 0x80 ? field(in) : "";
  const std::string password = flags & 0x40 ? field(in) : "";
  if (!in.ok()) return;
  world.tell(c, view, 0, end,
             {.kind = Kind::message,
              .protocol = "mqtt",
              .object = state.client_id,
              .answered = true,
              .field = "connect"});
  if (user.empty() && password.empty()) return;
  // A password that only repeats the name is an identity; a signed token expires. Neither is a reusable
  // secret.
  const bool repeats = password.empty() || password == user || password == state.client_id;
  const bool token = password.find("SharedAccessSignature") == 0 && password.find("&se=") != password.npos;
  world.tell(c, view, 0, end,
             {.kind = Kind::credential,
              .protocol = "mqtt",
              .object = user,
              .words = password,
              .secret = true,
              .answered = true,
              .data_class = repeats ? "device-identity"
                            : token ? "expiring-token"
                                    : "credential",
              .field = "connect"});
}

void read_publish(World& world, Conversation& c, const View& view, std::size_t end, ByteView body,
                  std::uint8_t flags) {
  MqttState& state = std::get<MqttState>(c.state);
  ByteReader in(body, ByteOrder::big);
  const std::string topic = field(in);
  if (flags & 0x06) in.u16();
  if (state.level >= 5) skip_properties(in, body);
  if (!in.ok()) return;
  world.tell(
      c, view, 0, end,
      {.kind = Kind::message, .protocol = "mqtt", .object = topic, .answered = true, .field = "publish"});
  const ByteView payload = base::clipped(body, in.offset());
  if (base::as_text(payload).find("MSH") == std::string_view::npos) return;
  std::vector<View::Mark> marks;
  for (const std::uint64_t frame : view.frames(0, end)) marks.push_back({payload.size(), frame});
  Hl7Side side;
  scan_hl7(world, c, View{payload, &marks, true, false, view.time}, side);
}

}  // namespace

Probe probe_mqtt(ByteView bytes) {
  if (!bytes.empty() && bytes[0] != 0x10) return Probe::no;
  std::size_t at = 1;
  bool more = false;
  const auto length = variable_length(bytes, at, more);
  if (!length) return more ? Probe::maybe : Probe::no;
  const Probe level4 = probe_text(base::clipped(bytes, at), std::string_view("\0\4MQTT", 6));
  const Probe level3 = probe_text(base::clipped(bytes, at), std::string_view("\0\6MQIsdp", 8));
  return std::max(level4, level3);
}

Progress read_mqtt(World& world, Conversation& c, int direction, const View& view) {
  if (view.bytes.empty()) return {0, 0};
  std::size_t at = 1;
  bool more = false;
  const auto length = variable_length(view.bytes, at, more);
  if (!length && more && !view.closing) return {0, view.bytes.size() + 1};
  if (!length || *length > kMaxPacket) {
    c.streams[direction].lost = true;
    return {view.bytes.size(), 0};
  }
  const std::size_t size = at + *length;
  if (view.bytes.size() < size && !view.closing) return {0, size};
  const ByteView body = base::clipped(view.bytes, at, *length);
  const std::size_t end = std::min(size, view.bytes.size());
  const std::uint8_t type = view.bytes[0] >> 4;
  if (type == 1 && direction == kFromClient) read_connect(world, c, view, end, body);
  if (type == 3) read_publish(world, c, view, end, body, view.bytes[0] & 0x0F);
  return {end, 0};
}

}  // namespace witness
