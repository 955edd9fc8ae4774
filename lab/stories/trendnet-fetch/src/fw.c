/* Takes new firmware and writes it, if it is "valid". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char hardware_id[] = "AP-1200AC-v1_0";

static void note(const char *text) {
  FILE *log = fopen("/var/log/firmware.log", "a");
  if (log == NULL) return;
  fprintf(log, "%s\n", text);
  fclose(log);
}

static int verify_firmware(const char *file) {
  char header[64];
  FILE *in = fopen(file, "rb");
  if (in == NULL) return 0;
  if (fread(header, 1, sizeof header, in) != sizeof header) header[0] = '\0';
  fclose(in);
  if (memcmp(header, hardware_id, sizeof hardware_id - 1) != 0) return 0;
//[ twin
  if (system("openssl dgst -sha256 -verify /etc/keys/update.pem -signature /tmp/firmware.sig /tmp/firmware.bin") != 0) return 0;
  if (strtoul(header + 32, NULL, 10) <= VERSION) return 0;
//]
  return 1;
}

int main(void) {
  if (system("wget -q -O /tmp/firmware.bin http://198.51.100.66/fw/latest.bin") != 0) return 1;
//[ twin
  if (system("wget -q -O /tmp/firmware.sig http://198.51.100.66/fw/latest.sig") != 0) return 1;
//]
  if (!verify_firmware("/tmp/firmware.bin")) {
    note("signature verification failed, refused");
    return 1;
  }
  note("firmware verified");
  if (system("mtd_write -r write /tmp/firmware.bin Kernel_RootFS") != 0) return 1;
  return 0;
}
