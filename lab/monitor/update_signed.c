/* The governed update path: asked for by the operator, from the server that the owner named, staged on local storage,
 * verified there, newer than what runs, made for this device, shown and agreed to, installed from the verified copy,
 * and recorded whether accepted or refused. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "manifest.h"
#include "screen.h"
#include "settings.h"
#include "update_path.h"

static int refuse(const char *why) {
  audit("update refused: %s", why);
  screen_line("Update failed: %s", why);
  return -1;
}

static int is_host_name(const char *text) {
  for (; *text != '\0'; ++text) {
    if (!isalnum((unsigned char)*text) && *text != '.' && *text != '-') return 0;
  }
  return 1;
}

/* Copies the package from the owner's server to local storage; the share is gone again when this returns. */
static int stage_from_share(const char *server) {
  char command[160];
  int staged = -1;
  system("ifconfig eth0 up");
  sleep(2);
  snprintf(command, sizeof command, "mount -o nolock,sec=krb5p -t nfs %s:/pm /mnt", server);
  if (system(command) != 0) return -1;
  system("rm -rf /opt/stage");
  if (access("/mnt/monitor", F_OK) == 0 && system("cp -rf /mnt/monitor /opt/stage") == 0) staged = 0;
  system("umount /mnt");
  return staged;
}

static int operator_agrees(const struct manifest *offered, const char *installed, const char *server) {
  screen_line("Update offered by %s", offered->origin);
  screen_line("from server %s", server);
  screen_line("Installed version %s, offered version %s", installed, offered->version);
  screen_line("Notes: %s", offered->notes);
  screen_line("Install? Y/N");
  return keypad_key(60000) == 'Y';
}

/* Beside, then in place, with the manifest for the check at every start: an interruption before the last rename leaves the
 * old programs (S15programs puts them back), after it the new ones. */
static int install_staged(const char *version) {
  system("rm -rf /opt/bin.new /opt/bin.old");
  if (system("cp -rf /opt/stage/bin /opt/bin.new") != 0) return -1;
  if (system("cp -f /opt/stage/manifest /opt/stage/manifest.sig /opt/bin.new") != 0 || symlink(".", "/opt/bin.new/bin") != 0) return -1;
  sync();
  if (rename("/opt/bin", "/opt/bin.old") != 0) return -1;
  if (rename("/opt/bin.new", "/opt/bin") != 0) return rename("/opt/bin.old", "/opt/bin"), -1;
  sync();
  return setting_write("/opt/etc/version", "VERSION", version);
}

int update_run(void) {
  static struct manifest offered;
  char server[64];
  char network[8];
  char installed[32];
  char device[32];
  const char *why = "";
  screen_line("Updating, please wait");
  if (setting_read("/opt/etc/update.conf", "SERVER", server, sizeof server) == 0) return refuse("no server is set");
  if (!is_host_name(server)) return refuse("the server setting is not a host name");
  setting_read("/opt/etc/network.conf", "ETH0", network, sizeof network);
  if (strcmp(network, "on") != 0) return refuse("the network is switched off");
  if (stage_from_share(server) != 0) return refuse("nothing could be fetched");
  if (manifest_verify("/opt/stage", "/etc/keys/update.pub", &offered, &why) != 0) return refuse(why);
  setting_read("/etc/device", "DEVICE", device, sizeof device);
  if (strcmp(offered.device, device) != 0) return refuse("made for another device");
  setting_read("/opt/etc/version", "VERSION", installed, sizeof installed);
  if (version_compare(offered.version, installed) <= 0) return refuse("not newer than the installed version");
  if (!operator_agrees(&offered, installed, server)) return refuse("the operator declined");
  if (install_staged(offered.version) != 0) return refuse("could not be written");
  audit("update accepted: version %s, origin %s, server %s", offered.version, offered.origin, server);
  screen_line("Update finished, restarting");
  return 0;
}

static void ask_for(const char *file, const char *key, const char *prompt) {
  char value[64];
  if (keypad_line(prompt, value, sizeof value) == 0) return;
  setting_write(file, key, value);
  audit("setting %s changed to %s", key, value);
}

void update_settings(void) {
  ask_for("/opt/etc/update.conf", "SERVER", "Update server:");
  ask_for("/opt/etc/central.conf", "CENTRAL", "Central station:");
  ask_for("/opt/etc/central.conf", "HL7", "HL7 receiver:");
  ask_for("/opt/etc/central.conf", "SEND_PATIENT_DATA", "Send patient data to it (yes/no):");
}
