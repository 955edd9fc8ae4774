// Implements terminal.h. Traces are drawn in Braille cells (2 x 4 dots), sweeping: the newest sample overwrites the oldest in place.
#include "device/screen/terminal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/escape.h"

namespace bedside {
namespace {

// Seven-row digits would not fit a terminal's quarter; three rows of half blocks do. One string a row.
struct Digit {
  char glyph;
  const char32_t* rows[3];
};
constexpr Digit digits[] = {
    {'0', {U"█▀█", U"█ █", U"▀▀▀"}}, {'1', {U"▀█ ", U" █ ", U"▀▀▀"}}, {'2', {U"▀▀█", U"█▀▀", U"▀▀▀"}}, {'3', {U"▀▀█", U"▀▀█", U"▀▀▀"}},
    {'4', {U"█ █", U"▀▀█", U"  ▀"}}, {'5', {U"█▀▀", U"▀▀█", U"▀▀▀"}}, {'6', {U"█▀▀", U"█▀█", U"▀▀▀"}}, {'7', {U"▀▀█", U"  █", U"  ▀"}},
    {'8', {U"█▀█", U"█▀█", U"▀▀▀"}}, {'9', {U"█▀█", U"▀▀█", U"▀▀▀"}}, {'-', {U"   ", U"▀▀▀", U"   "}}, {'.', {U" ", U" ", U"▀"}},
    {'/', {U"  █", U" █ ", U"▀  "}}, {' ', {U" ", U" ", U" "}},
};

Ink ink_of(const std::string& colour) {
  if (colour == "#3ddc5a") return Ink::green;
  if (colour == "#35c9f0") return Ink::cyan;
  if (colour == "#f2dc3a") return Ink::yellow;
  if (colour == "#e58bff") return Ink::magenta;
  return Ink::white;
}

void put(Grid& grid, int row, int column, const std::string& text, Ink ink, bool bold = false) {
  const std::string safe = base::escape_terminal(text);
  for (std::size_t at = 0; at < safe.size() && column < grid.columns && row < grid.rows;) {
    const auto length = std::max<std::size_t>(1, base::utf8_sequence(std::string_view(safe).substr(at)));
    char32_t glyph = static_cast<unsigned char>(safe[at]);
    if (length > 1) {
      glyph &= 0xFFu >> (length + 1);
      for (std::size_t i = 1; i < length; ++i) glyph = glyph << 6 | (static_cast<unsigned char>(safe[at + i]) & 0x3F);
    }
    grid.at(row, column++) = {glyph, ink, bold};
    at += length;
  }
}

int put_large(Grid& grid, int row, int column, const std::string& text, Ink ink) {
  for (const char c : text)
    for (const auto& digit : digits) {
      if (digit.glyph != c) continue;
      int width = 0;
      for (int r = 0; r < 3 && row + r < grid.rows; ++r)
        for (width = 0; digit.rows[r][width]; ++width)
          if (column + width < grid.columns) grid.at(row + r, column + width) = {digit.rows[r][width], ink, true};
      column += width + 1;
    }
  return column;
}

void draw_trace(Grid& grid, const TraceView& trace, int top, int height, int width) {
  constexpr int bits[2][4] = {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}};
  std::vector<int> dots(static_cast<std::size_t>(height * width));
  const int dot_columns = width * 2, dot_rows = height * 4;
  const auto sweep = static_cast<std::uint64_t>(Trace::length);
  int before = -1, column_before = -1;
  const std::uint64_t first = trace.written - trace.values.size();
  const std::uint64_t hidden = trace.values.size() == sweep ? sweep / 25 : 0;  // the gap ahead of the sweep
  for (std::size_t i = static_cast<std::size_t>(hidden); i < trace.values.size(); ++i) {
    const double v = static_cast<double>(trace.values[i]);
    const int x = static_cast<int>((first + i) % sweep * static_cast<std::uint64_t>(dot_columns) / sweep);
    if (!std::isfinite(v)) {
      before = -1;
      continue;
    }
    const double part = std::clamp((v - trace.low) / (trace.high - trace.low), 0.0, 1.0);
    const int y = static_cast<int>(std::lround((1 - part) * (dot_rows - 1)));
    const int from = before < 0 || x < column_before ? y : std::min(before, y), to = before < 0 || x < column_before ? y : std::max(before, y);
    for (int d = from; d <= to; ++d) dots[static_cast<std::size_t>(d / 4 * width + x / 2)] |= bits[x % 2][d % 4];
    before = y;
    column_before = x;
  }
  for (int r = 0; r < height; ++r)
    for (int c = 0; c < width; ++c)
      if (const int d = dots[static_cast<std::size_t>(r * width + c)]) grid.at(top + r, c) = {static_cast<char32_t>(0x2800 + d), ink_of(trace.colour), false};
  put(grid, top, 0, trace.label, ink_of(trace.colour), true);
}

void draw_alarms(Grid& grid, const ScreenState& state, double seconds) {
  if (state.alarms.empty()) {
    put(grid, 1, 1, state.admitted ? "no alarms" : "no patient admitted", Ink::dim);
    return;
  }
  int column = 0;
  for (const auto& a : state.alarms) {
    const bool lit = a.flash_hz == 0 || std::fmod(seconds * a.flash_hz, 1.0) < 0.6;
    const Ink ink = a.colour == "red" ? Ink::red_bar : a.colour == "yellow" ? Ink::yellow_bar : Ink::cyan_bar;
    const char* marks = a.priority == "high" ? "!!! " : a.priority == "medium" ? "!! " : "! ";
    const auto text = fmt::format(" {}{}{} ", marks, a.text, a.present ? "" : " (past)");
    if (column + static_cast<int>(text.size()) > grid.columns) break;
    put(grid, 1, column, text, lit ? ink : Ink::plain, true);
    column += static_cast<int>(text.size()) + 1;
  }
}

// Three lines over the foot of the traces: what is offered, its notes, what to do about it.
void draw_update(Grid& grid, const ScreenState& state, int width) {
  const auto& u = state.update;
  if (!u.offered && u.message.empty() && u.prompt.empty()) return;
  // With a patient it is one line and nothing to press.
  const bool quiet = state.admitted && u.prompt.empty();
  const int top = grid.rows - (quiet ? 2 : 4);
  for (int r = top; r < grid.rows - 1; ++r)
    for (int c = 0; c < width; ++c) grid.at(r, c) = {};
  if (quiet) {
    const auto text = u.offered ? fmt::format("UPDATE {}: can be installed when no patient is admitted", u.version) : u.message;
    return put(grid, top, 1, text.substr(0, static_cast<std::size_t>(width - 2)), Ink::cyan);
  }
  if (u.offered) put(grid, top, 1, fmt::format("UPDATE {} from {}", u.version, u.origin).substr(0, static_cast<std::size_t>(width - 2)), Ink::cyan, true);
  if (u.offered) put(grid, top + 1, 1, u.notes.substr(0, static_cast<std::size_t>(width - 2)), Ink::white);
  const std::string last = !u.prompt.empty() ? u.prompt
                           : u.busy          ? "installing; do not switch off"
                           : !u.message.empty() ? u.message
                                             : "u install  k not now";
  put(grid, top + 2, 1, last.substr(0, static_cast<std::size_t>(width - 2)), Ink::yellow);
}

}  // namespace

