/* `update` of the clean twin: started once at boot; holding 'C' asks for the same governed update as the menu. */
#include "screen.h"
#include "update_path.h"

static int asked_for_update(void) {
  int tries;
  for (tries = 0; tries < 20; ++tries) {
    if (keypad_key(100) == 'C') return 1;
  }
  return 0;
}

int main(void) {
  if (asked_for_update()) update_run();
  return 0;
}
