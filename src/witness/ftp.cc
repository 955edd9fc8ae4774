// FTP control and data connections into files moved and the credentials that moved them. Source: RFC 959, RFC
// 2428.
#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "witness/dissect.h"

namespace witness {
namespace {

constexpr std::size_t kMaxLine = 8192;
constexpr std::size_t kMaxExpected = 65536;

// Six decimal numbers of PORT and 227, h1,h2,h3,h4,p1,p2.
bool six_numbers(std::string_view text, Address& address, std::uint16_t& port) {
  std::uint32_t numbers[6] = {};
  std::size_t have = 0;
  for (std::size_t at = 0; at < text.size() && have < 6;) {
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), numbers[have]);
    if (error != std::errc{} || numbers[have] > 255) return false;
    ++have;
    at = static_cast<std::size_t>(end - text.data());
    if (have < 6 && (at >= text.size() || text[at++] != ',')) return false;
  }
  if (have != 6) return false;
  address = address_v4(numbers[0] << 24 | numbers[1] << 16 | numbers[2] << 8 | numbers[3]);
  port = static_cast<std::uint16_t>(numbers[4] << 8 | numbers[5]);
  return true;
}

void expect(World& world, const Address& listener, std::uint16_t port, FtpState& state) {
  if (world.ftp_expected.size() >= kMaxExpected) world.ftp_expected.clear();
  world.ftp_expected[{listener, port}] = {state.pending_path, state.pending_verb == "STOR"};
  state.pending_port = port;
}

void name_expected(World& world, const Conversation& c, FtpState& state) {
  if (state.pending_port == 0) return;
  const auto port = static_cast<std::uint16_t>(state.pending_port);
  for (const Address& side : {c.server, c.client})
    if (const auto known = world.ftp_expected.find({side, port}); known != world.ftp_expected.end())
      known->second = {state.pending_path, state.pending_verb == "STOR"};
}

void read_command(World& world, Conversation& c, FtpState& state, const View& view, std::size_t end,
                  std::string_view line) {
  const std::size_t space = line.find(' ');
  std::string verb = base::lower(line.substr(0, space));
  const std::string argument(space == line.npos ? std::string_view{} : line.substr(space + 1));
  if (verb == "user") {
    state.user = argument;
  } else if (verb == "pass") {
    world.tell(c, view, 0, end,
               {.kind = Kind::credential,
                .protocol = "ftp",
                .object = state.user,
                .words = argument,
                .secret = true,
                .answered = true,
                .data_class = "credential",
                .field = "PASS"});
  } else if (verb == "port") {
    Address address;
    std::uint16_t port = 0;
    if (six_numbers(argument, address, port)) expect(world, address, port, state);
  } else if (verb == "eprt") {
    const auto parts = base::split(argument, argument.empty() ? '|' : argument[0]);
    std::uint16_t port = 0;
    if (parts.size() > 3) std::from_chars(parts[3].data(), parts[3].data() + parts[3].size(), port);
    if (port) expect(world, c.client, port, state);
  } else if (verb == "retr" || verb == "stor" || verb == "appe" || verb == "list" || verb == "nlst" ||
             verb == "mlsd") {
    const bool stores = verb == "stor" || verb == "appe", lists = !stores && verb != "retr";
    state.pending_verb = stores ? "STOR" : lists ? "LIST" : "RETR";
    state.pending_path = lists ? "" : argument;
    name_expected(world, c, state);
    world.tell(c, view, 0, end,
               {.kind = stores ? Kind::send : Kind::fetch,
                .protocol = "ftp",
                .object = lists ? verb + " " + argument : argument,
                .words = std::string(line),
                .answered = true,
                .data_class = lists ? "listing" : ""});
  } else if (verb == "dele" || verb == "site") {
    world.tell(c, view, 0, end,
               {.kind = Kind::message, .protocol = "ftp", .object = std::string(line), .answered = true});
  }
}

void read_reply(World& world, Conversation& c, FtpState& state, std::string_view line) {
  if (line.starts_with("227")) {
    const std::size_t digit = line.find_first_of("0123456789", 3);
    Address address;
    std::uint16_t port = 0;
    // Behind address translation the address in the reply may not be the one that is connected to.
    if (digit != line.npos &&
        six_numbers(line.substr(digit, line.find_first_not_of("0123456789,", digit) - digit), address, port))
      expect(world, c.server, port, state);
  } else if (line.starts_with("229")) {
    const std::size_t bars = line.find("|||");
    std::uint16_t port = 0;
    if (bars != line.npos) std::from_chars(line.data() + bars + 3, line.data() + line.size(), port);
    if (port) expect(world, c.server, port, state);
  }
}

}  // namespace

Progress read_ftp(World& world, Conversation& c, int direction, const View& view) {
  const std::string_view text = base::as_text(view.bytes);
  const std::size_t end = text.find('\n');
  if (end == text.npos && !(view.closing && !text.empty()))
    return text.size() > kMaxLine ? Progress{text.size(), 0} : Progress{0, text.size() + 1};
  const std::size_t size = end == text.npos ? text.size() : end + 1;
  const std::string_view line = base::trim(text.substr(0, size));
  FtpState& state = std::get<FtpState>(c.state);
  if (view.gap_before) return {size, 0};  // the rest of a line whose beginning is missing
  if (direction == kFromClient)
    read_command(world, c, state, view, size, line);
  else
    read_reply(world, c, state, line);
  return {size, 0};
}

Progress read_ftp_data(World& world, Conversation& c, int direction, const View& view) {
  FtpDataState& state = std::get<FtpDataState>(c.state);
  (void)direction;
  if (view.gap_before) state.carving.gap = true;
  world.carve(state.carving, view.bytes, view.frames(0, view.bytes.size()));
  return {view.bytes.size(), 0};
}

void end_ftp_data(World& world, Conversation& c, std::uint64_t time) {
  FtpDataState& state = std::get<FtpDataState>(c.state);
  // The name may have come after the data connection was opened.
  for (const auto& [side, port] : {std::pair{c.server, c.server_port}, std::pair{c.client, c.client_port}})
    if (const auto known = world.ftp_expected.find({side, port});
        known != world.ftp_expected.end() && !known->second.first.empty())
      state.path = known->second.first;
  if (state.carving.size && base::as_text(state.carving.bytes).find("MSH|") != std::string_view::npos) {
    std::vector<View::Mark> marks;
    for (const std::uint64_t frame : state.carving.frames)
      marks.push_back({state.carving.bytes.size(), frame});
    Hl7Side side;
    scan_hl7(world, c, View{state.carving.bytes, &marks, true, false, time}, side);
  }
  if (!state.path.empty()) world.object(c, state.path, "ftp", std::move(state.carving), time);
}

}  // namespace witness
