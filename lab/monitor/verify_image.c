/* `verify-image DIRECTORY [KEY]`: checks a staged update package the way the update itself does, for the owner's eyes.
 * Exit 0 and the manifest's facts, or 1 and the reason. */
#include <stdio.h>

#include "manifest.h"

int main(int argc, char **argv) {
  static struct manifest found;
  const char *why = "";
  const char *key = argc > 2 ? argv[2] : "/etc/keys/update.pub";
  if (argc < 2) {
    fprintf(stderr, "usage: verify-image DIRECTORY [KEY]\n");
    return 2;
  }
  if (manifest_verify(argv[1], key, &found, &why) != 0) {
    fprintf(stderr, "refused: %s\n", why);
    return 1;
  }
  printf("device %s\nversion %s\norigin %s\nnotes %s\nfiles %u\n", found.device, found.version, found.origin,
         found.notes, (unsigned)found.files);
  return 0;
}