std::string utf8(char32_t g) {
  std::string out;
  if (g < 0x80) {
    out += static_cast<char>(g);
  } else if (g < 0x800) {
    out += static_cast<char>(0xC0 | g >> 6);
    out += static_cast<char>(0x80 | (g & 0x3F));
  } else if (g < 0x10000) {
    out += static_cast<char>(0xE0 | g >> 12);
    out += static_cast<char>(0x80 | (g >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (g & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | g >> 18);
    out += static_cast<char>(0x80 | (g >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (g >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (g & 0x3F));
  }
  return out;
}

std::string Grid::line(int row) const {
  std::string out;
  for (int c = 0; c < columns; ++c) out += utf8(at(row, c).glyph);
  return out;
}

Grid draw(const ScreenState& state, int columns, int rows, double seconds) {
  Grid grid{columns, rows, std::vector<Cell>(static_cast<std::size_t>(std::max(0, columns) * std::max(0, rows)))};
  if (columns < 60 || rows < 20) {
    if (rows > 0) put(grid, 0, 0, "bedside needs 60 x 20", Ink::red_bar);
    return grid;
  }
  const auto head = fmt::format(" {}  {}  {}", state.bed, state.admitted ? state.patient : "(no patient)", state.age);
  put(grid, 0, 0, head, Ink::white, true);
  const auto tail = (state.audio_paused > 0 ? fmt::format("AUDIO PAUSED {:.0f} s  ", state.audio_paused) : "") + state.clock + " ";
  put(grid, 0, std::max(0, columns - static_cast<int>(tail.size())), tail, Ink::white);
  draw_alarms(grid, state, seconds);

  const int panel = 22, width = columns - panel - 1, area = rows - 4;
  const int lanes = static_cast<int>(state.traces.size()), height = std::max(1, area / std::max(1, lanes));
  for (int i = 0; i < lanes; ++i) draw_trace(grid, state.traces[static_cast<std::size_t>(i)], 2 + i * height, height, width);

  draw_update(grid, state, width);

  const bool roomy = area >= static_cast<int>(state.numerics.size()) * 5;
  const int each = area / std::max(1, static_cast<int>(state.numerics.size()));
  int row = 2;
  for (const auto& n : state.numerics) {
    const bool lit = !n.alarm.empty() && std::fmod(seconds * (n.alarm == "high" ? 2 : 0.6), 1.0) < 0.6;
    const Ink ink = !lit ? ink_of(n.colour) : n.alarm == "high" ? Ink::red_bar : n.alarm == "medium" ? Ink::yellow_bar : Ink::cyan_bar;
    const Ink large = !lit ? ink_of(n.colour) : n.alarm == "high" ? Ink::red : Ink::yellow;
    put(grid, row, width + 1, n.label, ink_of(n.colour), true);
    put(grid, row, columns - static_cast<int>(n.limits.size()) - 1, n.limits, Ink::dim);
    const int end = roomy || each >= 4 ? put_large(grid, row + 1, width + 1, n.value.size() > 5 ? n.value.substr(0, n.value.find(' ')) : n.value, large)
                                       : width + 1;
    if (each < 4) put(grid, row + 1, width + 1, n.value + " " + n.unit, ink, true);
    else if (n.value.size() > 5) put(grid, row + 2, end, n.value.substr(n.value.find(' ') + 1), ink, true);
    if (each >= 5) put(grid, row + 4, width + 1, n.unit + "  " + n.detail, Ink::dim);
    else if (each >= 3 && each < 4) put(grid, row + 2, width + 1, n.detail, Ink::dim);
    row += each;
  }
  put(grid, rows - 1, 0, " a acknowledge  p pause sound  n NIBP  x discharge  m admit  q quit", Ink::dim);
  put(grid, rows - 1, std::max(0, columns - static_cast<int>(state.notice.size()) - 1), state.notice, Ink::yellow);
  return grid;
}

}  // namespace bedside
