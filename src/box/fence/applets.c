/* The few commands that the lab's monitor gives to a shell, for machines for which no busybox is at hand: `sh -c "..."` with one
 * simple command, mount, umount, cp and ifconfig. A test's stand-in and no specimen: it does only what it is told. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int copy(const char *from, const char *folder) {
  char to[256], block[4096];
  ssize_t n;
  int in = open(from, O_RDONLY), out;
  snprintf(to, sizeof to, "%s/%s", folder, strrchr(from, '/') + 1);
  unlink(to);
  out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
  if (out < 0) return 1;
  while ((n = read(in, block, sizeof block)) > 0)
    if (write(out, block, (size_t)n) != n) return 1;
  return 0;
}

static int raise_interface(const char *name) {
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP;
  return ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &request) != 0;
}

int main(int argc, char **argv) {
  const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
  if (strcmp(name, "sh") == 0 && argc > 2) {
    char *words[16], path[64], *line = strdup(argv[2]);
    int count = 0;
    for (char *word = strtok(line, " "); word && count < 15; word = strtok(NULL, " ")) words[count++] = word;
    words[count] = NULL;
    snprintf(path, sizeof path, "/bin/%s", words[0]);
    execv(path, words);
    return 127;
  }
  if (strcmp(name, "mount") == 0 && argc == 7) return mount(argv[5], argv[6], argv[4], 0, argv[2]) != 0;
  if (strcmp(name, "umount") == 0 && argc == 2) return umount(argv[1]) != 0;
  if (strcmp(name, "cp") == 0 && argc == 4) return copy(argv[2], argv[3]);
  if (strcmp(name, "ifconfig") == 0 && argc == 3) return raise_interface(argv[1]);
  return 2;
}
