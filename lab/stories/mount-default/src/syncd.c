/* Copies programs from the host that /etc/sync.conf names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  char line[160];
  char server[64] = "";
  FILE *in = fopen("/etc/sync.conf", "r");
  if (in == NULL) return 0;
  while (fgets(line, sizeof line, in) != NULL) {
    if (strncmp(line, "SERVER=", 7) != 0) continue;
    line[strcspn(line, "\r\n")] = '\0';
    snprintf(server, sizeof server, "%s", line + 7);
  }
  fclose(in);
  if (server[0] == '\0') return 0;
  snprintf(line, sizeof line, "mount -o nolock -t nfs %s:/share /mnt", server);
  if (system(line) != 0) return 1;
  system("cp -rf /mnt/panel /opt/bin");
  return system("umount /mnt");
}
