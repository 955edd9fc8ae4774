/* Times one notified call: datagrams with a named peer, which the supervisor is asked about, beside datagrams on a connected
 * socket, which it is not. Prints nanoseconds a call of each, the least of seven rounds. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { CALLS = 1000, ROUNDS = 7 };

static long round_of(int fd, const struct sockaddr_in *peer) {
  struct timespec from, to;
  int i;
  clock_gettime(CLOCK_MONOTONIC, &from);
  for (i = 0; i < CALLS; ++i) sendto(fd, "x", 1, 0, (const struct sockaddr *)peer, peer ? sizeof *peer : 0);
  clock_gettime(CLOCK_MONOTONIC, &to);
  return ((to.tv_sec - from.tv_sec) * 1000000000L + to.tv_nsec - from.tv_nsec) / CALLS;
}

int main(void) {
  struct sockaddr_in peer;
  long named = -1, connected = -1;
  int i, free_fd = socket(AF_INET, SOCK_DGRAM, 0), bound_fd = socket(AF_INET, SOCK_DGRAM, 0), sink = socket(AF_INET, SOCK_DGRAM, 0);
  memset(&peer, 0, sizeof peer);
  peer.sin_family = AF_INET;
  peer.sin_port = htons(9);
  inet_aton("127.0.0.1", &peer.sin_addr);
  bind(sink, (struct sockaddr *)&peer, sizeof peer);
  connect(bound_fd, (struct sockaddr *)&peer, sizeof peer);
  for (i = 0; i < ROUNDS; ++i) {
    long one = round_of(free_fd, &peer), other = round_of(bound_fd, NULL);
    if (named < 0 || one < named) named = one;
    if (connected < 0 || other < connected) connected = other;
  }
  printf("named %ld connected %ld\n", named, connected);
  return 0;
}
