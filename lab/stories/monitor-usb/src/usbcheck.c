/* Looks for an update on a USB stick. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void note(const char *text) {
  FILE *log = fopen("/opt/update.log", "a");
  if (log == NULL) return;
  fprintf(log, "%s\n", text);
  fclose(log);
}

static unsigned number(const char *file) {
  unsigned value = 0;
  FILE *in = fopen(file, "r");
  if (in == NULL) return 0;
  if (fscanf(in, "%u", &value) != 1) value = 0;
  fclose(in);
  return value;
}

int main(void) {
  if (system("mount -t vfat /dev/sda1 /mnt/usb") != 0) return 0;
  if (access("/mnt/usb/update.tar", F_OK) != 0) return system("umount /mnt/usb");
  system("cp /mnt/usb/update.tar /mnt/usb/update.tar.sig /tmp");
  system("umount /mnt/usb");
//[ twin
  if (system("openssl dgst -sha256 -verify /etc/keys/update.pem -signature /tmp/update.tar.sig /tmp/update.tar") != 0) {
    note("usb update refused: signature verification failed");
    return 1;
  }
//]
  system("mkdir -p /tmp/new && tar -xf /tmp/update.tar -C /tmp/new");
//[ twin
  if (number("/tmp/new/version") <= number("/opt/version")) {
    note("usb update refused: not newer");
    return 1;
  }
//|
  printf("%u over %u\n", number("/tmp/new/version"), number("/opt/version"));
//]
  if (system("cp -rf /tmp/new/bin /opt") != 0) return 1;
  note("usb update installed");
  return 0;
}
