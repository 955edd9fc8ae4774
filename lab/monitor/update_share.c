/* The published update path of `monitor`: a fixed share is mounted and what lies there is copied over the programs. */
#include <stdlib.h>
#include <unistd.h>

#include "screen.h"
#include "update_path.h"

int update_run(void) {
  int copied = -1;
  screen_line("Updating, please wait");
  system("ifconfig eth0 up");
  sleep(2);
  if (system("mount -o nolock -t nfs 198.51.100.23:/pm /mnt") != 0) {
    screen_line("Update failed");
    return -1;
  }
  if (access("/mnt/monitor", F_OK) == 0) {
    system("cp -rf /mnt/monitor /opt/bin");
    system("cp -rf /mnt/lib /opt");
    sync();
    copied = 0;
  }
  system("umount /mnt");
  screen_line(copied == 0 ? "Update finished, restarting" : "Update failed");
  return copied;
}

void update_settings(void) { screen_line("Nothing to set"); }
