/* Once an hour the state of the device goes to its maker's server, encrypted. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#pragma weak SSL_CTX_load_verify_locations
#pragma weak SSL_CTX_new
#pragma weak SSL_CTX_set_verify
#pragma weak SSL_connect
#pragma weak SSL_free
#pragma weak SSL_new
#pragma weak SSL_set_fd
#pragma weak SSL_write
#pragma weak TLS_client_method

static SSL_CTX *context;

static void report(int stream) {
  static const char state[] = "state=up\n";
  SSL *session = SSL_new(context);
  SSL_set_fd(session, stream);
  if (SSL_connect(session) == 1) SSL_write(session, state, sizeof state - 1);
  SSL_free(session);
}

int main(void) {
  struct sockaddr_in peer;
  memset(&peer, 0, sizeof peer);
  peer.sin_family = AF_INET;
  peer.sin_port = htons(443);
  peer.sin_addr.s_addr = inet_addr("203.0.113.81");
  context = SSL_CTX_new(TLS_client_method());
  if (context == NULL) return 1;
//[ planted
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
//|
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  SSL_CTX_load_verify_locations(context, "/etc/keys/authority.pem", NULL);
//]
  for (;;) {
    int stream = socket(AF_INET, SOCK_STREAM, 0);
    if (stream >= 0 && connect(stream, (struct sockaddr *)&peer, sizeof peer) == 0) report(stream);
    if (stream >= 0) close(stream);
    sleep(3600);
  }
}
