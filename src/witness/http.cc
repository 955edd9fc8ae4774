// HTTP/1 requests and responses into what was fetched and sent, and what came in clear. Source: RFC 9112, RFC
// 7617 (Basic).
#include <algorithm>
#include <charconv>
#include <optional>

#include "base/text.h"
#include "witness/dissect.h"

namespace witness {
namespace {

constexpr std::string_view kMethods[] = {"GET ",      "POST ",      "PUT ",    "HEAD ",
                                         "DELETE ",   "OPTIONS ",   "PATCH ",  "CONNECT ",
                                         "PROPFIND ", "SUBSCRIBE ", "NOTIFY ", "M-SEARCH "};
constexpr std::size_t kMaxHead = 64u << 10;
constexpr std::size_t kMaxOutstanding = 256;

std::string_view header(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) {
    const std::string_view line = head.substr(at + 1, head.find('\n', at + 1) - at - 1);
    const std::size_t colon = line.find(':');
    if (colon == name.size() && base::lower(line.substr(0, colon)) == name)
      return base::trim(line.substr(colon + 1));
  }
  return {};
}

std::optional<std::uint64_t> number(std::string_view text, int radix) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, radix);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

std::string base64_text(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    int value = -1;
    if (c >= 'A' && c <= 'Z')
      value = c - 'A';
    else if (c >= 'a' && c <= 'z')
      value = c - 'a' + 26;
    else if (c >= '0' && c <= '9')
      value = c - '0' + 52;
    else if (c == '+')
      value = 62;
    else if (c == '/')
      value = 63;
    if (value < 0) break;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    have += 6;
    if (have >= 8) {
      have -= 8;
      out += static_cast<char>(bits >> have & 0xFF);
    }
  }
  return out;
}

void read_authorization(World& world, const Conversation& c, const View& view, std::size_t end,
                        std::string_view head) {
  const std::string_view value = header(head, "authorization");
  if (base::lower(value.substr(0, 6)) != "basic ") return;
  const std::string pair = base64_text(base::trim(value.substr(6)));
  const std::size_t colon = pair.find(':');
  if (colon == std::string::npos) return;
  world.tell(c, view, 0, end,
             {.kind = Kind::credential,
              .protocol = "http",
              .object = pair.substr(0, colon),
              .words = pair.substr(colon + 1),
              .secret = true,
              .answered = true,
              .data_class = "credential",
              .field = "authorization"});
}

// Name=value pairs of a form whose names speak of a password.
void read_form(World& world, const Conversation& c, const View& view, std::size_t end,
               std::string_view form) {
  for (const std::string_view pair : base::split(form.substr(0, 4096), '&')) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals + 1 >= pair.size()) continue;
    const std::string name = base::lower(pair.substr(0, equals));
    if (name != "password" && name != "passwd" && name != "pwd" && name != "pass") continue;
    world.tell(c, view, 0, end,
               {.kind = Kind::credential,
                .protocol = "http",
                .object = name,
                .words = std::string(pair.substr(equals + 1)),
                .secret = true,
                .answered = true,
                .data_class = "credential",
                .field = "form"});
  }
}

void start_body(Conversation& c, HttpMessage& message, std::string_view head, bool request, bool no_body) {
  (void)c;
  const std::string encoding = base::lower(header(head, "transfer-encoding"));
  const std::string_view length = header(head, "content-length");
  if (no_body) {
    message.part = HttpMessage::Part::head;
  } else if (encoding.find("chunked") != std::string::npos) {
    message.part = HttpMessage::Part::chunk_size;
  } else if (!length.empty()) {
    message.left = number(length, 10).value_or(0);
    message.part = message.left ? HttpMessage::Part::sized : HttpMessage::Part::head;
  } else {
    message.part = request ? HttpMessage::Part::head : HttpMessage::Part::until_close;
  }
}

