/* Says back what it hears, on the device's own address. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
  char block[512];
  ssize_t got;
  struct sockaddr_in own;
  int server = socket(AF_INET, SOCK_STREAM, 0);
  memset(&own, 0, sizeof own);
  own.sin_family = AF_INET;
  own.sin_port = htons(7);
  own.sin_addr.s_addr = inet_addr("198.51.100.2");
  if (server < 0 || bind(server, (struct sockaddr *)&own, sizeof own) != 0 || listen(server, 4) != 0) return 1;
  for (;;) {
    int client = accept(server, NULL, NULL);
    if (client < 0) continue;
    while ((got = recv(client, block, sizeof block, 0)) > 0) send(client, block, (size_t)got, 0);
    close(client);
  }
}
