/* `update`: started once at boot, before `monitor`. Holding 'C' in the first two seconds asks for an update. */
#include <stdlib.h>
#include <unistd.h>

#include "screen.h"

static int asked_for_update(void) {
  int tries;
  for (tries = 0; tries < 20; ++tries) {
    if (keypad_key(100) == 'C') return 1;
  }
  return 0;
}

static void copy_from_share(void) {
  system("ifconfig eth0 up");
  sleep(2);
  if (system("mount -o nolock -t nfs 198.51.100.23:/pm /mnt") != 0) return;
  if (access("/mnt/monitor", F_OK) == 0) {
    system("cp -rf /mnt/* /opt");
    system("cp -rf /mnt/monitor /opt/bin");
    sync();
    screen_line("Done");
  }
  system("umount /mnt");
}

int main(void) {
  if (asked_for_update()) copy_from_share();
  return 0;
}
