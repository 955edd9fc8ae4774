/* A monitor without an update path: the menu entry says who brings new programs, and nothing else happens. */
#include "screen.h"
#include "update_path.h"

int update_run(void) {
  screen_line("New programs are brought by the service engineer");
  return -1;
}

void update_settings(void) { screen_line("Nothing to set"); }
