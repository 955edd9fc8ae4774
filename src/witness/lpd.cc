// The line printer daemon protocol, whole, into print jobs. Source: RFC 1179 sections 5 to 7.
// The first octet alone proves nothing: a job is told once its command line, a sub-command and the control
// file's own lines have been read as the RFC writes them; the conversation is anything else as soon as one of
// them is not.
#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "witness/dissect.h"

namespace witness {
namespace {

constexpr std::size_t kMaxLine = 512;
constexpr std::uint64_t kMaxControl = 64u << 10;

bool printable_word(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_printable(c) && c != ' '; });
}

// "count SP name": name is cfA or dfA, three digits, host (section 6.2, 6.3).
bool read_file_line(std::string_view line, std::string_view prefix, std::uint64_t& count, std::string& host) {
  const std::size_t space = line.find(' ');
  if (space == line.npos) return false;
  const auto [end, error] = std::from_chars(line.data(), line.data() + space, count);
  if (error != std::errc{} || end != line.data() + space) return false;
  const std::string_view name = line.substr(space + 1);
  if (name.size() < 7 || !name.starts_with(prefix) || name[2] < 'A' || name[2] > 'z') return false;
  if (!std::all_of(name.begin() + 3, name.begin() + 6, [](char c) { return c >= '0' && c <= '9'; }))
    return false;
  host = name.substr(6);
  return printable_word(host);
}

bool read_control_file(std::string_view text, LpdState& state) {
  bool host = false, person = false;
  for (const std::string_view line : base::split(text, '\n')) {
    if (line.empty()) continue;
    if (!((line[0] >= 'A' && line[0] <= 'Z') || (line[0] >= 'a' && line[0] <= 'z') ||
          (line[0] >= '1' && line[0] <= '4')))
      return false;
    if (line[0] == 'H') host = true;
    if (line[0] == 'P') person = true;
    if (line[0] == 'J' || (line[0] == 'N' && state.job.empty())) state.job = line.substr(1);
  }
  return host && person;  // both are required (section 7)
}

// What the stream carries is read anew, from here on, as that of no known protocol.
Progress not_lpd(Conversation& c) {
  c.protocol = Protocol::raw;
  c.state = RawState{};
  return {0, 0};
}

Progress read_line(World& world, Conversation& c, LpdState& state, const View& view, bool sub) {
  const std::string_view text = base::as_text(view.bytes);
  const std::size_t end = text.find('\n');
  if (end == text.npos) {
    if (text.size() <= kMaxLine && !view.closing) return {0, text.size() + 1};
    return not_lpd(c);
  }
  const char command = text[0];
  const std::string_view line = text.substr(1, end - 1);
  std::uint64_t count = 0;
  bool fits = true;
  if (!sub) {
    const std::string_view queue = line.substr(0, line.find(' '));
    fits = command >= 1 && command <= 5 && printable_word(queue);
    state.queue = queue;
    if (fits && command == 2) state.part = LpdState::Part::sub_command;
  } else if (command == 1 && line.empty()) {
    // abort job
  } else if (command == 2 && read_file_line(line, "cf", count, state.host) && count <= kMaxControl) {
    state.left = count;
    state.part = LpdState::Part::control;
  } else if (command == 3 && read_file_line(line, "df", count, state.host)) {
    // The octets and one of zero; a length of zero means to the end of the connection (section 6.3).
    state.left = count == 0 || count == ~std::uint64_t{0} ? ~std::uint64_t{0} : count + 1;
    state.part = LpdState::Part::data;
    if (state.conforms)
      world.tell(c, view, 0, end + 1,
                 {.kind = Kind::print_job,
                  .protocol = "lpd",
                  .object = state.queue,
                  .words = state.job,
                  .answered = true,
                  .field = "data"});
  } else {
    fits = false;
  }
  return fits ? Progress{end + 1, 0} : not_lpd(c);
}

}  // namespace

// Yes only for a whole command line that RFC 1179 section 5 allows.
Probe probe_lpd(ByteView bytes) {
  const std::string_view text = base::as_text(bytes);
  if (text.empty()) return Probe::maybe;
  if (text[0] < 1 || text[0] > 5) return Probe::no;
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(1, end == text.npos ? end : end - 1);
  if (!std::all_of(line.begin(), line.end(), is_printable)) return Probe::no;
  if (end == text.npos) return text.size() > kMaxLine ? Probe::no : Probe::maybe;
  return line.empty() ? Probe::no : Probe::yes;
}

Progress read_lpd(World& world, Conversation& c, int direction, const View& view) {
  LpdState& state = std::get<LpdState>(c.state);
  if (direction == kFromServer) return {view.bytes.size(), 0};
  using Part = LpdState::Part;
  if (state.part == Part::command || state.part == Part::sub_command)
    return read_line(world, c, state, view, state.part == Part::sub_command);
  if (state.part == Part::control) {
    const std::size_t size = static_cast<std::size_t>(state.left) + 1;  // the octet of zero that follows
    if (view.bytes.size() < size && !view.closing) return {0, size};
    const std::string_view text = base::as_text(base::clipped(view.bytes, 0, state.left));
    state.conforms = read_control_file(text, state);
    if (!state.conforms) return not_lpd(c);
    world.tell(c, view, 0, std::min(size, view.bytes.size()),
               {.kind = Kind::print_job,
                .protocol = "lpd",
                .object = state.queue,
                .words = state.job,
                .answered = true,
                .field = "control"});
    state.part = Part::sub_command;
    return {std::min(size, view.bytes.size()), 0};
  }
  const std::size_t take = static_cast<std::size_t>(std::min<std::uint64_t>(state.left, view.bytes.size()));
  state.left -= take;
  if (state.left == 0) state.part = Part::sub_command;
  return {take, 0};
}

}  // namespace witness
