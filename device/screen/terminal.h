// What a screen shows in, a grid of coloured characters for a terminal out. Pure; ncurses only paints the grid (app/main.cc).
#pragma once

#include <string>
#include <vector>

#include "device/screen/state.h"

namespace bedside {

enum class Ink : std::uint8_t { plain, green, cyan, yellow, white, magenta, red_bar, yellow_bar, cyan_bar, dim, red };

struct Cell {
  char32_t glyph = U' ';
  Ink ink = Ink::plain;
  bool bold = false;
};

struct Grid {
  int columns = 0, rows = 0;
  std::vector<Cell> cells;
  Cell& at(int row, int column) { return cells[static_cast<std::size_t>(row * columns + column)]; }
  const Cell& at(int row, int column) const { return cells[static_cast<std::size_t>(row * columns + column)]; }
  std::string line(int row) const;  // UTF-8, without colours
};

// `seconds` drives the flashing. At least 60 columns and 20 rows are drawn; a smaller terminal gets a line that says so.
Grid draw(const ScreenState& state, int columns, int rows, double seconds);

std::string utf8(char32_t glyph);

}  // namespace bedside