Progress read_request_head(World& world, Conversation& c, HttpState& state, const View& view,
                           std::string_view head) {
  HttpMessage& message = state.side[kFromClient];
  const std::string_view line = head.substr(0, head.find_first_of("\r\n"));
  const auto words = base::split(line, ' ');
  const std::string method(words[0]), target(words.size() > 1 ? words[1] : std::string_view{});
  const std::string_view host = header(head, "host");
  std::string name = target.starts_with("/") && !host.empty() ? std::string(host) + target : target;
  const bool sends = method == "POST" || method == "PUT" || method == "PATCH";
  world.tell(c, view, 0, head.size(),
             {.kind = sends ? Kind::send : Kind::fetch,
              .protocol = "http",
              .object = name,
              .words = std::string(line)});
  read_authorization(world, c, view, head.size(), head);
  if (const std::size_t query = target.find('?'); query != std::string::npos)
    read_form(world, c, view, head.size(), std::string_view(target).substr(query + 1));
  if (!host.empty() && host.find_first_not_of("0123456789.:[]") != std::string_view::npos &&
      world.served_names.size() < 100'000)
    world.served_names.try_emplace({c.server, c.server_port}, host.substr(0, host.find(':')));
  if (state.asked.size() < kMaxOutstanding) {
    state.asked.push_back(name);
    state.methods.push_back(method);
  }
  state.body_name[kFromClient] = name;
  state.body_encoded[kFromClient] = !header(head, "content-encoding").empty();
  start_body(c, message, head, true, false);
  return {head.size(), 0};
}

Progress read_response_head(World& world, Conversation& c, HttpState& state, const View& view,
                            std::string_view head) {
  HttpMessage& message = state.side[kFromServer];
  const int status = head.size() > 12 ? static_cast<int>(number(head.substr(9, 3), 10).value_or(0)) : 0;
  const bool interim = status >= 100 && status < 200;
  std::string method;
  if (!interim) {
    state.body_name[kFromServer].clear();
    if (!state.asked.empty()) {
      state.body_name[kFromServer] = state.asked.front();
      method = state.methods.front();
      state.asked.erase(state.asked.begin());
      state.methods.erase(state.methods.begin());
    }
  }
  (void)world;
  (void)view;
  state.body_encoded[kFromServer] = !header(head, "content-encoding").empty();
  start_body(c, message, head, false, interim || status == 204 || status == 304 || method == "HEAD");
  return {head.size(), 0};
}

void finish_body(World& world, Conversation& c, HttpState& state, int direction, std::uint64_t time,
                 bool partial = false) {
  Carving& body = state.body[direction];
  if (body.size && (!code_type(body.bytes).empty() && !state.body_encoded[direction]))
    world.object(c, state.body_name[direction], "http", std::move(body), time, partial);
  body = {};
}

// Content: HL7 is looked for, a form read, and what may be code kept.
void body_bytes(World& world, Conversation& c, HttpState& state, int direction, const View& view,
                std::size_t begin, std::size_t size) {
  const ByteView bytes = view.bytes.subspan(begin, size);
  Carving& body = state.body[direction];
  if (body.size == 0) {
    state.side[direction].carve =
        !state.body_encoded[direction] && (bytes.size() < 300 || !code_type(bytes).empty());
    if (direction == kFromClient) read_form(world, c, view, begin + size, base::as_text(bytes));
  }
  if (state.side[direction].carve)
    world.carve(body, bytes, view.frames(begin, begin + size));
  else
    body.size += size;
  if (body.size >= 512 && state.side[direction].carve && body.bytes.size() < 4096 &&
      code_type(body.bytes).empty()) {
    state.side[direction].carve = false;
    body.bytes.clear();
  }
  if (base::as_text(bytes).find("MSH") != std::string_view::npos) {
    Hl7Side side;
    std::vector<View::Mark> marks;
    for (const std::uint64_t frame : view.frames(begin, begin + size)) marks.push_back({bytes.size(), frame});
    scan_hl7(world, c, View{bytes, &marks, true, false, view.time}, side);
  }
}

}  // namespace

