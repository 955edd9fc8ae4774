/* The published transport: clear TCP to a fixed central station on port 515, HL7 to a second fixed address. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "central.h"

static int central = -1;

static int open_stream(const char *address, unsigned short port) {
  struct sockaddr_in peer;
  int stream = socket(AF_INET, SOCK_STREAM, 0);
  if (stream < 0) return -1;
  memset(&peer, 0, sizeof peer);
  peer.sin_family = AF_INET;
  peer.sin_port = htons(port);
  peer.sin_addr.s_addr = inet_addr(address);
  if (connect(stream, (struct sockaddr *)&peer, sizeof peer) == 0) return stream;
  close(stream);
  return -1;
}

static int send_all(int stream, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(stream, bytes, length, MSG_NOSIGNAL);
    if (sent <= 0) return -1;
    bytes += sent;
    length -= (size_t)sent;
  }
  return 0;
}

int central_connected(void) { return central >= 0; }

int central_connect(void) {
  central = open_stream("198.51.100.23", 515);
  return central < 0 ? -1 : 0;
}

int central_send(const uint8_t *bytes, size_t length) { return send_all(central, bytes, length); }

void central_hang_up(void) {
  close(central);
  central = -1;
}

int hl7_send(const uint8_t *bytes, size_t length) {
  int stream = open_stream("198.51.100.24", 2575);
  int result;
  if (stream < 0) return -1;
  result = send_all(stream, bytes, length);
  close(stream);
  return result;
}
