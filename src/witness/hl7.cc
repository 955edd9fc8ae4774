// HL7 v2 messages, framed (MLLP) or bare, on any port, into the patient fields that they carry.
// Source: HL7 v2.5.1 chapter 2 (message construction), chapter 3 (PID, NK1, PV1), chapter 7 (OBX); MLLP
// release 1. Read segment by segment, so that no message is ever held whole and a gap costs the segments that
// it touches.
#include <algorithm>

#include "base/text.h"
#include "witness/dissect.h"

namespace witness {
namespace {

struct PatientField {
  std::string_view segment;
  std::size_t number;
  std::string_view data_class;
};
// Which fields tell who the patient is, and what is wrong with them.
constexpr PatientField kFields[] = {
    {"PID", 2, "identity"},  {"PID", 3, "identity"},  {"PID", 4, "identity"},    {"PID", 5, "identity"},
    {"PID", 6, "identity"},  {"PID", 7, "identity"},  {"PID", 9, "identity"},    {"PID", 11, "identity"},
    {"PID", 13, "identity"}, {"PID", 14, "identity"}, {"PID", 18, "identity"},   {"PID", 19, "identity"},
    {"PID", 20, "identity"}, {"PID", 21, "identity"}, {"PID", 23, "identity"},   {"NK1", 2, "identity"},
    {"NK1", 4, "identity"},  {"NK1", 5, "identity"},  {"IN1", 16, "identity"},   {"IN1", 36, "identity"},
    {"GT1", 3, "identity"},  {"MRG", 1, "identity"},  {"PV1", 19, "identity"},   {"AL1", 3, "health"},
    {"DG1", 3, "health"},    {"DG1", 4, "health"},    {"OBX", 5, "vital-signs"},
};

constexpr std::size_t kMaxSegment = 64u << 10;
constexpr int kMaxStrangeLines = 8;

bool is_upper_or_digit(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
bool is_separator(char c) {
  return is_printable(c) && c != ' ' && !is_upper_or_digit(c) && !(c >= 'a' && c <= 'z');
}

// "MSH" and the delimiters that it announces: five or six marks between two field separators.
bool is_header(std::string_view text) {
  if (text.size() < 9 || text.substr(0, 3) != "MSH" || !is_separator(text[3])) return false;
  for (std::size_t i = 4; i < 8; ++i)
    if (!is_separator(text[i])) return false;
  return text[8] == text[3] || (text.size() > 9 && is_separator(text[8]) && text[9] == text[3]);
}

bool has_content(std::string_view value, char component) {
  return std::any_of(value.begin(), value.end(),
                     [&](char c) { return c != component && c != ' ' && c != '"' && c != '~' && c != '&'; });
}

void read_segment(World& world, const Conversation& c, const View& view, std::size_t begin,
                  std::string_view line, Hl7Side& side) {
  const auto fields = base::split(line, side.field);
  const std::string_view name = fields[0];
  if (name == "MSH") {
    side.type = fields.size() > 8 ? std::string(fields[8]) : std::string();
    world.tell(
        c, view, begin, begin + line.size(),
        {.kind = Kind::message, .protocol = "hl7", .object = side.type, .answered = true, .field = "MSH-9"});
    return;
  }
  const std::string code = name == "OBX" && fields.size() > 3 ? std::string(fields[3]) : std::string();
  for (const PatientField& known : kFields) {
    if (known.segment != name || known.number >= fields.size() ||
        !has_content(fields[known.number], side.component))
      continue;
    world.tell(c, view, begin, begin + line.size(),
               {.kind = Kind::patient_data,
                .protocol = "hl7",
                .object = code,
                .words = std::string(fields[known.number]),
                .secret = true,
                .answered = true,
                .data_class = std::string(known.data_class),
                .field = std::string(name) + "-" + std::to_string(known.number)});
  }
}

bool is_segment(std::string_view line, char field) {
  return line.size() >= 4 && line[3] == field && line[0] >= 'A' && line[0] <= 'Z' &&
         is_upper_or_digit(line[1]) && is_upper_or_digit(line[2]);
}

// Where a message begins at or after `from`; npos when nowhere. `enough` becomes false when more bytes would
// decide.
std::size_t find_start(std::string_view text, std::size_t from, const Hl7Side& side, bool& enough) {
  for (std::size_t at = from;;) {
    const std::size_t header = text.find("MSH", at);
    const std::size_t patient = side.hunting ? text.find("PID|", at) : std::string_view::npos;
    const std::size_t found = std::min(header, patient);
    if (found == std::string_view::npos) return found;
    if (found == patient) {
      const bool line_start = found == 0 || text[found - 1] == '\r' || text[found - 1] == '\n';
      const std::string_view line = text.substr(found, text.find('\r', found) - found);
      if (line_start && std::count(line.begin(), line.end(), '|') >= 5) return found;
    } else {
      if (text.size() - found < 10) {
        enough = false;
        return found;
      }
      if (is_header(text.substr(found))) return found;
    }
    at = found + 3;
  }
}

}  // namespace

std::size_t scan_hl7(World& world, const Conversation& c, const View& view, Hl7Side& side) {
  const std::string_view text = base::as_text(view.bytes);
  std::size_t at = 0;
  if (view.gap_before) {
    side.hunting = true;
    side.skip_line = side.inside;
  }
  while (at < text.size()) {
    if (!side.inside) {
      bool enough = true;
      const std::size_t start = find_start(text, at, side, enough);
      if (start == std::string_view::npos) {
        // What may be the first letters of a header stays.
        const std::string_view rest = text.substr(at);
        for (std::size_t keep = std::min<std::size_t>(2, rest.size()); keep > 0 && !view.closing; --keep)
          if (std::string_view("MSH").starts_with(rest.substr(rest.size() - keep))) return text.size() - keep;
        return text.size();
      }
      if (!enough) {
        if (!view.closing) return start;
        return text.size();
      }
      side = Hl7Side{};
      side.inside = true;
      if (text[start] == 'M') {
        side.field = text[start + 3];
        side.component = text[start + 4];
      }
      at = start;
    }
    const std::size_t end = text.find_first_of("\r\n\x1C", at);
    if (end == std::string_view::npos && !view.closing) {
      if (text.size() - at <= kMaxSegment) return at;
      side.inside = false;
      return text.size();
    }
    std::string_view line = text.substr(at, end == std::string_view::npos ? end : end - at);
    const std::size_t begin = at;
    at = end == std::string_view::npos ? text.size() : end + 1;
    if (!line.empty() && line.front() == '\x0B') line.remove_prefix(1);
    if (side.skip_line) {
      side.skip_line = false;
    } else if (is_header(line)) {
      side.field = line[3];
      side.component = line[4];
      side.strange_lines = 0;
      read_segment(world, c, view, begin, line, side);
    } else if (is_segment(line, side.field)) {
      side.strange_lines = 0;
      read_segment(world, c, view, begin, line, side);
    } else if (!line.empty() && ++side.strange_lines > kMaxStrangeLines) {
      side.inside = false;
    }
    if (end != std::string_view::npos && text[end] == '\x1C') side.inside = false;
  }
  return at;
}

}  // namespace witness