Probe probe_text(ByteView bytes, std::string_view whole) {
  const std::string_view text = base::as_text(bytes).substr(0, whole.size());
  if (text != whole.substr(0, text.size())) return Probe::no;
  return text.size() == whole.size() ? Probe::yes : Probe::maybe;
}

Probe probe_http(ByteView bytes) {
  Probe best = probe_text(bytes, "HTTP/1.");
  for (const std::string_view method : kMethods) best = std::max(best, probe_text(bytes, method));
  if (best != Probe::yes) return best;
  const std::string_view text = base::as_text(bytes);
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return text.size() >= kIdentifyBytes ? Probe::yes : Probe::maybe;
  return text.substr(0, end).find("HTTP/1.") != std::string_view::npos ? Probe::yes : Probe::no;
}

Progress read_http(World& world, Conversation& c, int direction, const View& view) {
  HttpState& state = std::get<HttpState>(c.state);
  HttpMessage& message = state.side[direction];
  const std::string_view text = base::as_text(view.bytes);
  using Part = HttpMessage::Part;
  switch (message.part) {
    case Part::head: {
      if (!text.empty() && (text[0] == '\r' || text[0] == '\n')) return {1, 0};
      const std::size_t end = text.find("\n\r\n"), bare = text.find("\n\n");
      std::size_t size = std::min(end == text.npos ? end : end + 3, bare == text.npos ? bare : bare + 2);
      if (size == text.npos) {
        if (text.size() > kMaxHead || (view.closing && probe_http(view.bytes) != Probe::yes)) {
          c.streams[direction].lost = true;
          return {text.size(), 0};
        }
        if (!view.closing) return {0, text.size() + std::max<std::size_t>(1, text.size() / 8)};
        size = text.size();
      }
      if (probe_http(view.bytes.first(size)) == Probe::no) {
        c.streams[direction].lost = true;
        return {size, 0};
      }
      return direction == kFromClient ? read_request_head(world, c, state, view, text.substr(0, size))
                                      : read_response_head(world, c, state, view, text.substr(0, size));
    }
    case Part::sized:
    case Part::chunk: {
      const std::size_t take = static_cast<std::size_t>(std::min<std::uint64_t>(message.left, text.size()));
      body_bytes(world, c, state, direction, view, 0, take);
      message.left -= take;
      if (message.left == 0) {
        if (message.part == Part::sized) {
          finish_body(world, c, state, direction, view.time);
          message.part = Part::head;
        } else {
          message.part = Part::chunk_size;
        }
      }
      return {take, 0};
    }
    case Part::chunk_size: {
      const std::size_t end = text.find('\n');
      if (end == text.npos)
        return text.size() > 1024 ? Progress{text.size(), 0} : Progress{0, text.size() + 1};
      const std::string_view line = base::trim(text.substr(0, end));
      if (line.empty()) return {end + 1, 0};
      message.left = number(line, 16).value_or(0);
      message.part = message.left ? Part::chunk : Part::trailer;
      return {end + 1, 0};
    }
    case Part::trailer: {
      const std::size_t end = text.find('\n');
      if (end == text.npos)
        return text.size() > kMaxHead ? Progress{text.size(), 0} : Progress{0, text.size() + 1};
      if (base::trim(text.substr(0, end)).empty()) {
        finish_body(world, c, state, direction, view.time);
        message.part = Part::head;
      }
      return {end + 1, 0};
    }
    case Part::until_close:
      body_bytes(world, c, state, direction, view, 0, text.size());
      return {text.size(), 0};
  }
  return {text.size(), 0};
}

void end_http(World& world, Conversation& c, std::uint64_t time) {
  HttpState& state = std::get<HttpState>(c.state);
  for (const int direction : {kFromClient, kFromServer})
    finish_body(world, c, state, direction, time,
                state.side[direction].part != HttpMessage::Part::until_close);
}

}  // namespace witness
