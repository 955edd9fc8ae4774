// SMB 1 and 2/3 into the shares and files that are named. Sources: MS-CIFS 2.2.4.55
// (TREE_CONNECT_ANDX), 2.2.4.64 (NT_CREATE_ANDX), MS-SMB2 2.2.9 (TREE_CONNECT), 2.2.13 (CREATE).
#include "witness/dissect.h"

namespace witness {
namespace {

using base::ByteReader;

constexpr std::size_t kMaxMessage = 4u << 20;

// UTF-16LE to bytes: code units below 0x80 as they are, others as `?`. Names here are shown, never compared.
std::string narrow(ByteView wide) {
  std::string out;
  for (std::size_t i = 0; i + 1 < wide.size() && out.size() < 1024; i += 2) {
    const std::uint16_t unit = static_cast<std::uint16_t>(wide[i] | wide[i + 1] << 8);
    if (unit == 0) break;
    out += unit < 0x80 ? static_cast<char>(unit) : '?';
  }
  return out;
}

void read_smb2(World& world, Conversation& c, const View& view, std::size_t end, ByteView message) {
  ByteReader in(message);
  in.skip(12);
  const std::uint16_t command = in.u16();
  in.skip(2);
  const std::uint32_t flags = in.u32();
  if (!in.ok() || (flags & 1)) return;  // a response
  if (command == 3) {
    const std::uint16_t at = base::load_le16(message, 64 + 4).value_or(0),
                        size = base::load_le16(message, 64 + 6).value_or(0);
    world.tell(c, view, 0, end,
               {.kind = Kind::mount_remote,
                .protocol = "smb2",
                .object = narrow(base::clipped(message, at, size)),
                .answered = true});
  } else if (command == 5) {
    const std::uint16_t at = base::load_le16(message, 64 + 44).value_or(0),
                        size = base::load_le16(message, 64 + 46).value_or(0);
    const std::string name = narrow(base::clipped(message, at, size));
    if (!name.empty())
      world.tell(
          c, view, 0, end,
          {.kind = Kind::share_read, .protocol = "smb2", .object = name, .words = "open", .answered = true});
  }
}

void read_smb1(World& world, Conversation& c, const View& view, std::size_t end, ByteView message) {
  ByteReader in(message);
  in.skip(4);
  const std::uint8_t command = in.u8();
  in.skip(4);
  const std::uint8_t flags = in.u8();
  const bool wide = in.u16() & 0x8000;
  if (!in.ok() || (flags & 0x80)) return;
  in.seek(32);
  const std::size_t words = in.u8();
  if (command == 0x75 && words == 4) {
    const std::uint16_t password = base::load_le16(message, 33 + 6).value_or(0);
    std::size_t at = 33 + 8 + 2 + password;
    if (wide && at % 2) ++at;
    const ByteView path = base::clipped(message, at);
    const std::string name =
        wide ? narrow(path) : std::string(base::as_text(path).substr(0, base::as_text(path).find('\0')));
    world.tell(c, view, 0, end,
               {.kind = Kind::mount_remote, .protocol = "smb1", .object = name, .answered = true});
  } else if (command == 0xA2 && words == 24) {
    const std::size_t at = 33 + 48 + 2 + (wide ? 1 : 0);
    const ByteView path = base::clipped(message, at);
    const std::string name =
        wide ? narrow(path) : std::string(base::as_text(path).substr(0, base::as_text(path).find('\0')));
    if (!name.empty())
      world.tell(
          c, view, 0, end,
          {.kind = Kind::share_read, .protocol = "smb1", .object = name, .words = "open", .answered = true});
  }
}

}  // namespace

Probe probe_smb(ByteView bytes) {
  if (!bytes.empty() && bytes[0] != 0x00 && bytes[0] != 0x81) return Probe::no;
  if (bytes.size() >= 2 && bytes[1] > 1) return Probe::no;
  if (bytes.size() < 8) return bytes.size() < 5 || bytes[4] >= 0xFE ? Probe::maybe : Probe::no;
  const std::string_view mark = base::as_text(bytes.subspan(4, 4));
  return mark == "\xFFSMB" || mark == "\xFESMB" ? Probe::yes : Probe::no;
}

Progress read_smb(World& world, Conversation& c, int direction, const View& view) {
  if (view.bytes.size() < 4) return {0, 4};
  const std::uint32_t length = *base::load_be32(view.bytes, 0) & 0xFFFFFF;
  if (length > kMaxMessage || (view.bytes[0] != 0 && view.bytes[0] < 0x81)) {
    c.streams[direction].lost = true;
    return {view.bytes.size(), 0};
  }
  const std::size_t size = 4u + length;
  if (view.bytes.size() < size && !view.closing) return {0, size};
  const std::size_t end = std::min(size, view.bytes.size());
  const ByteView message = base::clipped(view.bytes, 4, length);
  if (message.size() >= 32 && direction == kFromClient) {
    if (message[0] == 0xFE) read_smb2(world, c, view, end, message);
    if (message[0] == 0xFF) read_smb1(world, c, view, end, message);
  }
  return {end, 0};
}

}  // namespace witness
