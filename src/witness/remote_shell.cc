// rsh, rexec, rlogin and telnet: commands and credentials in clear.
// Sources: RFC 1282 (rlogin), rcmd(3) and rexec(3) for rsh and rexec, RFC 854 (telnet).
#include <algorithm>

#include "base/text.h"
#include "witness/dissect.h"

namespace witness {
namespace {

constexpr std::size_t kMaxStart = 4096;

std::vector<std::string_view> zero_terminated(std::string_view text) {
  auto parts = base::split(text, '\0');
  if (!parts.empty()) parts.pop_back();  // what follows the last NUL is not complete
  return parts;
}

void tell_rsh(World& world, Conversation& c, const View& view, const std::vector<std::string_view>& parts,
              std::size_t end) {
  const std::string_view protocol = to_text(c.protocol);
  const std::string local(parts[1]), second(parts[2]);
  if (c.protocol == Protocol::rexec)
    world.tell(c, view, 0, end,
               {.kind = Kind::credential,
                .protocol = protocol,
                .object = local,
                .words = second,
                .secret = true,
                .answered = true,
                .data_class = "credential",
                .field = "password"});
  else
    world.tell(c, view, 0, end,
               {.kind = Kind::credential,
                .protocol = protocol,
                .object = c.protocol == Protocol::rlogin ? second : local + " as " + second,
                .answered = true,
                .data_class = "credential",
                .field = "user"});
  world.tell(c, view, 0, end,
             {.kind = Kind::shell,
              .protocol = protocol,
              .object = c.protocol == Protocol::rlogin ? "session" : std::string(parts[3]),
              .words = std::string(parts[3]),
              .answered = true});
}

// Removes telnet commands; an incomplete one at the end stays for the next call.
std::string plain_telnet(ByteView bytes, std::size_t& consumed) {
  std::string out;
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (bytes[at] != 0xFF) {
      out += static_cast<char>(bytes[at++]);
      continue;
    }
    if (at + 1 >= bytes.size()) break;
    const std::uint8_t command = bytes[at + 1];
    if (command == 0xFF) {
      out += '\xFF';
      at += 2;
    } else if (command == 0xFA) {  // sub-negotiation, to IAC SE
      std::size_t end = at + 2;
      while (end + 1 < bytes.size() && !(bytes[end] == 0xFF && bytes[end + 1] == 0xF0)) ++end;
      if (end + 1 >= bytes.size()) {
        if (bytes.size() - at > 1024) at = bytes.size();
        break;
      }
      at = end + 2;
    } else {
      const std::size_t size = command >= 0xFB && command <= 0xFE ? 3 : 2;
      if (at + size > bytes.size()) break;
      at += size;
    }
  }
  consumed = at;
  return out;
}

}  // namespace

Progress read_rsh(World& world, Conversation& c, int direction, const View& view) {
  RshState& state = std::get<RshState>(c.state);
  if (direction == kFromServer || state.told) return {view.bytes.size(), 0};
  const std::string_view text = base::as_text(view.bytes);
  const auto parts = zero_terminated(text);
  if (parts.size() < 4) {
    if (text.size() > kMaxStart || view.closing) {
      c.protocol = Protocol::raw;
      c.state = RawState{};
      return {0, 0};
    }
    return {0, text.size() + 1};
  }
  state.told = true;
  std::size_t end = 0;
  for (std::size_t i = 0; i < 4; ++i) end += parts[i].size() + 1;
  tell_rsh(world, c, view, parts, end);
  return {end, 0};
}

Progress read_telnet(World& world, Conversation& c, int direction, const View& view) {
  TelnetState& state = std::get<TelnetState>(c.state);
  std::size_t consumed = 0;
  const std::string text = plain_telnet(view.bytes, consumed);
  if (!state.told) {
    state.told = true;
    world.tell(c, view, 0, view.bytes.size(),
               {.kind = Kind::shell, .protocol = "telnet", .object = "session", .answered = true});
  }
  std::string& line = state.line[direction];
  for (const char ch : text) {
    if (direction == kFromClient && (ch == '\r' || ch == '\n')) {
      std::string& prompt = state.line[kFromServer];
      const std::string asked = base::lower(prompt);
      const bool password = asked.find("assword:") != asked.npos, login = asked.find("ogin:") != asked.npos;
      if (!line.empty())
        world.tell(c, view, 0, view.bytes.size(),
                   {.kind = password || login ? Kind::credential : Kind::shell,
                    .protocol = "telnet",
                    .object = password ? "password"
                              : login  ? line
                                       : "command",
                    .words = login && !password ? "" : line,
                    .secret = password,
                    .answered = true,
                    .data_class = password || login ? "credential" : ""});
      line.clear();
      prompt.clear();
    } else if (direction == kFromServer && ch == '\n') {
      line.clear();
    } else if (line.size() < 512) {
      line += ch;
    }
  }
  return {consumed, consumed < view.bytes.size() ? view.bytes.size() + 1 : 0};
}

}  // namespace witness
